#!/usr/bin/env bash
# Pushes, pulls and deletes at once while garbage is collected: no push fails, no blob is missing.
#   soak.sh BACKEND STORE     $PORT is free, $JEROBOAM is the program, $SOAK_PROGRAM pushes, for $SOAK seconds
# shellcheck source-path=SCRIPTDIR source=backend.sh
. "$(dirname "$0")/backend.sh"
backend=$1 place=$2
: "${PORT:?}" "${JEROBOAM:?}" "${SOAK_PROGRAM:?}" "${SOAK:?}"
numbers=$((PORT + 3))
work=$(mktemp -d)
trap 'rm -rf "$work"; "$HERE/registry.sh" down jeroboam "$PORT"' EXIT
fail() { printf 'error: soak on %s: %s\n' "$backend" "$*" >&2; exit 1; }

# Collected every few seconds, with a grace that is shorter than any operator would dare, and longer than any pause of the pushers.
more="jeroboam:
  compat: exclusive
  metrics: {addr: \"127.0.0.1:$numbers\"}
  gc: {enabled: true, interval: 5s, grace: 20s, heartbeat: 2s, slack: 2s}"
EXTRA=$more "$HERE/registry.sh" up jeroboam "$backend" "$PORT" "$place"
"$SOAK_PROGRAM" "http://127.0.0.1:$PORT" --seconds "$SOAK" >"$work/outcome" || { cat "$work/outcome" >&2; fail "something was lost"; }
jq -c '{pushes, spared, deletes, pulls, failed: (.failed_pushes | length), missing: (.missing | length)}' "$work/outcome"
# Where nothing was collected, nothing is shown.
curl -sf "http://127.0.0.1:$numbers/metrics" >"$work/numbers" || fail "the numbers cannot be read"
collected=$(awk '$1 ~ /_gc_removed_blobs_total$/ { sum += $2 } END { print sum + 0 }' "$work/numbers")
say "$collected blobs were collected meanwhile"
[ "$collected" -gt 0 ] || { grep _gc_ "$work/numbers" >&2; fail "nothing was collected"; }
EXTRA=$more "$HERE/registry.sh" config jeroboam "$backend" "$PORT" "$place" >"$work/config.yml"
"$JEROBOAM" registry inspect "$work/config.yml" >"$work/inspected" 2>&1 || { cat "$work/inspected" >&2; fail "inspect finds more than garbage"; }
