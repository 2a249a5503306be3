#!/usr/bin/env bash
# podman and buildah: build, push, pull, tag, lists of images; nothing runs in the images, so no kernel has to allow anything.
#   podman.sh HOST:PORT
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
storage=(--root "$work/storage" --runroot "$work/run" --storage-driver vfs)
pod() { podman "${storage[@]}" "$@"; }
build() { buildah "${storage[@]}" "$@"; }
mkdir -p "$XDG_CONFIG_HOME/containers"
printf '{"default":[{"type":"insecureAcceptAnything"}]}' >"$XDG_CONFIG_HOME/containers/policy.json"
tls=--tls-verify=false

head -c 300000 /dev/urandom >"$work/file"
container=$(build from scratch)
build copy -q "$container" "$work/file" /file >/dev/null
build config --label made=here "$container"
build commit -q "$container" "$REGISTRY/$REPO:built" >/dev/null
build push -q $tls "$REGISTRY/$REPO:built"
built=$(digest_of "$REPO" built)
say "buildah: built and pushed"

pod rmi -f "$REGISTRY/$REPO:built" >/dev/null 2>&1 || true
pod pull -q $tls "$REGISTRY/$REPO:built" >/dev/null
is "the label" here "$(pod image inspect "$REGISTRY/$REPO:built" | jq -r '.[0].Labels.made')"
is "the digest" "$built" "$(pod image inspect "$REGISTRY/$REPO:built" | jq -r '.[0].Digest')"
pod save -q --format oci-dir -o "$work/saved" "$REGISTRY/$REPO:built"
pod tag "$REGISTRY/$REPO:built" "$REGISTRY/$REPO/other:tagged"
pod push -q $tls "$REGISTRY/$REPO/other:tagged"
has_manifest "$REPO/other" tagged || fail "what podman pushed is not there"
pod push -q $tls --format v2s2 "$REGISTRY/$REPO:built" "$REGISTRY/$REPO:docker"
has_manifest "$REPO" docker || fail "what podman pushed in Docker's format is not there"
say "podman: pull, tag, push in both formats"

pod manifest create "$REPO-list" >/dev/null
pod manifest add $tls "$REPO-list" "docker://$REGISTRY/$REPO:built" >/dev/null
pod manifest push -q $tls --all "$REPO-list" "docker://$REGISTRY/$REPO:list" >/dev/null
is "images of the list" "$built" "$(curl -sf "${accept[@]}" "$(url "$REPO" manifests/list)" | jq -r '.manifests[0].digest')"
is "tags that podman finds" "built docker list" "$(pod search $tls --list-tags "$REGISTRY/$REPO" | awk 'NR > 1 { print $2 }' | sort | paste -sd' ')"
say "podman: lists of images, tags"
