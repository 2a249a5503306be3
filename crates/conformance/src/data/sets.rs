//! Every data set.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jeroboam_oci::{Algorithm, Digest};
use serde_json::{Map, Value, json};

use super::{
    Blob, CONFIG, DOCKER_CONFIG, DOCKER_IMAGE, DOCKER_LIST, DataSet, IMAGE, INDEX, Maker, Way, body, descriptor,
};
use crate::options::{Api, Data};

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
const NON_DISTRIBUTABLE_GZIP: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
const NON_DISTRIBUTABLE_TAR: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// How many tags a manifest is pushed with at once: what every registry has to take.
const TAG_PARAMETERS: usize = 10;

/// All of them, for this seed.
pub(crate) fn sets(seed: &str) -> Vec<DataSet> {
    let all: &[fn(&str) -> DataSet] = &[
        image,
        image_uncompressed,
        docker_image,
        docker_list,
        large_manifest,
        index,
        nested_index,
        empty_index,
        artifact,
        artifact_index,
        artifact_without_layers,
        artifacts_with_subject,
        index_with_subject,
        missing_subject,
        data_field,
        non_distributable_layers,
        custom_fields,
        no_layers,
        sparse,
        sha512,
        tag_param_sha256,
        tag_param_sha512,
        bad_digest_image,
    ];
    all.iter().map(|make| make(seed)).collect()
}

fn maker(seed: &str, name: &str) -> Maker {
    Maker::new(seed, name, Algorithm::Sha256)
}

fn tag(name: &str) -> Option<String> {
    Some(name.to_owned())
}

fn index_of(manifests: &[Value]) -> Map<String, Value> {
    body(INDEX, [("manifests", json!(manifests))])
}

fn put(body: &mut Map<String, Value>, name: &str, value: Value) {
    body.insert(name.to_owned(), value);
}

fn image(seed: &str) -> DataSet {
    let mut make = maker(seed, "image");
    let body = make.image("image", GZIP);
    make.manifest("image", &body, tag("image"));
    make.set("image", &[])
}

fn image_uncompressed(seed: &str) -> DataSet {
    let mut make = maker(seed, "image-uncompressed");
    let body = make.image("image", TAR);
    make.manifest("image", &body, tag("image-uncompressed"));
    make.set("image-uncompressed", &[])
}

fn docker(make: &mut Maker, role: &str) -> Map<String, Value> {
    let config = make.config(&format!("{role}-config"), DOCKER_CONFIG);
    let layer = make.layer(&format!("{role}-layer-0"), DOCKER_LAYER);
    body(DOCKER_IMAGE, [("config", config), ("layers", json!([layer]))])
}

fn docker_image(seed: &str) -> DataSet {
    let mut make = maker(seed, "docker-image");
    let body = docker(&mut make, "image");
    make.manifest("image", &body, tag("docker-image"));
    make.set("docker-image", &[])
}

fn docker_list(seed: &str) -> DataSet {
    let mut make = maker(seed, "docker-list");
    let mut images = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let body = docker(&mut make, architecture);
        let mut image = make.manifest(architecture, &body, None);
        image["platform"] = json!({ "os": "linux", "architecture": architecture });
        images.push(image);
    }
    make.manifest("list", &body(DOCKER_LIST, [("manifests", json!(images))]), tag("docker-list"));
    make.set("docker-list", &[Data::Index])
}

/// 390 annotations of 10 kB are 3.9 MB: what a registry has to take is 4 MiB.
fn large_manifest(seed: &str) -> DataSet {
    let mut make = maker(seed, "large-manifest");
    let mut body = make.image("image", GZIP);
    let annotations = (0..390).map(|number| {
        let name = format!("annotation-{number:03}");
        let value = String::from_utf8_lossy(&make.noise(&name, 10_000)).into_owned();
        (name, Value::from(value))
    });
    put(&mut body, "annotations", Value::Object(annotations.collect()));
    make.manifest("image", &body, tag("large-manifest"));
    make.set("large-manifest", &[Data::LargeManifest])
}

fn images(make: &mut Maker, prefix: &str) -> Vec<Value> {
    let one = |architecture: &str| {
        let role = format!("{prefix}{architecture}");
        let body = make.image(&role, GZIP);
        let mut image = make.manifest(&role, &body, None);
        image["platform"] = json!({ "os": "linux", "architecture": architecture });
        image
    };
    ["amd64", "arm64"].into_iter().map(one).collect()
}

fn index(seed: &str) -> DataSet {
    let mut make = maker(seed, "index");
    let images = images(&mut make, "");
    make.manifest("index", &index_of(&images), tag("index"));
    make.set("index", &[Data::Index])
}

fn nested_index(seed: &str) -> DataSet {
    let mut make = maker(seed, "nested-index");
    let mut indexes = Vec::new();
    for inner in ["first", "second"] {
        let images = images(&mut make, &format!("{inner}-"));
        indexes.push(make.manifest(inner, &index_of(&images), None));
    }
    make.manifest("index", &index_of(&indexes), tag("nested-index"));
    make.set("nested-index", &[Data::Index, Data::NestedIndex])
}

fn empty_index(seed: &str) -> DataSet {
    let mut make = maker(seed, "empty-index");
    let mut body = index_of(&[]);
    put(&mut body, "annotations", json!({ "run": seed }));
    make.manifest("index", &body, tag("empty-index"));
    make.set("empty-index", &[Data::Index])
}

fn artifact(seed: &str) -> DataSet {
    let mut make = maker(seed, "artifact");
    let body = make.artifact("artifact", "application/vnd.example.thing");
    make.manifest("artifact", &body, tag("artifact"));
    make.set("artifact", &[Data::Artifact])
}

fn artifact_index(seed: &str) -> DataSet {
    let mut make = maker(seed, "artifact-index");
    let mut parts = Vec::new();
    for role in ["first", "second"] {
        let body = make.artifact(role, "application/vnd.example.part");
        parts.push(make.manifest(role, &body, None));
    }
    let mut body = index_of(&parts);
    put(&mut body, "artifactType", json!("application/vnd.example.whole"));
    make.manifest("index", &body, tag("artifact-index"));
    make.set("artifact-index", &[Data::Artifact, Data::Index])
}

fn artifact_without_layers(seed: &str) -> DataSet {
    let mut make = maker(seed, "artifact-without-layers");
    let empty = make.empty();
    let artifact_type = json!("application/vnd.example.note");
    let annotations = json!({ "run": seed });
    let fields = [
        ("artifactType", artifact_type),
        ("config", empty.clone()),
        ("layers", json!([empty])),
        ("annotations", annotations),
    ];
    make.manifest("artifact", &body(IMAGE, fields), tag("artifact-without-layers"));
    make.set("artifact-without-layers", &[Data::Artifact])
}

/// Five of three types, one of which is that of its configuration.
fn artifacts_with_subject(seed: &str) -> DataSet {
    let mut make = maker(seed, "artifacts-with-subject");
    let image = make.image("image", GZIP);
    let subject = make.manifest("image", &image, tag("artifacts-with-subject"));
    for (number, kind) in ["sbom", "sbom", "signature", "signature"].into_iter().enumerate() {
        let role = format!("{kind}-{number}");
        let mut body = make.artifact(&role, &format!("application/vnd.example.{kind}"));
        put(&mut body, "subject", subject.clone());
        put(&mut body, "annotations", json!({ "number": number.to_string(), "run": seed }));
        make.manifest(&role, &body, None);
    }
    let config = make.config("by-config-config", "application/vnd.example.config.v1+json");
    let layer = make.layer("by-config-layer", "application/octet-stream");
    let fields = [("config", config), ("layers", json!([layer])), ("subject", subject)];
    make.manifest("by-config", &body(IMAGE, fields), None);
    make.set("artifacts-with-subject", &[Data::Artifact, Data::Subject])
}

/// An artifact and two indexes that are about an index, one of them with a tag and a type.
fn index_with_subject(seed: &str) -> DataSet {
    let mut make = maker(seed, "index-with-subject");
    let image = make.image("image", GZIP);
    let image = make.manifest("image", &image, None);
    let subject = make.manifest("subject", &index_of(&[image]), tag("index-with-subject"));
    let mut part = make.artifact("part", "application/vnd.example.part");
    put(&mut part, "subject", subject.clone());
    let part = make.manifest("part", &part, None);
    let mut typed = index_of(std::slice::from_ref(&part));
    put(&mut typed, "artifactType", json!("application/vnd.example.whole"));
    put(&mut typed, "subject", subject.clone());
    put(&mut typed, "annotations", json!({ "run": seed }));
    make.manifest("typed", &typed, tag("index-with-subject-typed"));
    let mut untyped = index_of(&[part]);
    put(&mut untyped, "subject", subject);
    make.manifest("untyped", &untyped, None);
    make.set("index-with-subject", &[Data::Index, Data::Subject])
}

fn missing_subject(seed: &str) -> DataSet {
    let mut make = maker(seed, "missing-subject");
    let nobody = make.noise("nobody", 100);
    let mut body = make.artifact("artifact", "application/vnd.example.early");
    put(&mut body, "subject", descriptor(IMAGE, &Digest::sha256(&nobody), nobody.len()));
    put(&mut body, "annotations", json!({ "run": seed }));
    make.manifest("artifact", &body, tag("missing-subject"));
    make.set("missing-subject", &[Data::Subject, Data::SubjectMissing])
}

fn data_field(seed: &str) -> DataSet {
    let mut make = maker(seed, "data-field");
    let mut body = make.image("image", GZIP);
    let config = with_data(&make, &body["config"]);
    let layers = [with_data(&make, &body["layers"][0]), with_data(&make, &body["layers"][1])];
    put(&mut body, "config", config);
    put(&mut body, "layers", json!(layers));
    make.manifest("image", &body, tag("data-field"));
    make.set("data-field", &[Data::DataField])
}

/// A descriptor that carries the bytes that it names.
fn with_data(make: &Maker, descriptor: &Value) -> Value {
    let mut descriptor = descriptor.clone();
    let named = make.blobs.iter().find(|blob| descriptor["digest"] == blob.digest.to_string());
    if let Some(Blob { bytes, .. }) = named {
        descriptor["data"] = json!(STANDARD.encode(bytes));
    }
    descriptor
}

fn non_distributable_layers(seed: &str) -> DataSet {
    let mut make = maker(seed, "non-distributable-layers");
    let mut body = make.image("image", GZIP);
    let mut layers = Vec::new();
    for (role, media_type) in [("elsewhere", NON_DISTRIBUTABLE_GZIP), ("elsewhere-too", NON_DISTRIBUTABLE_TAR)] {
        let elsewhere = make.noise(role, 1000);
        let mut layer = descriptor(media_type, &Digest::sha256(&elsewhere), elsewhere.len());
        layer["urls"] = json!([format!("https://layers.example/{role}")]);
        layers.push(layer);
    }
    layers.extend(body["layers"].as_array().cloned().unwrap_or_default());
    put(&mut body, "layers", json!(layers));
    make.manifest("image", &body, tag("non-distributable-layers"));
    make.set("non-distributable-layers", &[Data::NonDistributable])
}

fn custom_fields(seed: &str) -> DataSet {
    let mut make = maker(seed, "custom-fields");
    let mut config = make.configuration("image-config");
    config["org.example.field"] = json!(["of", "nobody"]);
    let config = make.blob("image-config", CONFIG, config.to_string().into());
    let layers = [make.layer("image-layer-0", GZIP), make.layer("image-layer-1", GZIP)];
    let mut image = body(IMAGE, [("config", config), ("layers", json!(layers))]);
    put(&mut image, "org.example.field", json!({ "of": ["nobody", "knows"] }));
    image["config"]["org.example.field"] = json!("config");
    image["layers"][0]["org.example.field"] = json!(7);
    let mut image = make.manifest("image", &image, tag("custom-fields-image"));
    image["org.example.field"] = json!(true);
    let mut index = index_of(&[image]);
    put(&mut index, "org.example.field", json!(null));
    make.manifest("index", &index, tag("custom-fields"));
    make.set("custom-fields", &[Data::CustomFields, Data::Index])
}

fn no_layers(seed: &str) -> DataSet {
    let mut make = maker(seed, "no-layers");
    let config = make.config("config", CONFIG);
    make.manifest("image", &body(IMAGE, [("config", config), ("layers", json!([]))]), tag("no-layers"));
    make.set("no-layers", &[Data::NoLayers])
}

/// An image without one of its layers, and an index without one of its images.
fn sparse(seed: &str) -> DataSet {
    let mut make = maker(seed, "sparse");
    let body = make.image("sparse-image", GZIP);
    make.manifest("sparse-image", &body, tag("sparse-image"));
    make.blobs.retain(|blob| blob.role != "sparse-image-layer-0");
    let mut images = images(&mut make, "");
    let elsewhere = make.noise("elsewhere", 500);
    let mut missing = descriptor(IMAGE, &Digest::sha256(&elsewhere), elsewhere.len());
    missing["platform"] = json!({ "os": "linux", "architecture": "riscv64" });
    images.push(missing);
    make.manifest("index", &index_of(&images), tag("sparse"));
    DataSet { way: Way::Sparse, ..make.set("sparse", &[Data::Index, Data::Sparse]) }
}

fn sha512(seed: &str) -> DataSet {
    let mut make = Maker::new(seed, "sha512", Algorithm::Sha512);
    let body = make.image("image", GZIP);
    let image = make.manifest("image", &body, tag("sha512-image"));
    make.manifest("index", &index_of(&[image]), tag("sha512"));
    make.set("sha512", &[Data::Sha512, Data::Index])
}

/// An image with as many tags as have to be taken, and an index of it with two.
fn tag_parameters(seed: &str, name: &'static str, algorithm: Algorithm, needs: &[Data]) -> DataSet {
    let mut make = Maker::new(seed, name, algorithm);
    let body = make.image("image", GZIP);
    let image = make.manifest("image", &body, None);
    make.manifest("index", &index_of(&[image]), None);
    let of_image = (0..TAG_PARAMETERS).map(|number| format!("{name}-{number}")).collect();
    let of_index = vec![name.to_owned(), format!("{name}-index")];
    for (manifest, tags) in make.manifests.iter_mut().zip([of_image, of_index]) {
        manifest.tag_parameters = tags;
    }
    DataSet { api: Some(Api::ManifestTagParam), ..make.set(name, needs) }
}

fn tag_param_sha256(seed: &str) -> DataSet {
    tag_parameters(seed, "tag-param-sha256", Algorithm::Sha256, &[Data::Index])
}

fn tag_param_sha512(seed: &str) -> DataSet {
    tag_parameters(seed, "tag-param-sha512", Algorithm::Sha512, &[Data::Index, Data::Sha512])
}

fn bad_digest_image(seed: &str) -> DataSet {
    let mut make = maker(seed, "bad-digest-image");
    let body = make.image("image", GZIP);
    make.manifest("image", &body, None);
    DataSet { way: Way::WrongDigest, ..make.set("bad-digest-image", &[]) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_named_is_pushed_before() {
        for set in sets("seed") {
            let missing = ["sparse", "non-distributable-layers", "missing-subject"].contains(&set.name);
            let mut known: BTreeSet<String> = set.blobs.iter().map(|blob| blob.digest.to_string()).collect();
            for manifest in &set.manifests {
                let body: Value = serde_json::from_slice(&manifest.bytes).unwrap();
                let lists = ["layers", "manifests"].map(|name| body[name].as_array().cloned().unwrap_or_default());
                let named = lists.into_iter().flatten().chain(body.get("config").cloned());
                let all = named.into_iter().all(|one| known.contains(one["digest"].as_str().unwrap()));
                assert!(all || missing, "{} {}", set.name, manifest.role);
                known.insert(manifest.digest.to_string());
            }
        }
    }

    #[test]
    fn a_sparse_image_lacks_a_layer_and_a_sparse_index_an_image() {
        let set = sparse("seed");
        let blobs = set.blobs.iter().map(|blob| &blob.digest);
        let there: BTreeSet<String> =
            blobs.chain(set.manifests.iter().map(|manifest| &manifest.digest)).map(Digest::to_string).collect();
        for (role, list) in [("sparse-image", "layers"), ("index", "manifests")] {
            let manifest = set.manifests.iter().find(|manifest| manifest.role == role).unwrap();
            let body: Value = serde_json::from_slice(&manifest.bytes).unwrap();
            let named = body[list].as_array().unwrap().iter().map(|one| one["digest"].as_str().unwrap());
            assert_eq!(named.filter(|digest| !there.contains(*digest)).count(), 1, "{role}");
        }
    }

    #[test]
    fn a_manifest_is_pushed_with_as_many_tags_as_have_to_be_taken() {
        let set = tag_param_sha512("seed");
        let tags: Vec<_> = set.manifests.iter().map(|manifest| manifest.tags().count()).collect();
        assert_eq!(tags, [10, 2]);
    }

    #[test]
    fn no_two_sets_share_what_is_deleted() {
        let mut known = BTreeSet::new();
        for set in sets("seed") {
            for manifest in &set.manifests {
                assert!(known.insert(manifest.digest.clone()), "{} {}", set.name, manifest.role);
            }
        }
    }

    #[test]
    fn a_large_manifest_is_just_below_what_has_to_be_taken() {
        let length = large_manifest("seed").manifests[0].bytes.len();
        assert!((3_900_000..4 << 20).contains(&length), "{length}");
    }

    #[test]
    fn referrers_are_shown_with_their_types() {
        let set = artifacts_with_subject("seed");
        let subjects = set.subjects();
        assert_eq!(subjects.len(), 1);
        let shown = set.referrers(subjects[0]);
        let types: Vec<_> = shown.iter().map(|one| one["artifactType"].as_str().unwrap()).collect();
        assert_eq!(types.len(), 5);
        assert_eq!(types[0], "application/vnd.example.sbom");
        assert_eq!(types[4], "application/vnd.example.config.v1+json");
        let indexes = index_with_subject("seed");
        let shown = indexes.referrers(indexes.subjects()[0]);
        assert_eq!(shown[1]["artifactType"], "application/vnd.example.whole");
        assert!(shown[2].get("artifactType").is_none());
    }
}
