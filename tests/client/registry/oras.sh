#!/usr/bin/env bash
# oras: artifacts, what is attached to them, copies with all that is attached, blobs; and signatures laid out as cosign does it.
#   oras.sh HOST:PORT
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work"
plain=--plain-http
target=$REGISTRY/$REPO

echo "a document" >document.txt
oras push $plain --artifact-type application/vnd.example.document "$target:document" document.txt:text/plain >/dev/null
document=$(oras resolve $plain "$target:document")
is "an artifact" "$document" "$(digest_of "$REPO" document)"
mkdir back && oras pull $plain -o back "$target:document" >/dev/null
cmp document.txt back/document.txt || fail "the document is another one"
say "push, pull"

echo "{}" >sbom.json
oras attach $plain --artifact-type application/vnd.example.sbom "$target:document" sbom.json:application/json >/dev/null
oras attach $plain --artifact-type application/vnd.example.note -a note=first "$target:document" >/dev/null
is "what is attached" "application/vnd.example.note application/vnd.example.sbom" \
  "$(oras discover $plain --format json "$target:document" | jq -r '[.. | .artifactType? // empty] | unique | join(" ")')"
if refers; then
  is "what the registry lists" 2 "$(curl -sf "$(url "$REPO" "referrers/$document")" | jq '.manifests | length')"
  is "of one type" 1 "$(curl -sf "$(url "$REPO" "referrers/$document?artifactType=application/vnd.example.sbom")" | jq '.manifests | length')"
fi
oras copy $plain --from-plain-http --to-plain-http -r "$target:document" "$target/copy:document" >/dev/null 2>&1 ||
  oras copy --from-plain-http --to-plain-http -r "$target:document" "$target/copy:document" >/dev/null
is "attached to the copy" 2 "$(oras discover $plain --format json "$target/copy:document" | jq '[.. | .artifactType? // empty] | unique | length')"
say "attach, discover, copy with all that is attached"

# A signature as cosign lays it out: a manifest under a tag that is made of the digest that it signs.
printf '{"critical":{"image":{"docker-manifest-digest":"%s"}}}' "$document" >payload.json
oras push $plain --config /dev/null:application/vnd.oci.image.config.v1+json "$target:${document/:/-}.sig" \
  payload.json:application/vnd.dev.cosign.simplesigning.v1+json >/dev/null
is "the signature's payload" "$document" "$(oras blob fetch $plain -o - "$target@$(curl -sf "${accept[@]}" "$(url "$REPO" "manifests/${document/:/-}.sig")" | jq -r '.layers[0].digest')" | jq -r '.critical.image["docker-manifest-digest"]')"
say "a signature under a tag"

head -c 200000 /dev/urandom >blob
blob=sha256:$(sha256sum <blob | cut -d' ' -f1)
oras blob push $plain "$target@$blob" blob >/dev/null
oras blob fetch $plain -o fetched "$target@$blob"
cmp blob fetched || fail "the blob is another one"
oras blob delete $plain --force "$target@$blob" >/dev/null
is "a deleted blob" 404 "$(status -I "$(url "$REPO" "blobs/$blob")")"
oras tag $plain "$target:document" again 2>/dev/null >/dev/null
oras repo tags $plain "$target" | grep -x again >/dev/null || fail "the tag is not listed"
oras manifest delete $plain --force "$target@$document" >/dev/null
is "a deleted artifact" 404 "$(status "${accept[@]}" "$(url "$REPO" manifests/document)")"
say "blobs, tags, delete"
