#!/usr/bin/env bash
# Everybody's clients log in, over TLS with an authority of its own: with passwords of a file, with tokens of the registry, as users of Keystone, with
# certificates. Each may do what is theirs, and is refused what is not.
#   auth.sh      $PORT is free, $JEROBOAM is the program, what `up.sh keystone` prints is in the environment
#   AUTH="htpasswd tokens keystone certificates" names the ways to test, CLIENTS="skopeo podman …" with whom
set -euo pipefail
: "${PORT:?}" "${JEROBOAM:?}" "${BED:?}" "${JEROBOAM_KEYSTONE:?}"
beds=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../../client/registry/lib.sh
. "$beds/../../client/registry/lib.sh" "127.0.0.1:$PORT"
# shellcheck source-path=SCRIPTDIR source=../../client/registry/login.sh
. "$HERE/login.sh"
at_end+=("'$beds/registry.sh' down jeroboam $PORT")
ours=https://$REGISTRY tls=$work/tls
mkdir "$tls"

authority() { # name
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$tls/$1.key" -out "$tls/$1.crt" 2>>"$work/log"
}
certificate() { # common-name authority [subjectAltName]: of version 3, which it is for having an extension
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -addext "subjectAltName=${3:-DNS:$1}" -keyout "$tls/$1.key" -out "$tls/$1.csr" 2>>"$work/log"
  openssl x509 -req -in "$tls/$1.csr" -CA "$tls/$2.crt" -CAkey "$tls/$2.key" -CAcreateserial -days 2 -copy_extensions copy -out "$tls/$1.crt" 2>>"$work/log"
}
authority ca
certificate registry ca IP:127.0.0.1
cp "$tls/ca.crt" "$certs/ca.crt"
image "$work/image" --seed auth >/dev/null
tar -C "$work/image" -cf "$work/image.tar" .
(cd "$work" && helm create chart >/dev/null && helm package chart --version 1.0.0 >/dev/null)
containerd_up

serve() { # backend: with the section `auth` of standard input, $tls_more of http.tls, and $ready_more for curl
  local place=auth-$$
  [ "$1" != directory ] || place=$work/store-$way
  "$beds/registry.sh" down jeroboam "$PORT"
  EXTRA=$(cat) HTTP=", tls: {certificate: $tls/registry.crt, key: $tls/registry.key${tls_more:-}}" READY="$ours/healthz --cacert $tls/ca.crt ${ready_more:-}" \
    "$beds/registry.sh" up jeroboam "$1" "$PORT" "$place"
}

# What clients say who are refused, each in its own words.
refusals='unauthori[sz]ed|denied|forbidden|\b40[13]\b|invalid username/password|authentication required|credential not found'
yes() { # what command...
  "${@:2}" >"$work/said" 2>&1 </dev/null || { tail -n 8 "$work/said" >&2; fail "$way: $client: $1 failed"; }
}
no() { # what command...: it fails, because of who asks
  ! "${@:2}" >"$work/said" 2>&1 </dev/null || { tail -n 8 "$work/said" >&2; fail "$way: $client: $1 should have been refused"; }
  grep -qiE "$refusals" "$work/said" || { tail -n 8 "$work/said" >&2; fail "$way: $client: $1 failed, but not for who asks"; }
}
push() { "${client}_push" "$1"; }
pull() { "${client}_pull" "$1"; }
enter() { nobody && "${client}_login" "$1" "$2"; }
# Some clients do not ask whether a password is right before it is needed.
enter_and_pull() { enter "$1" "$2" && pull "$3"; }
enter_and_push() { enter "$1" "$2" && push "$3"; }

users() { # a file of them, one for each client
  local client
  for client in $clients; do echo "right-$client" | "$JEROBOAM" registry htpasswd "$client" --file "$work/htpasswd" 2>>"$work/log"; done
}
with_password() { # what each client does where there are names and passwords
  nobody
  no "a push by nobody" push "private/$client"
  no "a push with a wrong password" enter_and_push "$client" "wrong-$client" "private/$client"
  yes "the log-in" enter "$client" "right-$client"
  yes "the push" push "private/$client"
  yes "the pull" pull "private/$client"
  no "a pull with a wrong password" enter_and_pull "$client" "wrong-$client" "private/$client"
  nobody
  no "a pull by nobody" pull "private/$client"
}
is_challenge() { # kind: what a client that says nothing is told
  local said
  said=$(curl -s -o /dev/null -D - --cacert "$tls/ca.crt" "$ours/v2/" | tr -d '\r' | awk 'tolower($1) == "www-authenticate:" { print $2 }')
  is "$way: the challenge" "$1" "$said"
}

way_htpasswd() {
  users
  serve directory <<X
auth:
  htpasswd: {realm: registry, path: $work/htpasswd}
X
  ! curl -s -o /dev/null "$ours/healthz" || fail "$way: somebody else's authority has signed the certificate"
  is_challenge Basic
  for client in $clients; do with_password; say "$way: $client"; done
}

way_tokens() {
  users
  "$JEROBOAM" registry token key >"$work/token.pem"
  serve directory <<X
auth:
  htpasswd: {realm: registry, path: $work/htpasswd}
  builtin: {key: $work/token.pem, refreshtokens: $work/refresh}
  anonymous: {pull: [public/]}
X
  is_challenge Bearer
  for client in $clients; do
    with_password
    no "a push by nobody where everybody may pull" push "public/$client"
    yes "a push where everybody may pull" enter_and_push "$client" "right-$client" "public/$client"
    nobody
    yes "a pull by nobody where everybody may" pull "public/$client"
    say "$way: $client"
  done
}

keystone_token() { # user password project
  curl -sf -D - -o /dev/null -H "Content-Type: application/json" "$JEROBOAM_KEYSTONE/auth/tokens" -d "{\"auth\": {
    \"identity\": {\"methods\": [\"password\"], \"password\": {\"user\": {\"name\": \"$1\", \"domain\": {\"id\": \"default\"}, \"password\": \"$2\"}}},
    \"scope\": {\"project\": {\"name\": \"$3\", \"domain\": {\"id\": \"default\"}}}}}" | tr -d '\r' | awk 'tolower($1) == "x-subject-token:" { print $2 }'
}
way_keystone() {
  local mine=p-$JEROBOAM_KEYSTONE_PROJECT_ID theirs=p-$JEROBOAM_KEYSTONE_OTHER_PROJECT_ID token name password
  token=$(keystone_token alice alicepw proj)
  serve keystone <<X
auth:
  keystone: {url: "$JEROBOAM_KEYSTONE"}
jeroboam:
  namespaces: [{prefix: team, project: $JEROBOAM_KEYSTONE_PROJECT_ID}]
X
  is_challenge Bearer
  for client in $clients; do
    nobody
    no "a push by nobody" push "$mine/$client"
    no "a push with a wrong password" enter_and_push alice@Default/proj@Default wrong "$mine/$client"
    no "a push with an end of a token" enter_and_push "\$token" "${token:9}" "$mine/$client"
    while read -r name password; do
      yes "the log-in of $name" enter "$name" "$password"
      yes "the push of $name" push "$mine/$client"
      yes "the pull of $name" pull "$mine/$client"
      no "a push of $name to another project" push "$theirs/$client"
    done <<X
alice@Default/proj@Default alicepw
applicationcredential-$JEROBOAM_KEYSTONE_CREDENTIAL_ID $JEROBOAM_KEYSTONE_CREDENTIAL_SECRET
trustee1@magnum/\$trust-$JEROBOAM_KEYSTONE_TRUST_ID trusteepw
\$token $token
X
    yes "the push of alice to the project's other name" enter_and_push alice/proj alicepw "team/$client"
    yes "the push of carol to another project" enter_and_push carol/other carolpw "$theirs/$client"
    no "a pull of carol of what is not hers" pull "team/$client"
    no "a pull of alice from another project" enter_and_pull alice/proj alicepw "$theirs/$client"
    # Who may only pull: by the role of a user, by that of a credential, by a credential's rules.
    while read -r name password; do
      yes "the pull of $name" enter_and_pull "$name" "$password" "team/$client"
      no "a push of $name" push "team/new/$client"
    done <<X
bob@Default/proj bobpw
applicationcredential-$JEROBOAM_KEYSTONE_READER_ID $JEROBOAM_KEYSTONE_READER_SECRET
applicationcredential-$JEROBOAM_KEYSTONE_PULLS_ID $JEROBOAM_KEYSTONE_PULLS_SECRET
X
    no "a pull with a credential for the store alone" enter_and_pull "applicationcredential-$JEROBOAM_KEYSTONE_LIMITED_ID" "$JEROBOAM_KEYSTONE_LIMITED_SECRET" "team/$client"
    say "$way: $client"
  done
}

shown() { # status words of curl...: what it makes of a request to the entrance
  is "$way: curl $*" "$1" "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$tls/ca.crt" "${@:2}" "$ours/v2/" || true)"
}
have() { # name: the clients show this certificate
  rm -f "$certs"/client.*
  [ -z "$1" ] || { cp "$tls/$1.crt" "$certs/client.cert"; cp "$tls/$1.key" "$certs/client.key"; }
  nobody
}
way_certificates() {
  local name
  authority clients-ca
  authority strangers-ca
  for name in builder node unknown; do certificate "$name" clients-ca; done
  certificate stranger strangers-ca
  config() {
    cat <<X
auth:
  certificates:
    rules:
    - {names: [builder], prefixes: [team/], actions: [pull, push]}
    - {names: [node], prefixes: ['*'], actions: [pull]}
X
  }
  builder=(--cert "$tls/builder.crt" --key "$tls/builder.key")
  # Without a certificate, or with one of somebody else, there is no connection at all.
  config | tls_more=", clientcas: [$tls/clients-ca.crt]" ready_more=${builder[*]} serve directory
  shown 000
  shown 000 --cert "$tls/stranger.crt" --key "$tls/stranger.key"
  shown 200 "${builder[@]}"
  config | tls_more=", clientcas: [$tls/clients-ca.crt], clientauth: verify-client-cert-if-given" serve directory
  shown 403
  shown 000 --cert "$tls/stranger.crt" --key "$tls/stranger.key"
  shown 200 "${builder[@]}"
  # The others are not told of certificates in a way that they would share with these.
  for client in skopeo regctl containerd; do
    case " $clients " in *" $client "*) ;; *) continue ;; esac
    have ""
    no "a push without a certificate" push "team/$client"
    have unknown
    no "a push with a certificate that nobody has a rule for" push "team/$client"
    have builder
    yes "the push with a certificate" push "team/$client"
    no "a push to what is not the builder's" push "other/$client"
    have node
    yes "the pull with a certificate" pull "team/$client"
    no "a push with a certificate for pulls" push "team/new/$client"
    have ""
    no "a pull without a certificate" pull "team/$client"
    say "$way: $client"
  done
}

clients=${CLIENTS:-$clients}
for way in ${AUTH:-htpasswd tokens keystone certificates}; do "way_$way"; done
