#!/usr/bin/env bash
# Keystone with a project, its owner, a trustee and an application credential, and Swift's second door for them. swift.sh is up first.
#   keystone.sh up | down | env
. "$(dirname "$0")/backend.sh"
home=$BED/keystone

manage() { keystone-manage --config-file "$home/keystone.conf" "$@" >>"$LOG/keystone-manage.log" 2>&1; }

prepare() { # the database, the first administrator
  local me group
  me=$(id -un) group=$(id -gn)
  manage db_sync
  manage fernet_setup --keystone-user "$me" --keystone-group "$group"
  manage credential_setup --keystone-user "$me" --keystone-group "$group"
  manage bootstrap --bootstrap-password adminpw --bootstrap-public-url "$AUTH_URL/" --bootstrap-internal-url "$AUTH_URL/" \
    --bootstrap-admin-url "$AUTH_URL/" --bootstrap-region-id RegionOne
  # Readers do not wait for a writer then; can only be set while nobody is there.
  python3 -c "import sqlite3; sqlite3.connect('$home/keystone.db').execute('pragma journal_mode=wal')"
  touch "$home/to-seed"
}

up() {
  needs keystone-manage
  needs uwsgi
  mkdir -p "$home/fernet" "$home/credential"
  chmod 700 "$home/fernet" "$home/credential"
  cat >"$home/keystone.conf" <<X
[DEFAULT]
log_file = $LOG/keystone-own.log
[database]
connection = sqlite:///$home/keystone.db
[fernet_tokens]
key_repository = $home/fernet
[credential]
key_repository = $home/credential
[token]
provider = fernet
expiration = ${TOKEN_LIFE:-3600}
X
  cat >"$home/app.py" <<X
import sys
sys.argv = ["keystone", "--config-file", "$home/keystone.conf"]
from keystone.server.wsgi import initialize_public_application
application = initialize_public_application()
X
  [ -s "$home/keystone.db" ] || prepare
  memcached_up
  # SQLite: one process with one thread. Bodies are buffered again by uwsgi, after which a Content-Length would be wrong.
  start keystone uwsgi --plugin python3 --master --processes 1 --threads 1 --http-socket "$HOST:$P_KEYSTONE" --buffer-size 65535 \
    --post-buffering 65536 --rem-header Content-Length --chunked-input-limit 16777216 --wsgi-file "$home/app.py" --die-on-term
  wait_http keystone "$AUTH_URL/"
  if [ -e "$home/to-seed" ]; then
    python3 "$HERE/seed_keystone.py" "$AUTH_URL" "http://$HOST:$P_SWIFT_KEYSTONE/v1/AUTH_%(tenant_id)s" \
      "http://$HOST:$P_RGW/swift/v1/AUTH_%(tenant_id)s" "$BED/keystone.env"
    rm "$home/to-seed"
  fi
  "$HERE/swift.sh" up-keystone
  say "Keystone: $AUTH_URL, alice with alicepw in proj; trustee1 with trusteepw; more in $BED/keystone.env"
}

case ${1:-} in
  up) up ;;
  down) stop swift-proxy-keystone; stop keystone ;;
  env) ! alive keystone || { printf 'export JEROBOAM_KEYSTONE=%s\n' "$AUTH_URL"; cat "$BED/keystone.env"; } ;;
  *) sed -n '2,3s/^# //p' "$0" >&2; exit 2 ;;
esac
