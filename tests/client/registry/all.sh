#!/usr/bin/env bash
# All clients of this folder, one after the other, and a large layer and cut transfers.
#   all.sh HOST:PORT MIB      $KILL and $START as resume.sh wants them
set -euo pipefail
cd "$(dirname "$0")"
bounded() { # seconds command...
  timeout "$@" || { echo "error: $2 failed, or took over $1 s" >&2; exit 1; }
}
for name in skopeo podman crane oras regctl helm containerd; do bounded 1200 "./$name.sh" "$1"; done
bounded 3600 ./large.sh "$1" "$2"
# Where blobs come from the store itself there is nothing of ours to cut.
[ -n "${REDIRECTS:-}" ] || bounded 1200 ./resume.sh "$1"
