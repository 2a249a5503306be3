//! Registries of ours on ports of the loopback, for tests of what lies between two of them. They can be killed, and come back where they were.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderValue, Method, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use jeroboam_blobs::{Memory, SharedBlobs};
use jeroboam_model::{Clock, SystemClock};
use jeroboam_oci::manifest::{Descriptor, MediaType};
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::{Auth, Peer};
use crate::client::{RawManifest, Remote, RemoteSettings, Retries};
use crate::config::Children;
use crate::events::Events;
use crate::http::{HttpConfig, Registry, service};
use crate::images::Local;
use crate::leases::{GRACE, Leases};
use crate::mirror::{Mirror, MirrorSettings};
use crate::replicate::{ReplicateSettings, Replication};
use crate::store::{Store, StoreConfig};

/// What goes wrong on the way, and what was asked.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    asked: Mutex<Vec<String>>,
    /// Answers in place of those of the registry, with a `Retry-After`, to requests whose path has this in it.
    refusals: Mutex<VecDeque<(&'static str, StatusCode, &'static str)>>,
    /// Bytes after which the next bodies of blobs end, once each.
    cuts: Mutex<VecDeque<u64>>,
    /// Requests that wait, once each: what their method and path have in them, and until when.
    held: Mutex<Vec<(String, oneshot::Receiver<()>)>>,
    /// Bytes of blobs that were sent.
    sent: AtomicU64,
}

impl Faults {
    pub(crate) fn refuse(&self, path: &'static str, status: StatusCode, retry_after: &'static str) {
        self.refusals.lock().unwrap().push_back((path, status, retry_after));
    }

    pub(crate) fn cut(&self, after: u64) {
        self.cuts.lock().unwrap().push_back(after);
    }

    /// Holds back the next request of whose method and path this is a part, until what is returned goes.
    pub(crate) fn hold(&self, part: &str) -> oneshot::Sender<()> {
        let (holder, held) = oneshot::channel();
        self.held.lock().unwrap().push((part.to_owned(), held));
        holder
    }

    /// What was asked since the last time, of paths with this in it.
    pub(crate) fn asked(&self, part: &str) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap();
        let (found, others) = std::mem::take(&mut *asked).into_iter().partition(|line| line.contains(part));
        *asked = others;
        found
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.swap(0, Ordering::Relaxed)
    }

    fn held(&self, line: &str) -> Option<oneshot::Receiver<()>> {
        let mut held = self.held.lock().unwrap();
        let at = held.iter().position(|(part, _)| line.contains(part.as_str()))?;
        Some(held.remove(at).1)
    }

    fn refusal(&self, path: &str) -> Option<(StatusCode, &'static str)> {
        let mut refusals = self.refusals.lock().unwrap();
        let (part, status, retry_after) = refusals.front().copied()?;
        path.contains(part).then(|| {
            refusals.pop_front();
            (status, retry_after)
        })
    }
}

async fn with_faults(State(faults): State<Arc<Faults>>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let line = format!("{method} {path}");
    let held = faults.held(&line);
    faults.asked.lock().unwrap().push(line);
    if let Some(held) = held {
        let _ = held.await;
    }
    if let Some((status, retry_after)) = faults.refusal(&path) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        if !retry_after.is_empty() {
            response.headers_mut().insert("retry-after", HeaderValue::from_static(retry_after));
        }
        return response;
    }
    let response = next.run(request).await;
    if method != Method::GET || !path.contains("/blobs/sha") || !response.status().is_success() {
        return response;
    }
    let left = faults.cuts.lock().unwrap().pop_front();
    let (parts, body) = response.into_parts();
    let mut left = left.unwrap_or(u64::MAX);
    let body = body.into_data_stream().map(move |piece| {
        let piece: Bytes = piece.map_err(std::io::Error::other)?;
        if piece.len() as u64 > left {
            return Err(std::io::Error::other("the connection is cut"));
        }
        left -= piece.len() as u64;
        faults.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Ok(piece)
    });
    Response::from_parts(parts, Body::from_stream(body))
}

/// What a registry is like.
#[derive(Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) replicate: Option<ReplicateSettings>,
    pub(crate) mirror: Option<MirrorSettings>,
    pub(crate) sparse: bool,
}

/// A registry that runs.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) registry: Registry,
    pub(crate) store: Arc<Store>,
    pub(crate) blobs: SharedBlobs,
    pub(crate) faults: Arc<Faults>,
    pub(crate) replication: Replication,
    pub(crate) cancel: CancellationToken,
    pub(crate) tasks: TaskTracker,
    connections: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(wanted: Wanted) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), Arc::new(Memory::default()), wanted).await
    }

    pub(crate) async fn at(address: SocketAddr, blobs: SharedBlobs, wanted: Wanted) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let leases = Arc::new(Leases::in_memory(clock.clone(), GRACE));
        let children = if wanted.sparse { Children::None } else { Children::All };
        // A read that is compared by chance would answer otherwise by chance.
        let config = StoreConfig { delete_enabled: true, children, verify_reads: 0, ..StoreConfig::default() };
        let store = Arc::new(Store::new(blobs.clone(), clock.clone(), leases, config));
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let mut registry = Registry::new(store.clone(), Auth::open(), Events::silent(), HttpConfig::default());
        let mut replication = Replication::none();
        if let Some(settings) = wanted.replicate {
            replication = Replication::start(settings, store.clone(), clock.clone(), &tasks, &cancel).unwrap();
            registry = registry.with_replication(replication.clone());
        }
        if let Some(settings) = wanted.mirror {
            registry = registry.with_mirror(Mirror::start(settings, store.clone(), clock, &tasks, &cancel).unwrap());
        }
        let faults = Arc::new(Faults::default());
        let peer = Peer { address: Some("127.0.0.1".parse().unwrap()), ..Peer::default() };
        let layer = axum::middleware::from_fn_with_state(faults.clone(), with_faults);
        let app = service(registry.clone()).layer(axum::Extension(peer)).layer(layer);
        let (address, connections) = listen(address, app).await;
        Self { address, registry, store, blobs, faults, replication, cancel, tasks, connections }
    }

    pub(crate) fn settings(&self) -> RemoteSettings {
        settings(self.address)
    }

    pub(crate) fn remote(&self) -> Arc<Remote> {
        Arc::new(Remote::new(self.settings(), Arc::new(SystemClock)).unwrap())
    }

    pub(crate) fn local(&self) -> Local {
        Local::new(self.store.clone())
    }

    /// The process is gone, and so are its connections and whatever it had only in memory. What was in the store stays.
    pub(crate) async fn kill(mut self) -> (SocketAddr, SharedBlobs) {
        self.cancel.cancel();
        self.connections.shutdown().await;
        self.tasks.close();
        self.tasks.wait().await;
        (self.address, self.blobs)
    }
}

/// Serves an application on the loopback, each connection in a task of the set.
pub(crate) async fn listen(address: SocketAddr, app: Router) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(app.clone());
            connections.spawn(async move {
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
            while connections.try_join_next().is_some() {}
        }
    });
    (address, tasks)
}

/// How such a registry is spoken to by somebody with little patience.
pub(crate) fn settings(address: SocketAddr) -> RemoteSettings {
    let retries = Retries { attempts: 3, base: Duration::from_millis(10), patience: Duration::from_secs(2) };
    RemoteSettings { retries, ..RemoteSettings::new(format!("http://{address}").parse().unwrap()) }
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

pub(crate) fn by_tag(text: &str) -> Reference {
    Reference::Tag(tag(text))
}

/// Bytes that no other seed gives.
pub(crate) fn bytes(seed: &str, length: usize) -> Bytes {
    let digest = Digest::sha256(seed.as_bytes());
    digest.hex().bytes().cycle().take(length).collect::<Vec<u8>>().into()
}

/// An image: its manifest, and its blobs with their bytes.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) manifest: RawManifest,
    pub(crate) blobs: Vec<(Digest, Bytes)>,
}

/// An image of two layers. It is about another one, if that is given.
pub(crate) fn image(seed: &str, subject: Option<&RawManifest>) -> Image {
    let config = Bytes::from(json!({"seed": seed}).to_string());
    let layers = [bytes(&format!("{seed}-1"), 300_000), bytes(&format!("{seed}-2"), 1000)];
    let described =
        |media_type: &str, bytes: &Bytes| Descriptor::new(media_type, Digest::sha256(bytes), bytes.len() as u64);
    let mut document = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OciManifest.as_str(),
        "config": described("application/vnd.oci.image.config.v1+json", &config),
        "layers": layers.each_ref().map(|layer| described("application/vnd.oci.image.layer.v1.tar", layer)),
    });
    if let Some(subject) = subject {
        document["subject"] =
            json!(Descriptor::new(&*subject.media_type, subject.digest.clone(), subject.bytes.len() as u64));
        document["artifactType"] = json!("application/vnd.example.signature");
    }
    let blobs = std::iter::once(config).chain(layers).map(|bytes| (Digest::sha256(&bytes), bytes));
    Image { manifest: raw(&document, MediaType::OciManifest), blobs: blobs.collect() }
}

/// An index of images.
pub(crate) fn index(children: &[&RawManifest]) -> RawManifest {
    let described = |raw: &&RawManifest| Descriptor::new(&*raw.media_type, raw.digest.clone(), raw.bytes.len() as u64);
    let document = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OciIndex.as_str(),
        "manifests": children.iter().map(described).collect::<Vec<_>>(),
    });
    raw(&document, MediaType::OciIndex)
}

fn raw(document: &serde_json::Value, media_type: MediaType) -> RawManifest {
    let bytes = Bytes::from(document.to_string());
    RawManifest { digest: Digest::sha256(&bytes), media_type: media_type.as_str().to_owned(), bytes }
}

/// Pushes an image over HTTP, as a client does.
pub(crate) async fn push(
    server: &Server,
    repository: &str,
    label: Option<&str>,
    image: &Image,
) -> Result<(), crate::client::ClientError> {
    let (remote, repository) = (server.remote(), name(repository));
    for (digest, bytes) in &image.blobs {
        remote.push_blob(&repository, digest, bytes.len() as u64, &[], &InMemory(bytes.clone())).await?;
    }
    let label = label.map(tag);
    remote.put_manifest(&repository, label.as_ref(), &image.manifest, &Default::default(), None).await
}

/// Bytes that are sent from memory.
pub(crate) struct InMemory(pub(crate) Bytes);

impl crate::client::Source for InMemory {
    fn read(&self, from: u64) -> futures::future::BoxFuture<'_, crate::client::Result<crate::client::BlobStream>> {
        let rest = self.0.slice(usize::try_from(from).unwrap()..);
        let pieces: Vec<_> = rest.chunks(64 << 10).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Box::pin(async move { Ok(futures::stream::iter(pieces).boxed()) })
    }
}

/// All bytes of a blob, over HTTP.
pub(crate) async fn pull_blob(server: &Server, repository: &str, digest: &Digest) -> Option<Bytes> {
    let remote = server.remote();
    let size = remote.blob_size(&name(repository), digest).await.unwrap()?;
    let body = remote.blob(&name(repository), digest, size, 0).await.unwrap()?;
    let pieces: Vec<_> = body.collect().await;
    let pieces: Vec<Bytes> = pieces.into_iter().collect::<Result<_, _>>().unwrap();
    Some(pieces.concat().into())
}

/// Whether a registry serves a tagged image, byte for byte.
pub(crate) async fn serves(server: &Server, repository: &str, label: &str, image: &Image) -> bool {
    let found = server.remote().manifest(&name(repository), &by_tag(label)).await;
    if found.unwrap().as_ref() != Some(&image.manifest) {
        return false;
    }
    for (digest, bytes) in &image.blobs {
        if pull_blob(server, repository, digest).await.as_ref() != Some(bytes) {
            return false;
        }
    }
    true
}

/// Waits until something is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    for _ in 0..600 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came about: {what}");
}
