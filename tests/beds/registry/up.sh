#!/usr/bin/env bash
# Starts what registries keep their objects in, with what each of them needs, and prints what they are called by, for `eval`.
#   up.sh directory|versitygw|swift|keystone|rgw…
# $BED is where all lives, $PORT_BASE the first of ten ports. What runs already is left alone; down.sh ends it.
set -euo pipefail
cd "$(dirname "$0")"
for kind; do
  case $kind in
    directory) ;;
    versitygw) ./versitygw.sh up ;;
    swift) ./swift.sh up ;;
    # Not with `&&`: a part that fails before the last would not end this script.
    keystone | application-credential | trust)
      ./swift.sh up
      ./keystone.sh up ;;
    rgw | rgw-s3)
      ./swift.sh up
      ./keystone.sh up
      ./rgw.sh up ;;
    *) sed -n '3s/^# //p' "$0" >&2; exit 2 ;;
  esac
done
for part in versitygw swift keystone rgw; do "./$part.sh" env; done
