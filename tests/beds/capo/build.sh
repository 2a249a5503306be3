#!/bin/bash
# Builds from the Go module proxy what the CAPO bed adds to the Kubernetes bed (../kubernetes/build.sh: etcd, kube-apiserver,
# kube-controller-manager, kubectl, CAPI): CAPO, kubeadm, kube-scheduler, nodelet and, with ORC=1, the OpenStack resource controller.
# pins/go.sum holds the hashes of CAPO and ORC: the checksum database answers 404 for them. What they need is in their own go.sum.
. "$(dirname "$0")/lib.sh"
K8SBED=$(cd "$CAPO_HERE/../kubernetes" && bash -c ". ./lib.sh; echo \$WORKDIR")
"$CAPO_HERE/../kubernetes/build.sh"
export CGO_ENABLED=0
for f in etcd kube-apiserver kube-controller-manager kubectl capi-core capi-kubeadm-bootstrap capi-kubeadm-control-plane; do
  cp -u "$K8SBED/bin/$f" "$BIN/"
done
upstream() { # upstream BINARY MODULE VERSION PACKAGE : build a module with its own go.mod and go.sum
  [ -x "$BIN/$1" ] && return 0
  local dir; dir=$(cd "$CAPO_HERE/pins" && go mod download -json "$2@$3" | jq -r .Dir)
  rm -rf "$CAPOBED/src/$1"; mkdir -p "$CAPOBED/src"; cp -r --no-preserve=mode "$dir" "$CAPOBED/src/$1"
  say "building $1"; go -C "$CAPOBED/src/$1" build -trimpath -ldflags "-s -w" -o "$BIN/$1" "$4"
}
upstream capo-manager sigs.k8s.io/cluster-api-provider-openstack "$CAPO_VERSION" .
[ "${ORC:-0}" = 1 ] && upstream orc-manager github.com/k-orc/openstack-resource-controller/v2 "$ORC_VERSION" ./cmd/manager
mkdir -p "$CAPOBED/src/kubernetes"; cp "$CAPO_HERE"/../kubernetes/pins/kubernetes/go.* "$CAPOBED/src/kubernetes/"
B=k8s.io/component-base/version; IFS=. read -r major minor _ <<<"${K8S_VERSION#v}"
for c in kubeadm kube-scheduler; do
  [ -x "$BIN/$c" ] && continue
  say "building $c"; go -C "$CAPOBED/src/kubernetes" build -mod=mod -trimpath -o "$BIN/$c" \
    -ldflags "-s -w -X $B.gitVersion=$K8S_VERSION -X $B.gitMajor=$major -X $B.gitMinor=$minor -X $B.gitTreeState=clean" "k8s.io/kubernetes/cmd/$c"
done
[ "$BIN/nodelet" -nt "$CAPO_HERE/nodelet/main.go" ] || go -C "$CAPO_HERE/nodelet" build -trimpath -ldflags "-s -w" -o "$BIN/nodelet" .
say "built in $BIN, $(du -sh "$BIN" | cut -f1)"
