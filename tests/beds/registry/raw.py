#!/usr/bin/env python3
"""Writes into a registry's store by hand, past every registry: raw.py BACKEND STORE leftovers OUT.json

Leftovers of years, all in the repository old/plain: a manifest of schema 1 with its link, a blob's link to a blob that is not there, a
blob's link and a tag's link that are empty (a power cut in 2.8), a tag whose history still says what it was; on Swift also a blob that is a
static large object. The file says which digests those are. Where things are and who asks comes from what up.sh prints."""
import hashlib, hmac, json, os, sys, urllib.error, urllib.parse, urllib.request
from datetime import datetime, timezone

backend, place, _, out = sys.argv[1:5]
env = os.environ
ROOT = "docker/registry/v2"
PLAIN = f"{ROOT}/repositories/old/plain"


def call(method, url, headers=None, body=None):
    request = urllib.request.Request(url, body, headers or {}, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.read(), answer.headers


class Directory:
    def put(self, path, body):
        path = os.path.join(place, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(body)

    def get(self, path):
        with open(os.path.join(place, path), "rb") as file:
            return file.read()


class S3:
    """One bucket, with Amazon's signature, the fourth."""

    def __init__(self, url, key, secret):
        self.url, self.key, self.secret = url, key, secret

    def call(self, method, path, body=b""):
        now = datetime.now(timezone.utc)
        day, stamp = now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ")
        name = f"/{place}/{urllib.parse.quote(path)}"
        host, payload = urllib.parse.urlsplit(self.url).netloc, hashlib.sha256(body).hexdigest()
        signed = {"host": host, "x-amz-content-sha256": payload, "x-amz-date": stamp}
        names = ";".join(signed)
        canonical = "\n".join([method, name, "", *(f"{name}:{value}" for name, value in signed.items()), "", names, payload])
        scope = f"{day}/us-east-1/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret).encode()
        for part in (day, "us-east-1", "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        signed["Authorization"] = f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return call(method, self.url + name, signed, body or None)[0]

    def put(self, path, body):
        self.call("PUT", path, body)

    def get(self, path):
        return self.call("GET", path)


class Swift:
    def __init__(self, url, token):
        self.url, self.token = f"{url}/{place}", token

    @staticmethod
    def v1(url):
        headers = call("GET", url, {"X-Auth-User": "test:tester", "X-Auth-Key": "testing"})[1]
        return Swift(headers["X-Storage-Url"], headers["X-Auth-Token"])

    @staticmethod
    def v3(url, region):
        user = {"name": "alice", "domain": {"name": "Default"}, "password": "alicepw"}
        scope = {"project": {"name": "proj", "domain": {"name": "Default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        said, headers = call("POST", url + "/auth/tokens", {"Content-Type": "application/json"}, json.dumps(body).encode())
        stores = [service for service in json.loads(said)["token"]["catalog"] if service["type"] == "object-store"]
        ends = [end for store in stores for end in store["endpoints"]]
        url = next(end["url"] for end in ends if end["interface"] == "public" and end["region"] == region)
        return Swift(url, headers["X-Subject-Token"])

    def call(self, method, path, body=None, query=""):
        return call(method, f"{self.url}/{urllib.parse.quote(path)}{query}", {"X-Auth-Token": self.token}, body)

    def put(self, path, body):
        self.call("PUT", "files/" + path, body)

    def get(self, path):
        return self.call("GET", "files/" + path)[0]

    def put_slo(self, path, parts):
        segments = []
        for number, part in enumerate(parts):
            name = f"segments/by/hand/{hashlib.sha256(path.encode()).hexdigest()}/{number:016d}"
            self.call("PUT", name, part)
            segments.append({"path": f"/{place}/{name}", "etag": hashlib.md5(part).hexdigest(), "size_bytes": len(part)})
        self.call("PUT", "files/" + path, json.dumps(segments).encode(), "?multipart-manifest=put")


def store():
    if backend == "directory":
        return Directory()
    if backend == "versitygw":
        return S3(env["JEROBOAM_S3"], env["JEROBOAM_S3_KEY"], env["JEROBOAM_S3_SECRET"])
    if backend == "rgw-s3":
        return S3(env["JEROBOAM_RGW"], "registry", "registrysecret")
    if backend == "swift":
        return Swift.v1(env["JEROBOAM_SWIFT_V1"])
    return Swift.v3(env["JEROBOAM_KEYSTONE"], "RegionRGW" if backend == "rgw" else "RegionOne")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def blob_path(name):
    return f"{ROOT}/blobs/sha256/{name[:2]}/{name}/data"


store, said = store(), {}
some_layer = json.loads(store.get(blob_path(store.get(f"{PLAIN}/_manifests/tags/two/current/link").decode()[7:])))["layers"][0]["digest"]
schema1 = {
    "schemaVersion": 1, "name": "old/plain", "tag": "ancient", "architecture": "amd64",
    "fsLayers": [{"blobSum": some_layer}], "history": [{"v1Compatibility": json.dumps({"id": "0" * 64})}],
    "signatures": [{"header": {"alg": "ES256"}, "signature": "bm90aGluZw", "protected": "e30"}],
}
body = json.dumps(schema1, indent=3).encode()
name = sha256(body)
store.put(blob_path(name), body)
store.put(f"{PLAIN}/_manifests/revisions/sha256/{name}/link", f"sha256:{name}".encode())
said["schema1"] = f"sha256:{name}"

gone, torn = sha256(b"a layer that was collected"), sha256(b"a layer whose link is empty")
store.put(f"{PLAIN}/_layers/sha256/{gone}/link", f"sha256:{gone}".encode())
store.put(f"{PLAIN}/_layers/sha256/{torn}/link", b"")
said |= {"dangling": f"sha256:{gone}", "torn": f"sha256:{torn}"}

# The tag's history has one entry, which is what repair goes by.
current = store.get(f"{PLAIN}/_manifests/tags/two/current/link").decode()
store.put(f"{PLAIN}/_manifests/tags/torn/index/sha256/{current[7:]}/link", current.encode())
store.put(f"{PLAIN}/_manifests/tags/torn/current/link", b"")
said |= {"torn_tag": "torn", "torn_tag_digest": current}

if isinstance(store, Swift):
    parts = [bytes([number]) * 1500000 for number in range(3)]
    name = sha256(b"".join(parts))
    store.put_slo(blob_path(name), parts)
    store.put(f"{PLAIN}/_layers/sha256/{name}/link", f"sha256:{name}".encode())
    said["slo"] = f"sha256:{name}"

with open(out, "w") as file:
    json.dump(said, file)
