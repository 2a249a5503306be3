#!/usr/bin/env bash
# regctl: blobs in chunks, copies that mount, artifacts about images, tags.
#   regctl.sh HOST:PORT
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
regctl() { command regctl -v error "$@"; }
regctl registry set --tls disabled --skip-check "$REGISTRY"
target=$REGISTRY/$REPO

one=$(image "$work/one" --seed regctl --layers 3)
regctl image copy "ocidir://$work/one:latest" "$target:one" >/dev/null
is "an image's digest" "$one" "$(digest_of "$REPO" one)"
regctl image copy "$target:one" "$target/copy:one" >/dev/null
is "a copy's digest" "$one" "$(digest_of "$REPO/copy" one)"
regctl image copy "$target:one" "ocidir://$work/back:latest" >/dev/null
same_layout "$work/one" "$work/back"
many=$(image "$work/many" --seed regctl-many --architectures amd64,arm64)
regctl image copy "ocidir://$work/many:latest" "$target:many" >/dev/null
is "an index's digest" "$many" "$(digest_of "$REPO" many)"
say "copy from and to a layout, and between repositories"

# Larger than is sent at once, so it goes in chunks.
head -c 5000000 /dev/urandom >"$work/blob"
regctl registry set --tls disabled --skip-check --blob-chunk 1000000 --blob-max 1000000 "$REGISTRY"
blob=$(regctl blob put "$target" <"$work/blob" | tail -n 1)
is "a blob in chunks" "sha256:$(sha256sum <"$work/blob" | cut -d' ' -f1)" "$blob"
regctl blob get "$target" "$blob" | cmp - "$work/blob" || fail "the blob is another one"
regctl blob copy "$target" "$target/mounted" "$blob"
has_blob "$REPO/mounted" "$blob" || fail "the blob was not mounted"
say "a blob in chunks, mounted"

echo '{"about":"one"}' | regctl artifact put --artifact-type application/vnd.example.about --subject "$target:one" >/dev/null
is "what is about the image" application/vnd.example.about "$(regctl artifact list "$target:one" --format '{{ (index .Descriptors 0).ArtifactType }}')"
regctl artifact get --subject "$target:one" | jq -e '.about == "one"' >/dev/null || fail "the artifact is another one"
say "artifacts about an image"

is "tags" "many one" "$(regctl tag ls "$target" | grep -v ^sha256- | sort | paste -sd' ')"
regctl tag delete "$target:many"
is "a deleted tag" 404 "$(status "${accept[@]}" "$(url "$REPO" manifests/many)")"
regctl blob delete "$target" "$blob"
is "a deleted blob" 404 "$(status -I "$(url "$REPO" "blobs/$blob")")"
has_blob "$REPO/mounted" "$blob" || fail "the mounted blob went with the other one"
say "tags, delete"
