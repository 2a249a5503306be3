#!/usr/bin/env bash
# crane: append, push, pull, copy, tag, catalog, digest, delete.
#   crane.sh HOST:PORT
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
crane() { command crane --insecure "$@" 2>>"$work/log" || { tail -n 5 "$work/log" >&2; return 1; }; }

head -c 400000 /dev/urandom >"$work/file"
tar -C "$work" -cf "$work/layer.tar" file
crane append --oci-empty-base -f "$work/layer.tar" -t "$REGISTRY/$REPO:appended" >/dev/null
appended=$(crane digest "$REGISTRY/$REPO:appended")
is "what was appended" "$appended" "$(digest_of "$REPO" appended)"
crane pull --format oci "$REGISTRY/$REPO:appended" "$work/pulled"
crane push "$work/pulled" "$REGISTRY/$REPO/pushed:again" >/dev/null
is "what was pulled and pushed" "$appended" "$(digest_of "$REPO/pushed" again)"
crane export "$REGISTRY/$REPO:appended" - | tar -xO file | cmp - "$work/file" || fail "the file is another one"
say "append, pull, push, export"

crane copy "$REGISTRY/$REPO:appended" "$REGISTRY/$REPO/copied:tag"
is "a copy" "$appended" "$(digest_of "$REPO/copied" tag)"
crane tag "$REGISTRY/$REPO:appended" second
is "another tag" "$appended" "$(digest_of "$REPO" second)"
is "tags" "appended second" "$(crane ls "$REGISTRY/$REPO" | sort | paste -sd' ')"
crane catalog "$REGISTRY" | grep -x "$REPO/copied" >/dev/null || fail "the catalogue lacks $REPO/copied"
layer=$(crane manifest "$REGISTRY/$REPO:appended" | jq -r '.layers[0].digest')
is "a layer" "$layer" "sha256:$(crane blob "$REGISTRY/$REPO@$layer" | sha256sum | cut -d' ' -f1)"
many=$(image "$work/many" --seed crane --architectures amd64,arm64)
crane push --index "$work/many" "$REGISTRY/$REPO:layout" >/dev/null
is "what an index names" "$many" "$(crane manifest "$REGISTRY/$REPO:layout" | jq -r '.manifests[0].digest')"
say "copy, tag, catalogue, blobs, an index"

if deletes; then
  crane delete "$REGISTRY/$REPO:second"
  is "a deleted tag" 404 "$(status "${accept[@]}" "$(url "$REPO" manifests/second)")"
  is "the other tag" "$appended" "$(digest_of "$REPO" appended)"
fi
crane delete "$REGISTRY/$REPO@$appended"
is "a deleted manifest" 404 "$(status "${accept[@]}" "$(url "$REPO" manifests/appended)")"
say "delete"
