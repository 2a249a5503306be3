#!/usr/bin/env bash
# A layer of 10 GiB, made on its way and compared on its way back, so that neither end keeps it: oras pushes and fetches it, curl
# reads a part of its end, regctl pushes a smaller one in chunks.
#   large.sh HOST:PORT [MIB]      10240 unless given
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
size=$((${2:-10240} * 1048576))
plain=--plain-http
target=$REGISTRY/$REPO
# The same for the same seed, and no two blocks alike: zeros in counter mode.
stream() { # seed bytes
  { openssl enc -aes-128-ctr -nosalt -pass "pass:$1" -pbkdf2 -iter 1 -in /dev/zero 2>/dev/null || true; } | head -c "$2"
}
digest() { openssl dgst -sha256 -r | cut -d' ' -f1; }

expected=sha256:$(stream large "$size" | digest)
began=$SECONDS
stream large "$size" | oras blob push $plain --size "$size" "$target@$expected" - >/dev/null
say "$((size >> 20)) MiB pushed at $((size / 1048576 / (SECONDS - began + 1))) MiB/s"
is "its length" "$size" "$(curl -sfI "$(url "$REPO" "blobs/$expected")" | tr -d '\r' | awk 'tolower($1) == "content-length:" { print $2 }')"
began=$SECONDS
is "what is fetched" "${expected#sha256:}" "$(oras blob fetch $plain -o - "$target@$expected" | digest)"
say "fetched at $((size / 1048576 / (SECONDS - began + 1))) MiB/s"
is "its last 1000 bytes" "$(stream large "$size" | tail -c 1000 | digest)" "$(curl -sfL -r "$((size - 1000))-" "$(url "$REPO" "blobs/$expected")" | digest)"

regctl -v error registry set --tls disabled --skip-check --blob-chunk 33554432 --blob-max 33554432 "$REGISTRY"
small=$((size / 16))
expected=sha256:$(stream chunks "$small" | digest)
is "a blob in chunks" "$expected" "$(stream chunks "$small" | regctl -v error blob put "$target" | tail -n 1)"
is "what is fetched" "${expected#sha256:}" "$(oras blob fetch $plain -o - "$target@$expected" | digest)"
say "$((small >> 20)) MiB in chunks of 32"
