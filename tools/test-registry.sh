#!/usr/bin/env bash
# The registry on everything that it keeps objects in, beside the registries that it takes over from. Called by `make test-registry`.
#   test-registry.sh [PART…]   all of them, in this order, unless some are named:
#     peers         the conformance suite finds the faults of distribution 2.8 and 3 that are known, and no others
#     conformance   the suite finds none of ours, nor does the specification's own runner: nothing fails, nothing is skipped
#     clients       skopeo, podman, buildah, crane, oras, regctl, helm, containerd; a layer of 10 GiB; cut transfers
#     auth          those clients log in over TLS: passwords, tokens, users of a Keystone, certificates; what is not theirs is refused
#     takeover      what 2.8 filled is served as it is; what ours writes 2.8 and 3 serve
#     regions       two registries, one on Swift and one on Ceph, are kept alike through outages and power cuts
#     faults        the backend fails, and the registry is killed at every request to it
#     places        what tests in Rust show of Swift, Ceph and S3 by themselves
#     soak          pushes, deletes and collections at once, for $SOAK seconds on a directory (1200) and $SOAK_OTHERS on each other (300)
#   BACKENDS="directory versitygw rgw-s3 swift keystone application-credential trust rgw" names those to test on; auth and regions have their own.
#   JEROBOAM=… takes that program instead of building it. KEEP=1 leaves the backends running and what they hold.
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
export PORT_BASE=${PORT_BASE:-26000} BED=${BED:-$CACHE/run/registry-test-$$}
beds=tests/beds/registry
port=$((PORT_BASE + 20)) other_port=$((PORT_BASE + 21)) proxy_port=$((PORT_BASE + 22))
backends=${BACKENDS:-directory versitygw rgw-s3 swift keystone application-credential trust rgw}
[ $# -gt 0 ] || set -- peers conformance clients auth takeover regions faults places soak
mkdir -p "$BED/log"
report=$CACHE/registry-test-report.txt
: >"$report"

say() { printf '%s %s\n' "$(date +%T)" "$*"; }
finish() {
  local status=$?
  local logs=$BED/log
  if [ -z "${KEEP:-}" ]; then
    logs=$CACHE/registry-test-logs
    rm -rf "$logs"
    [ $status = 0 ] || cp -r "$BED/log" "$logs" || true
    $beds/down.sh || true
  fi
  [ $status = 0 ] || echo "error: logs are in $logs" >&2
  exit $status
}
trap finish EXIT

if [ -z "${JEROBOAM:-}" ]; then
  tools/build.sh --bin jeroboam
  JEROBOAM=$CARGO_TARGET_DIR/debug/jeroboam
fi
export JEROBOAM
if [ -z "${CONFORMANCE:-}" ]; then
  cargo build --quiet --package jeroboam-conformance
  CONFORMANCE=$CARGO_TARGET_DIR/debug
fi
PATH=$($beds/build.sh):$PATH
# shellcheck disable=SC2086  # a list of words
environment=$($beds/up.sh $backends)
eval "$environment"

registry() { $beds/registry.sh "$@"; }
conformance() { "$CONFORMANCE/jeroboam-conformance" "http://127.0.0.1:$port" "$@"; }
store() { # backend name: a place of its own for each part
  if [ "$1" = directory ]; then echo "$BED/store/$2"; else echo "$2-$1-$$"; fi
}

# What is known of each: who changes the suite sees here whether it still finds it.
part_peers() {
  local peer version
  for peer in docker-registry registry3; do
    for version in 1.1 dev; do
      registry up "$peer" directory "$port" "$(store directory "peer-$peer-$version")"
      conformance --version "$version" --expect "$beds/expected/$peer-$version.txt" >"$BED/log/peers-$peer-$version.txt" ||
        { say "$peer, $version: not what was expected"; exit 1; }
      say "$peer, $version: $(tail -n 1 "$BED/log/peers-$peer-$version.txt")"
      registry down "$peer" "$port"
    done
  done
}

part_conformance() {
  local backend version
  for backend in $backends; do
    for version in 1.1 dev; do
      registry up jeroboam "$backend" "$port" "$(store "$backend" "conformance-${version/./}")"
      conformance --version "$version" --strict || { say "conformance $version on $backend"; exit 1; }
      tests/client/registry/oci-conformance.sh "127.0.0.1:$port" "$version" || { say "conformance $version on $backend"; exit 1; }
      registry down jeroboam "$port"
      say "conformance $version on $backend"
    done
    # Alone with its store it writes other kinds of large objects, and its promises down.
    EXTRA=$'jeroboam:\n  compat: exclusive' registry up jeroboam "$backend" "$port" "$(store "$backend" conformance-alone)"
    conformance --version dev --strict || { say "conformance dev on $backend, exclusive"; exit 1; }
    tests/client/registry/oci-conformance.sh "127.0.0.1:$port" dev || { say "conformance dev on $backend, exclusive"; exit 1; }
    registry down jeroboam "$port"
    say "conformance dev on $backend, exclusive"
  done
  # As it is when nobody says anything: what an index names has to be there.
  DEFAULT=1 registry up jeroboam directory "$port" "$(store directory conformance-default)"
  conformance --version dev --strict --without-data sparse || { say "conformance of the defaults"; exit 1; }
  conformance --version dev --strict --filter data/sparse >"$BED/log/sparse.txt" && { say "an image or an index without what it names is taken"; exit 1; }
  for what in sparse-image index; do
    grep -Eq "^(fail|skip) +data/sparse/push/digest/$what" "$BED/log/sparse.txt" || { cat "$BED/log/sparse.txt"; exit 1; }
  done
  registry down jeroboam "$port"
  say "conformance of the defaults"
}

part_clients() {
  local backend size place
  for backend in $backends; do
    place=$(store "$backend" clients)
    registry up jeroboam "$backend" "$port" "$place"
    # Ceph's cluster is in memory, and has 4 GiB of it; behind the last ones is the same Swift.
    case $backend in rgw*) size=512 ;; directory | versitygw | swift) size=10240 ;; *) size=1024 ;; esac
    KILL="$PWD/$beds/registry.sh kill jeroboam $port" START="$PWD/$beds/registry.sh up jeroboam $backend $port $place" \
      tests/client/registry/all.sh "127.0.0.1:$port" "${LARGE:-$size}"
    registry down jeroboam "$port"
    [ "$backend" != directory ] || rm -rf "$place"
    [ "$backend" != versitygw ] || rm -rf "$BED/versitygw/data/${place:?}"
    say "clients on $backend"
    # Once more where clients are sent to the store itself.
    case $backend in versitygw | rgw* | swift | keystone) ;; *) continue ;; esac
    EXTRA=$'jeroboam: {insecureopen: true, redirect: {mode: on}}' REDIRECT_OFF=false \
      registry up jeroboam "$backend" "$port" "$(store "$backend" redirects)"
    # Ceph's gateway signs with keys of the account alone, which nobody gave it.
    [ "$backend" = rgw ] || until_sent_on "$backend"
    REDIRECTS=1 tests/client/registry/all.sh "127.0.0.1:$port" 64
    registry down jeroboam "$port"
    say "clients on $backend, sent to the store"
  done
}

# A key for signed addresses that was just made signs nothing for a while.
until_sent_on() { # backend
  local blobs="http://127.0.0.1:$port/v2/sent-on/blobs" digest
  digest=sha256:$(head -c 1M /dev/zero | sha256sum | cut -d' ' -f1)
  head -c 1M /dev/zero | curl -sf -o /dev/null -X POST -H 'content-type: application/octet-stream' --data-binary @- "$blobs/uploads/?digest=$digest"
  for _ in $(seq 60); do
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$blobs/$digest")" != 307 ] || return 0
    sleep 1
  done
  say "$1: clients are not sent to the store"
  exit 1
}

also() { # backend...: which a part needs, whatever BACKENDS says
  local environment
  environment=$($beds/up.sh "$@")
  eval "$environment"
}

part_auth() {
  also keystone
  PORT=$port timeout 1800 $beds/auth.sh
  say "clients log in"
}

part_takeover() {
  local backend
  for backend in $backends; do
    # Who asks with an application credential finds what a password wrote: 2.8 does not know such credentials.
    PORT=$port OTHER_PORT=$other_port $beds/takeover.sh "$backend" "$(store "$backend" takeover)"
    say "takeover on $backend"
  done
}

part_regions() {
  also keystone rgw
  PORT=$port OTHER_PORT=$other_port PAGE_SECONDS=1800 tests/registry/replication.sh keystone rgw >"$BED/log/regions.txt" 2>&1 ||
    { tail -n 60 "$BED/log/regions.txt"; say "regions on Swift and Ceph: they failed"; exit 1; }
  grep ' regions: ' "$BED/log/regions.txt"
  say "regions on Swift and Ceph"
}

part_faults() {
  local backend asked=
  for backend in $backends; do
    # The others name themselves by their own address, past the proxy.
    case $backend in versitygw | rgw-s3 | swift) ;; *) say "no faults on $backend: it is not asked through the proxy"; continue ;; esac
    PORT=$port PROXY_PORT=$proxy_port PROXY=$CONFORMANCE/jeroboam-fault-proxy $beds/faults.sh "$backend" "$(store "$backend" faults)"
    asked=1
    say "faults on $backend"
  done
  [ -n "$asked" ] || { say "none of $backends is asked through the proxy: nothing is shown"; exit 1; }
}

# What only tests in Rust look at: rights, lost trusts, signed addresses, segments of 2.8 that its own collection takes.
part_places() {
  JEROBOAM_S3='' JEROBOAM_ALL_REGISTRY=1 cargo test --quiet --package jeroboam-blobs --test swift
  say "Swift and Ceph by themselves"
  bucket=$(store versitygw places)
  registry bucket versitygw "$bucket"
  JEROBOAM_S3="regionendpoint=$JEROBOAM_S3,region=us-east-1,bucket=$bucket,accesskey=$JEROBOAM_S3_KEY,secretkey=$JEROBOAM_S3_SECRET" \
    cargo test --quiet --package jeroboam-blobs --test it
  say "S3 by itself"
}

part_soak() {
  local backend seconds
  for backend in $backends; do
    case $backend in directory) seconds=${SOAK:-1200} ;; *) seconds=${SOAK_OTHERS:-300} ;; esac
    PORT=$port SOAK=$seconds SOAK_PROGRAM=$CONFORMANCE/jeroboam-soak $beds/soak.sh "$backend" "$(store "$backend" soak)"
    say "soak on $backend"
  done
}

for part; do
  say "$part"
  "part_$part" 2>&1 | tee -a "$report"
done
say "all passed"
