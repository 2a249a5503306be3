#!/usr/bin/env bash
# The registry's figures of docs/benchmarks.md: the released program beside distribution 2.8 and 3, and NORA where it was built, in turns
# in one run, with the raw disk and the raw Swift as floors. Called by `make bench-registry`, which has set the machine up.
#   BUILT=1 takes the programs that were built before
#   tools/bench-registry.sh --quick                       to see whether it works
#   tools/bench-registry.sh --backends directory --only small
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
export PORT_BASE=${PORT_BASE:-27000} BED=${BED:-$CACHE/run/registry-bench-$$}
trap 'tests/beds/registry/down.sh' EXIT

if [ -z "${BUILT:-}" ]; then
  nice -n 10 cargo build --release --quiet --package jeroboam
  nice -n 10 cargo build --release --quiet --package jeroboam-bench
  nice -n 10 cargo build --release --quiet --package jeroboam-conformance --bin jeroboam-fault-proxy
fi
nora=()
[ ! -x "$CACHE/nora-1.4.3/bin/nora" ] || nora=(--nora "$CACHE/nora-1.4.3/bin/nora")
programs=$(tests/beds/registry/build.sh registry3)
environment=$(tests/beds/registry/up.sh swift)
eval "$environment"
mkdir -p "$CACHE/bench"
# A thousand clients at once, on this side too.
ulimit -n 16384
json=$CACHE/bench/registry-$(date -u +%Y%m%dT%H%M%SZ).json
"$CARGO_TARGET_DIR/release/jeroboam-bench" registry --binary "$CARGO_TARGET_DIR/release/jeroboam" --registry3 "$programs/registry3" "${nora[@]}" \
  --proxy "$CARGO_TARGET_DIR/release/jeroboam-fault-proxy" --swift "$JEROBOAM_SWIFT_V1" --folder "$BED/bench" --extra "{limits: {connections: 2000}}" --json "$json" "$@"
echo "bench: all figures are in $json" >&2
