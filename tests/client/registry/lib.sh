# shellcheck shell=bash
# What the scripts of this folder share. Each is called with the registry's host and port, and stops at the first difference.
#   NAME.sh HOST:PORT
# Everything is pushed below a repository of the script's own name, so that they may run beside each other.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REGISTRY=${1:?the host and port of a registry}
SELF=$(basename "$0" .sh)
REPO=${REPO_PREFIX:-clients}/$SELF
work=$(mktemp -d)
at_end=()
finish() {
  local status=$? command
  for command in ${at_end[@]+"${at_end[@]}"}; do eval "$command" || true; done
  rm -rf "$work"
  exit $status
}
trap finish EXIT
# No client may find who is logged in elsewhere, or keep anything.
export HOME=$work DOCKER_CONFIG=$work/docker XDG_RUNTIME_DIR=$work XDG_CONFIG_HOME=$work/config XDG_CACHE_HOME=$work/cache XDG_DATA_HOME=$work/data
unset REGISTRY_AUTH_FILE
mkdir -p "$DOCKER_CONFIG"
echo "{}" >"$DOCKER_CONFIG/config.json"

say() { printf '%s %s: %s\n' "$(date +%T)" "$SELF" "$*"; }
fail() { printf 'error: %s: %s\n' "$SELF" "$*" >&2; exit 1; }
is() { # what expected actual
  [ "$2" = "$3" ] || fail "$1: expected \"$2\", got \"$3\""
}
refused() { # command...: which has to fail
  ! "$@" >/dev/null 2>&1 || fail "this should have been refused: $*"
}
image() { python3 "$HERE/image.py" "$@"; }
url() { printf 'http://%s/v2/%s/%s' "$REGISTRY" "$1" "$2"; }
accept=(-H "Accept: application/vnd.oci.image.manifest.v1+json" -H "Accept: application/vnd.oci.image.index.v1+json"
  -H "Accept: application/vnd.docker.distribution.manifest.v2+json" -H "Accept: application/vnd.docker.distribution.manifest.list.v2+json")
digest_of() { # repository reference: what the registry says that it is, and what its bytes come to
  local said bytes
  said=$(curl -sfI "${accept[@]}" "$(url "$1" "manifests/$2")" | tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }')
  bytes=sha256:$(curl -sf "${accept[@]}" "$(url "$1" "manifests/$2")" | sha256sum | cut -d' ' -f1)
  is "the digest of $1:$2" "$bytes" "$said"
  echo "$said"
}
has_blob() { curl -sfI -o /dev/null "$(url "$1" "blobs/$2")"; }
has_manifest() { curl -sfI -o /dev/null "${accept[@]}" "$(url "$1" "manifests/$2")"; }
status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
same_layout() { # folder folder: both have the same blobs, and each is what its name says
  local file
  is "blobs of $2" "$(ls "$1/blobs/sha256")" "$(ls "$2/blobs/sha256")"
  for file in "$2"/blobs/sha256/*; do is "$file" "$(basename "$file")" "$(sha256sum <"$file" | cut -d' ' -f1)"; done
}
deletes() { # whether the registry deletes tags by name; the older ones do not
  [ -z "${NO_TAG_DELETE:-}" ]
}
refers() { # whether the registry lists referrers; the older ones do not
  [ -z "${NO_REFERRERS:-}" ]
}
containerd_up() { # a daemon of its own, and ctr as a command for it
  cat >"$work/config.toml" <<X
version = 3
root = "$work/root"
state = "$work/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images", "io.containerd.nri.v1.nri"]
[grpc]
address = "$work/containerd.sock"
[ttrpc]
address = "$work/containerd.sock.ttrpc"
X
  containerd -c "$work/config.toml" >"$work/containerd.log" 2>&1 &
  daemon=$!
  at_end+=("kill $daemon; wait $daemon 2>/dev/null")
  ctr() { command ctr -a "$work/containerd.sock" "$@" 2> >(grep -v DEPRECATION >&2); }
  for _ in $(seq 200); do ctr version >/dev/null 2>&1 && break; kill -0 "$daemon" 2>/dev/null || { tail -n 20 "$work/containerd.log" >&2; exit 1; }; sleep 0.1; done
}
