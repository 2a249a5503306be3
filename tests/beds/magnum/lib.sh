# shellcheck shell=bash disable=SC2034
# What the scripts of the Magnum bed share: where things are, and which of them run.
#   STATE      databases, settings, logs, pid files       (in the user's cache, by port)
#   PORT_BASE  first of the twenty ports it uses          (31800)
#   PROCESSES  how many Magnums share the database        (2)
#   SERVER     who serves them: `bed`, which has the conductor in it, or `uwsgi`, which up.sh only makes ready for uwsgi.sh   (bed)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
VENV=$CACHE/magnum-$(sha256sum requirements.lock | cut -c1-12)
UWSGI=$CACHE/uwsgi-$(sha256sum uwsgi.lock | cut -c1-12)
PORT_BASE=${PORT_BASE:-31800}
PROCESSES=${PROCESSES:-2}
SERVER=${SERVER:-bed}
STATE=$(realpath -m "${STATE:-$CACHE/run/magnum-$PORT_BASE}")
SOCKET=$STATE/mysql.sock
MARIADB=$PORT_BASE
IDENTITY=$((PORT_BASE + 1))
MEMCACHED=$((PORT_BASE + 8))
OURS=$((PORT_BASE + 9)) # the port of the product in the pretend cloud's catalogue
THEIRS=$((PORT_BASE + 10))

running() { # name: whether the process of its pid file lives and is the one that was started
  local pid
  pid=$(cat "$STATE/pid/$1" 2>/dev/null) && [ "$(cut -d' ' -f22 "/proc/$pid/stat" 2>/dev/null)" = "$(cat "$STATE/pid/$1.since")" ]
}
