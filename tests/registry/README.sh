#!/usr/bin/env bash
# Does what docs/registry/README.md says, word by word: runs the commands of the page, in their order and in one shell, and looks at what they did.
#   JEROBOAM   the program
#   CRANE      the folder with crane
#   PORT       takes the place of the port of the page
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${JEROBOAM:?is the path of the program}" "${CRANE:?is the folder with crane}"
PAGE=docs/registry/README.md PORT=${PORT:-31790}
work=$(mktemp -d)
finish() {
  local status=$? pid
  for pid in $(cat "$work/pids" 2>/dev/null); do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work"
  exit $status
}
trap finish EXIT
mkdir "$work/bin"
ln -s "$JEROBOAM" "$work/bin/jeroboam"
awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$PAGE" | sed "s#127.0.0.1:5000#127.0.0.1:$PORT#g" >"$work/page.sh"
[ "$(wc -l <"$work/page.sh")" -ge 9 ] || { echo "error: the page has no commands" >&2; exit 1; }
# Before the last command, which ends the registry, what a reader was promised.
sed -i '$ d' "$work/page.sh"
cat >>"$work/page.sh" <<END
jobs -p >>"$work/pids"
[ "\$(crane ls 127.0.0.1:$PORT/team/app)" = 1 ]
grep -q manifest.json <<<"\$(tar --list --file app.tar)"
[ -d images/docker/registry/v2/repositories/team/app ]
grep -q '>team&#x2f;app</a>' <<<"\$(curl --silent --fail http://127.0.0.1:$PORT/)"
kill %1
wait %1
END
cd "$work"
export PATH=$work/bin:$CRANE:$PATH REGISTRY_HTTP_ADDR=127.0.0.1:$PORT
bash -euo pipefail page.sh >said 2>&1 || { tail -n 40 said >&2; exit 1; }
grep -q '^config.yml: fine$' said || { cat said >&2; exit 1; }
printf 'every command of %s does what it says\n' "$PAGE"
