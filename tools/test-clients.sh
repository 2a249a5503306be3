#!/usr/bin/env bash
# Other people's clients, those that are too heavy for every `make test`, against the service on the pretend cloud. Called by `make test-clients`.
#   test-clients.sh [PART…]   all of them, in this order, unless some are named:
#     tempest       magnum-tempest-plugin, but for the lives that it lets last for more than ten minutes (`make test-openstack` has them)
#     gophercloud   gophercloud's own acceptance tests
#     ansible       the openstack.cloud collection's modules
#     tofu          OpenTofu with terraform-provider-openstack
#   JEROBOAM=… takes that program instead of building it.
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
port=${PORT_BASE:-28600}
[ $# -gt 0 ] || set -- tempest gophercloud ansible tofu
work=$(mktemp -d)
. tools/pretend.sh

say() { printf '%s %s\n' "$(date +%T)" "$*"; }
finish() {
  local status=$?
  [ $status = 0 ] || { echo "the end of the service's log:" >&2; tail -n 20 "$work/service.log" >&2 || true; }
  pretend_ends
  rm -rf "$work"
  exit $status
}
trap finish EXIT
venv() { echo "$CACHE/$1-$(sha256sum "tests/client/$2" | cut -c1-12)/bin"; }

if [ -z "${JEROBOAM:-}" ]; then
  tools/build.sh --bin jeroboam
  JEROBOAM=$CARGO_TARGET_DIR/debug/jeroboam
fi
pretend "$port" "$work"

PATH=$(venv client requirements.lock):$PATH
export AUTH_URL=http://127.0.0.1:$port/v3 IMAGE=ubuntu-kube-v1.34.2 OS_CLIENT_CONFIG_FILE=$work/cloud/clouds.yaml

part_tempest() {
  CLOUD=jeroboam-dev-admin ADMIN_PASSWORD=secret MAGNUM_URL=http://127.0.0.1:$((port + 2))/v1 TEMPEST=$(venv tempest tempest.lock) \
    tests/client/tempest.sh "$work/tempest" most flavor empty empty-of-roles
}
part_gophercloud() {
  OS_CLOUD=jeroboam-dev-admin openstack keypair create --public-key <(ssh_key) go >/dev/null
  OS_AUTH_URL=$AUTH_URL OS_USERNAME=admin OS_PASSWORD=secret OS_PROJECT_NAME=admin OS_DOMAIN_NAME=Default OS_REGION_NAME=RegionOne KEYPAIR=go \
    tests/client/gophercloud.sh "$(tests/client/build.sh gophercloud.test)"
}
part_ansible() {
  OS_CLOUD=jeroboam-dev tests/client/ansible.sh "$(venv ansible ansible.lock)"
}
part_tofu() {
  OS_CLOUD=jeroboam-dev KUBECTL=$(tests/beds/kubernetes/where.sh kubectl) tests/client/tofu.sh "$(tests/client/build.sh)"
}
ssh_key() { python -c 'import sys
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as Key
print(Key.generate().public_key().public_bytes(s.Encoding.OpenSSH, s.PublicFormat.OpenSSH).decode())'; }

for part; do
  say "$part"
  "part_$part"
done
say "all passed"
