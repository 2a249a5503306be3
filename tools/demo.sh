#!/usr/bin/env bash
# A cluster's whole life through the public API, on a pretend cloud, with our own client: what `make demo` shows.
#   tools/demo.sh path/to/jeroboam
set -euo pipefail
jeroboam=$1
home=$(mktemp -d)
log=$home/jeroboam.log
stop() {
  status=$?
  if [ -n "${service:-}" ] && kill "$service" 2>/dev/null; then wait "$service" 2>/dev/null || true; fi
  [ $status -eq 0 ] || { echo "error: the demonstration stopped; the end of the service's log:" >&2; tail -n 30 "$log" >&2; }
  rm -rf "$home"
}
trap stop EXIT

step() { printf '\n\033[1m$ %s\033[0m\n' "${*/#$jeroboam/jeroboam}"; "$@"; }
[ -t 1 ] || step() { printf '\n$ %s\n' "${*/#$jeroboam/jeroboam}"; "$@"; }

echo "Starting jeroboam dev: the service and a pretend cloud, in one process, on free ports of this machine"
"$jeroboam" dev --dir "$home/data" --port 0 --clouds-file "$home/clouds.yaml" >"$log" 2>&1 &
service=$!
for _ in $(seq 300); do
  [ -s "$home/clouds.yaml" ] && break
  kill -0 $service 2>/dev/null || exit 1
  sleep 0.1
done
[ -s "$home/clouds.yaml" ] || { echo "error: the service did not come up in 30 s" >&2; exit 1; }
export OS_CLIENT_CONFIG_FILE=$home/clouds.yaml OS_CLOUD=jeroboam-dev

step "$jeroboam" template list
step "$jeroboam" cluster create demo --template kubernetes-v1.33 --master-count 1 --node-count 2 --wait
step "$jeroboam" cluster show demo
step "$jeroboam" kubeconfig demo --output "$home/demo.kubeconfig"
if command -v kubectl >/dev/null; then
  step kubectl --kubeconfig "$home/demo.kubeconfig" get nodes -o wide
else
  step "$jeroboam" cluster nodes demo
fi
step "$jeroboam" cluster resize demo 3 --wait
step "$jeroboam" nodegroup list demo
step "$jeroboam" cluster delete demo --yes --wait
step "$jeroboam" cluster list
printf '\nThat was a whole life: created, used, resized, deleted. make dev leaves the service running for you.\n'
