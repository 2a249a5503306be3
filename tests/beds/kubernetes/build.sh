#!/usr/bin/env bash
# Builds what the bed runs from the Go module proxy, each group with the versions of its own pins/*/go.mod, into
# $WORKDIR/bin, and takes the Cluster API definitions out of the same modules into $WORKDIR/manifests.
#   build.sh [kubernetes etcd capi]      all three unless named
# A binary that is there is left alone: the folder's name says what it was built from.
#   UPSTREAM=1 build.sh capi                  Cluster API with its own waits, see hasten
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh
export CGO_ENABLED=0

changed=() # flags for a build from changed sources

version() { go -C "pins/$1" list -m -f '{{.Version}}' "$2"; }
module() { go -C "pins/$1" mod download "$2" && go -C "pins/$1" list -m -f '{{.Dir}}' "$2"; }

binary() { # group name package [linker flags]
  local out=$BIN/$2
  [ -x "$out" ] && return
  echo "$(date +%T) building $2 (once; the first ones take minutes)" >&2
  go -C "pins/$1" build "${changed[@]}" -trimpath -ldflags "-s -w ${4:-}" -o "$out.new" "$3"
  mv "$out.new" "$out"
}

# A module build leaves the version empty or v0.0.0, and clients and webhooks read it: stamp it as upstream does.
stamp() { # package version
  local major minor
  IFS=. read -r major minor _ <<<"${2#v}"
  echo "-X $1.gitVersion=$2 -X $1.gitMajor=$major -X $1.gitMinor=$minor -X $1.gitTreeState=clean"
}

build_kubernetes() {
  local flags name
  flags=$(stamp k8s.io/component-base/version "$(version kubernetes k8s.io/kubernetes)")
  for name in kube-apiserver kube-controller-manager kubectl; do
    binary kubernetes "$name" "k8s.io/kubernetes/cmd/$name" "$flags"
  done
}

build_etcd() { binary etcd etcd go.etcd.io/etcd/server/v3; }

# Upstream tries again 30 s after a new cluster did not answer yet, and 15 s after the members of a control plane were not
# all well; machines in memory are there after one. A copy with shorter waits makes a cluster in 6 s instead of 35.
hasten() { # module folder
  local copy=$WORKDIR/src/cluster-api
  rm -rf "$WORKDIR/src"
  mkdir -p "$WORKDIR/src"
  cp -r "$1" "$copy"
  chmod -R u+w "$copy"
  sed -i 's/\(ConnectionCreationRetryInterval: \)30 \*/\11 */' "$copy/controllers/clustercache/cluster_cache.go"
  sed -i 's/\(preflightFailedRequeueAfter = \)15 \*/\11 */' \
    "$copy/controlplane/kubeadm/internal/controllers/consts.go" "$copy/internal/controllers/machineset/machineset_preflight.go"
  { cat pins/capi/go.mod; echo "replace sigs.k8s.io/cluster-api => $copy"; } >"$WORKDIR/src/capi.mod"
  cp pins/capi/go.sum "$WORKDIR/src/capi.sum"
  changed=(-modfile="$WORKDIR/src/capi.mod")
}

build_capi() {
  [ -e "$WORKDIR/manifests/complete" ] && return
  local capi=sigs.k8s.io/cluster-api flags root
  flags=$(stamp "$capi/version" "$(version capi "$capi")")
  root=$(module capi "$capi")
  [ -n "${UPSTREAM:-}" ] || hasten "$root"
  binary capi capi-core "$capi" "$flags"
  binary capi capi-kubeadm-bootstrap "$capi/bootstrap/kubeadm" "$flags"
  binary capi capi-kubeadm-control-plane "$capi/controlplane/kubeadm" "$flags"
  binary capi capi-dev-infra "$capi/test/infrastructure/docker" "$flags"
  binary capi clusterctl "$capi/cmd/clusterctl" "$flags"
  changed=()

  definitions core "$root/config"
  definitions kubeadm-bootstrap "$root/bootstrap/kubeadm/config"
  definitions kubeadm-control-plane "$root/controlplane/kubeadm/config"
  definitions dev-infra "$(module capi "$capi/test")/infrastructure/docker/config"
  capo_definitions
  touch "$WORKDIR/manifests/complete"
}

# The OpenStack provider's definitions only: what our class makes is checked against them without the provider.
capo_definitions() {
  local config
  config=$(cd ../capo/pins && go mod download -json sigs.k8s.io/cluster-api-provider-openstack@v0.13.0 | jq -r .Dir)/config
  { echo ---; kubectl kustomize "$config/crd"; } >"$WORKDIR/manifests/capo-definitions.yaml"
}

definitions() { # provider folder: its custom resource definitions and its webhook rules
  { echo ---; kubectl kustomize "$2/crd"; cat "$2/webhook/manifests.yaml"; } >"$WORKDIR/manifests/$1.yaml"
}

mkdir -p "$BIN" "$WORKDIR/manifests"
[ $# -gt 0 ] || set -- kubernetes etcd capi
for group; do "build_$group"; done
