#!/usr/bin/env bash
# Looks for what breaks the rules that every reader of other people's words keeps: no panic, no second of work, and what is said beside it. Then for requests
# that the service answers with a 5xx, with what its OpenAPI document does not know, or after more than a second. Called by `make fuzz`.
#   fuzz.sh [--seconds N] [--jobs N] [TARGET…]   each for N seconds (1800), so many at a time (2) and `api` after them; all of them unless some are named:
#     config csr head labels listing manifest microversion name patch policy range registry-config route
#                                                   libFuzzer; what must hold is in `properties.rs` beside the reader
#     api                                           schemathesis with the service on the pretend cloud
#   FUZZERS=… takes the fuzzers of that folder instead of building them, JEROBOAM=… that program for `api`.
# What is learnt stays in the user's cache, in fuzz/corpus and fuzz/api, where the next run goes on. What is found is in fuzz/found: after it is mended it
# goes to fuzz/seeds in the repository, which the tests of every day try.
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
seconds=1800 jobs=2
while :; do
  case ${1:-} in
    --seconds) seconds=$2 ;;
    --jobs) jobs=$2 ;;
    *) break ;;
  esac
  shift 2
done
readers=(config csr head labels listing manifest microversion name patch policy range registry-config route)
[ $# -gt 0 ] || set -- "${readers[@]}" api
for target; do
  case " ${readers[*]} api " in
    *" $target "*) ;;
    *) printf 'error: there is no target %s\nhint: there are %s\n' "$target" "${readers[*]} api" >&2; exit 2 ;;
  esac
done
kept=$CACHE/fuzz
mkdir -p "$kept/found" "$kept/log" "$kept/api"
work=$(mktemp -d)
. tools/pretend.sh

say() { printf '%s %s\n' "$(date +%T)" "$*"; }
running=()
finish() {
  local status=$? pid
  for pid in "${running[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
  pretend_ends
  rm -rf "$work"
  exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

build() { # the fuzzers, with the compiler that builds everything else
  say "building the fuzzers with AddressSanitizer (some minutes the first time)"
  env -u CARGO_TARGET_DIR RUSTC_BOOTSTRAP=1 nice -n 10 cargo fuzz build --fuzz-dir fuzz --target-dir "$kept/target" --strip-dead-code >"$kept/log/build.log" 2>&1 ||
    { tail -n 30 "$kept/log/build.log" >&2; exit 1; }
  FUZZERS=$kept/target/$(rustc -vV | sed -n 's/^host: //p')/release
}

reader() { # target: its fuzzer, until the time is over or something is found
  local target=$1 log=$kept/log/$1.log found
  mkdir -p "$kept/corpus/$target"
  # An input may take a second of work, see fuzz/src/lib.rs; the limit here, which goes by the clock, is for those that never end.
  if nice -n 19 "$FUZZERS/$target" "$kept/corpus/$target" "fuzz/seeds/$target" "-dict=fuzz/dictionaries/$target.dict" -max_len=4096 \
    "-max_total_time=$seconds" -timeout=60 -report_slow_units=3600 -rss_limit_mb=2048 "-artifact_prefix=$work/$target-" -print_final_stats=1 >"$log" 2>&1; then
    say "$target: nothing found in $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs, $(find "$kept/corpus/$target" -type f | wc -l) inputs kept"
    return
  fi
  for found in "$work/$target"-*; do
    [ ! -e "$found" ] || mv "$found" "$kept/found/"
    say "$target: $kept/found/${found##*/}; what happened is at the end of $log"
  done
  return 1
}

api() { # requests that the document allows, and such that it does not
  local venv log=$kept/log/api.log port=${PORT_BASE:-28900} login token name status=0
  venv=$CACHE/schemathesis-$(sha256sum fuzz/requirements.lock | cut -c1-12)/bin
  if [ -z "${JEROBOAM:-}" ]; then
    tools/build.sh --bin jeroboam
    JEROBOAM=$CARGO_TARGET_DIR/debug/jeroboam
  fi
  pretend "$port" "$work"
  login='{"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "admin", "domain": {"name": "Default"}, "password": "secret"}}},
    "scope": {"project": {"name": "admin", "domain": {"name": "Default"}}}}}'
  token=$(curl -sf -o /dev/null -D - -H 'Content-Type: application/json' -d "$login" "http://127.0.0.1:$port/v3/auth/tokens" |
    tr -d '\r' | awk 'tolower($1) == "x-subject-token:" { print $2 }')
  # Something to ask for, under the names of fuzz/api.toml.
  ask() { curl -sf -o /dev/null -H "X-Auth-Token: $token" -H 'Content-Type: application/json' -d "$2" "http://127.0.0.1:$((port + 2))/v1/$1"; }
  for name in one two; do
    ask clustertemplates '{"name": "'$name'", "coe": "kubernetes", "image_id": "ubuntu-kube-v1.34.2", "external_network_id": "public", "flavor_id": "m1.small"}'
    ask clusters '{"name": "'$name'", "cluster_template_id": "'$name'"}'
  done
  # It keeps notes of its own where it is started.
  local root=$PWD
  nice -n 19 env -C "$kept/api" "$venv/schemathesis" --config-file "$root/fuzz/api.toml" run "$root/docs/api/openapi.json" --url "http://127.0.0.1:$((port + 2))" \
    --header "X-Auth-Token: $token" --max-time "$seconds" --continue-on-failure --warnings off --no-color \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance \
    --generation-database "$kept/api/examples" >"$log" 2>&1 || status=$?
  pretend_ends
  cloud= service=
  [ $status = 0 ] || { tail -n 60 "$log" >&2; say "api: see $log"; return 1; }
  # By the service's own clock: a client of the lowest priority waits for the processor, too.
  if grep -E ' duration_seconds=[1-9][0-9.]*(e[0-9]+)?( |$)' "$work/service.log" >"$kept/log/slow.log"; then
    say "api: $(wc -l <"$kept/log/slow.log") requests took more than a second: see $kept/log/slow.log"
    return 1
  fi
  say "api: nothing found in $(sed -n 's/^ *\([0-9]*\) generated.*/\1/p' "$log") requests"
}

failed=
for target in "$@"; do [ "$target" = api ] || [ -n "${FUZZERS:-}" ] || build; done
# Each in a process group of its own, to be ended with all that it started.
set -m
for target; do
  [ "$target" != api ] || continue
  if [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; then wait -n || failed=1; fi
  say "$target for $seconds s"
  reader "$target" &
  running+=($!)
done
set +m
for pid in "${running[@]}"; do wait "$pid" || failed=1; done
case " $* " in *" api "*) say "api for $seconds s"; api || failed=1 ;; esac
[ -z "$failed" ] || { echo "error: something was found" >&2; exit 1; }
say "nothing found"
