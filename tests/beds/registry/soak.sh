#!/usr/bin/env bash
# Pushes, pulls and deletes at once while garbage is collected: no push fails, no blob is missing.
#   soak.sh BACKEND STORE     $PORT is free, $JEROBOAM is the program, $SOAK_PROGRAM pushes, for $SOAK seconds
# shellcheck source-path=SCRIPTDIR source=backend.sh
. "$(dirname "$0")/backend.sh"
backend=$1 place=$2
: "${PORT:?}" "${JEROBOAM:?}" "${SOAK_PROGRAM:?}" "${SOAK:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"; "$HERE/registry.sh" down jeroboam "$PORT"' EXIT
fail() { printf 'error: soak on %s: %s\n' "$backend" "$*" >&2; exit 1; }

# Collected every few seconds, with a grace that is shorter than any operator would dare, and longer than any pause of the pushers.
numbers=$((PORT + 5))
# A gateway that writes over what is there does not tell which of two collectors was first.
alone=
[ "$backend" != rgw ] || alone=", onlycollector: true"
more="jeroboam:
  compat: exclusive
  metrics: {addr: \"127.0.0.1:$numbers\"}
  gc: {enabled: true, interval: 2s, grace: 12s, heartbeat: 2s, slack: 1s, rate: 200$alone}"
EXTRA=$more "$HERE/registry.sh" up jeroboam "$backend" "$PORT" "$place"
"$SOAK_PROGRAM" "http://127.0.0.1:$PORT" --seconds "$SOAK" >"$work/outcome" || { cat "$work/outcome" >&2; fail "something was lost"; }
jq -c '{pushes, spared, postponed, deletes, pulls, failed: (.failed_pushes | length), missing: (.missing | length)}' "$work/outcome"
number() { curl -sf "http://127.0.0.1:$numbers/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }
curl -sf -o /dev/null "http://127.0.0.1:$numbers/metrics" || fail "there are no metrics"
removed=$(number registry_gc_removed_blobs_total) spared=$(number registry_gc_spared_blobs_total) sweeps=$(number 'registry_gc_runs_total{result="swept"}')
printf '{"sweeps": %s, "removed": %s, "spared": %s}\n' "${sweeps:-0}" "${removed:-0}" "${spared:-0}"
# A soak beside which nothing is collected shows nothing.
[ "${removed:-0}" -gt 0 ] && [ "${sweeps:-0}" -ge 2 ] || fail "nothing was collected"
EXTRA=$more "$HERE/registry.sh" config jeroboam "$backend" "$PORT" "$place" >"$work/config.yml"
"$JEROBOAM" registry inspect "$work/config.yml" --verify 100 >"$work/inspected" 2>&1 || { cat "$work/inspected" >&2; fail "inspect finds more than garbage"; }
