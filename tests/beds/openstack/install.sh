#!/bin/bash
# Debian packages + one Python venv with every service (about 3 minutes, 0.6 GB).
. "$(dirname "$0")/lib.sh"
APT_PKGS="mariadb-server mariadb-client rabbitmq-server memcached wrk apache2-utils python3-venv python3-dev build-essential
 pkg-config libffi-dev libssl-dev libxml2-dev libxslt1-dev libpcre3-dev liberasurecode-dev libldap2-dev libsasl2-dev jq openssl curl"
missing=""
for p in $APT_PKGS; do dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"; done
if [ -n "$missing" ]; then
  say "apt: $missing"
  made=0
  if [ ! -e /usr/sbin/policy-rc.d ]; then printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; made=1; fi
  apt-get update -qq || true
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends $missing >"$LOG/apt.log" 2>&1 || { tail -20 "$LOG/apt.log"; exit 1; }
  [ $made = 1 ] && rm -f /usr/sbin/policy-rc.d
fi
if [ ! -x "$CACHE/uv/bin/uv" ]; then
  "$PYTHON" -m venv "$CACHE/uv"; "$CACHE/uv/bin/pip" install -q "uv==0.13.8"
fi
UV=$CACHE/uv/bin/uv
if ! cmp -s "$HERE/requirements.lock" "$VENV/.lock"; then
  say "venv: $(wc -l <"$HERE/requirements.lock") packages"
  [ -x "$VENV/bin/python" ] || $UV venv -q --python "$PYTHON" "$VENV"
  $UV pip install -q --python "$VENV/bin/python" -r "$HERE/requirements.lock"
  cp "$HERE/requirements.lock" "$VENV/.lock"
fi
# mock neutron mechanism driver and octavia worker
if ! cmp -s "$HERE/osbed_fakes/pyproject.toml" "$VENV/.fakes" || ! diff -rq -x __pycache__ -x '*.pyc' "$HERE/osbed_fakes/src/osbed_fakes" "$VENV"/lib/python3*/site-packages/osbed_fakes >/dev/null 2>&1; then
  cp -r "$HERE/osbed_fakes" "$TMPDIR/osbed_fakes.$$"      # build in a copy: keeps the source folder clean
  $UV pip install -q --reinstall --python "$VENV/bin/python" "$TMPDIR/osbed_fakes.$$"; rm -rf "$TMPDIR/osbed_fakes.$$"
  cp "$HERE/osbed_fakes/pyproject.toml" "$VENV/.fakes"
fi
say "install done"
