#!/usr/bin/env bash
# A store that distribution 2.8 filled is served by ours as it is, ours writes into it, and 2.8 serves all of it again (3 too, where it
# can open the store). With what years leave behind: layers of several segments, both kinds of large objects, a manifest of schema 1,
# links to nothing, torn links, uploads that nobody finished.
#   takeover.sh BACKEND STORE       $PORT and $OTHER_PORT are free, $JEROBOAM is the program
# shellcheck source-path=SCRIPTDIR source=backend.sh
. "$(dirname "$0")/backend.sh"
backend=$1 place=$2
: "${PORT:?}" "${OTHER_PORT:?}" "${JEROBOAM:?}"
client=$HERE/../../client/registry
work=$(mktemp -d)
trap 'rm -rf "$work"; "$HERE/registry.sh" down docker-registry "$OTHER_PORT"; "$HERE/registry.sh" down registry3 "$OTHER_PORT"; "$HERE/registry.sh" down jeroboam "$PORT"' EXIT
# Only ours knows application credentials; the store is the same one.
old_backend=$backend
[ "$backend" != application-credential ] || old_backend=keystone
theirs=127.0.0.1:$OTHER_PORT ours=127.0.0.1:$PORT
fail() { printf 'error: takeover on %s: %s\n' "$backend" "$*" >&2; exit 1; }
is() { [ "$2" = "$3" ] || fail "$1: expected \"$2\", got \"$3\""; }
sk() { skopeo --insecure-policy "$@"; }
registry() { "$HERE/registry.sh" "$@"; }
accept=(-H "Accept: application/vnd.oci.image.manifest.v1+json" -H "Accept: application/vnd.oci.image.index.v1+json"
  -H "Accept: application/vnd.docker.distribution.manifest.v2+json" -H "Accept: application/vnd.docker.distribution.manifest.list.v2+json")
raw=$HERE/raw.py

filled() { # what the store should hold, one line each: repository, reference, digest
  local image=$1 repository=$2 tag=$3 digest=$4
  touch "$work/expected"
  # What a tag was on before is still there by its digest.
  awk -v r="$repository" -v t="$tag" '$1 == r && $2 == t { $2 = $3 } { print }' "$work/expected" >"$work/expected.new"
  mv "$work/expected.new" "$work/expected"
  printf '%s %s %s\n' "$repository" "$tag" "$digest" >>"$work/expected"
  [ -z "$image" ] || printf '%s %s\n' "$repository" "$(ls "$image/blobs/sha256" | paste -sd' ')" >>"$work/blobs"
}
push() { # registry repository tag arguments of image.py...
  local registry=$1 repository=$2 tag=$3 folder digest
  shift 3
  folder=$(mktemp -d -p "$work")
  digest=$(python3 "$client/image.py" "$folder" "$@")
  sk copy -q --all --dest-tls-verify=false "oci:$folder:latest" "docker://$registry/$repository:$tag"
  filled "$folder" "$repository" "$tag" "$digest"
}
serves() { # registry: every digest of every manifest and blob is equal
  local repository reference digest names name
  while read -r repository reference digest; do
    is "$1 $repository:$reference" "$digest" "sha256:$(curl -sf "${accept[@]}" "http://$1/v2/$repository/manifests/$reference" | sha256sum | cut -d' ' -f1)"
    is "$1 $repository@$digest" "$digest" "sha256:$(curl -sf "${accept[@]}" "http://$1/v2/$repository/manifests/$digest" | sha256sum | cut -d' ' -f1)"
  done <"$work/expected"
  while read -r repository names; do
    for name in $names; do
      # Manifests are read as manifests: 3 does not give them as blobs.
      ! grep -q "sha256:$name" "$work/expected" || continue
      curl -sfI -o /dev/null "http://$1/v2/$repository/blobs/sha256:$name" || { ! curl -sf -o /dev/null "${accept[@]}" "http://$1/v2/$repository/manifests/sha256:$name" || continue; fail "$1 lacks $name of $repository"; }
      is "$1 $repository blob" "$name" "$(curl -sfL "http://$1/v2/$repository/blobs/sha256:$name" | sha256sum | cut -d' ' -f1)"
    done
  done <"$work/blobs"
}
lists() { # registry: repositories and tags are those that were pushed
  local repository
  is "$1: repositories" "$(cut -d' ' -f1 "$work/expected" | sort -u | paste -sd' ')" "$(curl -sf "http://$1/v2/_catalog?n=1000" | jq -r '.repositories | sort | join(" ")')"
  for repository in $(cut -d' ' -f1 "$work/expected" | sort -u); do
    is "$1: tags of $repository" "$(awk -v r="$repository" '$1 == r && $2 !~ /:/ { print $2 }' "$work/expected" | sort -u | paste -sd' ')" \
      "$(curl -sf "http://$1/v2/$repository/tags/list" | jq -r '.tags | sort | join(" ")')"
  done
}

# --- what 2.8 leaves ---
registry up docker-registry "$old_backend" "$OTHER_PORT" "$place"
push "$theirs" old/plain one --seed plain
push "$theirs" old/plain two --seed plain-two --layers 3
push "$theirs" old/plain one --seed plain-again
push "$theirs" old/deep/er/name many --seed many --architectures amd64,arm64
# Several segments of 5 MiB, pushed in one and in chunks.
push "$theirs" old/large one --seed large --layers 1 --bytes 23000000
folder=$(mktemp -d -p "$work")
digest=$(python3 "$client/image.py" "$folder" --seed docker)
sk copy -q --format v2s2 --dest-tls-verify=false "oci:$folder:latest" "docker://$theirs/old/docker:tag"
filled "" old/docker tag "sha256:$(curl -sf "${accept[@]}" "http://$theirs/v2/old/docker/manifests/tag" | sha256sum | cut -d' ' -f1)"
sk copy -q --src-tls-verify=false --dest-tls-verify=false "docker://$theirs/old/large:one" "docker://$theirs/old/mounted:one"
filled "" old/mounted one "$(awk '$1 == "old/large" { print $3 }' "$work/expected")"
# A referrer under its fallback tag, as oras leaves it where a registry has no list of them.
oras attach --plain-http --artifact-type application/vnd.example.note -a note=old "$theirs/old/plain:two" >/dev/null 2>&1
subject=$(awk '$1 == "old/plain" && $2 == "two" { print $3 }' "$work/expected")
fallback=${subject/:/-}
filled "" old/plain "$fallback" "sha256:$(curl -sf "${accept[@]}" "http://$theirs/v2/old/plain/manifests/$fallback" | sha256sum | cut -d' ' -f1)"
# An upload that nobody finished.
at=$(curl -sf -D - -o /dev/null -X POST -H "Content-Length: 0" "http://$theirs/v2/old/plain/blobs/uploads/" | tr -d '\r' | awk 'tolower($1) == "location:" { print $2 }')
head -c 7000000 /dev/urandom | curl -sf -o /dev/null -X PATCH -H "Content-Type: application/octet-stream" --data-binary @- "$at"
serves "$theirs"
registry down docker-registry "$OTHER_PORT"
# What no client makes any more, or only an accident: written into the store by hand.
python3 "$raw" "$backend" "$place" leftovers "$work/leftovers"
say "filled by 2.8 on $backend"

# --- served by ours as it is ---
registry up jeroboam "$backend" "$PORT" "$place"
serves "$ours"
schema1=$(jq -r .schema1 "$work/leftovers")
is "a manifest of schema 1" "$schema1" "sha256:$(curl -sf "http://$ours/v2/old/plain/manifests/$schema1" | sha256sum | cut -d' ' -f1)"
torn=$(jq -r .torn "$work/leftovers")
is "a torn link" 404 "$(curl -s -o /dev/null -w '%{http_code}' "http://$ours/v2/old/plain/blobs/$torn")"
is "a link to nothing" 404 "$(curl -s -o /dev/null -w '%{http_code}' "http://$ours/v2/old/plain/blobs/$(jq -r .dangling "$work/leftovers")")"
is "what is about an old image" 1 "$(curl -sf "http://$ours/v2/old/plain/referrers/$subject" | jq '.manifests | length')"
slo=$(jq -r '.slo // empty' "$work/leftovers")
if [ -n "$slo" ]; then
  is "a static large object" "$slo" "sha256:$(curl -sfL "http://$ours/v2/old/plain/blobs/$slo" | sha256sum | cut -d' ' -f1)"
  printf 'old/plain %s\n' "${slo#sha256:}" >>"$work/blobs"
fi
# Objects in S3 have no halves that another could see.
case $backend in
  versitygw | rgw-s3) ;;
  *) is "an upload that nobody finished" 204 "$(curl -s -o /dev/null -w '%{http_code}' "${at/$theirs/$ours}")" ;;
esac
say "served as it is"

# --- found and mended ---
config=$work/config.yml
registry config jeroboam "$backend" "$PORT" "$place" >"$config"
if "$JEROBOAM" registry inspect "$config" -f json >"$work/inspected" 2>"$work/inspected.log"; then
  fail "inspect finds nothing wrong where a tag is torn"
fi
for what in "$torn" "$(jq -r .dangling "$work/leftovers")"; do
  grep -q "${what#sha256:}" "$work/inspected" || { cat "$work/inspected.log" >&2; fail "inspect does not find $what"; }
done
jq -e --arg tag "$(jq -r .torn_tag "$work/leftovers")" '.problems[] | select(.problem == "torn_tag" and .tag == $tag)' "$work/inspected" >/dev/null ||
  { cat "$work/inspected" >&2; fail "inspect does not find the torn tag"; }
"$JEROBOAM" registry repair "$config" --yes >"$work/repaired" 2>&1 || { cat "$work/repaired" >&2; fail "repair"; }
"$JEROBOAM" registry inspect "$config" --verify 100 >"$work/inspected" 2>&1 || { cat "$work/inspected" >&2; fail "inspect after repair"; }
is "a tag that was torn" 200 "$(curl -s -o /dev/null -w '%{http_code}' "${accept[@]}" "http://$ours/v2/old/plain/manifests/$(jq -r .torn_tag "$work/leftovers")")"
filled "" old/plain "$(jq -r .torn_tag "$work/leftovers")" "$(jq -r .torn_tag_digest "$work/leftovers")"
serves "$ours"
say "inspected and repaired"

# --- written by ours, read by the others ---
push "$ours" new/plain one --seed new
push "$ours" old/plain three --seed new-in-old
push "$ours" new/many many --seed new-many --architectures amd64,arm64
push "$ours" new/large one --seed new-large --layers 1 --bytes 23000000
sk copy -q --src-tls-verify=false --dest-tls-verify=false "docker://$ours/old/large:one" "docker://$ours/new/mounted:one"
filled "" new/mounted one "$(awk '$1 == "old/large" { print $3 }' "$work/expected")"
head -c 9000000 /dev/urandom >"$work/blob"
oras blob push --plain-http "$ours/new/plain@sha256:$(sha256sum <"$work/blob" | cut -d' ' -f1)" "$work/blob" >/dev/null
printf 'new/plain %s\n' "$(sha256sum <"$work/blob" | cut -d' ' -f1)" >>"$work/blobs"
serves "$ours"
lists "$ours"
registry down jeroboam "$PORT"
"$JEROBOAM" registry hand-back "$config" --yes >"$work/handed-back" 2>&1 || { cat "$work/handed-back" >&2; fail "hand-back"; }
registry up docker-registry "$old_backend" "$OTHER_PORT" "$place"
serves "$theirs"
lists "$theirs"
push "$theirs" old/plain four --seed after
registry down docker-registry "$OTHER_PORT"
say "read by 2.8 again"
case $backend in
  directory | versitygw | rgw-s3)
    registry up registry3 "$backend" "$OTHER_PORT" "$place"
    serves "$theirs"
    registry down registry3 "$OTHER_PORT"
    say "read by 3" ;;
esac
registry up jeroboam "$backend" "$PORT" "$place"
serves "$ours"
registry down jeroboam "$PORT"
