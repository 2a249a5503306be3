#!/usr/bin/env bash
# magnum-tempest-plugin, whole, against a service that is running: the tests by which Magnum's own developers judge it.
#   OS_CLIENT_CONFIG_FILE=… AUTH_URL=http://… ADMIN_PASSWORD=… MAGNUM_URL=http://…/v1 IMAGE=… tempest.sh WORK-DIRECTORY [PART…]
# TEMPEST is the folder with `tempest` and `python`; the `python` on the PATH has openstacksdk, and CLOUD names the administrator's cloud for it.
# FLAVOR and NETWORK say what else the clusters are made of, MINUTES how long one may take. Says one line for each test; fails unless each passed.
#
# Almost all tests run as they are, those that live a cluster's life beside each other and each in a subnet of its own. Two want clusters without
# workers, which Magnum makes from microversion 1.10 on, while the plugin asks for none: asking.py asks for it. Two name a key pair of users that
# have none: these get users of accounts.py. One runs alone, as the test before it takes its user away.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- most flavor life life-of-roles empty empty-of-roles
MINUTES=${MINUTES:-2} NETWORK=${NETWORK:-public} FLAVOR=${FLAVOR:-m1.medium}

configure() { # folder, subnet, what to say of credentials, what to say of a proxy, the service
  cat <<E
[DEFAULT]
log_file = $1/tempest.log
debug = true
[oslo_concurrency]
lock_path = $1/lock
[auth]
$3
admin_username = admin
admin_password = $ADMIN_PASSWORD
admin_project_name = admin
admin_domain_name = Default
admin_system = all
tempest_roles = member
create_isolated_networks = false
[identity]
auth_version = v3
uri_v3 = $AUTH_URL
region = RegionOne
v3_endpoint_type = public
default_domain_id = default
admin_role = admin
[identity-feature-enabled]
api_v3 = true
[enforce_scope]
magnum = true
[service_available]
neutron = true
nova = true
glance = true
cinder = false
swift = false
magnum = true
[network]
public_network_id = $NETWORK
[compute]
flavor_ref = $FLAVOR
[service-clients]
$4
[magnum]
magnum_url = $5
image_id = $IMAGE
nic_id = $NETWORK
keypair_name = magnum-test
flavor_id = $FLAVOR
master_flavor_id = $FLAVOR
dns_nameserver = 9.9.9.9
copy_logs = false
copy_logs_success = false
coe = kubernetes
network_driver = calico
docker_storage_driver = overlay
cluster_creation_timeout = $MINUTES
cluster_delete_timeout = $MINUTES
labels = {"fixed_subnet_cidr": "$2"}
E
}

run() { # name, subnet, regular expression, [of-roles], [microversion]
  local dir=$work/$1 credentials="use_dynamic_credentials = true" proxy="" url=$MAGNUM_URL asking=""
  mkdir -p "$dir"
  if [ -n "${4:-}" ]; then
    python "$here/accounts.py" "$CLOUD" "$ADMIN_PASSWORD" "tempest-$1-$$" magnum-test "$dir/accounts.yaml"
    credentials="use_dynamic_credentials = false
test_accounts_file = $dir/accounts.yaml"
  fi
  if [ -n "${5:-}" ]; then
    python3 "$here/asking.py" "$5" "$MAGNUM_URL" "$dir/port" &
    asking=$!
    for _ in $(seq 100); do [ -s "$dir/port" ] && break; sleep 0.1; done
    url=http://127.0.0.1:$(cat "$dir/port")/v1
    proxy="proxy_url = ${url%/v1}"
  fi
  (
    # It keeps a list of its work spaces in the home directory.
    export HOME=$dir PATH=$TEMPEST:$PATH
    tempest init --name "$1-$$" "$dir/space" >"$dir/init.log" 2>&1 || cat "$dir/init.log" >&2
    cd "$dir/space"
    configure "$dir" "$2" "$credentials" "$proxy" "$url" >etc/tempest.conf
    tempest run --config-file etc/tempest.conf --regex "$3" --concurrency 1 >"$dir/run.log" 2>&1 || true
    stestr last --subunit >"$dir/last.subunit" 2>"$dir/last.log" || true
  )
  [ -z "$asking" ] || kill "$asking"
}

plugin='^magnum_tempest_plugin\.tests\.api\.v1'
for part; do
  case $part in
    most) run most 10.7.0.0/24 "^magnum_tempest_plugin(?!.*(zero_nodes|create_list_sign_delete|v1\.test_cluster\..*nonexisting_flavor))" ;;
    flavor) run flavor 10.7.0.0/24 "$plugin\.test_cluster\..*nonexisting_flavor" ;;
    life) run life 10.7.1.0/24 "$plugin\.test_cluster\..*create_list_sign_delete" ;;
    life-of-roles) run life-of-roles 10.7.2.0/24 "$plugin\.rbac\..*create_list_sign_delete" of-roles ;;
    empty) run empty 10.7.3.0/24 "$plugin\.test_cluster\..*zero_nodes" "" 1.10 ;;
    empty-of-roles) run empty-of-roles 10.7.4.0/24 "$plugin\.rbac\..*zero_nodes" of-roles 1.10 ;;
    *) echo "error: no part $part" >&2; exit 2 ;;
  esac &
done
wait
"$TEMPEST/python" "$here/tempest.py" "${@/#/$work/}" || { echo "hint: the logs are in $work" >&2; exit 1; }
