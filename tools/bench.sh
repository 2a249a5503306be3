#!/usr/bin/env bash
# The figures of docs/benchmarks.md: builds the released program and measures it, with the pretend cloud, the databases and the bare
# routes beside it, each a process of its own. Called by `make bench`, which has set the machine up. About half an hour.
#   tools/bench.sh --quick                      to see whether it works
#   tools/bench.sh --engines sqlite --parts requests
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}

# One by one: together they would share features, and the released program would be built with what only tests need.
nice -n 10 cargo build --release --quiet --package jeroboam
nice -n 10 cargo build --release --quiet --package jeroboam-bench
mkdir -p "$CACHE/bench"
json=$CACHE/bench/$(date -u +%Y%m%dT%H%M%SZ).json
"$CARGO_TARGET_DIR/release/jeroboam-bench" run --binary "$CARGO_TARGET_DIR/release/jeroboam" --json "$json" "$@"
echo "bench: all figures are in $json" >&2
