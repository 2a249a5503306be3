#!/usr/bin/env bash
# A whole Swift of one device, with its own accounts (tempauth), for the registry's tests.
#   swift.sh up | down | env
. "$(dirname "$0")/backend.sh"
conf=$BED/swift/conf

# One line for each filter that has nothing to set.
filters() {
  local name
  for name in catch_errors gatekeeper healthcheck proxy-logging listing_formats bulk tempurl copy container-quotas account-quotas slo dlo symlink; do
    printf '[filter:%s]\nuse = egg:swift#%s\n' "$name" "${name//-/_}"
  done
  printf '[filter:versioned_writes]\nuse = egg:swift#versioned_writes\nallow_object_versioning = true\n'
}

proxy() { # file port who-asks: a proxy server whose callers are known by these filters, which come on standard input
  cat >"$1" <<X
[DEFAULT]
bind_ip = $HOST
bind_port = $2
user = $(id -un)
swift_dir = $conf
workers = 2
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl $3 copy container-quotas account-quotas slo dlo versioned_writes symlink proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:cache]
use = egg:swift#memcache
memcache_servers = $HOST:$P_MEMCACHE
$(filters)
$(cat)
X
}

storage() { # kind port: one of the three servers that keep things
  local kind=$1 port=$2
  cat >"$conf/$kind-server.conf" <<X
[DEFAULT]
bind_ip = $HOST
bind_port = $port
user = $(id -un)
swift_dir = $conf
devices = $BED/swift/node
mount_check = false
workers = 2
[pipeline:main]
pipeline = $kind-server
[app:$kind-server]
use = egg:swift#$kind
X
  [ -e "$conf/$kind.ring.gz" ] || {
    swift-ring-builder "$conf/$kind.builder" create 8 1 1 >/dev/null
    swift-ring-builder "$conf/$kind.builder" add "r1z1-$HOST:$port/sdb1" 1 >/dev/null
    swift-ring-builder "$conf/$kind.builder" rebalance >/dev/null
  }
  start "swift-$kind" "swift-$kind-server" "$conf/$kind-server.conf"
}

up() {
  needs swift-proxy-server
  needs memcached
  mkdir -p "$conf" "$BED/swift/node/sdb1"
  memcached_up
  storage account "$P_ACCOUNT"
  storage container "$P_CONTAINER"
  storage object "$P_OBJECT"
  proxy "$conf/proxy.conf" "$P_SWIFT" "s3api tempauth" <<'X'
[filter:tempauth]
use = egg:swift#tempauth
user_admin_admin = admin .admin .reseller_admin
user_test_tester = testing .admin
user_test_limited = limiting
[filter:s3api]
use = egg:swift#s3api
s3_acl = no
X
  start swift-proxy swift-proxy-server "$conf/proxy.conf"
  wait_http swift-proxy "http://$HOST:$P_SWIFT/healthcheck"
  say "Swift with accounts of its own: http://$HOST:$P_SWIFT/auth/v1.0, test:tester with testing"
}

# A second door to the same Swift, for those whom Keystone knows. Called by keystone.sh.
up_keystone() {
  mkdir -p "$conf"
  proxy "$conf/proxy-keystone.conf" "$P_SWIFT_KEYSTONE" "authtoken keystoneauth" <<X
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = $AUTH_URL
auth_url = $AUTH_URL
auth_type = password
username = swift
password = swiftpw
project_name = service
user_domain_id = default
project_domain_id = default
delay_auth_decision = True
memcached_servers = $HOST:$P_MEMCACHE
include_service_catalog = True
service_type = object-store
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, swiftoperator
X
  start swift-proxy-keystone swift-proxy-server "$conf/proxy-keystone.conf"
  wait_http swift-proxy-keystone "http://$HOST:$P_SWIFT_KEYSTONE/healthcheck"
}

down() {
  local name
  for name in swift-proxy-keystone swift-proxy swift-object swift-container swift-account memcached; do stop "$name"; done
}

case ${1:-} in
  up) up ;;
  up-keystone) up_keystone ;;
  down) down ;;
  env) ! alive swift-proxy || printf 'export JEROBOAM_SWIFT_V1=http://%s:%s/auth/v1.0\n' "$HOST" "$P_SWIFT" ;;
  *) sed -n '2,3s/^# //p' "$0" >&2; exit 2 ;;
esac
