#!/usr/bin/env bash
# Stops what up.sh started, by pid, the database last, and forgets the state. KEEP=1 leaves databases, settings and logs.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

names=()
for file in "$STATE"/pid/*.since; do
  name=$(basename "$file" .since)
  case $name in '*' | mariadb) ;; *) names+=("$name") ;; esac
done
for name in "${names[@]}" mariadb; do
  running "$name" || continue
  pid=$(<"$STATE/pid/$name")
  kill "$pid" 2>/dev/null || true
  for _ in {1..100}; do
    running "$name" || break
    sleep 0.1
  done
  if running "$name"; then kill -9 "$pid"; fi
done
[ -n "${KEEP:-}" ] || rm -rf "$STATE"
