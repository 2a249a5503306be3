# shellcheck shell=bash disable=SC2154  # page.sh sets what is not set here
# What two regions have to stand beyond docs/registry/replication.md: large layers, images of many architectures, power cuts of either side and of both, tags
# that are moved and deleted meanwhile. page.sh goes on with it where that page ends; it is not run by itself.
{ set +x; } 2>/dev/null
north=127.0.0.1:$one south=127.0.0.1:$two
say() { printf '%s regions: %s\n' "$(date +%T)" "$*"; }
fail() { printf 'error: regions: %s\n' "$*" >&2; exit 1; }
accept=(-H "Accept: application/vnd.oci.image.manifest.v1+json" -H "Accept: application/vnd.oci.image.index.v1+json")
serve() { start "$1" jeroboam registry serve "$1.yml"; }
cut_off() { # a region, as a power cut would
  local pid
  pid=$(<"run/$1.pid")
  kill -KILL "$pid"
  wait "$pid" 2>/dev/null || true
  rm "run/$1.pid"
}
push() { # registry repository:tag arguments of image.py...: prints the digest
  local folder
  folder=$(mktemp -d -p "$work")
  python3 "$root/tests/client/registry/image.py" "$folder" "${@:3}"
  skopeo copy --insecure-policy -q --all --dest-tls-verify=false "oci:$folder:latest" "docker://$1/$2" || fail "the push of $2 to $1"
}
digest() { # registry repository:tag: of its bytes, or nothing
  curl -sf "${accept[@]}" "http://$1/v2/${2%:*}/manifests/${2##*:}" -o manifest && echo "sha256:$(sha256sum <manifest | cut -d' ' -f1)"
}
delete() { curl -sf -o /dev/null -X DELETE "http://$1/v2/${2%:*}/manifests/${2##*:}" || fail "the delete of $2 in $1"; } # registry repository:tag
tags() { # registry: each tag, and what it is
  local repository tag
  for repository in $(curl -sf "http://$1/v2/_catalog?n=1000" | jq -r '.repositories[]'); do
    for tag in $(curl -sf "http://$1/v2/$repository/tags/list" | jq -r '.tags[]?' | sort); do
      echo "$repository:$tag $(digest "$1" "$repository:$tag")"
    done
  done
}
alike() { # after what: both have the same tags, soon
  local _
  for _ in {1..120}; do
    tags "$north" >north.tags
    tags "$south" >south.tags
    if [ -s north.tags ] && cmp -s north.tags south.tags; then say "alike after $1: $(wc -l <north.tags) tags"; return 0; fi
    sleep 1
  done
  diff north.tags south.tags >&2 || true
  fail "they do not become alike after $1"
}
whole() { # registry: everything that has a tag is pulled, and skopeo compares all digests
  local name digest
  while read -r name digest; do
    rm -rf pulled
    skopeo copy --insecure-policy -q --all --src-tls-verify=false "docker://$1/$name" oci:pulled:latest || fail "the pull of $name from $1"
    [ -e "pulled/blobs/sha256/${digest#sha256:}" ] || fail "$name of $1 is not $digest"
  done < <(tags "$1")
}
is() { [ "$2" = "$3" ] || fail "$1: expected \"$2\", got \"$3\""; }

set_in_both() { # a line below `replication`
  stop north
  stop south
  sed -i "/^    ${1%%:*}:/d; s/^  replication:\$/&\\n    $1/" north.yml south.yml
  serve north
  serve south
}

set_in_both "deletes: true"
# Longer than one segment in Swift.
push "$north" big/app:v1 --seed big --layers 2 --bytes 20000000 >/dev/null
push "$south" many/app:v1 --seed many --architectures amd64,arm64 >/dev/null
push "$north" team/gone:v1 --seed gone >/dev/null
push "$south" team/moved:v1 --seed moved >/dev/null
alike "pushes to both"
whole "$north"
whole "$south"

cut_off south
push "$north" team/late:v1 --seed late --layers 3 >/dev/null
moved=$(push "$north" team/moved:v1 --seed moved-again)
delete "$north" team/gone:v1
is "what the north serves meanwhile" "$moved" "$(digest "$north" team/moved:v1)"
serve south
alike "an outage of the south"
is "the tag that was moved" "$moved" "$(digest "$south" team/moved:v1)"
is "the tag that was deleted" "" "$(digest "$south" team/gone:v1)"
whole "$south"

# What a region that loses power had not sent is found when it compares all tags, soon after its start.
cut_off south
push "$north" team/later:v1 --seed later >/dev/null
moved=$(push "$north" team/moved:v1 --seed moved-once-more)
delete "$north" team/late:v1
cut_off north
serve south
serve north
alike "a power cut of both"
is "the tag that was moved" "$moved" "$(digest "$south" team/moved:v1)"
is "the tag that was deleted" "" "$(digest "$south" team/late:v1)"

# The same tag in both, neither knowing of the other: the one that was pushed last stays.
cut_off south
push "$north" team/both:v1 --seed both-north >/dev/null
cut_off north
serve south
last=$(push "$south" team/both:v1 --seed both-south)
serve north
alike "two pushes of one tag"
is "the tag of both" "$last" "$(digest "$north" team/both:v1)"
delete "$south" team/both:v1
delete "$south" many/app:v1
alike "deletes in the south"
is "what was deleted" "" "$(digest "$north" many/app:v1)$(digest "$north" team/both:v1)"
whole "$north"

for region in north south; do
  jeroboam registry inspect "$region.yml" --verify 100 >inspected 2>&1 || { cat inspected >&2; fail "inspect of the $region finds more than garbage"; }
done
say "inspected"
