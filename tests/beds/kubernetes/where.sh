#!/usr/bin/env bash
# Prints the path of one of the bed's programs.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh
echo "$BIN/$1"
