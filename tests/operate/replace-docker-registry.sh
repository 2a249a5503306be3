#!/usr/bin/env bash
# Does what docs/operate/replace-docker-registry.md says, word by word: runs the commands of the page, in their order, on Debian's docker-registry with a
# directory of its own, and looks after each step at what a client sees.
#
# What this machine should not have changed is elsewhere: /etc and /var of the page are folders below $STATE/root, the systemctl of the page starts and stops
# the same programs, and the port is another.
#   JEROBOAM         the program
#   CRANE            the folder with crane
#   DOCKER_REGISTRY  Debian's docker-registry
#   PORT STATE       a free port, and a folder
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${JEROBOAM:?is the path of the program}" "${CRANE:?is the folder with crane}"
DOCKER_REGISTRY=${DOCKER_REGISTRY:-$(command -v docker-registry)} PORT=${PORT:-31791}
export STATE=${STATE:-${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam/run/operate-registry-$PORT}
PAGE=docs/operate/replace-docker-registry.md ROOT=$STATE/root

fail() { printf 'error: %s\n' "$*" >&2; tail -n 20 "$STATE"/log/*.log >&2 || true; exit 1; }
stop_all() { for unit in jeroboam-registry docker-registry; do "$ROOT/bin/systemctl" stop "$unit" 2>/dev/null || true; done; }
rm -rf "$ROOT"
mkdir -p "$ROOT"/{bin,etc/docker/registry,etc/systemd/system,var/lib/docker-registry,run,pages} "$STATE/log"
trap stop_all EXIT

# What Debian's package installs, and what many add.
cat >"$ROOT/etc/docker/registry/config.yml" <<END
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: $ROOT/var/lib/docker-registry
  delete:
    enabled: true
http:
  addr: 127.0.0.1:$PORT
  secret: the same in both
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
END

# What the page's commands find on their way.
ln -s "$JEROBOAM" "$ROOT/bin/jeroboam"
cat >"$ROOT/bin/systemctl" <<END
#!/usr/bin/env bash
# The verbs of the page.
set -euo pipefail
verb=\$1; shift
[ "\$verb" != daemon-reload ] || exit 0
for unit; do
  pid=$ROOT/run/\$unit.pid
  case \$verb-\$unit in
    start-docker-registry) command=("$DOCKER_REGISTRY" serve "$ROOT/etc/docker/registry/config.yml") ;;
    start-*) read -ra command < <(sed -n 's#^ExecStart=/usr/bin/jeroboam#$JEROBOAM#p' "$ROOT/etc/systemd/system/\$unit.service") ;;
    stop-*)
      [ -e "\$pid" ] || continue
      kill "\$(<"\$pid")" 2>/dev/null || true
      for _ in {1..300}; do [ -d "/proc/\$(<"\$pid")" ] || break; sleep 0.1; done
      rm "\$pid"; continue ;;
  esac
  setsid "\${command[@]}" >>"$STATE/log/\$unit.log" 2>&1 </dev/null &
  echo \$! >"\$pid"
  for _ in {1..300}; do curl -sf -o /dev/null http://127.0.0.1:$PORT/v2/ && continue 2; [ -d "/proc/\$!" ] || break; sleep 0.1; done
  tail -n 20 "$STATE/log/\$unit.log" >&2; exit 1
done
END
chmod +x "$ROOT/bin/systemctl"
export PATH=$ROOT/bin:$CRANE:$PATH
host=127.0.0.1:$PORT

push() { # name tag: an image of one file that nothing else has
  printf '%s %s\n' "$1" "$2" >"$ROOT/run/file"
  tar --create --file "$ROOT/run/layer.tar" --directory "$ROOT/run" file
  crane append --new_layer "$ROOT/run/layer.tar" --new_tag "$host/$1:$2" >/dev/null
}
seen() { # all that a client sees, in whatever order: repositories, tags, digests, and that everything can be pulled
  local name tag
  crane catalog "$host" | while read -r name; do
    crane ls "$host/$name" | while read -r tag; do
      printf '%s:%s %s\n' "$name" "$tag" "$(crane digest "$host/$name:$tag")"
      crane pull "$host/$name:$tag" "$ROOT/run/pulled.tar"
    done
  done | sort
}

# What is there before: images that docker-registry took.
systemctl start docker-registry
push team/app 1
push team/app 2
push lib/base 1
BEFORE=$(seen)
[ "$(wc -l <<<"$BEFORE")" = 3 ] || fail "docker-registry has $BEFORE"

after() { # heading: what has to be so after the commands below it
  case $1 in
    'Look first') [ "$(seen)" = "$BEFORE" ] && [ ! -e "$ROOT/var/lib/docker-registry/docker/registry/v2/_x" ] ;;
    'Add a unit') [ "$(seen)" = "$BEFORE" ] ;;
    'Take over')
      diff <(seen) <(printf '%s\n' "$BEFORE") || return 1
      # It works: something new, something moved, something deleted.
      push team/new 1
      push team/app 2
      crane delete "$host/lib/base@$(crane digest "$host/lib/base:1")" || return 1
      BETWEEN=$(seen)
      grep -q '^team/new:1 ' <<<"$BETWEEN" && ! grep -q '^lib/base:1 ' <<<"$BETWEEN" ;;
    'Go back') diff <(seen) <(printf '%s\n' "$BETWEEN") && "$DOCKER_REGISTRY" garbage-collect --dry-run "$ROOT/etc/docker/registry/config.yml" >/dev/null ;;
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
  sed -e "s#/etc/#$ROOT/etc/#g; s#/var/#$ROOT/var/#g; s#127.0.0.1:5000#$host#g" "$block" >"$block.here"
  bash -euo pipefail "$block.here" || fail "a command below \"$heading\" failed"
  after "$heading" || fail "\"$heading\" did not do what the page says"
  steps=$((steps + 1))
done
[ "$steps" = 4 ] || fail "the page has $steps blocks of commands"
printf 'every command of %s does what it says\n' "$PAGE"
