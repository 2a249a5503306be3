#!/usr/bin/env bash
# What a registry of ours makes of a backend that fails, and of being killed at every single request to it. Two kinds of life are lived:
# `images` pushes them, moves and deletes their tags; `rest` uploads in chunks and cancels, refers, and deletes manifests and blobs.
#   faults.sh BACKEND STORE     $PORT and $PROXY_PORT are free, $JEROBOAM is the program, $PROXY the proxy that fails on purpose
# Only for backends that name themselves after the address that they are asked at: versitygw, rgw-s3, swift.
#   FAULT_LIVES="images rest"; FAULT_STRIDE=7 cuts at every seventh request; FAULT_SEEDS=3 tries as many patterns of failures
# shellcheck source-path=SCRIPTDIR source=backend.sh
. "$(dirname "$0")/backend.sh"
backend=$1 place=$2
: "${PORT:?}" "${PROXY_PORT:?}" "${JEROBOAM:?}" "${PROXY:?}"
client=$HERE/../../client/registry
work=$(mktemp -d)
registry() { "$HERE/registry.sh" "$@"; }
trap 'rm -rf "$work"; registry down jeroboam "$PORT"; stop fault-proxy' EXIT
# Lives are lived in silence, and what they find is told all the same.
exec 3>&2
fail() { printf 'error: faults on %s: %s\n' "$backend" "$*" >&3; exit 1; }
is() { [ "$2" = "$3" ] || fail "$1: expected \"$2\", got \"$3\""; }
sk() { timeout 120 skopeo --insecure-policy "$@"; }
ours=127.0.0.1:$PORT proxy=http://127.0.0.1:$PROXY_PORT/_proxy
accept=(-H "Accept: application/vnd.oci.image.manifest.v1+json")

case $backend in
  versitygw) to=${JEROBOAM_S3#http://}; export JEROBOAM_S3=http://127.0.0.1:$PROXY_PORT ;;
  rgw-s3) to=${JEROBOAM_RGW#http://}; export JEROBOAM_RGW=http://127.0.0.1:$PROXY_PORT ;;
  swift) to=${JEROBOAM_SWIFT_V1#http://} to=${to%%/*}; export JEROBOAM_SWIFT_V1=http://127.0.0.1:$PROXY_PORT/auth/v1.0 ;;
  *) echo "error: $backend is not asked through a proxy" >&2; exit 2 ;;
esac
start fault-proxy "$PROXY" --listen "127.0.0.1:$PROXY_PORT" --to "$to"
wait_http fault-proxy "$proxy"
plan() { curl -sf -o /dev/null -X PUT --data-binary "$1" "$proxy" || fail "the proxy does not take $1"; }
requests() { curl -sf "$proxy" | jq .requests; }
failures() { curl -sf "$proxy" | jq .failures; }
alive_now() { curl -s -o /dev/null "http://$ours/v2/"; }
up() { registry up jeroboam "$backend" "$PORT" "$place"; }
again() { rm -f "$RUN/registry-jeroboam-$PORT.pid"; up; }

# One layer that goes in one request, one in chunks, an image under a tag, the tag moved, a tag deleted.
images_made() { # seed
  rm -rf "$work/first" "$work/second"
  previous=${second:-}
  first=$(python3 "$client/image.py" "$work/first" --seed "first-$1")
  second=$(python3 "$client/image.py" "$work/second" --seed "second-$1" --layers 1)
}
images_life() {
  sk copy -q --dest-tls-verify=false "oci:$work/first:latest" "docker://$ours/faults/life:tag" &&
    sk copy -q --dest-tls-verify=false "oci:$work/second:latest" "docker://$ours/faults/life:tag" &&
    sk copy -q --src-tls-verify=false --dest-tls-verify=false "docker://$ours/faults/life:tag" "docker://$ours/faults/copy:tag" &&
    curl -sf -o /dev/null -X DELETE "http://$ours/v2/faults/copy/manifests/tag"
}
images_whole() {
  is "the tag" "$second" "sha256:$(curl -sf "${accept[@]}" "http://$ours/v2/faults/life/manifests/tag" | sha)"
  is "what the tag was on" "$first" "sha256:$(curl -sf "${accept[@]}" "http://$ours/v2/faults/life/manifests/$first" | sha)"
  rm -rf "$work/back" && sk copy -q --src-tls-verify=false "docker://$ours/faults/life:tag" "oci:$work/back:latest" || fail "the image is not served"
  is "its blobs" "$(ls "$work/second/blobs/sha256")" "$(ls "$work/back/blobs/sha256")"
}
# The tag is on one of the three images that it was given, and that image is whole.
images_cut() { # when
  local now
  now=sha256:$(curl -sf "${accept[@]}" "http://$ours/v2/faults/life/manifests/tag" | sha)
  case $now in "$previous" | "$first" | "$second") ;; *) fail "$1, the tag is on $now" ;; esac
  rm -rf "$work/cut"
  sk copy -q --src-tls-verify=false "docker://$ours/faults/life:tag" "oci:$work/cut:latest" || fail "$1, the image of the tag is not whole"
}

# A blob in two chunks, an upload that is cancelled, an image, another one that refers to it and is deleted, a blob that is deleted.
rest=http://$ours/v2/faults/rest
sha() { sha256sum | cut -d' ' -f1; }
ask() { curl -sSf --max-time 120 "$@"; }
location() { tr -d '\r' | awk 'tolower($1) == "location:" { print $2 }' | sed "s#^/#http://$ours/#" | grep .; }
begin() { ask -D - -o /dev/null -X POST -H "Content-Length: 0" "$rest/blobs/uploads/" | location; }
piece() { # where from file
  ask -D - -o /dev/null -X PATCH -H "Content-Type: application/octet-stream" -H "Content-Range: $2-$(($2 + $(stat -c %s "$3") - 1))" --data-binary "@$3" "$1" | location
}
with_digest() { case $1 in *\?*) echo "$1&digest=$2" ;; *) echo "$1?digest=$2" ;; esac; }
blob() { # file digest
  local at
  at=$(begin) && ask -o /dev/null -X PUT -H "Content-Type: application/octet-stream" --data-binary "@$1" "$(with_digest "$at" "$2")"
}
put() { # file digest
  ask -o /dev/null -X PUT -H "Content-Type: application/vnd.oci.image.manifest.v1+json" --data-binary "@$1" "$rest/manifests/$2"
}
# Gone, or never there: who asks again after a cut finds nothing to delete.
gone() { # what
  local status
  status=$(curl -s --max-time 120 -o "$work/answer" -w '%{http_code}' -X DELETE "$rest/$1")
  case $status in 202 | 404) ;; *) cat "$work/answer" >&2; return 1 ;; esac
}
rest_made() { # seed
  local layer
  layer="{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\""
  printf '{"seed":"%s"}' "$1" >"$work/config"
  { printf '%s' "$1"; head -c 300000 /dev/zero; } >"$work/begin"
  printf 'the end of %s' "$1" >"$work/end"
  printf 'in passing, of %s' "$1" >"$work/passing"
  config_digest=sha256:$(sha <"$work/config") chunks=sha256:$(cat "$work/begin" "$work/end" | sha) passing=sha256:$(sha <"$work/passing")
  layer="$layer,\"digest\":\"$chunks\",\"size\":$(cat "$work/begin" "$work/end" | wc -c)}"
  manifest() { # more
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%s},"layers":[%s]%s}' \
      "$config_digest" "$(stat -c %s "$work/config")" "$layer" "$1"
  }
  manifest "" >"$work/subject"
  subject=sha256:$(sha <"$work/subject")
  manifest ",\"artifactType\":\"application/vnd.faults\",\"subject\":{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"$subject\",\"size\":$(stat -c %s "$work/subject")}" >"$work/referrer"
  referrer=sha256:$(sha <"$work/referrer")
}
rest_life() {
  local at
  at=$(begin) && at=$(piece "$at" 0 "$work/begin") && at=$(piece "$at" "$(stat -c %s "$work/begin")" "$work/end") &&
    ask -o /dev/null -X PUT -H "Content-Length: 0" "$(with_digest "$at" "$chunks")" || return 1
  at=$(begin) && at=$(piece "$at" 0 "$work/begin") && ask -o /dev/null -X DELETE "$at" || return 1
  blob "$work/config" "$config_digest" && put "$work/subject" "$subject" && put "$work/referrer" "$referrer" || return 1
  ask "$rest/referrers/$subject" >"$work/referrers" || return 1
  is "who refers" "$referrer" "$(jq -r '.manifests[].digest' "$work/referrers")"
  gone "manifests/$referrer" && blob "$work/passing" "$passing" && gone "blobs/$passing"
}
rest_whole() {
  is "the blob in chunks" "$chunks" "sha256:$(ask "$rest/blobs/$chunks" | sha)"
  is "the image" "$subject" "sha256:$(ask "${accept[@]}" "$rest/manifests/$subject" | sha)"
  is "who refers to it" "" "$(ask "$rest/referrers/$subject" | jq -r '.manifests[].digest')"
  is "what was deleted" "404 404" "$(curl -s -o /dev/null -w '%{http_code}' "${accept[@]}" "$rest/manifests/$referrer") $(curl -s -o /dev/null -w '%{http_code}' "$rest/blobs/$passing")"
}
# Whoever is said to refer is there.
rest_cut() { # when
  local digest
  for digest in $(ask "$rest/referrers/$subject" | jq -r '.manifests[].digest'); do
    ask -o /dev/null "${accept[@]}" "$rest/manifests/$digest" || fail "$1, $digest is said to refer and is not there"
  done
}

killed() { # kind requests-of-a-life before|after
  local kind=$1 all=$2 when=$3 kills=0 number happened
  # Until a life is over before that many requests; a registry that has just been started needs some more than one that has served.
  for ((number = 1; number <= 2 * all; number += ${FAULT_STRIDE:-1})); do
    "${kind}_made" "$when-$number"
    plan "{\"pid_file\": \"$RUN/registry-jeroboam-$PORT.pid\", \"rules\": [{\"at\": $number, \"failure\": {\"kill\": {\"when\": \"$when\"}}}]}"
    "${kind}_life" >/dev/null 2>&1 || true
    happened=$(failures)
    plan '{}'
    if [ "$happened" = 0 ]; then
      # What was sent last may have been cut before the plan was taken back.
      alive_now || again
      break
    fi
    ! alive_now || fail "request $number was there, and the registry was not killed $when it"
    kills=$((kills + 1))
    again
    "${kind}_cut" "killed $when request $number"
    "$JEROBOAM" registry inspect "$config" >"$work/inspected" 2>&1 || { cat "$work/inspected" >&2; fail "killed $when request $number, inspect finds more than garbage"; }
    # Who does it again has all of it.
    "${kind}_life" 2>"$work/said" || { cat "$work/said" >&2; fail "killed $when request $number, it does not work again"; }
    "${kind}_whole"
  done
  # Health is asked about meanwhile, so that lives are not all of one length; most of each has to have been cut all the same.
  [ $((kills * ${FAULT_STRIDE:-1} * 2)) -ge "$all" ] || fail "killed $when only $kills of about $all requests"
  say "$kind: killed $when each of $kills requests"
}

broken() { # kind: answers that are errors, late, halves, none
  local kind=$1 seed failure try count
  for ((seed = 1; seed <= ${FAULT_SEEDS:-3}; seed++)); do
    for failure in '{"status": {"status": 503}}' '{"status": {"status": 500}}' '"reset"' '"unanswered"' '{"truncate": {"after": 20}}' '"twice"' '{"latency": {"millis": 700}}'; do
      "${kind}_made" "$seed-${failure//\"/}"
      plan "{\"rules\": [{\"per_mille\": 150, \"seed\": $seed, \"failure\": $failure}]}"
      # A client that tries again, as they all do, gets through; it never hears that what is there were not there.
      for try in 1 2 3 4 5 6; do
        "${kind}_life" >"$work/said" 2>&1 && break
        # skopeo writes the codes of errors in small letters, with blanks.
        ! grep -qiE 'digest did not match|manifest.blob.unknown|manifest.unknown|blob.unknown|blob.upload.(invalid|unknown)|returned error: 4' "$work/said" || { cat "$work/said" >&2; fail "$failure: the client was told something untrue"; }
        [ "$try" != 6 ] || { cat "$work/said" >&2; fail "$failure: six times it failed"; }
      done
      count=$(failures)
      plan '{}'
      [ "$count" != 0 ] || fail "$failure: nothing failed, and nothing is shown by that"
      alive_now || fail "$failure ended the registry"
      "${kind}_whole"
    done
  done
  say "$kind: answers that are errors, late, halves, none"
}

plan '{}'
up
config=$work/config.yml
registry config jeroboam "$backend" "$PORT" "$place" >"$config"
for kind in ${FAULT_LIVES:-images rest}; do
  "${kind}_made" count
  plan '{}'
  "${kind}_life" || fail "$kind: without any fault"
  "${kind}_whole"
  all=$(requests)
  say "$kind: a life takes about $all requests to $backend"
  killed "$kind" "$all" before
  killed "$kind" "$all" after
  broken "$kind"
  "$JEROBOAM" registry inspect "$config" --verify 100 >"$work/inspected" 2>&1 || { cat "$work/inspected" >&2; fail "inspect finds more than garbage"; }
done
