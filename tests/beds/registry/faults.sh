#!/usr/bin/env bash
# What a registry of ours makes of a backend that fails, and of being killed at every single request to it.
#   faults.sh BACKEND STORE     $PORT and $PROXY_PORT are free, $JEROBOAM is the program, $PROXY the proxy that fails on purpose
# Only for backends that name themselves after the address that they are asked at: versitygw, rgw-s3, swift.
#   FAULT_STRIDE=7 cuts at every seventh request; FAULT_SEEDS=3 tries as many patterns of failures
# shellcheck source-path=SCRIPTDIR source=backend.sh
. "$(dirname "$0")/backend.sh"
backend=$1 place=$2
: "${PORT:?}" "${PROXY_PORT:?}" "${JEROBOAM:?}" "${PROXY:?}"
client=$HERE/../../client/registry
work=$(mktemp -d)
registry() { "$HERE/registry.sh" "$@"; }
trap 'rm -rf "$work"; registry down jeroboam "$PORT"; stop fault-proxy' EXIT
fail() { printf 'error: faults on %s: %s\n' "$backend" "$*" >&2; exit 1; }
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
life() { # number
  sk copy -q --dest-tls-verify=false "oci:$work/first:latest" "docker://$ours/faults/life:tag" &&
    sk copy -q --dest-tls-verify=false "oci:$work/second:latest" "docker://$ours/faults/life:tag" &&
    sk copy -q --src-tls-verify=false --dest-tls-verify=false "docker://$ours/faults/life:tag" "docker://$ours/faults/copy:tag" &&
    curl -sf -o /dev/null -X DELETE "http://$ours/v2/faults/copy/manifests/tag"
}
whole() {
  is "the tag" "$second" "sha256:$(curl -sf "${accept[@]}" "http://$ours/v2/faults/life/manifests/tag" | sha256sum | cut -d' ' -f1)"
  is "what the tag was on" "$first" "sha256:$(curl -sf "${accept[@]}" "http://$ours/v2/faults/life/manifests/$first" | sha256sum | cut -d' ' -f1)"
  rm -rf "$work/back" && sk copy -q --src-tls-verify=false "docker://$ours/faults/life:tag" "oci:$work/back:latest" || fail "the image is not served"
  is "its blobs" "$(ls "$work/second/blobs/sha256")" "$(ls "$work/back/blobs/sha256")"
}
images() { # seed
  rm -rf "$work/first" "$work/second"
  first=$(python3 "$client/image.py" "$work/first" --seed "first-$1")
  second=$(python3 "$client/image.py" "$work/second" --seed "second-$1" --layers 1)
}

plan '{}'
up
images count
plan '{}'
life 0 || fail "without any fault"
whole
all=$(requests)
say "a life takes about $all requests to $backend"

config=$work/config.yml
registry config jeroboam "$backend" "$PORT" "$place" >"$config"
for when in before after; do
  kills=0
  # Until a life is over before that many requests; a registry that has just been started needs some more than one that has served.
  for ((number = 1; number <= 2 * all; number += ${FAULT_STRIDE:-1})); do
    previous=$second
    images "$when-$number"
    plan "{\"pid_file\": \"$RUN/registry-jeroboam-$PORT.pid\", \"rules\": [{\"at\": $number, \"failure\": {\"kill\": {\"when\": \"$when\"}}}]}"
    life "$number" >/dev/null 2>&1 || true
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
    # The tag is on one of the three images that it was given, and that image is whole; who pushes again has all of it.
    now=sha256:$(curl -sf "${accept[@]}" "http://$ours/v2/faults/life/manifests/tag" | sha256sum | cut -d' ' -f1)
    case $now in "$previous" | "$first" | "$second") ;; *) fail "killed $when request $number, the tag is on $now" ;; esac
    rm -rf "$work/cut"
    sk copy -q --src-tls-verify=false "docker://$ours/faults/life:tag" "oci:$work/cut:latest" || fail "killed $when request $number, the image of the tag is not whole"
    "$JEROBOAM" registry inspect "$config" >"$work/inspected" 2>&1 || { cat "$work/inspected" >&2; fail "killed $when request $number, inspect finds more than garbage"; }
    life "$number" 2>"$work/said" || { cat "$work/said" >&2; fail "killed $when request $number, the push does not work again"; }
    whole
  done
  # Health is asked about meanwhile, so that lives are not all of one length; most of each has to have been cut all the same.
  [ $((kills * ${FAULT_STRIDE:-1} * 2)) -ge "$all" ] || fail "killed $when only $kills of about $all requests"
  say "killed $when each of $kills requests"
done
"$JEROBOAM" registry inspect "$config" --verify 100 >"$work/inspected" 2>&1 || { cat "$work/inspected" >&2; fail "inspect finds more than garbage"; }
for ((seed = 1; seed <= ${FAULT_SEEDS:-3}; seed++)); do
  for failure in '{"status": {"status": 503}}' '{"status": {"status": 500}}' '"reset"' '"unanswered"' '{"truncate": {"after": 20}}' '"twice"' '{"latency": {"millis": 700}}'; do
    images "$seed-$failure"
    plan "{\"rules\": [{\"per_mille\": 150, \"seed\": $seed, \"failure\": $failure}]}"
    # A client that tries again, as they all do, gets through; it never hears that what is there were not there.
    for try in 1 2 3 4 5 6; do
      life "$seed" >"$work/said" 2>&1 && break
      # skopeo writes the codes of errors in small letters, with blanks.
      ! grep -qiE 'digest did not match|manifest.blob.unknown|manifest.unknown|blob.unknown|blob.upload.(invalid|unknown)' "$work/said" || { cat "$work/said" >&2; fail "$failure: the client was told something untrue"; }
      [ "$try" != 6 ] || { cat "$work/said" >&2; fail "$failure: six pushes failed"; }
    done
    broken=$(failures)
    plan '{}'
    [ "$broken" != 0 ] || fail "$failure: nothing failed, and nothing is shown by that"
    alive_now || fail "$failure ended the registry"
    whole
  done
done
say "answers that are errors, late, halves, none"
