#!/usr/bin/env bash
# skopeo: push, pull, copy between repositories (which mounts), several architectures, Docker's formats, tags, delete.
#   skopeo.sh HOST:PORT
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sk() { skopeo --insecure-policy "$@"; }
to=(--dest-tls-verify=false) from=(--src-tls-verify=false)

one=$(image "$work/one" --seed skopeo)
sk copy -q "${to[@]}" "oci:$work/one:latest" "docker://$REGISTRY/$REPO:one"
is "an image's digest" "$one" "$(digest_of "$REPO" one)"
sk copy -q "${from[@]}" "docker://$REGISTRY/$REPO:one" "oci:$work/back:latest"
same_layout "$work/one" "$work/back"
say "push and pull"

sk copy -q "${to[@]}" "oci:$work/one:latest" "docker://$REGISTRY/$REPO:one"
sk copy -q "${from[@]}" "${to[@]}" "docker://$REGISTRY/$REPO:one" "docker://$REGISTRY/$REPO/copy:one"
is "a copy's digest" "$one" "$(digest_of "$REPO/copy" one)"
say "push again, copy to another repository"

many=$(image "$work/many" --seed skopeo-many --architectures amd64,arm64,riscv64)
sk copy -q --all "${to[@]}" "oci:$work/many:latest" "docker://$REGISTRY/$REPO:many"
is "an index's digest" "$many" "$(digest_of "$REPO" many)"
sk copy -q --all "${from[@]}" "docker://$REGISTRY/$REPO:many" "oci:$work/many-back:latest"
same_layout "$work/many" "$work/many-back"
is "architectures" amd64,arm64,riscv64 "$(sk inspect --raw --tls-verify=false "docker://$REGISTRY/$REPO:many" | jq -r '[.manifests[].platform.architecture] | join(",")')"
say "three architectures"

sk copy -q --format v2s2 "${to[@]}" "oci:$work/one:latest" "docker://$REGISTRY/$REPO:docker"
is "Docker's format" application/vnd.docker.distribution.manifest.v2+json "$(sk inspect --raw --tls-verify=false "docker://$REGISTRY/$REPO:docker" | jq -r .mediaType)"
sk copy -q "${from[@]}" "docker://$REGISTRY/$REPO:docker" "dir:$work/docker-back"
say "Docker's format"

is "tags" docker,many,one "$(sk list-tags --tls-verify=false "docker://$REGISTRY/$REPO" | jq -r '.Tags | sort | join(",")')"
is "layers" 2 "$(sk inspect --tls-verify=false --override-arch amd64 "docker://$REGISTRY/$REPO:one" | jq '.Layers | length')"
sk sync --src docker --dest dir "${from[@]}" "$REGISTRY/$REPO/copy" "$work/synced" >/dev/null 2>&1
sk delete --tls-verify=false "docker://$REGISTRY/$REPO/copy:one"
is "a deleted image" 404 "$(status "${accept[@]}" "$(url "$REPO/copy" manifests/one)")"
is "the image that it was a copy of" "$one" "$(digest_of "$REPO" one)"
say "tags, inspect, sync, delete"
