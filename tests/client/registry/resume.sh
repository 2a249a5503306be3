#!/usr/bin/env bash
# Transfers that are cut: a client that is killed, a registry that is killed as by a power cut; what comes back is whole.
#   resume.sh HOST:PORT
# $KILL ends the registry at once, $START starts it again; without them only clients are killed.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
size=$((48 * 1048576))
head -c $size /dev/urandom >"$work/blob"
digest=sha256:$(sha256sum <"$work/blob" | cut -d' ' -f1)
location() { tr -d '\r' | awk 'tolower($1) == "location:" { print $2 }' | sed "s#^/#http://$REGISTRY/#"; }
restarts() { [ -n "${KILL:-}" ]; }
restart() { eval "$KILL"; eval "$START"; }
with_digest() { case $1 in *\?*) echo "$1&digest=$2" ;; *) echo "$1?digest=$2" ;; esac; }
half=$((size / 2))

# A push that loses its registry after the first half was acknowledged goes on from there.
at=$(curl -sf -D - -o /dev/null -X POST -H "Content-Length: 0" "$(url "$REPO" blobs/uploads/)" | location)
at=$(head -c $half "$work/blob" | curl -sf -D - -o /dev/null -X PATCH -H "Content-Type: application/octet-stream" -H "Content-Range: 0-$((half - 1))" --data-binary @- "$at" | location)
if restarts; then restart; fi
answer=$(curl -sf -D - -o /dev/null "$at") || fail "the session is not known any more"
is "how far the session is" "0-$((half - 1))" "$(tr -d '\r' <<<"$answer" | awk 'tolower($1) == "range:" { print $2 }')"
at=$(location <<<"$answer")
at=$(tail -c +$((half + 1)) "$work/blob" | curl -sf -D - -o /dev/null -X PATCH -H "Content-Type: application/octet-stream" -H "Content-Range: $half-$((size - 1))" --data-binary @- "$at" | location)
is "the end of the session" 201 "$(status -X PUT -H "Content-Length: 0" "$(with_digest "$at" "$digest")")"
is "the blob" "$digest" "sha256:$(curl -sf "$(url "$REPO" "blobs/$digest")" | sha256sum | cut -d' ' -f1)"
say "a push in two halves"

# A chunk that is cut in its middle: what the registry says that it has, it has. It is long enough for the registry to have made some of it durable by itself.
other_size=$((256 * 1048576))
head -c $other_size /dev/urandom >"$work/other"
other=sha256:$(sha256sum <"$work/other" | cut -d' ' -f1)
at=$(curl -sf -D - -o /dev/null -X POST -H "Content-Length: 0" "$(url "$REPO" blobs/uploads/)" | location)
curl -s -o /dev/null --limit-rate 100M -X PATCH -H "Content-Type: application/octet-stream" -H "Transfer-Encoding: chunked" -T "$work/other" "$at" &
client=$!
# Until more than what the registry keeps without having made it durable was sent.
sent() { awk '/^rchar/ { print $2 }' "/proc/$client/io" 2>/dev/null || echo 0; }
while [ -d /proc/$client ] && [ "$(sent)" -lt $((190 * 1048576)) ]; do sleep 0.05; done
if restarts; then restart; fi
kill -KILL $client 2>/dev/null || true
wait $client 2>/dev/null || true
has=0
for _ in $(seq 50); do # what a killed client leaves is written down when its connection is seen to be gone
  range=$(curl -s -D - -o /dev/null "$at" | tr -d '\r' | awk 'tolower($1) == "range:" { print $2 }')
  [ -n "$range" ] || fail "the session of a cut chunk is not known any more"
  now=$((${range#0-} + 1))
  [ "$range" != 0-0 ] || now=0
  [ "$now" != "$has" ] || [ "$now" = 0 ] || break
  has=$now
  sleep 0.1
done
at=$(curl -sf -D - -o /dev/null "$at" | location)
at=$(tail -c +$((has + 1)) "$work/other" | curl -sf -D - -o /dev/null -X PATCH -H "Content-Type: application/octet-stream" --data-binary @- "$at" | location)
is "the end of the cut session" 201 "$(status -X PUT -H "Content-Length: 0" "$(with_digest "$at" "$other")")"
is "the blob of the cut session" "$other" "sha256:$(curl -sf "$(url "$REPO" "blobs/$other")" | sha256sum | cut -d' ' -f1)"
[ "$has" -gt 0 ] && [ "$has" -lt $other_size ] || fail "$has of $other_size bytes of a cut chunk are there: nothing is shown by that"
say "a chunk that was cut after $has of $other_size bytes"

# A pull that is cut goes on with a range.
curl -s -o "$work/part" --limit-rate 40M "$(url "$REPO" "blobs/$digest")" &
client=$!
sleep 0.4
if restarts; then restart; fi
kill -KILL $client 2>/dev/null || true
wait $client 2>/dev/null || true
got=$(stat -c %s "$work/part" 2>/dev/null || echo 0)
curl -sf -C - -o "$work/part" "$(url "$REPO" "blobs/$digest")" || [ "$got" = $size ] || fail "the pull does not go on"
cmp "$work/blob" "$work/part" || fail "the two parts of the pull are not the blob"
say "a pull that was cut after $got bytes"

# A real client that is killed in the middle of its push does it again.
pushed=$(image "$work/image" --seed "resume-$digest" --layers 3 --bytes 15000000)
push() { skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$work/image:latest" "docker://$REGISTRY/$REPO:cut"; }
push 2>/dev/null &
client=$!
sleep 0.3
kill -KILL $client 2>/dev/null || true
wait $client 2>/dev/null || true
if restarts; then restart; fi
push
is "the image" "$pushed" "$(digest_of "$REPO" cut)"
skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$REGISTRY/$REPO:cut" "oci:$work/back:latest"
same_layout "$work/image" "$work/back"
say "skopeo, killed and started again"
