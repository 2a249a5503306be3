#!/usr/bin/env bash
# Ends what up.sh and registry.sh started, by the process ids that they wrote down. What was stored stays with KEEP=1.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=backend.sh
. "$(dirname "$0")/backend.sh"
for file in "$RUN"/registry-*.pid; do
  [ ! -e "$file" ] || stop "$(basename "$file" .pid)"
done
stop fault-proxy
for part in rgw keystone swift versitygw; do "$HERE/$part.sh" down; done
[ -n "${KEEP:-}" ] || rm -rf "$BED"
