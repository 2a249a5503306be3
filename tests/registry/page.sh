#!/usr/bin/env bash
# Does what a page of docs/registry says, word by word: runs the commands of its sh blocks, in their order, in a folder of their own. The page's ports 5001 and 5002 are
# free ports here, or $PORT and $OTHER_PORT, and its image.tar is an image of one layer.
#   page.sh docs/registry/X.md [SCRIPT]      JEROBOAM is the program; SCRIPT goes on where the page ends, in the same shell
# A page may say `start NAME COMMAND…`, which runs a server until `stop NAME` or the end, and `listen PORT FILE`, which writes down what is posted to it.
# Where it keeps images in the folder NAME, $STORAGE_NAME says where they are kept in its place.
# It has five minutes, or $PAGE_SECONDS: what a page waits for comes about, or the page is wrong.
set -euo pipefail
[ -n "${PAGE_IS_TIMED:-}" ] || PAGE_IS_TIMED=1 exec timeout --kill-after=30 "${PAGE_SECONDS:-300}" "$0" "$@"
cd "$(dirname "$0")/../.."
root=$PWD page=$PWD/$1 more=${2:+$PWD/$2}
: "${JEROBOAM:?is the path of the program}"
command -v skopeo >/dev/null || { echo "error: skopeo is missing" >&2; exit 1; }
work=$(mktemp -d)
mkdir "$work/bin" "$work/run"
ln -s "$(realpath "$JEROBOAM")" "$work/bin/jeroboam"
export PATH=$work/bin:$PATH
cleanup() {
  local status=$?
  for pid in "$work"/run/*.pid; do [ ! -e "$pid" ] || kill "$(<"$pid")" 2>/dev/null || true; done
  wait
  if [ $status != 0 ]; then for log in "$work"/run/*.log; do [ ! -e "$log" ] || { echo "== $log"; tail -n 20 "$log"; } >&2; done; fi
  rm -rf "$work"
  exit $status
}
trap cleanup EXIT
cd "$work"
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
one=${PORT:-$(free_port)} two=${OTHER_PORT:-$(free_port)}

python3 - <<'END'
# image.tar: an OCI archive of one image with one layer.
import gzip, hashlib, io, json, tarfile
def digest(data): return "sha256:" + hashlib.sha256(data).hexdigest()
inner = io.BytesIO()
with tarfile.open(fileobj=inner, mode="w") as tar:
    info = tarfile.TarInfo("hello"); info.size = 6; tar.addfile(info, io.BytesIO(b"hello\n"))
layer = gzip.compress(inner.getvalue(), mtime=0)
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [digest(inner.getvalue())]}}).encode()
described = lambda kind, data: {"mediaType": kind, "digest": digest(data), "size": len(data)}
manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": described("application/vnd.oci.image.config.v1+json", config),
    "layers": [described("application/vnd.oci.image.layer.v1.tar+gzip", layer)]}).encode()
index = json.dumps({"schemaVersion": 2, "manifests": [described("application/vnd.oci.image.manifest.v1+json", manifest)]}).encode()
with tarfile.open("image.tar", "w") as tar:
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": index}
    files.update({"blobs/sha256/" + digest(blob)[7:]: blob for blob in (config, layer, manifest)})
    for name, data in files.items():
        info = tarfile.TarInfo(name); info.size = len(data); tar.addfile(info, io.BytesIO(data))
END

cat >bin/listen <<'END'
#!/usr/bin/env python3
import http.server, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(sys.argv[2], "ab") as heard: heard.write(body + b"\n")
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Hook).serve_forever()
END
chmod +x bin/listen
touch heard

start() { # a server, until it listens
  local name=$1; shift
  "$@" >>"run/$name.log" 2>&1 &
  echo $! >"run/$name.pid"
  local port; port=$(sed -n 's/.*addr: "127.0.0.1:\([0-9]*\)".*/\1/p' "$name.yml" 2>/dev/null || true)
  for _ in {1..300}; do
    [ -d "/proc/$!" ] || { echo "error: $name ended" >&2; return 1; }
    if [ -z "$port" ] || curl -sf -o /dev/null "http://127.0.0.1:$port/v2/"; then return 0; fi
    sleep 0.1
  done
  echo "error: $name does not answer" >&2
  return 1
}
stop() {
  local pid; pid=$(<"run/$1.pid")
  kill "$pid"
  wait "$pid" || true
  rm "run/$1.pid"
}

# All sh blocks are one script.
awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$page" | sed "s/\b5001\b/$one/g; s/\b5002\b/$two/g" >script
[ -s script ] || { echo "error: $page shows no commands" >&2; exit 1; }
for name in ${!STORAGE_@}; do
  python3 - "filesystem: {rootdirectory: \$PWD/${name#STORAGE_}}" "${!name}" <<'END'
import sys
folder, storage = sys.argv[1:]
text = open("script").read()
assert folder in text, f"the page keeps nothing in {folder}"
open("script", "w").write(text.replace(folder, storage))
END
done
set -x
# Not in a shell of its own: start and stop are functions of this one.
. ./script
if [ -n "$more" ]; then . "$more"; fi
