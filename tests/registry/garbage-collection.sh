#!/usr/bin/env bash
# Does what the page says, word by word. JEROBOAM is the program.
set -euo pipefail
PAGE=docs/registry/garbage-collection.md
exec "$(dirname "$0")/page.sh" "$PAGE"
