#!/usr/bin/env bash
# S3 over a directory, for the registry's tests.
#   versitygw.sh up | down | env
# shellcheck source-path=SCRIPTDIR source=backend.sh
. "$(dirname "$0")/backend.sh"
key=versity secret=versitysecret

up() {
  local bin
  bin=$("$HERE/build.sh" versitygw)
  mkdir -p "$BED/versitygw/data"
  # One that listens to S3 alone: no pages, no administration.
  start versitygw "$bin/versitygw" --access "$key" --secret "$secret" --region us-east-1 --port "$HOST:$P_VERSITYGW" \
    posix --sidecar "$(mkdir -p "$BED/versitygw/meta" && echo "$BED/versitygw/meta")" "$BED/versitygw/data"
  wait_http versitygw "http://$HOST:$P_VERSITYGW/"
  say "S3 over a directory: http://$HOST:$P_VERSITYGW"
}

case ${1:-} in
  up) up ;;
  down) stop versitygw ;;
  env) ! alive versitygw || printf 'export JEROBOAM_S3=http://%s:%s\nexport JEROBOAM_S3_KEY=%s\nexport JEROBOAM_S3_SECRET=%s\n' "$HOST" "$P_VERSITYGW" "$key" "$secret" ;;
  *) sed -n '2,3s/^# //p' "$0" >&2; exit 2 ;;
esac
