#!/usr/bin/env bash
# Does what the page says, word by word, and then what two regions have to stand besides. JEROBOAM is the program.
#   replication.sh [NORTH SOUTH]      the backends of tests/beds/registry that the two keep their images in, with what up.sh prints; without, two directories
set -euo pipefail
PAGE=docs/registry/replication.md
here=$(dirname "$0")
if [ $# = 2 ]; then
  STORAGE_north=$("$here/../beds/registry/registry.sh" storage "$1" "regions-north-$$")
  STORAGE_south=$("$here/../beds/registry/registry.sh" storage "$2" "regions-south-$$")
  export STORAGE_north STORAGE_south
fi
exec "$here/page.sh" "$PAGE" tests/registry/regions.sh
