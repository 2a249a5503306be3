//! A registry's program and the commands that look after its store, on a directory: collected while pushes go on, torn, mended, handed back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jeroboam_oci::Digest;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::bed::{Process, free_port, until};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// A registry, its folder, and the folder of its store.
struct Registry {
    dir: TempDir,
    port: u16,
    numbers: u16,
    process: Option<Process>,
    client: Client,
}

/// An image of one layer.
#[derive(Clone)]
struct Image {
    layer: String,
    config: String,
    manifest: String,
}

impl Image {
    fn of(text: &str) -> Self {
        let (layer, config) = (format!("layer {text}"), json!({"image": text}).to_string());
        let part = |kind: &str, bytes: &str| json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest(bytes), "size": bytes.len()});
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": part("config.v1+json", &config),
            "layers": [part("layer.v1.tar", &layer)],
        });
        Self { layer, config, manifest: manifest.to_string() }
    }

    fn digest(&self) -> String {
        digest(&self.manifest)
    }
}

fn digest(bytes: &str) -> String {
    Digest::sha256(bytes.as_bytes()).to_string()
}

impl Registry {
    /// With this below `jeroboam:` and this below `storage:`.
    async fn start(ours: &str, storage: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().expect("a client");
        let mut registry = Self { dir, port: free_port(), numbers: free_port(), process: None, client };
        registry.configure(ours, storage);
        registry.run().await;
        registry
    }

    fn configure(&self, ours: &str, storage: &str) {
        let (port, numbers, root) = (self.port, self.numbers, self.root().display().to_string());
        let text = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage:\n  filesystem: {{rootdirectory: {root}}}\n  delete: {{enabled: true}}\n{storage}\
             http:\n  addr: 127.0.0.1:{port}\n  debug: {{addr: '127.0.0.1:{numbers}', prometheus: {{enabled: true}}}}\njeroboam:\n{ours}"
        );
        std::fs::write(self.config(), text).expect("written");
    }

    async fn run(&mut self) {
        let config = self.config();
        let mut process =
            Process::start(self.dir.path(), "registry", &["registry", "serve", config.to_str().expect("utf-8")]);
        let url = self.url("/v2/");
        until("the registry", || {
            assert!(!process.ended(), "it ended: {}", process.last_words());
            let asked = self.client.get(&url).send();
            async move { asked.await.is_ok_and(|answer| answer.status() == StatusCode::OK).then_some(()) }
        })
        .await;
        self.process = Some(process);
    }

    fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// As systemd ends it.
    async fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        let status = Command::new("kill").arg(process.pid().to_string()).status().expect("kill");
        assert!(status.success());
        until("its end", || {
            let ended = process.ended().then_some(());
            async move { ended }
        })
        .await;
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("registry.log")).expect("a log")
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("config.yml")
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root().join("docker/registry/v2").join(below)
    }

    fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").expect("a digest");
        self.path(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]))
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The status of an answer; `None` where there is none.
    async fn ask(&self, method: Method, path: &str, body: &str) -> Option<(StatusCode, String)> {
        let asked = self.client.request(method, self.url(path)).header("accept", IMAGE).body(body.to_owned());
        let answer = asked.send().await.ok()?;
        Some((answer.status(), answer.text().await.ok()?))
    }

    async fn get(&self, path: &str) -> StatusCode {
        self.ask(Method::GET, path, "").await.expect("an answer").0
    }

    async fn push_blob(&self, name: &str, bytes: &str) -> Result<(), String> {
        let digest = digest(bytes);
        let head = self.ask(Method::HEAD, &format!("/v2/{name}/blobs/{digest}"), "").await.ok_or("away")?;
        match head.0 {
            StatusCode::OK => return Ok(()),
            StatusCode::NOT_FOUND => {}
            other => return Err(format!("HEAD {other}")),
        }
        let post = self.ask(Method::POST, &format!("/v2/{name}/blobs/uploads/?digest={digest}"), bytes).await;
        let (status, said) = post.ok_or("away")?;
        if status == StatusCode::CREATED { Ok(()) } else { Err(format!("POST {status} {said}")) }
    }

    /// Pushes as clients do: what is there is not sent again.
    async fn push(&self, name: &str, tag: &str, image: &Image) -> Result<(), String> {
        for bytes in [&image.layer, &image.config] {
            self.push_blob(name, bytes).await?;
        }
        let put = self.ask(Method::PUT, &format!("/v2/{name}/manifests/{tag}"), &image.manifest).await;
        let (status, said) = put.ok_or("away")?;
        if status == StatusCode::CREATED { Ok(()) } else { Err(format!("PUT {status} {said}")) }
    }

    /// Whether all of an image is there, as it was pushed.
    async fn has(&self, name: &str, reference: &str, image: &Image) -> bool {
        let manifest = self.ask(Method::GET, &format!("/v2/{name}/manifests/{reference}"), "").await;
        let mut whole = manifest == Some((StatusCode::OK, image.manifest.clone()));
        for bytes in [&image.layer, &image.config] {
            let blob = self.ask(Method::GET, &format!("/v2/{name}/blobs/{}", digest(bytes)), "").await;
            whole &= blob == Some((StatusCode::OK, bytes.clone()));
        }
        whole
    }

    async fn delete(&self, name: &str, image: &Image) {
        let gone = self.ask(Method::DELETE, &format!("/v2/{name}/manifests/{}", image.digest()), "").await;
        assert_eq!(gone.expect("an answer").0, StatusCode::ACCEPTED);
    }

    async fn number(&self, name: &str) -> f64 {
        let url = format!("http://127.0.0.1:{}/metrics", self.numbers);
        let text = self.client.get(url).send().await.expect("an answer").text().await.expect("a text");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}"))
    }

    /// A command on this registry's configuration.
    fn command(&self, words: &str, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jeroboam"));
        command.arg("registry").args(words.split(' ')).arg(self.config()).args(more);
        command.output().expect("the program runs")
    }

    /// The same, which has to end with this code; what it printed.
    fn does(&self, words: &str, more: &[&str], code: i32) -> String {
        let output = self.command(words, more);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{words} {more:?}: {out}{err}");
        if out.is_empty() { err.into_owned() } else { out.into_owned() }
    }

    fn json(&self, words: &str, more: &[&str], code: i32) -> Value {
        let more = [more, &["-f", "json"]].concat();
        serde_json::from_str(&self.does(words, &more, code)).expect("JSON")
    }

    /// All files of the store and what is in them.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let (mut found, mut folders) = (BTreeMap::new(), vec![self.root()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = std::fs::read(&path).expect("a file");
                    found.insert(path, bytes);
                }
            }
        }
        found
    }
}

/// A grace time of seconds: longer than a push takes here.
const QUICK: &str = "grace: 6s, heartbeat: 1500ms, slack: 500ms";

fn quick(more: &str) -> String {
    format!("  compat: exclusive\n  gc: {{{QUICK}{more}}}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_is_collected_while_pushes_go_on_and_comes_back_from_the_trash() {
    let mut registry = Registry::start(&quick(", enabled: true, interval: 1s, trash: 1h"), "").await;
    let (gone, stays) = (Image::of("gone"), Image::of("stays"));
    registry.push("team/app", "v1", &gone).await.expect("pushed");
    registry.push("team/app", "v2", &stays).await.expect("pushed");
    registry.delete("team/app", &gone).await;
    let pushed = push_while(&mut registry, &gone).await;
    assert!(pushed > 10, "only {pushed} images were pushed meanwhile");
    assert!(registry.has("team/app", "v2", &stays).await);
    assert!(registry.number("registry_gc_removed_blobs_total ").await >= 3.0);
    assert!((registry.number("registry_gc_last_run_success ").await - 1.0).abs() < 0.5);
    assert!(registry.log().contains("announced what may be collected") && registry.log().contains("swept"));

    let trash = registry.json("gc trash", &[], 0);
    let digests: Vec<&str> =
        trash.as_array().expect("a list").iter().filter_map(|one| one["digest"].as_str()).collect();
    assert!(digests.contains(&gone.digest().as_str()), "{trash}");
    let restored = registry.json("gc restore", &[&gone.digest(), "--as", "team/app:v1"], 0);
    assert_eq!(restored.as_array().map(Vec::len), Some(3), "the manifest, the layer and the configuration: {restored}");
    assert!(registry.has("team/app", "v1", &gone).await, "it can be pulled again");
    assert!(registry.does("gc restore", &[&gone.digest()], 1).contains("not in the trash"));
    registry.does("inspect", &["--verify", "100"], 0);
}

/// Pushes images until `gone` is collected; meanwhile the registry is killed and started again. Each that was acknowledged has to be there in the end.
async fn push_while(registry: &mut Registry, gone: &Image) -> usize {
    let (stop, url) = (Arc::new(AtomicBool::new(false)), registry.url(""));
    let mut pushers = JoinSet::new();
    for pusher in 0..2 {
        let (stop, port, client) = (Arc::clone(&stop), registry.port, registry.client.clone());
        pushers.spawn(async move {
            let dir = tempfile::tempdir().expect("a folder");
            let outside = Registry { dir, port, numbers: 0, process: None, client };
            let mut pushed: Vec<(String, Image)> = Vec::new();
            let mut turn = 0;
            while !stop.load(Ordering::Relaxed) {
                turn += 1;
                let image = Image::of(&format!("{pusher}/{turn}"));
                let tag = format!("t{turn}");
                match outside.push(&format!("push/{pusher}"), &tag, &image).await {
                    Ok(()) => pushed.push((tag, image)),
                    // It is away, or says that it is not ready; clients come again.
                    Err(why) if why.contains("away") || why.contains("503") => {}
                    Err(why) => panic!("a push failed: {why}"),
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            for (tag, image) in &pushed {
                assert!(
                    outside.has(&format!("push/{pusher}"), tag, image).await,
                    "{tag} is not whole at {}",
                    outside.url("")
                );
            }
            pushed.len()
        });
    }
    // In the middle: what was announced is known, and the sweep is still to come.
    tokio::time::sleep(Duration::from_secs(4)).await;
    registry.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    registry.run().await;
    assert_eq!(registry.url(""), url);
    let paths = [&gone.layer, &gone.config, &gone.manifest].map(|bytes| registry.blob(&digest(bytes)));
    until("the collection", || {
        let done = paths.iter().all(|path| !path.exists()).then_some(());
        async move { done }
    })
    .await;
    // The sweep tells its numbers in its end.
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.store(true, Ordering::Relaxed);
    pushers.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_collected_by_hand_in_steps_and_a_dry_run_changes_nothing() {
    let mut registry = Registry::start(&quick(""), "").await;
    let (gone, stays) = (Image::of("gone"), Image::of("stays"));
    registry.push("team/app", "v1", &gone).await.expect("pushed");
    registry.push("team/app", "v2", &stays).await.expect("pushed");
    registry.delete("team/app", &gone).await;
    registry.stop().await;
    let before = registry.files();
    let found = registry.json("gc", &["--dry-run"], 0);
    assert_eq!((&found["dry_run"], &found["found"]["unreferenced"]), (&json!(true), &json!(3)), "{found}");
    assert_eq!(found["repositories"]["team/app"]["blobs"], 2, "the manifest is linked nowhere any more: {found}");
    assert!(registry.files() == before, "a dry run changes nothing");
    registry.run().await;
    assert_eq!(registry.json("gc", &["--yes"], 0)["outcome"], "announced");
    assert_eq!(registry.json("gc", &["--yes"], 0)["outcome"], "waits");
    let swept = registry.json("gc", &["--yes", "--wait"], 0);
    assert_eq!((&swept["outcome"], &swept["report"]["collected"]["removed"]), (&json!("swept"), &json!(3)), "{swept}");
    assert!(!registry.blob(&digest(&gone.layer)).exists());
    assert!(registry.has("team/app", "v2", &stays).await);
    registry.push("team/app", "v1", &gone).await.expect("a push brings it anew");
    assert!(registry.has("team/app", "v1", &gone).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_collected_where_distribution_may_write() {
    let registry = Registry::start("  gc: {enabled: true}\n", "").await;
    assert!(registry.log().contains("no garbage is collected: with compat: shared"), "{}", registry.log());
    assert!(registry.does("gc", &["--yes"], 1).contains("compat: exclusive"));
    registry.does("gc", &["--dry-run"], 0);
    assert!(registry.does("config check", &[], 0).contains("fine"));
    assert!(registry.does("gc", &[], 2).contains("--dry-run"), "it has to be said whether it is meant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_tag_is_found_and_mended() {
    let registry = Registry::start("  compat: exclusive\n", "").await;
    let image = Image::of("torn");
    registry.push("team/app", "v1", &image).await.expect("pushed");
    assert!(registry.does("inspect", &[], 0).contains("every tag can be pulled"));
    let link = registry.path("repositories/team/app/_manifests/tags/v1/current/link");
    std::fs::write(&link, "").expect("a power cut");
    let found = registry.json("inspect", &[], 1);
    assert_eq!(found["problems"][0]["problem"], "torn_tag", "{found}");
    let said = registry.does("repair", &["--dry-run"], 0);
    assert!(said.contains("would link") && std::fs::read(&link).expect("a file").is_empty(), "{said}");
    registry.does("repair", &["--yes"], 0);
    registry.does("inspect", &["--verify", "100"], 0);
    until("the tag", || async { (registry.get("/v2/team/app/manifests/v1").await == StatusCode::OK).then_some(()) })
        .await;
    assert!(registry.has("team/app", "v1", &image).await);
    // What only a push can mend is said, and is no success.
    std::fs::remove_file(registry.blob(&digest(&image.layer))).expect("lost");
    assert!(registry.does("repair", &["--yes"], 1).contains("push it again"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_is_found_moved_aside_and_pushed_anew() {
    let registry = Registry::start("  cache: {existence: 1s}\n", "").await;
    let image = Image::of("rot");
    registry.push("team/app", "v1", &image).await.expect("pushed");
    assert!(registry.does("scrub", &[], 0).contains("3 blobs"));
    let path = registry.blob(&digest(&image.layer));
    let mut bytes = std::fs::read(&path).expect("a file");
    bytes[3] ^= 1;
    std::fs::write(&path, &bytes).expect("written");
    assert!(registry.does("scrub", &["--dry-run"], 1).contains(&digest(&image.layer)));
    assert!(path.exists(), "it was only looked at");
    registry.does("inspect", &["--verify", "100"], 1);
    let scrubbed = registry.json("scrub", &[], 1);
    assert_eq!(scrubbed["wrong"], json!([digest(&image.layer)]));
    assert!(!path.exists());
    registry.does("inspect", &[], 1);
    // Until the registry asks the store again it believes that the blob is there. A push that it comes to ask in the middle of is refused, and made again.
    until("a push", || async {
        if let Err(refused) = registry.push("team/app", "v1", &image).await {
            assert!(refused.contains("MANIFEST_BLOB_UNKNOWN"), "{refused}");
        }
        registry.blob(&digest(&image.layer)).exists().then_some(())
    })
    .await;
    registry.does("inspect", &["--verify", "100"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_scrubs_by_itself() {
    let mut registry = Registry::start("  compat: exclusive\n", "").await;
    let image = Image::of("rot");
    registry.push("team/app", "v1", &image).await.expect("pushed");
    registry.stop().await;
    let path = registry.blob(&digest(&image.layer));
    std::fs::write(&path, "layer rat").expect("written");
    registry.configure("  compat: exclusive\n  scrub: {enabled: true, interval: 1s}\n", "");
    registry.run().await;
    until("the scrub", || {
        let gone = (!path.exists()).then_some(());
        async move { gone }
    })
    .await;
    until("its numbers", || async { (registry.number("registry_scrub_wrong_blobs_total ").await > 0.5).then_some(()) })
        .await;
    assert!(registry.log().contains("a blob has other bytes than its digest says"));
    registry.push("team/app", "v1", &image).await.expect("a push brings it anew");
    assert!(registry.has("team/app", "v1", &image).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_keep_the_newest_tags_and_old_uploads_are_purged() {
    let storage = "  maintenance: {uploadpurging: {age: 2s, interval: 1s}}\n";
    let ours = "  gc: {interval: 1s}\n  retention:\n    - {prefix: team, tags: ['v*'], keep: 1}\n";
    let registry = Registry::start(ours, storage).await;
    let uploads = registry.path("repositories/team/app/_uploads/a6a2a5e2-4d33-4c2e-8a94-7a3f6f6c1e11");
    std::fs::create_dir_all(&uploads).expect("a folder");
    std::fs::write(uploads.join("startedat"), "2023-11-14T22:13:20Z").expect("written");
    for tag in ["v1", "v2", "stable"] {
        registry.push("team/app", tag, &Image::of(tag)).await.expect("pushed");
    }
    for tag in ["v1", "v2"] {
        registry.push("other", tag, &Image::of(tag)).await.expect("pushed");
    }
    let tags =
        async |name: &str| registry.ask(Method::GET, &format!("/v2/{name}/tags/list"), "").await.expect("an answer").1;
    until("retention", || async { (tags("team/app").await.contains(r#"["stable","v2"]"#)).then_some(()) }).await;
    assert!(tags("other").await.contains(r#"["v1","v2"]"#), "no rule means it");
    until("the purge", || {
        let gone = (!uploads.join("startedat").exists()).then_some(());
        async move { gone }
    })
    .await;
    // Said and counted once it is done, which is a moment after it can be seen.
    let said = || registry.log().contains("uploads that nobody went on with were removed").then_some(());
    until("its word", || async { said() }).await;
    let removed = r#"registry_retention_removed_total{kind="tag"}"#;
    until("its number", || async { (registry.number(removed).await > 0.5).then_some(()) }).await;
    assert!(registry.does("retain", &["--dry-run"], 0).contains("the rules keep everything"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_handed_back_when_nobody_serves_it() {
    let mut registry = Registry::start(&quick(", enabled: true, interval: 1s"), "").await;
    let image = Image::of("stays");
    registry.push("team/app", "v1", &image).await.expect("pushed");
    let instances = registry.path("_x/leases/instances");
    until("its word", || {
        let said = std::fs::read_dir(&instances).is_ok_and(|mut all| all.next().is_some()).then_some(());
        async move { said }
    })
    .await;
    let said = registry.does("hand-back", &["--yes"], 1);
    assert!(said.contains("stop it first"), "{said}");
    assert!(instances.exists(), "nothing was changed");
    registry.stop().await;
    assert!(is_empty(&instances), "a registry that ends takes back its word");
    let dry = registry.json("hand-back", &["--dry-run"], 0);
    assert!(dry["notes"].as_u64() > Some(0), "{dry}");
    assert!(registry.does("hand-back", &["--yes"], 0).contains("distribution can go on"));
    for area in ["gc", "leases", "referrers", "sessions"] {
        assert!(is_empty(&registry.path(&format!("_x/{area}"))), "{area} is still there");
    }
    assert_eq!(registry.json("hand-back", &["--dry-run"], 0)["notes"], 0);
    registry.run().await;
    assert!(registry.has("team/app", "v1", &image).await, "and all of it is there");
}

/// Whether there is no file in a folder, or no folder.
fn is_empty(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return true };
    entries.map(|entry| entry.expect("an entry").path()).all(|path| path.is_dir() && is_empty(&path))
}
