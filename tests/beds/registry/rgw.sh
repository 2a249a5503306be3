#!/usr/bin/env bash
# A Ceph object gateway whose users are Keystone's, with a cluster of one in memory: what was in it is gone after a restart. keystone.sh is up first.
#   rgw.sh up | down | env
. "$(dirname "$0")/backend.sh"
ceph=$BED/ceph
conf=$ceph/ceph.conf

up() {
  needs ceph-mon
  needs radosgw
  ! alive radosgw || return 0
  # Its data is in memory: what a former run left on disk knows of objects that are no more.
  rm -rf "$ceph"
  mkdir -p "$ceph"/{mon0,osd0,mgr0,run,log}
  local id osd _
  id=$(cat /proc/sys/kernel/random/uuid) osd=$(cat /proc/sys/kernel/random/uuid)
  cat >"$conf" <<X
[global]
fsid = $id
mon_host = [v1:$HOST:$P_MON]
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_crush_chooseleaf_type = 0
osd_pool_default_pg_num = 8
mon_warn_on_pool_no_redundancy = false
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
# Leases on reading are as long as that: on a machine that is busy for a while they would end, and never be taken again by who is alone.
osd_heartbeat_grace = 3600
osd_objectstore = memstore
memstore_device_bytes = 4294967296
run_dir = $ceph/run
log_file = $ceph/log/\$cluster-\$name.log
admin_socket = $ceph/run/\$cluster-\$name.asok
pid_file = $ceph/run/\$name.pid
ms_bind_msgr2 = false
public_addr = $HOST
cluster_addr = $HOST
osd_data = $ceph/osd0
mon_data = $ceph/mon0
mgr_data = $ceph/mgr0
[client.rgw]
rgw_frontends = beast endpoint=$HOST:$P_RGW
rgw_swift_account_in_url = true
rgw_enable_apis = s3, swift, swift_auth, admin
rgw_keystone_url = http://$HOST:$P_KEYSTONE
rgw_keystone_api_version = 3
rgw_keystone_admin_user = swift
rgw_keystone_admin_password = swiftpw
rgw_keystone_admin_project = service
rgw_keystone_admin_domain = Default
rgw_keystone_accepted_roles = member, swiftoperator, admin
rgw_keystone_implicit_tenants = false
rgw_s3_auth_use_keystone = false
X
  monmaptool --create --clobber --fsid "$id" --addv a "[v1:$HOST:$P_MON]" "$ceph/monmap" >/dev/null
  ceph-mon -c "$conf" --mkfs -i a --monmap "$ceph/monmap"
  start ceph-mon ceph-mon -c "$conf" -i a -f
  start ceph-mgr ceph-mgr -c "$conf" -i x -f
  # The uuid of both has to be the same: otherwise the osd stays away without a word.
  ceph -c "$conf" osd new "$osd" 0 >/dev/null
  ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$osd" >>"$LOG/ceph-osd.log" 2>&1
  start ceph-osd ceph-osd -c "$conf" -i 0 -f
  for _ in $(seq 1 120); do
    grep -q '1 up' <<<"$(ceph -c "$conf" osd stat 2>/dev/null)" && break
    sleep 0.5
  done
  grep -q '1 up' <<<"$(ceph -c "$conf" osd stat)" || { say "Ceph's osd does not come up; its log is $LOG/ceph-osd.log"; return 1; }
  start radosgw radosgw -c "$conf" -n client.rgw -f
  wait_http radosgw "http://$HOST:$P_RGW/swift/info"
  say "Ceph's gateway: http://$HOST:$P_RGW/swift/v1, region RegionRGW of Keystone"
}

down() {
  local name
  for name in radosgw ceph-osd ceph-mgr ceph-mon; do stop "$name"; done
}

case ${1:-} in
  up) up ;;
  down) down ;;
  env) ! alive radosgw || printf 'export JEROBOAM_RGW_REGION=RegionRGW\nexport JEROBOAM_RGW=http://%s:%s\n' "$HOST" "$P_RGW" ;;
  *) sed -n '2,3s/^# //p' "$0" >&2; exit 2 ;;
esac
