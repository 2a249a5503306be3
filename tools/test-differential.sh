#!/usr/bin/env bash
# The same requests to the service and to Magnum itself, on the same pretend cloud, each with a database of its own, and where their answers
# differ. Called by `make test-differential`, which has set the machine up; every sequence of requests comes from a seed.
#   test-differential.sh                                          5000 sequences; about 40 minutes of two processors
#   test-differential.sh --sequences 300 --minimise               some, and what of them a difference needs
#   test-differential.sh --seed 5 --first 141 --sequences 1 --verbose   one of them again
#   KEEP=1 leaves both running, JEROBOAM=… and DIFFERENTIAL=… take those programs instead of building them.
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
export PORT_BASE=${PORT_BASE:-31800} STATE=${STATE:-$CACHE/run/differential-$$} PROCESSES=${PROCESSES:-2}

finish() {
  local status=$?
  if [ -n "${KEEP:-}" ]; then exit $status; fi
  if [ -n "${service:-}" ]; then kill "$service" 2>/dev/null && wait "$service" 2>/dev/null || true; fi
  tests/beds/magnum/down.sh
  exit $status
}
trap finish EXIT

if [ -z "${JEROBOAM:-}" ]; then
  tools/build.sh --bin jeroboam
  JEROBOAM=$CARGO_TARGET_DIR/debug/jeroboam
fi
export JEROBOAM
if [ -z "${DIFFERENTIAL:-}" ]; then
  tools/build.sh --package jeroboam-differential
  DIFFERENTIAL=$CARGO_TARGET_DIR/debug/jeroboam-differential
fi
tests/beds/magnum/up.sh

# As Magnum has it, but for its database and the key that ours seals with.
cat >"$STATE/ours.conf" <<EOF
[database]
connection = mysql+pymysql://root@127.0.0.1:$PORT_BASE/jeroboam?charset=utf8
[jeroboam]
encryption_key = $(openssl rand -base64 32)
# A machine that is busy with something else makes keys slowly, which is no difference.
request_timeout = 300
[cors]
allowed_origin = https://horizon.example
[oslo_middleware]
enable_proxy_headers_parsing = true
EOF
"$JEROBOAM" api --config-file "$STATE/cloud/magnum.conf" --config-file "$STATE/ours.conf" --upgrade-database >"$STATE/log/ours.log" 2>&1 &
service=$!
ours=http://127.0.0.1:$((PORT_BASE + 9))
until curl -sf -o /dev/null "$ours/"; do
  kill -0 "$service" 2>/dev/null || { tail -n 20 "$STATE/log/ours.log" >&2; exit 1; }
  sleep 0.1
done

theirs=$(for number in $(seq "$PROCESSES"); do printf 'http://127.0.0.1:%d,' $((PORT_BASE + 9 + number)); done)
"$DIFFERENTIAL" --ours "$ours" --theirs "${theirs%,}" --identity "http://127.0.0.1:$((PORT_BASE + 1))/v3" \
  --socket "$STATE/mysql.sock" "$@"
