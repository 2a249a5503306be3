//! Containers that Debian's docker-registry filled, and what it does with what we wrote.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use jeroboam_blobs::swift::SwiftAccess;
use jeroboam_blobs::{Blobs as _, Condition, Freshness, List, Listed, Swift};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use crate::checks::{bytes, read, segments, write};
use crate::places::{Place, real, setting};

/// Debian's docker-registry on a container; it ends with this value.
struct Registry {
    child: Child,
    url: String,
    config: tempfile::TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<String> {
    let program = setting("DOCKER_REGISTRY").unwrap_or_else(|| "docker-registry".to_owned());
    let found = Command::new(&program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        assert!(
            setting("JEROBOAM_ALL_REGISTRY").is_none(),
            "docker-registry is not here: tools/setup.sh registry installs it"
        );
        println!("skipped: docker-registry is not here; tools/setup.sh registry installs it");
    }
    found.then_some(program)
}

impl Registry {
    async fn start(program: &str, place: &Place, chunk: u64) -> Self {
        let SwiftAccess::Legacy(legacy) = &place.config.access else { panic!("accounts of its own") };
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let config = tempfile::tempdir().unwrap();
        let text = format!(
            "version: 0.1\nlog: {{level: warn}}\nstorage:\n  swift: {{username: '{}', password: {}, authurl: '{}', container: {}, chunksize: {chunk}}}\n  \
             redirect: {{disable: true}}\n  delete: {{enabled: true}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n",
            legacy.user,
            legacy.key.expose_secret(),
            legacy.auth_url,
            place.config.container,
        );
        std::fs::write(config.path().join("config.yml"), text).unwrap();
        let mut command = Command::new(program);
        command.arg("serve").arg(config.path().join("config.yml")).env_remove("AWS_CA_BUNDLE");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let registry = Self { child, url: format!("http://127.0.0.1:{port}/v2"), config };
        for _ in 0..100 {
            if reqwest::get(format!("{}/", registry.url)).await.is_ok() {
                return registry;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("docker-registry does not answer");
    }

    async fn push(&self, repository: &str, content: &Bytes) {
        let client = reqwest::Client::new();
        let begun = client.post(format!("{}/{repository}/blobs/uploads/", self.url)).send().await.unwrap();
        let mut location = begun.headers()["location"].to_str().unwrap().to_owned();
        for piece in [content.slice(..content.len() / 3), content.slice(content.len() / 3..)] {
            let patch = client.patch(&location).header("content-type", "application/octet-stream").body(piece);
            let patched = patch.send().await.unwrap();
            assert_eq!(patched.status(), 202);
            location = patched.headers()["location"].to_str().unwrap().to_owned();
        }
        let done = client.put(format!("{location}&digest=sha256:{}", hex(content))).send().await.unwrap();
        assert_eq!(done.status(), 201);
    }

    async fn pull(&self, repository: &str, content: &Bytes) -> Bytes {
        let url = format!("{}/{repository}/blobs/sha256:{}", self.url, hex(content));
        let answer = reqwest::get(url).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap()
    }

    fn collect_garbage(&self, program: &str) {
        let mut command = Command::new(program);
        command.arg("garbage-collect").arg(self.config.path().join("config.yml")).env_remove("AWS_CA_BUNDLE");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn blob(content: &[u8]) -> String {
    let hex = hex(content);
    format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2])
}

async fn link(swift: &Swift, repository: &str, content: &[u8]) {
    let path = format!("docker/registry/v2/repositories/{repository}/_layers/sha256/{}/link", hex(content));
    swift.put(&path, format!("sha256:{}", hex(content)).into(), Condition::Always).await.unwrap();
}

fn places() -> Vec<Place> {
    real().into_iter().filter(|place| matches!(place.config.access, SwiftAccess::Legacy(_))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_distribution_wrote_is_read_and_removed_with_all_its_segments() {
    let Some(program) = program() else { return };
    for place in places() {
        let swift = place.open();
        let mut contents = Vec::new();
        for (seed, chunk) in [(1, 1_048_576), (2, 2_000_000)] {
            let registry = Registry::start(&program, &place, chunk).await;
            for size in [173, 5_000_000] {
                let content = bytes(size, seed + size as u64);
                registry.push("some/thing", &content).await;
                contents.push(content);
            }
        }
        assert!(segments(&place).await.len() >= 9, "more segments than objects");
        for content in &contents {
            let path = blob(content);
            assert_eq!(swift.head(&path, Freshness::Any).await.unwrap().unwrap().size, content.len() as u64);
            assert!(read(&swift, &path).await.unwrap() == *content);
            let folder = path.strip_suffix("data").unwrap();
            let page = swift.list(List { prefix: folder, after: None, folders: false, limit: 5 }).await.unwrap();
            assert!(matches!(&page.items[..], [Listed::Object { size: 0, .. }]), "or the listing could be believed");
        }
        // Everything is needed, and nothing garbage.
        let sweep = jeroboam_blobs::Sweep { older_than: jeroboam_model::Timestamp::MAX, live: &[], dry_run: false };
        assert_eq!(swift.sweep(sweep).await.unwrap().objects, 0);
        swift.relocate(&blob(&contents[1]), "trash/one").await.unwrap();
        assert!(read(&swift, "trash/one").await.unwrap() == contents[1]);
        swift.relocate("trash/one", &blob(&contents[1])).await.unwrap();
        let registry = Registry::start(&program, &place, 1_048_576).await;
        assert!(registry.pull("some/thing", &contents[1]).await == contents[1], "after it was in the trash");
        let paths: Vec<String> = contents.iter().map(|content| blob(content)).collect();
        swift.delete(&paths).await.unwrap();
        assert_eq!(segments(&place).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_wrote_is_read_and_removed_by_distribution() {
    let Some(program) = program() else { return };
    for place in places() {
        let swift = place.open();
        let alone = place.open_with(|config| config.exclusive = true);
        let (plain, dynamic, listed) = (bytes(3_000_000, 1), bytes(4_000_000, 2), bytes(4_000_001, 3));
        write(&swift, &blob(&plain), Some(3_000_000), &plain).await;
        write(&swift, &blob(&dynamic), None, &dynamic).await;
        write(&alone, &blob(&listed), None, &listed).await;
        for content in [&plain, &dynamic, &listed] {
            link(&swift, "a/b", content).await;
        }
        let registry = Registry::start(&program, &place, 1_048_576).await;
        for content in [&plain, &dynamic, &listed] {
            assert!(registry.pull("a/b", content).await == *content);
        }
        // No manifest needs any of them.
        registry.collect_garbage(&program);
        for content in [&plain, &dynamic, &listed] {
            assert_eq!(swift.head(&blob(content), Freshness::Newest).await.unwrap(), None);
        }
        let left = segments(&place).await;
        println!("distribution leaves {} segments of a static object, and none of a dynamic one", left.len());
        let sweep = jeroboam_blobs::Sweep { older_than: jeroboam_model::Timestamp::MAX, live: &[], dry_run: false };
        assert_eq!(swift.sweep(sweep).await.unwrap().bytes, 4_000_001, "what it leaves is found");
        assert_eq!(segments(&place).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handed_back_is_removed_by_distribution_with_its_segments() {
    let Some(program) = program() else { return };
    for place in places() {
        let alone = place.open_with(|config| config.exclusive = true);
        let (plain, large) = (bytes(3_000_000, 1), bytes(4_000_001, 3));
        write(&alone, &blob(&plain), Some(3_000_000), &plain).await;
        write(&alone, &blob(&large), None, &large).await;
        for content in [&plain, &large] {
            link(&alone, "a/b", content).await;
        }
        let rewritten = async |dry_run| {
            let (one, other) =
                (alone.hand_back(&blob(&plain), dry_run).await, alone.hand_back(&blob(&large), dry_run).await);
            (one.unwrap() + other.unwrap()).rewritten
        };
        assert_eq!([rewritten(true).await, rewritten(false).await, rewritten(false).await], [1, 1, 0]);
        assert!(read(&alone, &blob(&large)).await.unwrap() == large, "we read it, too");
        let registry = Registry::start(&program, &place, 1_048_576).await;
        assert!(registry.pull("a/b", &large).await == large);
        registry.collect_garbage(&program);
        assert_eq!(segments(&place).await, Vec::<String>::new());
    }
}
