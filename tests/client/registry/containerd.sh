#!/usr/bin/env bash
# containerd, a daemon of its own, through ctr: what nodes pull with.
#   containerd.sh HOST:PORT
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
containerd_up
plain=(--local --plain-http)

one=$(image "$work/one" --seed containerd --layers 4 --bytes 3000000)
tar -C "$work/one" -cf "$work/one.tar" .
ctr images import --local --no-unpack --base-name "$REGISTRY/$REPO" "$work/one.tar" >/dev/null
ctr images push "${plain[@]}" "$REGISTRY/$REPO:latest" >/dev/null
is "an image's digest" "$one" "$(digest_of "$REPO" latest)"
ctr images tag --local "$REGISTRY/$REPO:latest" "$REGISTRY/$REPO/other:latest" >/dev/null 2>&1 || ctr images tag "$REGISTRY/$REPO:latest" "$REGISTRY/$REPO/other:latest" >/dev/null
ctr images push "${plain[@]}" "$REGISTRY/$REPO/other:latest" >/dev/null
is "the image in another repository" "$one" "$(digest_of "$REPO/other" latest)"
say "push, to a second repository too"

ctr images rm --sync "$REGISTRY/$REPO:latest" "$REGISTRY/$REPO/other:latest" >/dev/null
ctr content ls -q | xargs -r -n 1 command ctr -a "$work/containerd.sock" content rm >/dev/null
ctr images pull "${plain[@]}" --snapshotter native "$REGISTRY/$REPO:latest" >/dev/null
is "the pulled image" "$one" "$(ctr images ls | awk -v name="$REGISTRY/$REPO:latest" '$1 == name { print $3 }')"
ctr images rm --sync "$REGISTRY/$REPO:latest" >/dev/null
ctr images pull "${plain[@]}" --snapshotter native "$REGISTRY/$REPO@$one" >/dev/null
say "pull by tag, by digest"

many=$(image "$work/many" --seed containerd-many --architectures amd64,arm64)
tar -C "$work/many" -cf "$work/many.tar" .
ctr images import --local --no-unpack --all-platforms --base-name "$REGISTRY/$REPO" "$work/many.tar" >/dev/null
ctr images push "${plain[@]}" "$REGISTRY/$REPO:latest" >/dev/null
is "an index's digest" "$many" "$(digest_of "$REPO" latest)"
ctr images pull "${plain[@]}" --all-platforms --snapshotter native "$REGISTRY/$REPO:latest" >/dev/null
say "two architectures"
