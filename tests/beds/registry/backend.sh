# shellcheck shell=bash
# What swift.sh, keystone.sh and rgw.sh share: where things are, starting, waiting, stopping. Sourced, not run.
# Everything lives below $BED and listens on loopback, from PORT_BASE on; whoever calls needs no account but their own.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BED=${BED:-${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam/run/registry}
PORT_BASE=${PORT_BASE:-23000}
HOST=127.0.0.1
P_SWIFT=$PORT_BASE P_SWIFT_KEYSTONE=$((PORT_BASE + 1)) P_ACCOUNT=$((PORT_BASE + 2)) P_CONTAINER=$((PORT_BASE + 3)) P_OBJECT=$((PORT_BASE + 4))
P_MEMCACHE=$((PORT_BASE + 5)) P_KEYSTONE=$((PORT_BASE + 6)) P_RGW=$((PORT_BASE + 7)) P_MON=$((PORT_BASE + 8)) P_VERSITYGW=$((PORT_BASE + 9))
AUTH_URL=http://$HOST:$P_KEYSTONE/v3
RUN=$BED/run LOG=$BED/log
mkdir -p "$RUN" "$LOG"

say() { printf 'registry bed: %s\n' "$*" >&2; }
alive() { [ -s "$RUN/$1.pid" ] && kill -0 "$(cat "$RUN/$1.pid")" 2>/dev/null; }

start() { # name command...: detached, in a process group of its own; nothing where it runs already
  local name=$1
  shift
  ! alive "$name" || return 0
  setsid "$@" >>"$LOG/$name.log" 2>&1 </dev/null &
  echo $! >"$RUN/$name.pid"
}

stop() { # name: by the pid that was recorded, with all that it started
  local pid
  [ -s "$RUN/$1.pid" ] || return 0
  pid=$(cat "$RUN/$1.pid")
  kill -TERM -- "-$pid" 2>/dev/null || true
  for _ in $(seq 1 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -KILL -- "-$pid" 2>/dev/null || true
  rm -f "$RUN/$1.pid"
}

wait_http() { # name url [words of curl]: until it answers, and not another one that has its port
  local _
  for _ in $(seq 1 300); do
    if curl -s -o /dev/null "${@:3}" "$2" && sleep 0.1 && alive "$1"; then return 0; fi
    alive "$1" || { say "$1 ended; its last words:"; tail -n 20 "$LOG/$1.log" >&2; return 1; }
    sleep 0.1
  done
  say "$1 does not answer at $2"
  return 1
}

needs() { # command package...
  command -v "$1" >/dev/null && return 0
  printf 'error: %s is not installed\nhint: tools/setup.sh registry\n' "$1" >&2
  exit 1
}

memcached_up() { start memcached memcached -u "$(id -un)" -l "$HOST" -p "$P_MEMCACHE" -m 64; }
