#!/usr/bin/env bash
# Serves Magnum's API under uwsgi, with two processes and its tokens in memcached, until it is told to end. SERVER=uwsgi up.sh has made
# everything else ready; tools/setup.sh magnum uwsgi has installed what it needs.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

cat >"$STATE/uwsgi.conf" <<EOF
[keystone_authtoken]
memcached_servers = 127.0.0.1:$MEMCACHED
EOF
arguments=
for file in cloud/magnum.conf theirs.conf uwsgi.conf; do arguments+="--config-file $STATE/$file "; done
packages=("$UWSGI"/lib/python3*/site-packages)
exec "$UWSGI/bin/uwsgi" --ini uwsgi.ini --home "$VENV" --pythonpath "$PWD/parts" --pythonpath "${packages[0]}" \
  --http "127.0.0.1:$THEIRS" --pyargv "${arguments% }"
