#!/usr/bin/env bash
# Builds with cargo and says so: a first build takes minutes, and silence looks like a program that hangs.
#   tools/build.sh --bin jeroboam              builds the program
#   tools/build.sh test --workspace --no-run   builds the tests
# On a terminal cargo shows its own progress; elsewhere, in a log, only what goes wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
verb=build what=jeroboam
if [ "${1:-}" = test ]; then
  shift
  verb=test what="jeroboam and its tests"
fi
if [ -e "$CARGO_TARGET_DIR/debug/jeroboam" ]; then
  echo "building $what (seconds where nothing changed)" >&2
else
  echo "building $what (some minutes the first time)" >&2
fi
quiet=(--quiet)
[ -t 2 ] && quiet=()
exec cargo "$verb" ${quiet[@]+"${quiet[@]}"} "$@"
