# shellcheck shell=bash
# Settings of the Cluster API + OpenStack test bed. Sourced, not run. The OpenStack bed's lib.sh is sourced too (for OpenStack's own values).
set -euo pipefail
CAPO_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
export CAPOBED=${CAPOBED:-$CACHE/run/capo} OSBED=${OSBED:-$CACHE/run/openstack}
CAPOBIN=$CACHE/capo-$(cat "$CAPO_HERE"/{build.sh,pins/go.*,nodelet/*} | sha256sum | cut -c1-12)
export CAPOBIN
BIN=$CAPOBIN
CAPO_VERSION=v0.13.0; ORC_VERSION=v2.2.0; CAPI_VERSION=${CAPI_VERSION:-v1.12.5}; K8S_VERSION=${K8S_VERSION:-v1.34.10}
PB=${CAPO_PORT_BASE:-31000}             # management cluster: etcd +0/+1, API server +443, webhooks +501.., health +601.., metrics +701..
P_API=$((PB+443))
MGMT=$CAPOBED/mgmt; mkdir -p "$MGMT/run" "$MGMT/log" "$MGMT/pki" "$BIN"
export KUBECONFIG=$MGMT/kubeconfig
export PY=${PY:-$(bash -c ". $CAPO_HERE/../openstack/lib.sh; echo \$VENV")/bin/python}   # of the OpenStack bed: openstacksdk, PyYAML, Jinja

say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }
alive() { [ -s "$MGMT/run/$1.pid" ] && kill -0 "$(cat "$MGMT/run/$1.pid")" 2>/dev/null; }
# start NAME CMD... : detached, logged, pid recorded; nothing when alive
start() {
  local n=$1; shift
  alive "$n" && return 0
  setsid "$@" >>"$MGMT/log/$n.log" 2>&1 </dev/null &
  echo $! >"$MGMT/run/$n.pid"
}
# stop NAME : TERM, ten seconds, then KILL of the group that start made
stop() {
  local p; [ -s "$MGMT/run/$1.pid" ] || return 0
  p=$(cat "$MGMT/run/$1.pid"); rm -f "$MGMT/run/$1.pid"
  kill -TERM "$p" 2>/dev/null || return 0
  for _ in $(seq 100); do kill -0 "$p" 2>/dev/null || return 0; sleep 0.1; done
  kill -KILL -- "-$p" 2>/dev/null || true
}
# until_ok SECONDS CMD... : repeat until it succeeds
until_ok() {
  local lim=$((SECONDS+$1)); shift
  until "$@" >/dev/null 2>&1; do [ $SECONDS -gt $lim ] && { say "gave up: $*"; return 1; }; sleep 0.3; done
}
