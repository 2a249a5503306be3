//! A registry on a free port of the loopback, and a client that says what it sees.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jeroboam_blobs::{Directory, Memory, SharedBlobs};
use jeroboam_model::{ManualClock, Timestamp};
use jeroboam_oci::Digest;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::counting::Counting;
use crate::auth::{Auth, Peer};
use crate::events::Events;
use crate::http::{HttpConfig, Registry, service};
use crate::leases::{GRACE, Leases};
use crate::store::{Store, StoreConfig};

pub(super) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub(super) struct Bed {
    pub(super) address: SocketAddr,
    pub(super) store: Arc<Store>,
    pub(super) blobs: Arc<Counting>,
    pub(super) clock: Arc<ManualClock>,
    registry: Registry,
    client: Client<HttpConnector, Body>,
    _tasks: JoinSet<()>,
    _folder: Option<TempDir>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The code of the first error.
    pub(super) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Path and query of the location.
    pub(super) fn location(&self) -> String {
        let location = self.header("location");
        match location.split_once("://") {
            Some((_, rest)) => rest[rest.find('/').unwrap()..].to_owned(),
            None => location.to_owned(),
        }
    }

    #[track_caller]
    pub(super) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }
}

pub(super) fn everything_allowed() -> StoreConfig {
    // A read that is compared by chance would answer otherwise by chance.
    StoreConfig { delete_enabled: true, verify_reads: 0, ..StoreConfig::default() }
}

impl Bed {
    /// A registry over each kind of place that needs no network.
    pub(super) async fn each() -> Vec<Self> {
        vec![Self::memory().await, Self::directory().await]
    }

    pub(super) async fn memory() -> Self {
        Self::over(Arc::new(Memory::default()), everything_allowed(), HttpConfig::default()).await
    }

    async fn directory() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Directory::open(folder.path()).await.unwrap());
        let mut bed = Self::over(blobs, everything_allowed(), HttpConfig::default()).await;
        bed._folder = Some(folder);
        bed
    }

    pub(super) async fn with(config: StoreConfig, http: HttpConfig) -> Self {
        Self::over(Arc::new(Memory::default()), config, http).await
    }

    pub(super) async fn over(blobs: SharedBlobs, config: StoreConfig, http: HttpConfig) -> Self {
        Self::counting(Counting::new(blobs), config, http).await
    }

    pub(super) async fn counting(blobs: Counting, config: StoreConfig, http: HttpConfig) -> Self {
        let blobs = Arc::new(blobs);
        let clock = Arc::new(ManualClock::at("2026-11-21T00:27:32Z".parse::<Timestamp>().unwrap()));
        let leases = Arc::new(Leases::in_memory(clock.clone(), GRACE));
        let store = Arc::new(Store::new(blobs.clone(), clock.clone(), leases, config));
        let registry = Registry::new(store.clone(), Auth::open(), Events::silent(), http);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        let peer = Peer { address: Some(address.ip()), ..Peer::default() };
        let served = service(registry.clone()).layer(axum::Extension(peer)).into_make_service();
        tasks.spawn(async move { axum::serve(listener, served).await.unwrap() });
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { address, store, blobs, clock, registry, client, _tasks: tasks, _folder: None }
    }

    /// Another process over the same place, which knows nothing of the first.
    pub(super) async fn another(&self) -> Self {
        Self::over(self.blobs.clone(), self.store.config().clone(), HttpConfig::default()).await
    }

    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let sent = tokio::time::timeout(Duration::from_secs(60), self.client.request(request));
        let response = sent.await.expect("an answer in a minute").expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// Answers a request that no client of ours would send.
    pub(super) async fn respond(&self, request: Request<Body>) -> http::Response<Body> {
        self.registry.respond(request).await
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], Body::empty()).await
    }

    pub(super) async fn head(&self, path: &str) -> Reply {
        let reply = self.send(Method::HEAD.as_str(), path, &[], Body::empty()).await;
        assert!(reply.body.is_empty(), "a HEAD has no body");
        reply
    }

    pub(super) async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &[], Body::empty()).await
    }

    /// Pushes a blob the way most clients do.
    pub(super) async fn push(&self, name: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        self.push_as(name, &digest, bytes).await;
        digest
    }

    pub(super) async fn push_as(&self, name: &str, digest: &Digest, bytes: &[u8]) {
        let begun = self.send("POST", &format!("/v2/{name}/blobs/uploads/"), &[], Body::empty()).await.is(202);
        let location = format!("{}&digest={digest}", begun.location());
        self.send("PUT", &location, &[], bytes.to_vec()).await.is(201);
    }

    /// Pushes an image with one layer under a tag.
    pub(super) async fn push_image(&self, name: &str, tag: &str, layer: &[u8]) -> (Digest, Vec<u8>) {
        self.push(name, b"{}").await;
        self.push(name, layer).await;
        let manifest = image(layer, "");
        self.put_manifest(name, tag, IMAGE, &manifest).await.is(201);
        (Digest::sha256(&manifest), manifest)
    }

    pub(super) async fn put_manifest(&self, name: &str, reference: &str, media_type: &str, manifest: &[u8]) -> Reply {
        let path = format!("/v2/{name}/manifests/{reference}");
        self.send("PUT", &path, &[("content-type", media_type)], manifest.to_vec()).await
    }
}

/// An image of one layer. `more` are further fields, each with a comma before it.
pub(super) fn image(layer: &[u8], more: &str) -> Vec<u8> {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{},"layers":[{}]{more}}}"#,
        descriptor("application/vnd.oci.image.config.v1+json", b"{}"),
        descriptor("application/vnd.oci.image.layer.v1.tar", layer),
    )
    .into_bytes()
}

pub(super) fn index(manifests: &[&[u8]], more: &str) -> Vec<u8> {
    let manifests: Vec<String> = manifests.iter().map(|manifest| descriptor(IMAGE, manifest)).collect();
    format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]{more}}}"#, manifests.join(",")).into_bytes()
}

pub(super) fn descriptor(media_type: &str, bytes: &[u8]) -> String {
    let digest = Digest::sha256(bytes);
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}}}"#, bytes.len())
}
