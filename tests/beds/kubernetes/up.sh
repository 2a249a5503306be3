#!/usr/bin/env bash
# Starts a Kubernetes API with Cluster API on it: etcd, kube-apiserver, kube-controller-manager and four managers,
# the infrastructure one with its in-memory backend. Running it again starts only what is not running.
#   WORKDIR    binaries and definitions, from build.sh    (in the user's cache)
#   PORT_BASE  first of the forty ports it uses, a multiple of 1000    (30000)
#   STATE      certificates, data, logs, pid files        (in the user's cache, by port)
#   VERBOSE    log level of the managers (2); APISERVER_MEMORY  soft limit of the apiserver (3GiB)
# Several beds run side by side with different PORT_BASE. Prints the environment file to source.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

start() { # name binary arguments...: in the background, logging to its own file, unless it runs already
  local name=$1
  shift
  running "$name" && return
  setsid "$@" >>"$STATE/log/$name.log" 2>&1 </dev/null &
  echo $! >"$STATE/pid/$name"
  for _ in {1..50}; do running "$name" && return; sleep 0.1; done # it is still this shell for a moment
}

wait_for() { # name url: until the process answers 200, or died, or took too long
  local code=
  for _ in {1..600}; do
    running "$1" || break
    code=$(curl -s -o /dev/null -w '%{http_code}' --cacert "$PKI/ca.crt" --cert "$PKI/admin.crt" --key "$PKI/admin.key" "$2") || true
    [ "$code" = 200 ] && return
    sleep 0.1
  done
  echo "$1 is not ready ($2: ${code:-no answer}); the end of its log:" >&2
  tail -n 20 "$STATE/log/$1.log" >&2
  exit 1
}

certificate() { # name subject usage [subject alternative names]
  [ -s "$PKI/$1.crt" ] && return
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/$1.key" -subj "$2" 2>/dev/null |
    openssl x509 -req -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -days 365 -out "$PKI/$1.crt" 2>/dev/null \
      -extfile <(printf 'extendedKeyUsage=%s\n%s' "$3" "${4:+subjectAltName=$4}")
}

# The webhook rules and conversions as upstream ships them name an in-cluster service; here they name a local port.
locally() { # provider port: rewrites the manifest on standard input
  awk -v provider="$1" -v base="https://127.0.0.1:$2" -v ca="$(base64 -w0 "$PKI/ca.crt")" '
    /^ *service:$/ { held = $0; next }
    held && /name: webhook-service$/ { match(held, /^ */); indent = substr(held, 1, RLENGTH); held = ""; inside = 1; next }
    held { print held; held = "" }
    inside && /^ *namespace:/ { next }
    inside && /^ *path:/ { print indent "url: " base $2; print indent "caBundle: " ca; inside = 0; next }
    /^  name: (mutating|validating)-webhook-configuration$/ { print "  name: " provider "-" $2; next }
    { print }'
}

mkdir -p "$PKI" "$STATE/log" "$STATE/pid"

if [ ! -s "$PKI/ca.crt" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/ca.key" -out "$PKI/ca.crt" \
    -subj /CN=testbed-ca -days 365 2>/dev/null
  openssl genrsa -out "$PKI/sa.key" 2048 2>/dev/null
fi
certificate server /CN=kube-apiserver serverAuth "IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc"
certificate admin /O=system:masters/CN=admin clientAuth
mkdir -p "$PKI/webhook"
ln -sf ../server.crt "$PKI/webhook/tls.crt"
ln -sf ../server.key "$PKI/webhook/tls.key"

cat >"$STATE/kubeconfig" <<EOF
apiVersion: v1
kind: Config
current-context: bed
contexts: [{name: bed, context: {cluster: bed, user: admin}}]
clusters: [{name: bed, cluster: {server: "https://127.0.0.1:$API", certificate-authority-data: $(base64 -w0 "$PKI/ca.crt")}}]
users: [{name: admin, user: {client-certificate-data: $(base64 -w0 "$PKI/admin.crt"), client-key-data: $(base64 -w0 "$PKI/admin.key")}}]
EOF
cat >"$STATE/env" <<EOF
export KUBECONFIG=$STATE/kubeconfig
export PATH=$BIN:\$PATH
EOF
export KUBECONFIG=$STATE/kubeconfig

start etcd "$BIN/etcd" --data-dir="$STATE/etcd" --unsafe-no-fsync --log-level=warn \
  --listen-client-urls="http://127.0.0.1:$ETCD" --advertise-client-urls="http://127.0.0.1:$ETCD" \
  --listen-peer-urls="http://127.0.0.1:$((ETCD + 1))" --initial-advertise-peer-urls="http://127.0.0.1:$((ETCD + 1))" \
  --initial-cluster="default=http://127.0.0.1:$((ETCD + 1))"
wait_for etcd "http://127.0.0.1:$ETCD/readyz"

# Without a limit it keeps gigabytes of what many definitions and a busy hour leave behind.
GOMEMLIMIT=${APISERVER_MEMORY:-3GiB} start kube-apiserver "$BIN/kube-apiserver" --etcd-servers="http://127.0.0.1:$ETCD" \
  --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port="$API" --endpoint-reconciler-type=none \
  --service-cluster-ip-range=10.96.0.0/16 --authorization-mode=RBAC --allow-privileged \
  --client-ca-file="$PKI/ca.crt" --tls-cert-file="$PKI/server.crt" --tls-private-key-file="$PKI/server.key" \
  --service-account-issuer=https://kubernetes.default.svc \
  --service-account-key-file="$PKI/sa.key" --service-account-signing-key-file="$PKI/sa.key"
wait_for kube-apiserver "https://127.0.0.1:$API/readyz"

# One apply for the four providers, before their managers: those give up on absent definitions.
port=$MANAGERS
for provider in "${PROVIDERS[@]}"; do
  locally "$provider" "$port" <"$WORKDIR/manifests/$provider.yaml"
  port=$((port + 3))
done >"$STATE/definitions.yaml"
# The OpenStack provider itself does not run here, so nobody converts its old versions: nothing asks for them.
locally capo 1 <"$WORKDIR/manifests/capo-definitions.yaml" >>"$STATE/definitions.yaml"
if ! cmp -s "$STATE/definitions.yaml" "$STATE/definitions.applied"; then
  kubectl apply --server-side --force-conflicts -f "$STATE/definitions.yaml" >"$STATE/log/apply.log"
  kubectl wait --for=condition=Established crd --all --timeout=60s >>"$STATE/log/apply.log"
  cp "$STATE/definitions.yaml" "$STATE/definitions.applied"
fi

# Only what Cluster API and its users lean on: namespaces end, owned objects go, service accounts and tokens exist.
# After the definitions, as the garbage collector looks for new kinds only every 30 seconds.
start kube-controller-manager "$BIN/kube-controller-manager" --kubeconfig="$KUBECONFIG" \
  --bind-address=127.0.0.1 --secure-port="$((API + 1))" --leader-elect=false \
  --tls-cert-file="$PKI/server.crt" --tls-private-key-file="$PKI/server.key" \
  --controllers=namespace-controller,garbage-collector-controller,serviceaccount-controller,serviceaccount-token-controller,root-ca-certificate-publisher-controller,clusterrole-aggregation-controller \
  --root-ca-file="$PKI/ca.crt" --service-account-private-key-file="$PKI/sa.key" --kube-api-qps=200 --kube-api-burst=300

port=$MANAGERS
for provider in "${PROVIDERS[@]}"; do
  POD_IP=$WORKLOADS start "$provider" "$BIN/capi-$provider" --feature-gates=ClusterTopology=true \
    --webhook-port="$port" --webhook-cert-dir="$PKI/webhook" --health-addr="127.0.0.1:$((port + 1))" \
    --diagnostics-address="127.0.0.1:$((port + 2))" --insecure-diagnostics --v="${VERBOSE:-2}" \
    --kube-api-qps=200 --kube-api-burst=300 # the default, 20 a second, is what a small bed would wait for
  port=$((port + 3))
done
port=$MANAGERS
for provider in "${PROVIDERS[@]}"; do
  wait_for "$provider" "http://127.0.0.1:$((port + 1))/readyz"
  port=$((port + 3))
done
wait_for kube-controller-manager "https://127.0.0.1:$((API + 1))/healthz"
echo "$STATE/env"
