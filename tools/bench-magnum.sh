#!/usr/bin/env bash
# The released program beside Magnum itself: the API of each, one after the other and in turns, on the same rows of one MariaDB, with one token
# of the same pretend cloud. Called by `make bench-magnum`, which has set the machine up. About 20 minutes.
#   tools/bench-magnum.sh --quick               to see whether it works
#   tools/bench-magnum.sh --rounds 1 --only "GET one cluster" --connections 8
#   KEEP=1 leaves settings and logs
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
export PORT_BASE=${PORT_BASE:-31840} STATE=${STATE:-$CACHE/run/bench-magnum-$$} SERVER=uwsgi
export JEROBOAM=$CARGO_TARGET_DIR/release/jeroboam
trap tests/beds/magnum/down.sh EXIT

# One by one, as in tools/bench.sh. BUILT=1 measures what was built before.
if [ -z "${BUILT:-}" ]; then
  nice -n 10 cargo build --release --quiet --package jeroboam
  nice -n 10 cargo build --release --quiet --package jeroboam-bench
fi
tests/beds/magnum/up.sh
mkdir -p "$CACHE/bench"
json=$CACHE/bench/magnum-$(date -u +%Y%m%dT%H%M%SZ).json
"$CARGO_TARGET_DIR/release/jeroboam-bench" versus --binary "$JEROBOAM" --address "127.0.0.1:$((PORT_BASE + 9))" \
  --magnum tests/beds/magnum/uwsgi.sh --magnum-address "127.0.0.1:$((PORT_BASE + 10))" --state "$STATE" \
  --database "mysql+pymysql://root@127.0.0.1:$PORT_BASE/magnum?charset=utf8" --json "$json" "$@"
echo "bench: all figures are in $json" >&2
