# shellcheck shell=bash
# Common settings and helpers of the OpenStack test bed. Sourced, not run.
# Everything lives under $WORKDIR; every port is loopback and may be moved with PORT_BASE.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
WORKDIR=${OSBED:-$CACHE/run/openstack}
PYTHON=${PYTHON:-/usr/bin/python3}
PORT_BASE=${PORT_BASE:-20000}
HOST=127.0.0.1
VENV=$CACHE/openstack-$(cat "$HERE/requirements.lock" "$HERE"/osbed_fakes/src/osbed_fakes/*.py | sha256sum | cut -c1-12)
ETC=$WORKDIR/etc; RUN=$WORKDIR/run; LOG=$WORKDIR/log; DATA=$WORKDIR/data
mkdir -p "$ETC" "$RUN" "$LOG" "$DATA" "$WORKDIR/tmp" "$WORKDIR/home"
export TMPDIR=$WORKDIR/tmp WORKDIR PORT_BASE VENV

# ports: PORT_BASE + the usual OpenStack port
P_MYSQL=$((PORT_BASE+3306));  P_AMQP=$((PORT_BASE+5672));  P_AMQPDIST=$((PORT_BASE+5673)); P_EPMD=$((PORT_BASE+4369))
P_MEMCACHE=$((PORT_BASE+1211)); P_KEYSTONE=$((PORT_BASE+5000)); P_GLANCE=$((PORT_BASE+9292))
P_PLACEMENT=$((PORT_BASE+8778)); P_NOVA=$((PORT_BASE+8774)); P_NEUTRON=$((PORT_BASE+9696))
P_OCTAVIA=$((PORT_BASE+9876)); P_HEAT=$((PORT_BASE+8004)); P_BARBICAN=$((PORT_BASE+9311))
P_CINDER=$((PORT_BASE+8776))

export SECRET=${SECRET:-osbed-secret}           # one password for all accounts of this throw-away cloud
REGION=RegionOne
MYSQL_SOCK=$RUN/mysqld.sock
AUTH_URL=http://$HOST:$P_KEYSTONE/v3
TRANSPORT=rabbit://osbed:$SECRET@$HOST:$P_AMQP/
db_url() { echo "mysql+pymysql://$1:$SECRET@$HOST:$P_MYSQL/$2?charset=utf8"; }
now_ms() { date +%s%3N; }
say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }
# the commands are called through $VENV/bin, not an activated venv
export PATH=$VENV/bin:$PATH

alive() { [ -s "$RUN/$1.pid" ] && kill -0 "$(cat "$RUN/$1.pid")" 2>/dev/null; }

# start NAME CMD... : detached, log in $LOG/NAME.log, pid in $RUN/NAME.pid; no-op when alive
start() {
  local n=$1; shift
  if alive "$n"; then return 0; fi
  setsid "$@" >>"$LOG/$n.log" 2>&1 </dev/null &
  echo $! >"$RUN/$n.pid"
}
# stop NAME [signal] : TERM the pid started under that name, wait, then KILL that pid's group
stop() {
  local n=$1 sig=${2:-TERM} p
  [ -s "$RUN/$n.pid" ] || return 0
  p=$(cat "$RUN/$n.pid")
  if kill -0 "$p" 2>/dev/null; then
    kill -"$sig" "$p" 2>/dev/null || true
    for _ in $(seq 1 100); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
    kill -KILL -- "-$p" 2>/dev/null || true      # setsid made it the leader of its own group
  fi
  rm -f "$RUN/$n.pid"
}
# wait_http NAME PORT [PATH] [seconds] : until any HTTP answer comes
wait_http() {
  local n=$1 port=$2 path=${3:-/} lim=${4:-120} t0 c
  t0=$(now_ms)
  while :; do
    c=$(curl -s -o /dev/null -m 30 -w '%{http_code}' "http://$HOST:$port$path" || true)
    [ "$c" != 000 ] && break
    alive "$n" || { say "$n died; last lines:"; tail -20 "$LOG/$n.log" >&2; return 1; }
    [ $(( $(now_ms)-t0 )) -gt $((lim*1000)) ] && { say "$n not up in ${lim}s"; return 1; }
    sleep 0.1
  done
  printf '%s %s\n' "$n" "$(( $(now_ms)-t0 ))" >>"$RUN/start_ms"
  say "$n up (HTTP $c) after $(( $(now_ms)-t0 )) ms"
}
wait_port() {
  local n=$1 port=$2 lim=${3:-60} t0; t0=$(now_ms)
  until (exec 3<>"/dev/tcp/$HOST/$port") 2>/dev/null; do
    alive "$n" || { say "$n died; last lines:"; tail -20 "$LOG/$n.log" >&2; return 1; }
    [ $(( $(now_ms)-t0 )) -gt $((lim*1000)) ] && { say "$n not up in ${lim}s"; return 1; }
    sleep 0.1
  done
  printf '%s %s\n' "$n" "$(( $(now_ms)-t0 ))" >>"$RUN/start_ms"
  say "$n up after $(( $(now_ms)-t0 )) ms"
}
# uwsgi_start NAME PORT MODULE PROCESSES [ENV=VAL|--uwsgi-option ...] [-- pyargv]
uwsgi_start() {
  local n=$1 port=$2 mod=$3 procs=$4; shift 4
  local envs=() opts=() pyargv=""
  while [ $# -gt 0 ]; do
    case $1 in
      --) shift; pyargv="$*"; break;;
      --*) opts+=("$1");;
      *) envs+=("$1");;
    esac; shift
  done
  start "$n" env HOME="$WORKDIR/home" "${envs[@]}" "$VENV/bin/uwsgi" \
    --http-socket "$HOST:$port" --module "$mod:application" --master --processes "$procs" \
    --enable-threads --lazy-apps --need-app --die-on-term --thunder-lock --buffer-size 65535 \
    --listen ${SOMAXCONN:-1024} --add-header "Connection: close" --disable-logging --log-5xx --procname-prefix "osbed-$n " \
    "${opts[@]}" --pyargv "$pyargv"
}
mysql_root() { mariadb --no-defaults -u root -S "$MYSQL_SOCK" "$@"; }
mkdb() { # mkdb user db...
  local u=$1 d; shift
  for d in "$@"; do
    mysql_root -e "CREATE DATABASE IF NOT EXISTS \`$d\` CHARACTER SET utf8mb3; GRANT ALL ON \`$d\`.* TO '$u'@'%' IDENTIFIED BY '$SECRET'; GRANT ALL ON \`$d\`.* TO '$u'@'localhost' IDENTIFIED BY '$SECRET';"
  done
}
authtoken() { # authtoken user : the [keystone_authtoken] section
  cat <<E
[keystone_authtoken]
www_authenticate_uri = http://$HOST:$P_KEYSTONE
auth_url = $AUTH_URL
auth_type = password
username = $1
password = $SECRET
user_domain_name = Default
project_name = service
project_domain_name = Default
region_name = $REGION
memcached_servers = $HOST:$P_MEMCACHE
service_token_roles_required = true
service_token_roles = service
E
}
svcauth() { # svcauth user : options for any section which loads a keystoneauth plugin
  cat <<E
auth_url = $AUTH_URL
auth_type = password
username = $1
password = $SECRET
user_domain_name = Default
project_name = service
project_domain_name = Default
region_name = $REGION
E
}
os_env() { # os_env user project : export OS_* of that account
  export OS_AUTH_URL=$AUTH_URL OS_IDENTITY_API_VERSION=3 OS_USERNAME=$1 OS_PASSWORD=$SECRET OS_PROJECT_NAME=$2 \
    OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default OS_REGION_NAME=$REGION OS_INTERFACE=public
}
tree_mem() { # tree_mem PID : "nproc rss_kib pss_kib" of the process and its descendants
  python3 - "$1" <<'E'
import os,sys
kids={}
for d in os.listdir('/proc'):
    if d.isdigit():
        try: kids.setdefault(int(open(f'/proc/{d}/stat').read().rsplit(')',1)[1].split()[1]),[]).append(int(d))
        except OSError: pass
todo=[int(sys.argv[1])];n=r=p=0
while todo:
    x=todo.pop();todo+=kids.get(x,[])
    try:
        t=open(f'/proc/{x}/smaps_rollup').read()
    except OSError: continue
    n+=1
    for l in t.splitlines():
        if l.startswith('Rss:'): r+=int(l.split()[1])
        if l.startswith('Pss:'): p+=int(l.split()[1])
print(n,r,p)
E
}
