mod away;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::BoxFuture;
use http::{Method, Request, StatusCode};
use jeroboam_blobs::{
    Blobs, Capabilities, Condition, Error, Freshness, Kind, List, ListPage, Memory, Object, ObjectMeta, Result,
    SharedBlobs, Sweep, Swept, Upload, UploadState, Writer, Written,
};
use jeroboam_model::{Clock, SystemClock};
use jeroboam_oci::{Algorithm, Digest, Reference, RepositoryName, Tag, layout};
use serde_json::{Value, json};

use super::*;
use crate::auth::Auth;
use crate::bed::{Server, Wanted, image, name, push, serves, until};
use crate::client::PutCondition;
use crate::events::Events;
use crate::http::{HttpConfig, Registry};
use crate::images::{Images, Local};
use crate::leases::{GRACE, Leases};
use crate::mirror::{MirrorSettings, UpstreamLimits, UpstreamSettings};
use crate::store::{Store, StoreConfig};

/// A place that can be away, hang, give wrong bytes, and counts what it is asked.
#[derive(Debug, Default)]
struct Place {
    objects: Memory,
    away: AtomicBool,
    hangs: AtomicBool,
    lies: AtomicBool,
    asked: AtomicUsize,
}

impl Place {
    async fn answer(&self) -> Result<()> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.away.load(Ordering::Relaxed) {
            Err(Error::new(Kind::Unavailable, "ask a store that is away"))
        } else {
            Ok(())
        }
    }
}

impl Blobs for Place {
    fn capabilities(&self) -> Capabilities {
        self.objects.capabilities()
    }

    fn seconds_ahead(&self) -> Option<i64> {
        Some(7)
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.answer())
    }

    fn head<'a>(&'a self, path: &'a str, freshness: Freshness) -> BoxFuture<'a, Result<Option<ObjectMeta>>> {
        Box::pin(async move {
            self.answer().await?;
            self.objects.head(path, freshness).await
        })
    }

    fn read<'a>(
        &'a self,
        path: &'a str,
        range: Option<std::ops::Range<u64>>,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<Option<Object>>> {
        Box::pin(async move {
            self.answer().await?;
            let object = self.objects.read(path, range, freshness).await?;
            if !self.lies.load(Ordering::Relaxed) {
                return Ok(object);
            }
            Ok(object.map(|object| Object {
                meta: object.meta,
                note: object.note,
                body: Box::pin(object.body.map_ok(|bytes| vec![b'?'; bytes.len()].into())),
            }))
        })
    }

    fn put<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        Box::pin(async move {
            self.answer().await?;
            self.objects.put(path, bytes, condition).await
        })
    }

    fn create<'a>(&'a self, path: &'a str, size: Option<u64>) -> BoxFuture<'a, Result<Box<dyn Writer>>> {
        self.objects.create(path, size)
    }

    fn upload<'a>(&'a self, at: &'a str, state: Option<UploadState>) -> BoxFuture<'a, Result<Box<dyn Upload>>> {
        self.objects.upload(at, state)
    }

    fn discard_upload<'a>(&'a self, at: &'a str, state: &'a UploadState) -> BoxFuture<'a, Result<()>> {
        self.objects.discard_upload(at, state)
    }

    fn list<'a>(&'a self, what: List<'a>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(async move {
            self.answer().await?;
            self.objects.list(what).await
        })
    }

    fn delete<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<()>> {
        self.objects.delete(paths)
    }

    fn relocate<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, Result<()>> {
        self.objects.relocate(from, to)
    }

    fn presign<'a>(&'a self, path: &'a str, lifetime: Duration) -> BoxFuture<'a, Result<Option<String>>> {
        self.objects.presign(path, lifetime)
    }

    fn sweep<'a>(&'a self, sweep: Sweep<'a>) -> BoxFuture<'a, Result<Swept>> {
        self.objects.sweep(sweep)
    }
}

struct Bed {
    place: Arc<Place>,
    folder: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        Self { place: Arc::default(), folder: tempfile::tempdir().expect("a folder") }
    }

    async fn cache(&self, size: u64) -> NodeCache {
        self.believing(size, Duration::from_secs(60)).await
    }

    async fn believing(&self, size: u64, believed: Duration) -> NodeCache {
        let place: SharedBlobs = self.place.clone();
        let folder = self.folder.path().join("cache");
        let settings = NodeCacheSettings { folder, size, believed };
        NodeCache::new(place, settings).await.expect("a cache")
    }

    async fn blob(&self, bytes: &[u8]) -> (Digest, String) {
        let digest = Digest::sha256(bytes);
        let path = layout::blob(&digest);
        self.place.objects.put(&path, Bytes::copy_from_slice(bytes), Condition::Always).await.expect("it is put");
        (digest, path)
    }

    fn asked(&self) -> usize {
        self.place.asked.swap(0, Ordering::Relaxed)
    }
}

async fn read(cache: &NodeCache, path: &str, range: Option<std::ops::Range<u64>>) -> Result<Option<Vec<u8>>> {
    let Some(object) = cache.read(path, range, Freshness::Any).await? else { return Ok(None) };
    let pieces: Vec<Bytes> = object.body.try_collect().await?;
    Ok(Some(pieces.concat()))
}

#[tokio::test]
async fn what_was_read_once_is_read_from_the_disk_also_while_the_store_is_away() {
    let (bed, bytes) = (Bed::new(), vec![7; 1 << 20]);
    let (_, path) = bed.blob(&bytes).await;
    let cache = bed.cache(10 << 20).await;
    assert_eq!(read(&cache, &path, None).await.expect("it is read"), Some(bytes.clone()));
    assert_eq!(bed.asked(), 1);
    bed.place.away.store(true, Ordering::Relaxed);
    assert_eq!(read(&cache, &path, None).await.expect("it is read"), Some(bytes.clone()));
    assert_eq!(read(&cache, &path, Some(5..9)).await.expect("it is read"), Some(bytes[5..9].to_vec()));
    assert_eq!(cache.head(&path, Freshness::Any).await.expect("it is there").map(|meta| meta.size), Some(1 << 20));
    assert_eq!(bed.asked(), 0);
    cache.probe().await.expect("it serves what it has");
    let other = layout::blob(&Digest::sha256(b"other"));
    assert!(read(&cache, &other, None).await.is_err(), "nobody knows whether it is there");
    drop(cache);
    // After a restart, too.
    let cache = bed.cache(10 << 20).await;
    assert_eq!(cache.bytes(), 1 << 20);
    assert_eq!(read(&cache, &path, None).await.expect("it is read"), Some(bytes));
}

#[tokio::test]
async fn tags_are_asked_for_each_time_and_links_when_the_answer_is_old() {
    let bed = Bed::new();
    let (name, tag): (RepositoryName, Tag) = ("a".parse().expect("a name"), "latest".parse().expect("a tag"));
    let (one, two) = (Digest::sha256(b"1"), Digest::sha256(b"2"));
    let (current, layer) = (layout::tag_current(&name, &tag), layout::layer(&name, &one));
    let cache = bed.cache(1 << 20).await;
    let put = |path: String, digest: Digest| {
        let place = bed.place.clone();
        async move { place.objects.put(&path, digest.to_string().into(), Condition::Always).await.expect("it is put") }
    };
    put(current.clone(), one.clone()).await;
    put(layer.clone(), one.clone()).await;
    let said = |digest: &Digest| Some(digest.to_string().into_bytes());
    assert_eq!(read(&cache, &current, None).await.expect("it is read"), said(&one));
    assert_eq!(read(&cache, &layer, None).await.expect("it is read"), said(&one));
    put(current.clone(), two.clone()).await;
    bed.asked();
    assert_eq!(read(&cache, &current, None).await.expect("it is read"), said(&two));
    assert_eq!(read(&cache, &layer, None).await.expect("it is read"), said(&one));
    assert_eq!(bed.asked(), 1, "only for the tag");
    bed.place.away.store(true, Ordering::Relaxed);
    assert_eq!(read(&cache, &current, None).await.expect("it is read"), said(&two), "what is here is given");
    drop(cache);
    let cache = bed.cache(1 << 20).await;
    assert_eq!(read(&cache, &current, None).await.expect("it is read"), said(&two), "after a restart, too");
    assert_eq!(read(&cache, &layer, None).await.expect("it is read"), said(&one));
    bed.place.away.store(false, Ordering::Relaxed);
    bed.place.objects.delete(std::slice::from_ref(&current)).await.expect("it is removed");
    // It is left alone for a moment after it did not answer.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(read(&cache, &current, None).await.expect("it is read"), None, "what is gone there is gone here");
    bed.place.away.store(true, Ordering::Relaxed);
    assert!(read(&cache, &current, None).await.is_err());
}

#[tokio::test]
async fn the_disk_holds_no_more_than_it_may_and_lets_go_of_what_was_used_least() {
    let bed = Bed::new();
    let mut paths = Vec::new();
    for n in 0..4_u8 {
        paths.push(bed.blob(&vec![n; 1000]).await.1);
    }
    let cache = bed.cache(3000).await;
    for path in &paths[..3] {
        read(&cache, path, None).await.expect("it is read");
    }
    read(&cache, &paths[0], None).await.expect("it is read");
    read(&cache, &paths[3], None).await.expect("it is read");
    assert_eq!(cache.bytes(), 3000);
    bed.place.away.store(true, Ordering::Relaxed);
    for (n, there) in [(0, true), (1, false), (2, true), (3, true)] {
        assert_eq!(read(&cache, &paths[n], None).await.is_ok(), there, "blob {n}");
    }
    let larger = bed.blob(&vec![9; 4000]).await.1;
    bed.place.away.store(false, Ordering::Relaxed);
    assert_eq!(read(&cache, &larger, None).await.expect("it is read").map(|bytes| bytes.len()), Some(4000));
    assert_eq!(cache.bytes(), 3000, "what does not fit is not kept");
}

#[tokio::test]
async fn wrong_bytes_are_neither_kept_nor_given_whole() {
    let bed = Bed::new();
    let (digest, path) = bed.blob(b"the right bytes").await;
    let cache = bed.cache(1 << 20).await;
    bed.place.lies.store(true, Ordering::Relaxed);
    assert!(read(&cache, &path, None).await.is_err());
    assert_eq!(cache.bytes(), 0);
    bed.place.lies.store(false, Ordering::Relaxed);
    read(&cache, &path, None).await.expect("it is read");
    drop(cache);
    // A disk that forgets.
    let file = bed.folder.path().join("cache/blobs/sha256").join(&digest.hex()[..2]).join(digest.hex());
    std::fs::write(&file, b"the wrong bytes").expect("it is written");
    let cache = bed.cache(1 << 20).await;
    assert_eq!(read(&cache, &path, None).await.expect("it is read").as_deref(), Some(&b"the right bytes"[..]));
    assert_eq!(std::fs::read(&file).expect("it is there"), b"the right bytes");
}

#[tokio::test]
async fn what_is_on_the_disk_and_what_is_not_is_counted() {
    let bed = Bed::new();
    let (_, path) = bed.blob(b"some bytes").await;
    let cache = bed.cache(1 << 20).await;
    for _ in 0..3 {
        assert!(read(&cache, &path, None).await.expect("it is read").is_some());
    }
    let absent = layout::blob(&Digest::sha256(b"nobody's"));
    assert!(read(&cache, &absent, None).await.expect("it is asked for").is_none());
    assert_eq!((cache.hits().hits(), cache.hits().misses()), (2, 1), "what is nowhere is neither");
    assert_eq!(cache.seconds_ahead(), Some(7), "the clock is that of the store");
}

#[tokio::test]
async fn a_folder_of_others_is_left_alone() {
    let bed = Bed::new();
    let place: SharedBlobs = bed.place.clone();
    let home = bed.folder.path().join("home");
    std::fs::create_dir(&home).expect("a folder");
    std::fs::write(home.join("diary"), b"dear").expect("a file");
    assert!(
        NodeCache::new(place, NodeCacheSettings { folder: home.clone(), size: 1, believed: Duration::ZERO })
            .await
            .is_err()
    );
    assert!(home.join("diary").exists());
}

#[tokio::test]
async fn what_only_a_node_still_has_is_written_again_by_a_push() {
    let bed = Bed::new();
    let cache: SharedBlobs = Arc::new(bed.cache(100 << 20).await);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let leases = Arc::new(Leases::in_memory(clock.clone(), GRACE));
    let store = Store::new(cache.clone(), clock, leases, StoreConfig::default());
    let (here, other): (RepositoryName, RepositoryName) = ("a".parse().expect("a name"), "b".parse().expect("a name"));
    for (n, algorithm) in [Algorithm::Sha256, Algorithm::Sha512].into_iter().enumerate() {
        // Too large to be taken in one piece.
        let bytes = Bytes::from(vec![u8::try_from(n).expect("it is small"); 3 << 20]);
        let digest = Digest::of(algorithm, &bytes);
        let path = layout::blob(&Digest::sha256(&bytes));
        let push = || {
            let body = futures::stream::iter([Ok(bytes.clone())]);
            store.put_blob(&here, &digest, Some(bytes.len() as u64), Box::pin(body))
        };
        push().await.expect("it is pushed");
        let body = cache.read(&path, None, Freshness::Any).await.expect("it is read").expect("it is there").body;
        body.try_collect::<Vec<_>>().await.expect("it is read");
        // Another registry of the same store collects it.
        bed.place.objects.delete(std::slice::from_ref(&path)).await.expect("it is removed");
        let held = cache.head(&path, Freshness::Any).await.expect("it is here");
        assert!(held.is_some(), "the node has it, and believes that the store has it, too");
        store.forget_blobs(&[Digest::sha256(&bytes)]).await;
        let mounted = store.mount_blob(&other, &here, &digest).await.expect("the store answers");
        assert_eq!(mounted, None, "{algorithm:?}");
        push().await.expect("it is pushed");
        let there = bed.place.objects.head(&path, Freshness::Any).await.expect("it is asked");
        assert_eq!(there.map(|meta| meta.size), Some(bytes.len() as u64), "{algorithm:?}");
    }
}

/// A registry that has just begun.
fn registry(place: SharedBlobs, takes_no_pushes: Option<&'static str>) -> Registry {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let leases = Arc::new(Leases::in_memory(clock.clone(), GRACE));
    let config = StoreConfig { verify_reads: 0, ..StoreConfig::default() };
    let store = Arc::new(Store::new(place, clock, leases, config));
    Registry::new(store, Auth::open(), Events::silent(), HttpConfig { takes_no_pushes, ..HttpConfig::default() })
}

async fn answer(registry: &Registry, method: Method, path: &str) -> StatusCode {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
    let response = registry.respond(request).await;
    let status = response.status();
    axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("it is read");
    status
}

#[tokio::test]
async fn what_the_store_does_not_have_any_more_is_not_given_for_long() {
    let bed = Bed::new();
    let (_, path) = bed.blob(b"bytes").await;
    let cache = bed.believing(1 << 20, Duration::ZERO).await;
    read(&cache, &path, None).await.expect("it is read");
    bed.place.objects.delete(std::slice::from_ref(&path)).await.expect("it is removed");
    assert_eq!(read(&cache, &path, None).await.expect("the store answers"), None);
    assert_eq!(cache.bytes(), 0);
}

#[tokio::test]
async fn a_store_that_hangs_is_waited_for_no_longer_than_some_seconds() {
    let bed = Bed::new();
    let (name, tag): (RepositoryName, Tag) = ("a".parse().expect("a name"), "latest".parse().expect("a tag"));
    let (digest, path) = bed.blob(b"bytes").await;
    let current = layout::tag_current(&name, &tag);
    bed.place.objects.put(&current, digest.to_string().into(), Condition::Always).await.expect("it is put");
    let cache = bed.believing(1 << 20, Duration::ZERO).await;
    read(&cache, &current, None).await.expect("it is read");
    read(&cache, &path, None).await.expect("it is read");
    bed.place.hangs.store(true, Ordering::Relaxed);
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(read(&cache, &current, None).await.expect("it is here"), Some(digest.to_string().into_bytes()));
        assert_eq!(read(&cache, &path, None).await.expect("it is here"), Some(b"bytes".to_vec()));
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn many_who_want_the_same_blob_at_once_take_room_for_it_once() {
    let bed = Bed::new();
    let path = bed.blob(&vec![1; 3000]).await.1;
    let cache = bed.cache(4000).await;
    let mut bodies = Vec::new();
    for _ in 0..5 {
        bodies.push(cache.read(&path, None, Freshness::Any).await.expect("it is read").expect("it is there").body);
    }
    let files = std::fs::read_dir(bed.folder.path().join("cache/tmp")).expect("a folder").count();
    assert_eq!(files, 1);
    // There is no room for another one beside it, and it is given all the same.
    let other = bed.blob(&vec![2; 2000]).await.1;
    assert_eq!(read(&cache, &other, None).await.expect("it is read"), Some(vec![2; 2000]));
    assert_eq!(cache.bytes(), 0);
    for body in bodies {
        assert_eq!(body.try_collect::<Vec<Bytes>>().await.expect("it is read").concat(), vec![1; 3000]);
    }
    assert_eq!(cache.bytes(), 3000);
    assert_eq!(read(&cache, &other, None).await.expect("it is read").map(|bytes| bytes.len()), Some(2000));
    assert_eq!(cache.bytes(), 2000, "the older one made room");
}

fn settings(credentials: Credentials) -> NodeSettings {
    NodeSettings {
        namespace: "kube-system".to_owned(),
        image: "registry.example.org/jeroboam:1".to_owned(),
        port: 5000,
        auth_url: "https://keystone.example.org/v3".to_owned(),
        region: "RegionOne".to_owned(),
        container: "docker_registry".to_owned(),
        ca_cert: None,
        credentials,
        cache_size: "20GiB".to_owned(),
        push: true,
        mirrors: vec!["docker.io".to_owned(), "ghcr.io".to_owned()],
    }
}

fn application() -> Credentials {
    Credentials::Application { id: "abc".to_owned(), secret: "hunter\"2".to_owned().into() }
}

#[test]
fn a_daemon_set_is_reached_from_its_node_alone() {
    let all = resources(&settings(application()));
    let kinds: Vec<_> = all.iter().map(|object| object["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["ServiceAccount", "ConfigMap", "Secret", "DaemonSet"]);
    assert!(all.iter().all(|object| object["metadata"]["namespace"] == "kube-system"));
    let pod = &all[3]["spec"]["template"]["spec"];
    // A pod with a network of its own could be reached by all others.
    assert_eq!((&pod["hostNetwork"], &pod["dnsPolicy"]), (&json!(true), &json!("ClusterFirstWithHostNet")));
    let config: Value = serde_json::from_str(all[1]["data"]["config.yml"].as_str().expect("a text")).expect("JSON");
    assert_eq!(config["http"]["addr"], "127.0.0.1:5000");
    assert!(config["jeroboam"].get("insecureopen").is_none());
    let container = &pod["containers"][0];
    for probe in ["readinessProbe", "livenessProbe"] {
        assert_eq!(container[probe]["httpGet"]["host"], "127.0.0.1");
    }
    // What the image has, and what can be written to in it.
    let image = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/registry/Containerfile"));
    for container in [container, &pod["initContainers"][0]] {
        let program = container["command"][0].as_str().expect("a path");
        assert!(image.lines().any(|line| line.ends_with(&format!(" {program}"))), "{program}");
        assert_ne!(container["args"][0], "registry", "by this name the program knows what is meant");
    }
    let cache = container["volumeMounts"].as_array().expect("a list").iter().find(|mount| mount["name"] == "cache");
    let cache = cache.expect("a volume")["mountPath"].as_str().expect("a path");
    let spool = &container["env"][0];
    assert_eq!(spool["name"], "TMPDIR");
    for folder in [&spool["value"], &config["jeroboam"]["nodecache"]["directory"]] {
        let folder = folder.as_str().expect("a path");
        assert!(folder.strip_prefix(cache).is_some_and(|rest| rest.starts_with('/')), "{folder}");
    }
    let containers =
        [&pod["initContainers"], &pod["containers"]].into_iter().flat_map(|list| list.as_array().expect("a list"));
    let mounts = containers.flat_map(|one| one["volumeMounts"].as_array().expect("a list"));
    let mounted: BTreeSet<_> = mounts.map(|mount| mount["name"].to_string()).collect();
    let volumes: BTreeSet<_> =
        pod["volumes"].as_array().expect("a list").iter().map(|v| v["name"].to_string()).collect();
    assert_eq!(mounted, volumes, "each volume is mounted, and each mount has a volume");
    assert_eq!(
        all[3]["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"],
        pod_labels(&all[3])["app.kubernetes.io/name"]
    );
}

fn pod_labels(daemon_set: &Value) -> &Value {
    &daemon_set["spec"]["template"]["metadata"]["labels"]
}

#[test]
fn secrets_are_in_the_secret_alone() {
    let trust = Credentials::Trust {
        trust_id: "t".to_owned(),
        user_name: "u".to_owned(),
        domain_id: "d".to_owned(),
        password: "hunter2".to_owned().into(),
    };
    let password = Credentials::Password {
        user_name: "u".to_owned(),
        domain: "Default".to_owned(),
        project: "p".to_owned(),
        project_domain: "Default".to_owned(),
        password: "hunter2".to_owned().into(),
    };
    for (credentials, lines, secret) in [
        (application(), "applicationcredentialid: \"abc\"\napplicationcredentialsecret: \"hunter\\\"2\"\n", "hunter"),
        (trust, "username: \"u\"\ndomainid: \"d\"\ntrustid: \"t\"\npassword: \"hunter2\"\n", "hunter2"),
        (
            password,
            "username: \"u\"\ndomain: \"Default\"\ntenant: \"p\"\ntenantdomain: \"Default\"\npassword: \"hunter2\"\n",
            "hunter2",
        ),
    ] {
        let all = resources(&settings(credentials));
        assert_eq!(all[2]["stringData"]["secrets.yml"], lines);
        for object in all.iter().filter(|object| object["kind"] != "Secret") {
            assert!(!object.to_string().contains(secret), "{object}");
        }
    }
}

#[test]
fn the_configuration_of_a_node_is_one_that_the_registry_reads() {
    let with_ca = NodeSettings { ca_cert: Some("pem".to_owned()), ..settings(application()) };
    let all = resources(&with_ca);
    let text = all[1]["data"]["config.yml"].as_str().expect("a text");
    let read = crate::config::Config::read(text, &std::collections::BTreeMap::new()).expect("it is YAML");
    let wrong: Vec<_> = read.remarks.iter().map(ToString::to_string).collect();
    assert_eq!(wrong, Vec::<String>::new());
    let config = read.into_config().expect("a configuration");
    let cache = config.ours.node_cache.expect("it is a cache on a node");
    assert_eq!((cache.size, cache.push), (20 << 30, true));
    assert_eq!(config.ours.mirrors.len(), 2);
    assert_eq!(all[1]["data"]["ca.pem"], "pem");
    let text = yaml(&with_ca);
    assert_eq!(text.matches("\n---\n").count() + 1, 4);
    for (document, object) in text.split("---\n").skip(1).zip(&all) {
        let again: Value = serde_saphyr::from_str(document).expect("it is YAML");
        assert_eq!(again, *object);
    }
}

#[test]
fn containerd_asks_the_node_first() {
    let files = hosts(5000, &["docker.io".to_owned()]);
    let names: Vec<_> = files.iter().map(|file| file.host.as_str()).collect();
    assert_eq!(names, ["localhost:5000", "127.0.0.1:5000", "docker.io"]);
    assert_eq!(
        files[2].text,
        "server = \"https://registry-1.docker.io\"\n\n[host.\"http://127.0.0.1:5000\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
    );
    assert!(files[0].text.starts_with("server = \"http://127.0.0.1:5000\"\n"));
}

#[test]
fn a_unit_keeps_its_configuration_from_others() {
    let text = unit("/usr/bin/jeroboam", "/etc/jeroboam/registry.yml");
    assert!(text.contains("ExecStart=/usr/bin/jeroboam registry serve ${CREDENTIALS_DIRECTORY}/config.yml\n"));
    assert!(text.contains("LoadCredential=config.yml:/etc/jeroboam/registry.yml\n"));
    assert!(text.contains("DynamicUser=yes\n"));
}
