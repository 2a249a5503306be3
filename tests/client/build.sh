#!/usr/bin/env bash
# Builds the clients that are written in Go, each from its own module with its own go.sum, and prints the folder that they are in.
#   build.sh [gophercloud.test tofu terraform-provider-openstack]      all three unless named
# OpenTofu takes about 7 CPU minutes, once. What is there is left alone: the folder's name says what it was built from.
set -euo pipefail
cd "$(dirname "$0")"
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
out=$CACHE/go-clients-$(sha256sum build.sh | cut -c1-12)
mkdir -p "$out/bin" "$out/src"
PATH=$CACHE/go-toolchain/bin:$PATH
export GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS="-buildvcs=false -mod=readonly"

source_of() { # module version: a copy of it that we may change
  local dir copy
  dir=$(cd "$out" && go mod download -json "$1@$2" | jq -r .Dir)
  copy=$out/src/$(basename "$dir")
  [ -e "$copy" ] || { cp -r --no-preserve=mode "$dir" "$copy.new" && mv "$copy.new" "$copy"; }
  echo "$copy"
}
made() { # program
  [ -x "$out/bin/$1" ] && return
  echo "$(date +%T) building $1 (once)" >&2
  return 1
}

build_gophercloud.test() { # its own acceptance tests, without the line that skips those that make a cluster
  made gophercloud.test && return
  local dir tests=internal/acceptance/openstack/containerinfra/v1
  dir=$(source_of github.com/gophercloud/gophercloud/v2 v2.15.0)
  sed -i '/t.Skip("Failure to deploy/d' "$dir/$tests"/*_test.go
  go -C "$dir" test -c -tags acceptance -trimpath -o "$out/bin/gophercloud.test" "./$tests"
}
build_tofu() {
  made tofu && return
  go -C "$(source_of github.com/opentofu/opentofu v1.12.6)" build -trimpath -ldflags "-s -w" -o "$out/bin/tofu" ./cmd/tofu
}
build_terraform-provider-openstack() {
  made terraform-provider-openstack && return
  go -C "$(source_of github.com/terraform-provider-openstack/terraform-provider-openstack v1.54.1)" build -trimpath -ldflags "-s -w" \
    -o "$out/bin/terraform-provider-openstack" .
}

[ $# -gt 0 ] || set -- gophercloud.test terraform-provider-openstack tofu
for program; do "build_$program"; done
echo "$out/bin"
