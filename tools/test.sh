#!/usr/bin/env bash
# The fast tier: every Rust test, with real databases, a real management cluster and the real openstack client beside them.
# Called by `make test`, which has set the machine up. Prints how long each part took.
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}

part() { # what command...: runs it and says how long it took
  local what=$1 began=$SECONDS
  shift
  printf '== %s\n' "$what" >&2
  "$@" || { printf 'error: %s failed after %d s\n' "$what" $((SECONDS - began)) >&2; exit 1; }
  printf '== %s: %d s\n' "$what" $((SECONDS - began)) >&2
}

# The tests' own bed, below the ports that the kernel hands out by itself; other beds of this user are left alone.
export PORT_BASE=${PORT_BASE:-32000} STATE=$CACHE/run/test-$$
mkdir -p "$CACHE/run"
bed() { tests/beds/kubernetes/up.sh >"$CACHE/run/test-$$.env"; }
gone() { tests/beds/kubernetes/down.sh || true; rm -f "$CACHE/run/test-$$.env"; }
trap gone EXIT

part "compile" tools/build.sh test --workspace --no-run
part "management cluster" bed

# What a test cannot do without. With JEROBOAM_ALL a test that misses its part fails instead of saying that it was skipped.
export JEROBOAM_ALL=1
export JEROBOAM_KUBECONFIG=$STATE/kubeconfig
export JEROBOAM_CLASS=$PWD/tests/beds/kubernetes/manifests/class.yaml
JEROBOAM_CLIENT=$CACHE/client-$(sha256sum tests/client/requirements.lock | cut -c1-12)/bin
export JEROBOAM_CLIENT
JEROBOAM_ORACLE=$CACHE/magnum-$(sha256sum tests/beds/magnum/requirements.lock | cut -c1-12)/bin/python
export JEROBOAM_ORACLE
JEROBOAM_KUBECTL=$(tests/beds/kubernetes/where.sh kubectl)
export JEROBOAM_KUBECTL

part "tests" cargo test --workspace --quiet --no-fail-fast

# The page that tells an operator how to replace Magnum, word by word, on a Magnum that runs.
page() {
  local log=$CACHE/run/test-$$-page.log
  STATE=$CACHE/run/test-$$-page PORT_BASE=$((PORT_BASE + 100)) JEROBOAM=$CARGO_TARGET_DIR/debug/jeroboam \
    tests/operate/replace-magnum.sh >"$log" 2>&1 || { tail -n 60 "$log" >&2; return 1; }
  rm -f "$log"
}
part "replacing Magnum" page

# The same for a docker-registry, and for the first page about the registry.
registry_pages() {
  local crane log=$CACHE/run/test-$$-registry.log
  crane=$(tests/beds/registry/build.sh crane)
  export JEROBOAM=$CARGO_TARGET_DIR/debug/jeroboam CRANE=$crane
  PORT=$((PORT_BASE + 190)) tests/registry/README.sh >"$log" 2>&1 &&
    PORT=$((PORT_BASE + 191)) STATE=$CACHE/run/test-$$-registry tests/operate/replace-docker-registry.sh >>"$log" 2>&1 ||
    { tail -n 60 "$log" >&2; return 1; }
  rm -rf "$log" "$CACHE/run/test-$$-registry"
}
part "the registry's pages" registry_pages

# What lies between registries: other regions, caches, bundles, nodes, those who are told; and what looks after a store.
between_registries() {
  local page log=$CACHE/run/test-$$-between.log
  export JEROBOAM=$CARGO_TARGET_DIR/debug/jeroboam
  for page in tests/registry/replication.sh tests/registry/mirror.sh tests/registry/air-gap.sh tests/registry/nodes.sh tests/registry/notifications.sh \
    tests/registry/garbage-collection.sh tests/registry/repair.sh tests/registry/retention.sh; do
    "$page" >"$log" 2>&1 || { tail -n 60 "$log" >&2; return 1; }
  done
  rm -f "$log"
}
part "between registries" between_registries

# Other people's clients against the registry on a directory; `make test-registry` has them on everything else.
registry_clients() {
  local log=$CACHE/run/test-$$-registry-clients.log beds=$PWD/tests/beds/registry port=$((PORT_BASE + 220)) status=0
  (
    export BED=$CACHE/run/test-$$-registry-clients JEROBOAM=$CARGO_TARGET_DIR/debug/jeroboam PORT_BASE=$((PORT_BASE + 200))
    "$beds/registry.sh" up jeroboam directory "$port" &&
      PATH=$("$beds/build.sh"):$PATH KILL="$beds/registry.sh kill jeroboam $port" START="$beds/registry.sh up jeroboam directory $port" \
        tests/client/registry/all.sh "127.0.0.1:$port" 128 &&
      PATH=$("$beds/build.sh" oci-conformance):$PATH tests/client/registry/oci-conformance.sh "127.0.0.1:$port" dev || status=1
    "$beds/down.sh" || true
    exit $status
  ) >"$log" 2>&1 || { tail -n 60 "$log" >&2; return 1; }
  rm -f "$log"
}
part "the registry's clients" registry_clients
