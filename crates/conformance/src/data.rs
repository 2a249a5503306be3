//! Content that is pushed: blobs, the manifests that name them, and what a registry should say about them.

mod sets;

use bytes::Bytes;
use jeroboam_oci::{Algorithm, Digest};
use serde_json::{Map, Value, json};

pub(crate) use self::sets::sets;
use crate::noise;
use crate::options::{Api, Data};

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Bytes that manifests name.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    /// What it is in its data set.
    pub(crate) role: String,
    pub(crate) bytes: Bytes,
    pub(crate) digest: Digest,
}

/// A manifest of any kind.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// What it is in its data set.
    pub(crate) role: String,
    pub(crate) media_type: &'static str,
    pub(crate) bytes: Bytes,
    pub(crate) digest: Digest,
    pub(crate) tag: Option<String>,
    /// Tags that are parameters where it is pushed by its digest.
    pub(crate) tag_parameters: Vec<String>,
    pub(crate) about: Option<About>,
}

impl Manifest {
    /// All its tags when everything was pushed.
    pub(crate) fn tags(&self) -> impl Iterator<Item = &str> {
        self.tag.iter().chain(&self.tag_parameters).map(String::as_str)
    }
}

/// What a manifest is about, and how it is shown among those that are about the same.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) subject: Digest,
    pub(crate) descriptor: Value,
}

/// What is pushed together.
#[derive(Clone, Debug)]
pub(crate) struct DataSet {
    pub(crate) name: &'static str,
    /// What a registry has to take for it.
    pub(crate) needs: Vec<Data>,
    pub(crate) api: Option<Api>,
    pub(crate) blobs: Vec<Blob>,
    /// Those that are named come before those that name them.
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) way: Way,
}

/// What is special about the push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Nothing.
    Plain,
    /// Some of what is named is not there, which a registry may refuse.
    Sparse,
    /// The manifests are pushed under a digest that is not theirs.
    WrongDigest,
}

impl DataSet {
    /// All tags that there are when everything was pushed.
    pub(crate) fn tags(&self) -> Vec<&str> {
        self.manifests.iter().flat_map(Manifest::tags).collect()
    }

    /// The manifests that are there when everything was pushed.
    pub(crate) fn kept(&self) -> &[Manifest] {
        if self.way == Way::WrongDigest { &[] } else { &self.manifests }
    }

    /// What manifests of this set are about, each once.
    pub(crate) fn subjects(&self) -> Vec<&Digest> {
        let mut subjects: Vec<_> =
            self.manifests.iter().filter_map(|manifest| manifest.about.as_ref()).map(|about| &about.subject).collect();
        subjects.sort();
        subjects.dedup();
        subjects
    }

    /// How those are shown that are about this one.
    pub(crate) fn referrers(&self, subject: &Digest) -> Vec<&Value> {
        let about = self.manifests.iter().filter_map(|manifest| manifest.about.as_ref());
        about.filter(|about| about.subject == *subject).map(|about| &about.descriptor).collect()
    }
}

/// Makes the content of one set.
struct Maker {
    seed: String,
    algorithm: Algorithm,
    blobs: Vec<Blob>,
    manifests: Vec<Manifest>,
}

impl Maker {
    fn new(seed: &str, name: &str, algorithm: Algorithm) -> Self {
        Self { seed: format!("{seed}/{name}"), algorithm, blobs: Vec::new(), manifests: Vec::new() }
    }

    fn noise(&self, role: &str, length: usize) -> Bytes {
        noise::bytes(&self.seed, role, length)
    }

    /// A blob that is pushed, once however often it is named.
    fn blob(&mut self, role: &str, media_type: &str, bytes: Bytes) -> Value {
        let digest = Digest::of(self.algorithm, &bytes);
        let descriptor = descriptor(media_type, &digest, bytes.len());
        if self.blobs.iter().all(|blob| blob.digest != digest) {
            self.blobs.push(Blob { role: role.to_owned(), bytes, digest });
        }
        descriptor
    }

    fn layer(&mut self, role: &str, media_type: &str) -> Value {
        let bytes = self.noise(role, 2000);
        self.blob(role, media_type, bytes)
    }

    fn config(&mut self, role: &str, media_type: &str) -> Value {
        let config = self.configuration(role);
        self.blob(role, media_type, config.to_string().into())
    }

    /// What is in a configuration.
    fn configuration(&self, role: &str) -> Value {
        let author = String::from_utf8_lossy(&self.noise(role, 40)).into_owned();
        let rootfs = json!({ "type": "layers", "diff_ids": [] });
        json!({ "architecture": "amd64", "os": "linux", "author": author, "rootfs": rootfs })
    }

    fn empty(&mut self) -> Value {
        self.blob("empty", EMPTY, Bytes::from_static(b"{}"))
    }

    /// The body of an image with two layers of this type.
    fn image(&mut self, role: &str, layer: &str) -> Map<String, Value> {
        let config = self.config(&format!("{role}-config"), CONFIG);
        let layers = [self.layer(&format!("{role}-layer-0"), layer), self.layer(&format!("{role}-layer-1"), layer)];
        body(IMAGE, [("config", config), ("layers", json!(layers))])
    }

    /// The body of something that is no image.
    fn artifact(&mut self, role: &str, artifact_type: &str) -> Map<String, Value> {
        let config = self.empty();
        let layer = self.layer(&format!("{role}-content"), "application/octet-stream");
        body(IMAGE, [("artifactType", json!(artifact_type)), ("config", config), ("layers", json!([layer]))])
    }

    /// A manifest that is pushed, by its digest and under a tag if it has one.
    fn manifest(&mut self, role: &str, body: &Map<String, Value>, tag: Option<String>) -> Value {
        let media_type = match body["mediaType"].as_str() {
            Some(DOCKER_IMAGE) => DOCKER_IMAGE,
            Some(DOCKER_LIST) => DOCKER_LIST,
            Some(INDEX) => INDEX,
            _ => IMAGE,
        };
        let bytes = Bytes::from(json!(body).to_string());
        let digest = Digest::of(self.algorithm, &bytes);
        let descriptor = descriptor(media_type, &digest, bytes.len());
        let about = about(body, &descriptor);
        let (role, tag_parameters) = (role.to_owned(), Vec::new());
        self.manifests.push(Manifest { role, media_type, bytes, digest, tag, tag_parameters, about });
        descriptor
    }

    fn set(self, name: &'static str, needs: &[Data]) -> DataSet {
        let Self { blobs, manifests, .. } = self;
        DataSet { name, needs: needs.to_vec(), api: None, blobs, manifests, way: Way::Plain }
    }
}

fn descriptor(media_type: &str, digest: &Digest, size: usize) -> Value {
    json!({ "mediaType": media_type, "digest": digest.to_string(), "size": size })
}

fn body<const N: usize>(media_type: &str, fields: [(&str, Value); N]) -> Map<String, Value> {
    let mut body =
        Map::from_iter([("schemaVersion".to_owned(), json!(2)), ("mediaType".to_owned(), json!(media_type))]);
    body.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    body
}

/// An artifact has its type, an image without one that of its configuration, an index without one none.
fn about(body: &Map<String, Value>, descriptor: &Value) -> Option<About> {
    let subject = body.get("subject")?["digest"].as_str()?.parse().ok()?;
    let mut descriptor = descriptor.clone();
    let config_type = body.get("config").and_then(|config| config.get("mediaType"));
    if let Some(artifact_type) = body.get("artifactType").or(config_type) {
        descriptor["artifactType"] = artifact_type.clone();
    }
    if let Some(annotations) = body.get("annotations") {
        descriptor["annotations"] = annotations.clone();
    }
    Some(About { subject, descriptor })
}
