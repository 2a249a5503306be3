#!/usr/bin/env python3
"""Makes an OCI image layout, the same for the same arguments: image.py FOLDER [--layers 2] [--bytes 20000] [--seed text]
[--architectures amd64,arm64] [--tag latest]. Layers are gzipped tars of bytes that do not get smaller."""
import argparse, gzip, hashlib, io, json, os, random, tarfile

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--layers", type=int, default=2)
parser.add_argument("--bytes", type=int, default=20000)
parser.add_argument("--seed", default="image")
parser.add_argument("--architectures", default="amd64")
parser.add_argument("--tag", default="latest")
args = parser.parse_args()
IMAGE, INDEX = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
blobs = os.path.join(args.folder, "blobs", "sha256")
os.makedirs(blobs, exist_ok=True)


def put(media_type, data):
    name = hashlib.sha256(data).hexdigest()
    with open(os.path.join(blobs, name), "wb") as file:
        file.write(data)
    return {"mediaType": media_type, "digest": "sha256:" + name, "size": len(data)}


def layer(seed):
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        entry = tarfile.TarInfo(seed.replace("/", "-"))
        entry.size = args.bytes
        archive.addfile(entry, io.BytesIO(random.Random(seed).randbytes(args.bytes)))
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as file:
        file.write(tar.getvalue())
    diff = "sha256:" + hashlib.sha256(tar.getvalue()).hexdigest()
    return put("application/vnd.oci.image.layer.v1.tar+gzip", packed.getvalue()), diff


def image(architecture):
    layers, diffs = zip(*(layer(f"{args.seed}/{architecture}/{number}") for number in range(args.layers)))
    config = {"architecture": architecture, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diffs}}
    config = put("application/vnd.oci.image.config.v1+json", json.dumps(config).encode())
    manifest = {"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": layers}
    return put(IMAGE, json.dumps(manifest).encode()) | {"platform": {"architecture": architecture, "os": "linux"}}


images = [image(architecture) for architecture in args.architectures.split(",")]
if len(images) > 1:
    top = put(INDEX, json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}).encode())
else:
    top = {name: value for name, value in images[0].items() if name != "platform"}
top["annotations"] = {"org.opencontainers.image.ref.name": args.tag}
for name, content in (("index.json", {"schemaVersion": 2, "manifests": [top]}), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
    with open(os.path.join(args.folder, name), "w") as file:
        json.dump(content, file)
print(top["digest"])
