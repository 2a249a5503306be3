#!/usr/bin/env bash
# helm: a chart is pushed, shown, pulled; a version with a plus is a tag with an underscore.
#   helm.sh HOST:PORT
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work"
helm create chart >/dev/null
for version in 0.1.0 0.2.0+build.7; do
  helm package chart --version "$version" >/dev/null
  helm push --plain-http "chart-$version.tgz" "oci://$REGISTRY/$REPO" >/dev/null 2>&1 || fail "chart $version was not pushed"
done
is "tags" "0.1.0 0.2.0_build.7" "$(curl -sf "$(url "$REPO/chart" tags/list)" | jq -r '.tags | sort | join(" ")')"
is "the kind of configuration" application/vnd.cncf.helm.config.v1+json "$(curl -sf "${accept[@]}" "$(url "$REPO/chart" manifests/0.1.0)" | jq -r .config.mediaType)"
helm show chart --plain-http --version 0.2.0+build.7 "oci://$REGISTRY/$REPO/chart" 2>/dev/null | grep -x 'version: 0.2.0+build.7' >/dev/null || fail "the chart is another one"
mkdir back && helm pull --plain-http -d back --version 0.1.0 "oci://$REGISTRY/$REPO/chart" >/dev/null 2>&1
cmp chart-0.1.0.tgz back/chart-0.1.0.tgz || fail "the chart that came is another one"
say "push, show, pull"
