#!/usr/bin/env bash
# The life of a cluster with the real openstack client: python-openstackclient and python-magnumclient, nothing of ours.
# OS_CLIENT_CONFIG_FILE and OS_CLOUD name the cloud; `openstack` and `kubectl` are on the PATH. Stops at the first difference.
#   life.sh OLDER-IMAGE NEWER-IMAGE OLDER-VERSION NEWER-VERSION
set -euo pipefail
older_image=$1 newer_image=$2 older=$3 newer=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CLIFF_FIT_WIDTH=0

# One of the client's plugins complains about another at every start.
openstack() { command openstack "$@" 2> >(grep -v blazarclient >&2); }
coe() { openstack coe "$@"; }
say() { printf '%s %s\n' "$(date +%T)" "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
is() { # what expected actual
  [ "$2" = "$3" ] || fail "$1: expected \"$2\", got \"$3\""
  say "$1: $3"
}
field() { coe cluster show life -f value -c "$1"; }
until_status() { # wanted status
  local status
  for _ in $(seq 60); do
    status=$(field status)
    case $status in
      "$1") say "$1"; return ;;
      *_FAILED) fail "waited for $1, got $status: $(field status_reason)" ;;
    esac
  done
  fail "waited for $1, still $status: $(field status_reason)"
}

say "templates"
common=(--coe kubernetes --external-network public --master-flavor m1.medium --flavor m1.small --dns-nameserver 9.9.9.9
  --network-driver calico --docker-storage-driver overlay2 --master-lb-enabled --floating-ip-enabled)
coe cluster template create older --image "$older_image" --labels "kube_tag=$older" "${common[@]}" >/dev/null
coe cluster template create newer --image "$newer_image" --labels "kube_tag=$newer" "${common[@]}" >/dev/null
coe cluster template create spare --image "$older_image" "${common[@]}" >/dev/null
grep -qx older <<<"$(coe cluster template list -f value -c name)" || fail "the list does not have the new template"
coe cluster template update spare --tag tried >/dev/null 2>&1 || coe cluster template update spare replace tags=tried >/dev/null
is "updated tags" tried "$(coe cluster template show spare -f value -c tags)"
coe cluster template delete spare >/dev/null
grep -qx spare <<<"$(coe cluster template list -f value -c name)" && fail "the deleted template is still listed"

say "create 3 + 3"
coe cluster create life --cluster-template older --node-count 3 --master-count 3 --keypair demo >/dev/null
until_status CREATE_COMPLETE
is "listed" "life CREATE_COMPLETE" "$(coe cluster list -f value -c name -c status | grep ^life)"
is "nodes" 3 "$(field node_count)"
grep -q '^https://' <<<"$(field api_address)" || fail "no API address"

say "numbers"
project=$(command openstack token issue -f value -c project_id 2>/dev/null)
is "nodes of the project" 6 "$(coe stats list "$project" | awk '$2 == "nodes" { print $4 }')"
is "clusters it may have" 20 "$(coe quotas show --project-id "$project" --resource Cluster | awk '$2 == "hard_limit" { print $4 }')"
grep -q 'BEGIN CERTIFICATE' <<<"$(coe ca show life)" || fail "the authority is not shown"
coe ca rotate life >/dev/null 2>&1 && fail "an authority was rotated that can not be"

say "config"
coe cluster config life --dir "$work" --force >/dev/null
export KUBECONFIG=$work/config
is "nodes that kubectl lists" 6 "$(kubectl get nodes --no-headers | wc -l)"
kubectl version >/dev/null || fail "kubectl version"
kubectl get pods -A >/dev/null || fail "kubectl get pods"

say "resize"
coe cluster resize life 4 >/dev/null
until_status UPDATE_COMPLETE
is "nodes" 4 "$(field node_count)"
is "nodes that kubectl lists" 7 "$(kubectl get nodes --no-headers | wc -l)"

say "node group"
coe nodegroup create life extra --node-count 1 --min-nodes 1 --max-nodes 3 --role infra >/dev/null
until_status UPDATE_COMPLETE
is "node group" "infra 1" "$(coe nodegroup show life extra -f value -c role -c node_count | paste -sd' ' | awk '{ if ($1 ~ /^[0-9]+$/) print $2, $1; else print }')"
coe nodegroup update life extra --max-nodes 5 >/dev/null 2>&1 || coe nodegroup update life extra replace max_node_count=5 >/dev/null
until_status UPDATE_COMPLETE
is "its maximum" 5 "$(coe nodegroup show life extra -f value -c max_node_count)"
coe nodegroup delete life extra >/dev/null
until_status UPDATE_COMPLETE
grep -qx extra <<<"$(coe nodegroup list life -f value -c name)" && fail "the deleted node group is still listed"

say "upgrade"
coe cluster upgrade life newer >/dev/null
until_status UPDATE_COMPLETE
is "version" "$newer" "$(field coe_version)"
is "nodes of the new version" 7 "$(kubectl get nodes -o jsonpath='{range .items[*]}{.status.nodeInfo.kubeletVersion}{"\n"}{end}' | grep -cx "$newer")"

say "delete"
coe cluster delete life >/dev/null
for _ in $(seq 60); do
  grep -qx life <<<"$(coe cluster list -f value -c name)" || { gone=1; break; }
done
[ -n "${gone:-}" ] || fail "the cluster is still listed: $(field status_reason)"
coe cluster template delete older newer >/dev/null
say "the whole life passed"
