#!/usr/bin/env bash
# Other people's clients on real OpenStack services (fake hypervisor), real Cluster API and its OpenStack provider; the machines are network
# namespaces in which the real kubeadm runs. Called by `make test-openstack`. Needs root and about 5 GiB.
#   test-openstack.sh [PART…]   all of them, in this order, unless some are named:
#     contract     the real services are held to what the pretend cloud of the other tests claims of them
#     life         one plain cluster with the real openstack client
#     tempest      magnum-tempest-plugin, whole
#     gophercloud  its own acceptance tests
#     ansible      the openstack.cloud collection's modules
#     tofu         OpenTofu with terraform-provider-openstack
#   KEEP=1 leaves the beds running for another run, JEROBOAM=… takes that program instead of building it.
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
export SERVICES="keystone barbican glance placement nova neutron octavia"
[ $# -gt 0 ] || set -- contract life tempest gophercloud ansible tofu
work=$(mktemp -d)
[ "$(id -u)" = 0 ] || { echo "error: the guests need network namespaces" >&2; echo "hint: run as root" >&2; exit 1; }

say() { printf '%s %s\n' "$(date +%T)" "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
finish() {
  local status=$?
  [ $status = 0 ] || { echo "the end of the service's log:" >&2; tail -n 40 "$work/jeroboam.log" >&2 || true; }
  [ -z "${service:-}" ] || { kill "$service" 2>/dev/null && wait "$service" 2>/dev/null; } || true
  if [ -z "${KEEP:-}" ]; then
    tests/beds/capo/down.sh || true
    tests/beds/openstack/down.sh || true
  fi
  [ -z "${linked:-}" ] || rm -f /opt/stack/bin/kubectl
  rm -rf "$work"
  exit $status
}
trap finish EXIT

if [ -z "${JEROBOAM:-}" ]; then
  tools/build.sh --bin jeroboam
  JEROBOAM=$CARGO_TARGET_DIR/debug/jeroboam
fi
say "starting OpenStack"
tests/beds/openstack/up.sh
say "starting the management cluster"
tests/beds/capo/up.sh
# shellcheck source=/dev/null
. "$CACHE/run/openstack/openrc" demo
kubectl=$(tests/beds/kubernetes/where.sh kubectl)
PATH=$(dirname "$kubectl"):$PATH
keystone=http://127.0.0.1:25000
secret=${SECRET:-osbed-secret}

cat >"$work/magnum.conf" <<E
[api]
port = 29511
[database]
connection = sqlite:///$work/magnum.sqlite
[keystone_authtoken]
www_authenticate_uri = $keystone/v3
auth_url = $keystone/v3
auth_type = password
username = magnum
password = $secret
user_domain_name = Default
project_name = service
project_domain_name = Default
region_name = RegionOne
# All of this on one machine: Keystone may take its time.
http_connect_timeout = 60
[keystone_auth]
auth_url = $keystone/v3
auth_type = password
username = magnum
password = $secret
user_domain_name = Default
project_name = service
project_domain_name = Default
region_name = RegionOne
[oslo_policy]
policy_file = $work/policy.yaml
[cluster_template]
kubernetes_allowed_network_drivers = all
[jeroboam_management]
kubeconfig = $CACHE/run/capo/mgmt/kubeconfig
E
# Magnum's own rule has a reader see the authorities of those clusters alone that it made itself, and no reader makes any. One of tempest's tests
# wants what follows; with Magnum's rule it fails, on Magnum as well.
echo '"certificate:get": "rule:admin_or_project_reader"' >"$work/policy.yaml"
export IMAGE=ubuntu-2404-kube-v1.34.10
venv() { echo "$CACHE/$1-$(sha256sum "tests/client/$2" | cut -c1-12)/bin"; }

say "starting jeroboam"
"$JEROBOAM" all --config-file "$work/magnum.conf" --upgrade-database >"$work/jeroboam.log" 2>&1 &
service=$!
for _ in $(seq 300); do
  curl -sf -o /dev/null http://127.0.0.1:29511/healthz && break
  kill -0 $service 2>/dev/null || fail "jeroboam ended"
  sleep 0.1
done

# One of the client's plugins complains about another at every start.
openstack() { command openstack "$@" 2> >(grep -v blazarclient >&2); }
coe() { openstack coe "$@"; }
field() { coe cluster show real -f value -c "$1"; }
until_status() {
  local status began=$SECONDS reason last=
  while [ $((SECONDS - began)) -lt 900 ]; do
    status=$(field status)
    reason=$(field status_reason)
    [ "$reason" = "$last" ] || say "$status: $reason"
    last=$reason
    case $status in
      "$1") say "$1 after $((SECONDS - began)) s"; return ;;
      *_FAILED) fail "waited for $1, got $status: $reason" ;;
    esac
    sleep 2
  done
  fail "waited for $1, still $status: $reason"
}
until_nodes() { # count: so many nodes, all ready
  local ready began=$SECONDS
  while [ $((SECONDS - began)) -lt 300 ]; do
    ready=$(kubectl get nodes --no-headers 2>/dev/null | grep -cw Ready || true)
    [ "$ready" = "$1" ] && { say "$1 nodes Ready"; return; }
    sleep 1
  done
  kubectl get nodes || true
  fail "waited for $1 ready nodes, saw $ready"
}
what_is_left() { # everything of the project that a cluster could have made
  openstack server list -f value -c Name
  openstack loadbalancer list -f value -c name 2>/dev/null || true
  openstack floating ip list -f value -c 'Floating IP Address'
  openstack router list -f value -c Name
  openstack network list -f value -c Name | grep -vx public || true
  openstack port list -f value -c ID
  openstack security group list -f value -c Name | grep -vx default || true
  openstack application credential list -f value -c Name
}

part_contract() {
  say "asking the real services what the pretend cloud claims of them"
  JEROBOAM_CONTRACT_CLOUDS=$CACHE/run/openstack/clouds.yaml cargo test --quiet --package jeroboam-sandbox --test contract
}

part_life() {
  local before after address vip gone
  before=$(what_is_left)
  coe cluster template delete real >/dev/null 2>&1 || true
  coe cluster template create real --coe kubernetes --image "$IMAGE" --external-network public --master-flavor m1.medium \
    --flavor m1.small --dns-nameserver 9.9.9.9 --network-driver calico --master-lb-enabled --floating-ip-enabled --docker-storage-driver overlay2 \
    --labels fixed_subnet_cidr=10.6.1.0/24 >/dev/null
  coe cluster create real --cluster-template real --master-count 1 --node-count 2 --keypair test
  until_status CREATE_COMPLETE
  address=$(field api_address)
  vip=$(openstack floating ip list -f value -c 'Floating IP Address' | head -n 1)
  [ "$address" = "https://$vip:6443" ] || fail "the API address is $address and the floating IP $vip"
  coe cluster config real --dir "$work" --force >/dev/null
  local KUBECONFIG=$work/config
  export KUBECONFIG
  until_nodes 3
  coe cluster resize real 3
  until_status UPDATE_COMPLETE
  until_nodes 4
  coe cluster delete real
  for _ in $(seq 300); do
    grep -qx real <<<"$(coe cluster list -f value -c name)" || { gone=1; break; }
    sleep 1
  done
  [ -n "${gone:-}" ] || fail "the cluster is still listed: $(field status_reason)"
  coe cluster template delete real >/dev/null
  after=$(what_is_left)
  [ "$before" = "$after" ] || fail "left in OpenStack: $(diff <(echo "$before") <(echo "$after"))"
  say "the cluster lived on real OpenStack and left nothing behind"
}

part_tempest() {
  say "magnum-tempest-plugin, with lives that it lets last for more than ten minutes"
  # Where its script for pods' logs looks for it.
  [ -e /opt/stack/bin/kubectl ] || { mkdir -p /opt/stack/bin && ln -s "$kubectl" /opt/stack/bin/kubectl && linked=1; }
  PATH=$(venv client requirements.lock):$PATH TEMPEST=$(venv tempest tempest.lock) CLOUD=admin AUTH_URL=$keystone/v3 ADMIN_PASSWORD=$secret \
    MAGNUM_URL=http://127.0.0.1:29511/v1 MINUTES=15 tests/client/tempest.sh "$CACHE/run/tempest-$(date +%s)"
}
part_gophercloud() {
  env -u OS_CLIENT_CONFIG_FILE -u OS_CLOUD OS_AUTH_URL=$keystone/v3 OS_USERNAME=admin OS_PASSWORD="$secret" OS_PROJECT_NAME=admin \
    OS_DOMAIN_NAME=Default OS_REGION_NAME=RegionOne KEYPAIR=test tests/client/gophercloud.sh "$(tests/client/build.sh gophercloud.test)"
}
part_ansible() {
  PATIENCE=450 tests/client/ansible.sh "$(venv ansible ansible.lock)"
}
part_tofu() {
  KUBECTL=$kubectl tests/client/tofu.sh "$(tests/client/build.sh)"
}

for part; do "part_$part"; done
say "all passed"
