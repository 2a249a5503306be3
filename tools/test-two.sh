#!/usr/bin/env bash
# Two `api` and two `reconcile` on one database under a mixed load of 50 clients, with each process killed in turn and the database
# restarted twice. Called by `make test-two`, which has set the machine up.
#   tools/test-two.sh                                    ten minutes on MariaDB and ten on PostgreSQL
#   JEROBOAM_TWO_ENGINES=postgresql tools/test-two.sh    on one of them
#   JEROBOAM_TWO_SECONDS=120 tools/test-two.sh           for a shorter time; below that it is the short form of `make test`
#   JEROBOAM_TWO_SEED=7 tools/test-two.sh                what comes when, as in the run that said so
#   JEROBOAM_TWO_CLUSTERS=100 tools/test-two.sh          as many live clusters at most
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jeroboam
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
export JEROBOAM_TWO_SECONDS=${JEROBOAM_TWO_SECONDS:-600}
export JEROBOAM_TWO_ENGINES=${JEROBOAM_TWO_ENGINES:-mariadb,postgresql}

tools/build.sh test --package jeroboam --test it --no-run
exec cargo test --quiet --package jeroboam --test it two:: -- --nocapture
