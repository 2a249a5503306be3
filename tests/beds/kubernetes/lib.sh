# shellcheck shell=bash disable=SC2034
# What build.sh, up.sh and down.sh share: where things are, and which of them run.
# Binaries live in the user's cache, in a folder named after what they are built from: a clone elsewhere finds them again.
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
RECIPE=$(cat build.sh pins/*/go.* | sha256sum | cut -c1-12)${UPSTREAM:+-upstream}
WORKDIR=$(realpath -m "${WORKDIR:-$CACHE/kubernetes-$RECIPE}")
PORT_BASE=${PORT_BASE:-30000}
STATE=$(realpath -m "${STATE:-$CACHE/run/kubernetes-$PORT_BASE}")
BIN=$WORKDIR/bin
PKI=$STATE/pki
PATH=$BIN:$PATH

ETCD=$PORT_BASE
API=$((PORT_BASE + 10))
MANAGERS=$((PORT_BASE + 20))             # three each: webhooks, health, metrics
WORKLOADS=127.0.$((PORT_BASE / 1000)).1  # the in-memory clusters' API servers: ports 20000 and up of this address
PROVIDERS=(core kubeadm-bootstrap kubeadm-control-plane dev-infra)

running() { # name: whether the process of its pid file is one of ours
  local pid
  pid=$(cat "$STATE/pid/$1" 2>/dev/null) && [[ $(readlink "/proc/$pid/exe") == "$BIN"/* ]]
}
