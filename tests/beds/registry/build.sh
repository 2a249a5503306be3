#!/usr/bin/env bash
# Builds the registry's clients and peers that are written in Go, each from its own module with its own go.sum, so at the
# versions that its authors tested, and prints the folder that they are in.
#   build.sh [crane versitygw…]      all of `pins` unless named
# All of them take about 10 CPU minutes, once. What is there is left alone: the folder's name says what it was built from.
set -euo pipefail
cd "$(dirname "$0")"
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
out=$CACHE/registry-programs-$(sha256sum pins | cut -c1-12)
mkdir -p "$out/bin"
PATH=$CACHE/go-toolchain/bin:$PATH
export GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS="-buildvcs=false -mod=readonly"

built() { # program: builds it, unless somebody did or is at it
  local name version module package dir turn
  [ ! -x "$out/bin/$1" ] || return 0
  read -r name version module package < <(grep "^$1 " pins) || { echo "error: $1 is not in pins" >&2; exit 2; }
  exec {turn}>"$out/$name.lock"
  flock "$turn"
  if [ ! -x "$out/bin/$name" ]; then
    echo "$(date +%T) building $name (once)" >&2
    # From the module's own folder: its checksum was verified when it was downloaded.
    dir=$(cd "$out" && go mod download -json "$module@$version" | jq -r .Dir)
    nice -n 10 go -C "$dir" build -trimpath -ldflags "-s -w" -o "$out/bin/$name.new" "$package"
    mv "$out/bin/$name.new" "$out/bin/$name"
  fi
  exec {turn}>&-
}

[ $# -gt 0 ] || mapfile -t programs < <(cut -d' ' -f1 pins)
for program in "${@:-${programs[@]}}"; do built "$program"; done
echo "$out/bin"
