#!/usr/bin/env bash
# Builds the registry's clients and peers that are written in Go, each from its own module with its own go.sum, so at the
# versions that its authors tested, and prints the folders that they are in, as PATH has them.
#   build.sh [crane versitygw…]      all of `pins` unless named
# All of them take about 10 CPU minutes, once. What is there is left alone: a folder's name says which version it has.
set -euo pipefail
cd "$(dirname "$0")"
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
programs=$CACHE/registry-programs
mkdir -p "$programs"
PATH=$CACHE/go-toolchain/bin:$PATH
export GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS="-buildvcs=false -mod=readonly"

built() { # program: builds it, unless somebody did or is at it, and says where it is
  local name version module package dir turn out
  read -r name version module package < <(grep "^$1 " pins) || { echo "error: $1 is not in pins" >&2; exit 2; }
  out=$programs/$name-$version
  if [ ! -x "$out/$name" ]; then
    exec {turn}>"$programs/$name.lock"
    flock "$turn"
    if [ ! -x "$out/$name" ]; then
      echo "$(date +%T) building $name (once)" >&2
      # From the module's own folder: its checksum was verified when it was downloaded.
      dir=$(cd "$programs" && go mod download -json "$module@$version" | jq -r .Dir)
      mkdir -p "$out"
      nice -n 10 go -C "$dir" build -trimpath -ldflags "-s -w" -o "$out/$name.new" "$package"
      mv "$out/$name.new" "$out/$name"
    fi
    exec {turn}>&-
  fi
  folders+=("$out")
}

folders=()
[ $# -gt 0 ] || mapfile -t all < <(cut -d' ' -f1 pins)
for program in "${@:-${all[@]}}"; do built "$program"; done
(IFS=:; echo "${folders[*]}")
