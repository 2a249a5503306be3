#!/usr/bin/env bash
# Starts Magnum itself, its API and conductor in one process, on a private MariaDB, against the product's own pretend cloud.
# Running it again starts only what is not running. tools/setup.sh magnum has installed what it needs; lib.sh says what may be set.
#   JEROBOAM   the program, whose `sandbox` is the cloud
# The pretend cloud's settings are $STATE/cloud/magnum.conf, its people $STATE/cloud/clouds.yaml; Magnum answers on PORT_BASE + 10
# and the ports after it, the databases `magnum` and `jeroboam` are on PORT_BASE.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh
: "${JEROBOAM:?is the path of the program}"
if [ ! -e "$VENV/complete" ]; then
  echo "Magnum is not installed in $VENV: tools/setup.sh magnum installs it" >&2
  exit 1
fi

start() { # name command...: in the background, logging to its own file, unless it runs already
  local name=$1
  shift
  running "$name" && return
  setsid "$@" >>"$STATE/log/$name.log" 2>&1 </dev/null &
  echo $! >"$STATE/pid/$name"
  cut -d' ' -f22 "/proc/$!/stat" >"$STATE/pid/$name.since"
}

wait_for() { # name what command...: until the command succeeds, or the process died, or it took too long
  local name=$1 what=$2
  shift 2
  for _ in {1..1200}; do
    if "$@" >/dev/null 2>&1; then return; fi
    running "$name" || break
    sleep 0.1
  done
  echo "$name does not $what; the end of its log:" >&2
  tail -n 20 "$STATE/log/$name.log" >&2
  exit 1
}

query() { mariadb --no-defaults --user=root --socket="$SOCKET" "$@"; }

mkdir -p "$STATE"/{log,pid,certificates}
if [ ! -d "$STATE/data/mysql" ]; then
  mariadb-install-db --no-defaults --datadir="$STATE/data" --auth-root-authentication-method=normal --skip-test-db \
    --user="$(id -un)" >"$STATE/log/install.log" 2>&1 || { tail -n 20 "$STATE/log/install.log" >&2; exit 1; }
fi
start mariadb "$(PATH=$PATH:/usr/sbin command -v mariadbd)" --no-defaults --user="$(id -un)" --datadir="$STATE/data" --socket="$SOCKET" \
  --pid-file="$STATE/mariadb.pid" --bind-address=127.0.0.1 --port="$MARIADB" --skip-name-resolve --max-connections=500 \
  --innodb-buffer-pool-size=128M --innodb-flush-log-at-trx-commit=0 --character-set-server=utf8mb3
start cloud "$JEROBOAM" sandbox --dir "$STATE/cloud" --identity-port "$IDENTITY" --api-port "$OURS"
wait_for mariadb answer query -e 'SELECT 1'
for name in magnum jeroboam; do query -e "CREATE DATABASE IF NOT EXISTS $name"; done
wait_for cloud "write its settings" test -s "$STATE/cloud/magnum.conf"

cat >"$STATE/theirs.conf" <<EOF
[DEFAULT]
host = bed
transport_url = inline://
log_dir =
use_stderr = true
state_path = $STATE
[api]
api_paste_config = $STATE/api-paste.ini
[database]
connection = mysql+pymysql://root@127.0.0.1:$MARIADB/magnum?charset=utf8
[certificates]
cert_manager_type = x509keypair
storage_path = $STATE/certificates
[x509]
rsa_key_size = 1024
[oslo_messaging_notifications]
driver = noop
[drivers]
default_driver = k8s_cluster_api_ubuntu
[oslo_concurrency]
lock_path = $STATE/lock
[cors]
allowed_origin = https://horizon.example
[oslo_middleware]
enable_proxy_headers_parsing = true
EOF
# What goes around the application reads /etc/magnum/magnum.conf unless it is told of another file.
sed "s|^oslo_config_project = .*|&\noslo_config_file = $STATE/theirs.conf|" "$VENV/etc/magnum/api-paste.ini" >"$STATE/api-paste.ini"
export PYTHONPATH=$PWD/parts PYTHONDONTWRITEBYTECODE=1
settings=(--config-file "$STATE/cloud/magnum.conf" --config-file "$STATE/theirs.conf")
for file in "$STATE"/more.conf; do
  if [ -e "$file" ]; then settings+=(--config-file "$file"); fi
done
if [ ! -e "$STATE/tables" ]; then
  "$VENV/bin/magnum-db-manage" "${settings[@]}" upgrade >"$STATE/log/tables.log" 2>&1 || { tail -n 20 "$STATE/log/tables.log" >&2; exit 1; }
  touch "$STATE/tables"
fi
if [ "$SERVER" = uwsgi ]; then
  start memcached memcached --user="$(id -un)" --listen=127.0.0.1 --port="$MEMCACHED"
  wait_for memcached answer bash -c "exec 3<>/dev/tcp/127.0.0.1/$MEMCACHED"
  exit
fi
answers() { wait_for "magnum-$1" answer curl -sf -o /dev/null "http://127.0.0.1:$((THEIRS + $1 - 1))/"; }
for number in $(seq "$PROCESSES"); do
  start "magnum-$number" "$VENV/bin/python" -m magnum_bed.serve $((THEIRS + number - 1)) "${settings[@]}"
  # It makes the row that says that a conductor is up, over which several at once would fail.
  [ "$number" != 1 ] || answers 1
done
for number in $(seq "$PROCESSES"); do answers "$number"; done
