#!/usr/bin/env bash
# A registry on one of the backends: the Debian package of distribution 2.8, distribution 3, or ours, all with the same configuration.
#   registry.sh up PROGRAM BACKEND PORT [STORE]     STORE: the directory, bucket or container; one of the backend's name unless given
#   registry.sh config PROGRAM BACKEND PORT [STORE] prints the configuration
#   registry.sh storage BACKEND STORE               prints what it says of storage
#   registry.sh bucket BACKEND NAME                 makes a bucket
#   registry.sh down PROGRAM PORT
#   registry.sh kill PROGRAM PORT                   as a power cut would end it
# PROGRAM: docker-registry, registry3, jeroboam ($JEROBOAM is the program). BACKEND: directory versitygw rgw-s3 swift keystone
# application-credential trust rgw. $EXTRA is more of the configuration, after a newline, and HTTP more of its section http, after a comma;
# READY are words for curl that ask whether it serves, where it does not answer to everybody in plain HTTP; DEFAULT=1 leaves out what is not ours
# by default; REDIRECT_OFF=false sends clients to the store.
# shellcheck source-path=SCRIPTDIR source=backend.sh
. "$(dirname "$0")/backend.sh"

program() {
  case $1 in
    docker-registry) needs docker-registry; echo docker-registry ;;
    registry3) bin=$("$HERE/build.sh" registry3) && echo "$bin/registry3" ;;
    jeroboam) echo "${JEROBOAM:?is the program to test}" ;;
    *) echo "error: no program $1" >&2; exit 2 ;;
  esac
}

s3() { # endpoint key secret bucket
  printf 's3: {accesskey: %s, secretkey: %s, region: us-east-1, regionendpoint: "%s", bucket: %s, secure: false, forcepathstyle: true}' "$2" "$3" "$1" "$4"
}

swift_as() { # how: who asks Keystone, and about which project
  case $1 in
    password) printf 'username: alice, password: alicepw, domain: Default, tenant: proj, tenantdomain: Default' ;;
    application-credential)
      printf 'applicationcredentialid: "%s", applicationcredentialsecret: "%s"' "$JEROBOAM_KEYSTONE_CREDENTIAL_ID" "$JEROBOAM_KEYSTONE_CREDENTIAL_SECRET" ;;
    trust)
      printf 'username: trustee1, password: trusteepw, domainid: "%s", trustid: "%s"' "$JEROBOAM_KEYSTONE_DOMAIN_ID" "$JEROBOAM_KEYSTONE_TRUST_ID" ;;
  esac
}

storage() { # backend store
  local store=$2
  case $1 in
    directory) printf 'filesystem: {rootdirectory: %s}' "$store" ;;
    versitygw) s3 "$JEROBOAM_S3" "$JEROBOAM_S3_KEY" "$JEROBOAM_S3_SECRET" "$store" ;;
    rgw-s3) s3 "$JEROBOAM_RGW" registry registrysecret "$store" ;;
    swift) printf 'swift: {authurl: "%s", username: "test:tester", password: testing, container: %s, chunksize: 5242880}' "$JEROBOAM_SWIFT_V1" "$store" ;;
    keystone | rgw | application-credential | trust)
      local how=password region=RegionOne
      case $1 in rgw) region=RegionRGW ;; application-credential | trust) how=$1 ;; esac
      printf 'swift: {authurl: "%s", authversion: 3, region: %s, %s, container: %s, chunksize: 5242880}' "$JEROBOAM_KEYSTONE" "$region" "$(swift_as "$how")" "$store" ;;
    *) echo "error: no backend $1" >&2; exit 2 ;;
  esac
}

bucket() { # backend bucket: makes it, where nobody has
  local user endpoint
  case $1 in
    versitygw) user=$JEROBOAM_S3_KEY:$JEROBOAM_S3_SECRET endpoint=$JEROBOAM_S3 ;;
    rgw-s3)
      user=registry:registrysecret endpoint=$JEROBOAM_RGW
      timeout 120 radosgw-admin -c "$BED/ceph/ceph.conf" user create --uid=registry --display-name=registry --access-key=registry \
        --secret-key=registrysecret >>"$LOG/radosgw-admin.log" 2>&1 || true ;;
    *) return 0 ;;
  esac
  s3_call() { curl -sf -o /dev/null --aws-sigv4 aws:amz:us-east-1:s3 -H "x-amz-content-sha256: $(sha256sum </dev/null | cut -d' ' -f1)" -u "$user" "$@"; }
  s3_call -X PUT "$endpoint/$2" || s3_call --head "$endpoint/$2" || { say "the bucket $2 of $1 could not be made"; return 1; }
}

config() { # program backend port store
  cat <<X
version: 0.1
log: {level: info}
http: {addr: "$HOST:$3", secret: of-the-tests${HTTP:-}}
storage:
  $(storage "$2" "$4")
  delete: {enabled: true}
  redirect: {disable: ${REDIRECT_OFF:-true}}
X
  # An index may name what is elsewhere, as an image may (see `up`). 3 knows the word too, and is measured as it is when nobody says anything.
  [ "$1" != jeroboam ] || [ -n "${DEFAULT:-}" ] || printf 'validation: {manifests: {indexes: {platforms: none}}}\n'
  [ -z "${EXTRA:-}" ] || printf '%s\n' "$EXTRA"
}

up() { # program backend port store
  local binary words=serve file=$BED/registry-$1-$3.yml
  binary=$(program "$1")
  if [ "$1" = jeroboam ]; then
    words="registry serve"
    # Not in the file: others write more of its section there.
    [ -n "${DEFAULT:-}" ] || export REGISTRY_JEROBOAM_VALIDATION_SPARSEIMAGE=allow
  fi
  bucket "$2" "$4"
  config "$@" >"$file"
  # shellcheck disable=SC2206  # words are words
  local ready=(${READY:-http://$HOST:$3/v2/})
  # The driver of S3 in 2.8 does not start where this variable is set, and 3 looks for a collector of traces.
  # shellcheck disable=SC2086  # words are words
  start "registry-$1-$3" env -u AWS_CA_BUNDLE OTEL_TRACES_EXPORTER=none "$binary" $words "$file"
  wait_http "registry-$1-$3" "${ready[0]}" --fail "${ready[@]:1}"
}

case ${1:-} in
  up) up "$2" "$3" "$4" "${5:-$([ "$3" = directory ] && echo "$BED/directory" || echo "$3")}" ;;
  config) config "$2" "$3" "$4" "${5:-$3}" ;;
  storage) storage "$2" "$3" ;;
  bucket) bucket "$2" "$3" ;;
  down) stop "registry-$2-$3" ;;
  kill)
    kill -KILL -- "-$(cat "$RUN/registry-$2-$3.pid")"
    rm -f "$RUN/registry-$2-$3.pid" ;;
  *) sed -n '2,12s/^# //p' "$0" >&2; exit 2 ;;
esac
