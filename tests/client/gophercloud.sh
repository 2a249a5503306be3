#!/usr/bin/env bash
# gophercloud's own acceptance tests of container-infra, those that make a cluster included.
#   OS_AUTH_URL=… OS_USERNAME=admin … IMAGE=… KEYPAIR=… gophercloud.sh FOLDER
# FOLDER has the program `gophercloud.test`. One test needs an id of its authors' cloud, and is skipped by them. Stops at the first failure.
set -euo pipefail
export OS_IMAGE_ID=$IMAGE OS_MAGNUM_IMAGE_ID=$IMAGE OS_MAGNUM_KEYPAIR=$KEYPAIR OS_FLAVOR_ID=m1.medium OS_FLAVOR_ID_RESIZE=m1.large
export OS_POOL_NAME=public OS_EXTGW_ID=public OS_BRANCH=master
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1/gophercloud.test" -test.v -test.failfast -test.timeout 40m >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
grep -E '^ *--- ' "$work/said"
for test in Clusters ClusterTemplates NodeGroups Quotas; do
  grep -q -- "--- PASS: Test${test}CRUD" "$work/said" || { echo "error: Test${test}CRUD did not run" >&2; exit 1; }
done
