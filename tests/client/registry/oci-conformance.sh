#!/usr/bin/env bash
# The runner of the distribution specification itself: nothing fails and nothing is skipped.
#   oci-conformance.sh HOST:PORT VERSION      1.1 or dev
# It looks at the specification's main branch, with all kinds of data: the registry has to take images and indexes that name what is not there.
set -euo pipefail
registry=$1 version=$2
status=0
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
name=upstream-${version//./}-$$
OCI_REGISTRY=$registry OCI_TLS=disabled OCI_REPO1=$name/one OCI_REPO2=$name/two OCI_VERSION=$version OCI_DATA_SPARSE=true \
  OCI_RESULTS_DIR=$out timeout 900 oci-conformance >"$out/said.txt" 2>&1 || status=$?
count() { sed -n "/^OCI Conformance Result/,/Total/s/^  $1\.*: *\([0-9]*\)\$/\1/p" "$out/said.txt"; }
failed=$(count FAIL) skipped=$(count Skip) broken=$(count Error) disabled=$(count Disabled) passed=$(count Pass)
# What 1.1 does not have is switched off in it; main has all.
[ "$version" = dev ] || disabled=0
if [ "$status" != 0 ] || [ "$failed$skipped$broken$disabled" != 0000 ] || [ "${passed:-0}" -lt 800 ]; then
  grep -E '^time=' "$out/said.txt" | cut -c1-500 | head -n 40 || true
  grep -v ': Pass$' "$out/said.txt" | tail -n 80 || true
  echo "error: the specification's own runner, $version: $passed passed, $failed failed, $skipped skipped, $broken broke, $disabled disabled" >&2
  exit 1
fi
echo "the specification's own runner, $version: $passed passed, 0 failed, 0 skipped"
