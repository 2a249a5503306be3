#!/usr/bin/env bash
# All clients of this folder, one after the other, and a large layer and cut transfers.
#   all.sh HOST:PORT MIB      $KILL and $START as resume.sh wants them
set -euo pipefail
cd "$(dirname "$0")"
for name in skopeo podman crane oras regctl helm containerd; do "./$name.sh" "$1"; done
./large.sh "$1" "$2"
./resume.sh "$1"
