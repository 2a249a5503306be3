#!/usr/bin/env bash
# Does what docs/operate/replace-magnum.md says, word by word: runs the commands of the page, in their order, on a real Magnum 23 with
# its own database, and looks after each step at what a tenant sees.
#
# Three things are put in the place of what this machine should not have changed: /etc and /var of the page are folders below
# $STATE/root, the systemctl of the page starts and stops the same programs, and the cloud is the pretended one.
#   JEROBOAM         the program
#   JEROBOAM_CLIENT  the folder with the openstack command
#   PORT_BASE STATE  as for tests/beds/magnum
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${JEROBOAM:?is the path of the program}" "${JEROBOAM_CLIENT:?is the folder with the openstack command}"
export PORT_BASE=${PORT_BASE:-31760} PROCESSES=0
export STATE=${STATE:-${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam/run/operate-$PORT_BASE}
PAGE=docs/operate/replace-magnum.md ROOT=$STATE/root

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
stop_all() {
  for unit in jeroboam magnum-api; do "$ROOT/bin/systemctl" stop "$unit" 2>/dev/null || true; done
  tests/beds/magnum/down.sh
}
rm -rf "$ROOT"
mkdir -p "$ROOT"/{bin,etc/magnum,etc/systemd/system,var/backups,run,pages}
trap stop_all EXIT

# A Magnum with its database, on the port that the cloud's catalogue names.
tests/beds/magnum/up.sh
pushd tests/beds/magnum >/dev/null
# shellcheck source=../beds/magnum/lib.sh
. ./lib.sh
popd >/dev/null
cat "$STATE/cloud/magnum.conf" "$STATE/theirs.conf" | sed '/^\[jeroboam_management\]$/,$ { /^\[jeroboam_management\]$/d; /^kubeconfig = /d }' \
  | sed '/^connection = sqlite/d; /^rsa_key_size = /d' >"$ROOT/etc/magnum/magnum.conf"
cp "$STATE/cloud/kubeconfig" "$ROOT/etc/magnum/management.kubeconfig"

# What the page's commands find on their way.
ln -s "$JEROBOAM" "$ROOT/bin/jeroboam"
cat >"$ROOT/bin/systemctl" <<END
#!/usr/bin/env bash
# The verbs of the page. A conductor is part of the one process that this bed runs for magnum-api.
set -euo pipefail
verb=\$1; shift
for unit; do
  pid=$ROOT/run/\$unit.pid
  case \$verb-\$unit in
    *-magnum-conductor) continue ;;
    start-magnum-api) command=("$VENV/bin/python" -m magnum_bed.serve $OURS --config-file "$ROOT/etc/magnum/magnum.conf")
      export PYTHONPATH=$PWD/tests/beds/magnum/parts PYTHONDONTWRITEBYTECODE=1 ;;
    start-*) read -ra command < <(sed -n 's#^ExecStart=/usr/local/bin/jeroboam#$JEROBOAM#p' "$ROOT/etc/systemd/system/\$unit.service") ;;
    stop-*)
      [ -e "\$pid" ] || continue
      kill "\$(<"\$pid")" 2>/dev/null || true
      for _ in {1..300}; do [ -d "/proc/\$(<"\$pid")" ] || break; sleep 0.1; done
      rm "\$pid"; continue ;;
  esac
  setsid "\${command[@]}" >>"$STATE/log/\$unit.log" 2>&1 </dev/null &
  echo \$! >"\$pid"
  for _ in {1..600}; do curl -sf -o /dev/null http://127.0.0.1:$OURS/ && continue 2; [ -d "/proc/\$!" ] || break; sleep 0.1; done
  tail -n 20 "$STATE/log/\$unit.log" >&2; exit 1
done
END
printf '#!/bin/sh\nexec %s "$@"\n' "$(command -v mariadb-dump) --defaults-extra-file=$ROOT/my.cnf" >"$ROOT/bin/mariadb-dump"
printf '[client]\nuser=root\nsocket=%s\n' "$SOCKET" >"$ROOT/my.cnf"
chmod +x "$ROOT"/bin/{systemctl,mariadb-dump}
export PATH=$ROOT/bin:$JEROBOAM_CLIENT:$PATH OS_CLIENT_CONFIG_FILE=$STATE/cloud/clouds.yaml OS_CLOUD=jeroboam-dev-admin
tenant() { OS_CLOUD=jeroboam-dev openstack coe "$@"; }
sql() { mariadb --defaults-extra-file="$ROOT/my.cnf" -N magnum -e "$1"; }

# What a tenant has: templates and clusters that Magnum made. The bed's driver finishes nothing, so that is done by hand.
systemctl start magnum-conductor magnum-api
# shellcheck disable=SC2119
tenant cluster template create old --image ubuntu-kube-v1.33.5 --coe kubernetes --external-network public --flavor m1.small \
  --master-flavor m1.medium --network-driver calico --master-lb-enabled --labels kube_tag=v1.33.5 >/dev/null
for name in first second; do tenant cluster create "$name" --cluster-template old --node-count 2 --keypair demo >/dev/null; done
sql "UPDATE cluster SET status='CREATE_COMPLETE', api_address='https://10.0.0.9:6443'; UPDATE nodegroup SET status='CREATE_COMPLETE'"
seen() { for of in 'cluster show first' 'cluster show second' 'cluster template show old' 'nodegroup list first'; do
  # shellcheck disable=SC2086
  tenant $of -f json | jq -S 'if type == "object" then del(.updated_at) else . end'; done; }
BEFORE=$(seen)

after() { # heading: what has to be so after the commands below it
  case $1 in
    'Look first') [ "$(seen)" = "$BEFORE" ] && ! grep -q jeroboam <<<"$(sql 'SHOW TABLES')" ;;
    'Add what Magnum does not have') [ "$(seen)" = "$BEFORE" ] ;;
    'Stop Magnum') ! curl -s -o /dev/null "http://127.0.0.1:$OURS/" && grep -q 'CREATE TABLE .cluster. ' "$ROOT/var/backups/magnum.sql" ;;
    'Adopt') grep -q jeroboam_cluster <<<"$(sql 'SHOW TABLES')" ;;
    'Start Jeroboam')
      diff <(seen) <(printf '%s\n' "$BEFORE")
      # It works: a cluster is made, and another is left unfinished.
      tenant cluster create third --cluster-template old --node-count 1 --keypair demo >/dev/null
      for _ in {1..120}; do [ "$(sql "SELECT status FROM cluster WHERE name='third'")" = CREATE_COMPLETE ] && break; sleep 0.5; done
      tenant cluster create fourth --cluster-template old --node-count 9 --master-count 5 --keypair demo >/dev/null
      [ "$(sql "SELECT status FROM cluster WHERE name='third'")" = CREATE_COMPLETE ] ;;
    'Go back')
      diff <(seen) <(printf '%s\n' "$BEFORE")
      [ "$(tenant cluster show third -f value -c status)" = CREATE_COMPLETE ]
      [ "$(tenant cluster show fourth -f value -c status)" = CREATE_FAILED ]
      grep -q 'handed back to Magnum' <<<"$(tenant cluster show fourth -f value -c status_reason)" ;;
    'Go back for good')
      diff <(seen) <(printf '%s\n' "$BEFORE")
      ! grep -q jeroboam <<<"$(sql 'SHOW TABLES')" ;;
    *) fail "the page has commands below \"$1\", and nothing here looks at what they did" ;;
  esac
}

# One file for each block of commands, with the heading that it stands below.
awk -v to="$ROOT/pages" '
  /^## / { heading = substr($0, 4) }
  /^```sh$/ { block++; file = sprintf("%s/%02d", to, block); print heading >file ".heading"; on = 1; next }
  /^```$/ { on = 0 }
  on { print >file ".sh" }' "$PAGE"
steps=0
for block in "$ROOT"/pages/*.sh; do
  heading=$(<"${block%.sh}.heading")
  printf '== %s\n' "$heading"
  sed -e "s#/etc/#$ROOT/etc/#g; s#/var/#$ROOT/var/#g" "$block" >"$block.here"
  bash -euo pipefail "$block.here" || fail "a command below \"$heading\" failed"
  after "$heading" || fail "\"$heading\" did not do what the page says"
  steps=$((steps + 1))
done
[ "$steps" = 7 ] || fail "the page has $steps blocks of commands, and not 7"
echo "the page is right"
