# Sourced by scripts that need the service on a pretend cloud: `pretend PORT WORK` starts both and waits until they answer, `pretend_ends` ends them.
# The cloud is at PORT, its Kubernetes API at the next port and the service at the one after that; JEROBOAM=… is the program.

pretend_ends() {
  local pid
  for pid in ${service:-} ${cloud:-}; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done || true
}
until_there() { # what pid command...
  local what=$1 pid=$2
  shift 2
  for _ in $(seq 600); do
    "$@" && return
    kill -0 "$pid" 2>/dev/null || { echo "error: $what ended" >&2; exit 1; }
    sleep 0.1
  done
  echo "error: $what does not answer" >&2
  exit 1
}
pretend() { # port, folder
  "$JEROBOAM" sandbox --dir "$2/cloud" --identity-port "$1" --kube-port $(($1 + 1)) --api-port $(($1 + 2)) >"$2/cloud.log" 2>&1 &
  cloud=$!
  until_there "the pretend cloud" $cloud test -e "$2/cloud/magnum.conf"
  "$JEROBOAM" all --config-file "$2/cloud/magnum.conf" --upgrade-database >"$2/service.log" 2>&1 &
  service=$!
  until_there "the service" $service curl -sf -o /dev/null "http://127.0.0.1:$(($1 + 2))/healthz"
}
