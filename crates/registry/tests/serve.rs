//! A registry as it is served: over sockets, with limits, TLS and an end in order.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, StatusCode, Version};
use jeroboam_model::{Clock as _, SystemClock};
use jeroboam_oci::Digest;
use jeroboam_registry::auth::{HashMethod, hash_password};
use jeroboam_registry::config::Config;
use jeroboam_registry::serve::{self, ServeError, ServeParts};
use jeroboam_telemetry::Shutdown;
use reqwest::{Body, Client, Response};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What no test of these waits for in vain.
const PATIENCE: Duration = Duration::from_secs(30);

/// A registry that runs.
struct Bed {
    /// What it keeps, until it ends.
    _dir: TempDir,
    /// The port of clients, and that of operators.
    ports: [u16; 2],
    shutdown: Shutdown,
    tasks: JoinSet<Result<(), ServeError>>,
    client: Client,
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").port()
}

impl Bed {
    /// With this configuration, in which DIR is a directory, PORT a free port and DEBUG another.
    async fn start(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self::start_in(dir, text).await
    }

    async fn start_in(dir: TempDir, text: &str) -> Self {
        let mut bed = Self::begin(dir, text).await;
        let began = Instant::now();
        while bed.shutdown.tasks().is_empty() || TcpStream::connect(("127.0.0.1", bed.ports[0])).await.is_err() {
            if let Some(ended) = bed.tasks.try_join_next() {
                panic!("it ended: {:?}", ended.expect("no panic"));
            }
            assert!(began.elapsed() < PATIENCE, "nobody listens");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bed
    }

    /// Does not wait until anybody listens.
    async fn begin(dir: TempDir, text: &str) -> Self {
        let ports = [free_port().await, free_port().await];
        let config = config(text, dir.path(), ports);
        let shutdown = Shutdown::new();
        let parts = ServeParts {
            config,
            environment: BTreeMap::new(),
            clock: Arc::new(SystemClock),
            shutdown: shutdown.clone(),
            version: "0",
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(serve::run(parts));
        Self { _dir: dir, ports, shutdown, tasks, client: Client::builder().no_proxy().build().expect("a client") }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports[0])
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().await.expect("an answer")
    }

    /// A page, with slashes as they are.
    async fn page(&self, path: &str) -> String {
        self.get(path).await.text().await.expect("a text").replace("&#x2f;", "/")
    }

    async fn operator(&self, path: &str) -> (StatusCode, String) {
        let url = format!("http://127.0.0.1:{}{path}", self.ports[1]);
        let answer = self.client.get(url).send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("a text"))
    }

    /// Waits until a page for operators shows what is looked for.
    async fn operators_see<T>(&self, path: &str, look: impl Fn(&str) -> Option<T>) -> T {
        let mut last = String::new();
        let began = Instant::now();
        loop {
            if let Some(found) = look(&last) {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "{path} does not show it: {last}");
            (_, last) = self.operator(path).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<Body>) -> Response {
        self.client.request(method, self.url(path)).body(body).send().await.expect("an answer")
    }

    async fn push(&self, name: &str, tag: &str) {
        let config = "{}";
        let digest = Digest::sha256(config.as_bytes());
        let began = self.send(Method::POST, &format!("/v2/{name}/blobs/uploads/"), "").await;
        assert_eq!(began.status(), StatusCode::ACCEPTED);
        let location = began.headers()[LOCATION].to_str().expect("text").to_owned();
        let location = location.strip_prefix(&self.url("")).unwrap_or(&location).to_owned();
        let put = self.send(Method::PUT, &format!("{location}&digest={digest}"), config).await;
        assert_eq!(put.status(), StatusCode::CREATED);
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{digest}","size":2}},"layers":[]}}"#
        );
        let put = self.send(Method::PUT, &format!("/v2/{name}/manifests/{tag}"), manifest).await;
        assert_eq!(put.status(), StatusCode::CREATED);
    }

    async fn stop(mut self) {
        self.shutdown.begin();
        let ended = timeout(PATIENCE, self.tasks.join_next()).await.expect("in time").expect("it ran");
        ended.expect("no panic").expect("an orderly end");
    }
}

fn config(text: &str, dir: &Path, ports: [u16; 2]) -> Config {
    let text = text.replace("DIR", &dir.display().to_string());
    let text = text.replace("PORT", &ports[0].to_string()).replace("DEBUG", &ports[1].to_string());
    Config::read(&text, &BTreeMap::new()).expect("YAML").into_config().expect("a configuration")
}

const PLAIN: &str = "
version: 0.1
storage: {filesystem: {rootdirectory: DIR/store}, delete: {enabled: true}}
http:
  addr: 127.0.0.1:PORT
  debug: {addr: '127.0.0.1:DEBUG', prometheus: {enabled: true}}
";

#[tokio::test]
async fn what_others_count_is_among_the_numbers() {
    let text = format!(
        "{PLAIN}notifications: {{endpoints: [{{name: nobody, url: 'http://127.0.0.1:1/'}}]}}\njeroboam:\n  insecureopen: true\n  origin: north\n  quotas: [{{prefix: team, bytes: 1MiB}}]\n  replication: {{targets: [{{name: south, url: 'http://127.0.0.1:1'}}]}}\n"
    );
    let bed = Bed::start(&text).await;
    until_ready(&bed).await;
    bed.push("team/app", "v1").await;
    let (_, numbers) = bed.operator("/metrics").await;
    for line in [
        r#"registry_quota_limit_bytes{namespace="team"} 1048576"#,
        r#"registry_quota_used_tags{namespace="team"} 1"#,
        r#"registry_notifications_events_total{type="Lost",endpoint="nobody"} 0"#,
        r#"registry_storage_cache_errors_total 0"#,
    ] {
        assert!(numbers.lines().any(|found| found == line), "{line} is not in\n{numbers}");
    }
    for name in [
        "registry_quota_used_bytes{",
        "registry_notifications_events_total{type=\"Errors\",endpoint=\"nobody\"}",
        "registry_notifications_pending_total{endpoint=\"nobody\"}",
        "registry_storage_cache_requests_total ",
        "registry_storage_cache_hits_total ",
        "registry_replication_waiting{target=\"south\"}",
    ] {
        assert!(numbers.lines().any(|line| line.starts_with(name)), "{name} is not in\n{numbers}");
    }
    assert!(!numbers.contains("quota_limit_tags{"), "nobody limits these");
    bed.stop().await;
}

async fn until_ready(bed: &Bed) {
    let wait = async {
        while bed.get("/readyz").await.status() != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("ready in time");
}

#[tokio::test]
async fn what_is_pushed_is_served_shown_and_counted() {
    let bed = Bed::start(PLAIN).await;
    assert_eq!(bed.get("/v2/").await.text().await.expect("a text"), "{}");
    assert_eq!(bed.get("/healthz").await.status(), StatusCode::OK);
    until_ready(&bed).await;
    bed.push("team/app", "1").await;
    let tags = bed.get("/v2/team/app/tags/list").await;
    assert!(tags.headers().contains_key("x-request-id"));
    assert_eq!(tags.text().await.expect("a text"), r#"{"name":"team/app","tags":["1"]}"#);
    assert!(bed.page("/").await.contains(r#"<a href="/ui/team/app">team/app</a>"#));
    assert_eq!(bed.operator("/debug/health").await, (StatusCode::OK, "{}".to_owned()));
    let (_, numbers) = bed.operator("/metrics").await;
    for line in [
        r#"registry_http_requests_total{handler="manifest",method="put",code="201"} 1"#,
        r#"registry_http_requests_total{handler="tags",method="get",code="200"} 1"#,
    ] {
        assert!(numbers.lines().any(|found| found == line), "{line} is not in\n{numbers}");
    }
    assert!(numbers.contains(r#"registry_storage_action_seconds_count{action="PutContent",driver="filesystem"}"#));
    bed.stop().await;
}

#[tokio::test]
async fn who_asks_for_no_number_of_tags_gets_all() {
    const TAGS: usize = 1100;
    let bed = Bed::start("version: 0.1\nstorage: inmemory\nhttp: {addr: '127.0.0.1:PORT'}\n").await;
    bed.push("team/app", "v").await;
    let manifest = bed.get("/v2/team/app/manifests/v").await.bytes().await.expect("a manifest");
    let digest = Digest::sha256(&manifest);
    let names: Vec<String> = (1..TAGS).map(|number| format!("tag=t{number}")).collect();
    for some in names.chunks(50) {
        let path = format!("/v2/team/app/manifests/{digest}?{}", some.join("&"));
        assert_eq!(bed.send(Method::PUT, &path, manifest.clone()).await.status(), StatusCode::CREATED);
    }
    for (query, count, more) in [("", TAGS, false), ("?last=u", 1, false), ("?n=7", 7, true), ("?n=5000", 1000, true)] {
        let page = bed.get(&format!("/v2/team/app/tags/list{query}")).await;
        assert_eq!(page.headers().contains_key("link"), more, "{query}");
        let page: serde_json::Value = serde_json::from_str(&page.text().await.expect("a text")).expect("JSON");
        assert_eq!(page["tags"].as_array().map(Vec::len), Some(count), "{query}");
    }
    bed.stop().await;
}

#[tokio::test]
async fn every_answer_warns_of_what_is_configured() {
    let text = format!("{PLAIN}jeroboam: {{insecureopen: true, warnings: ['this registry moves', 'to \"b\"']}}\n");
    let bed = Bed::start(&text).await;
    for path in ["/v2/", "/v2/nothing/tags/list"] {
        let answer = bed.get(path).await;
        let shown: Vec<_> = answer.headers().get_all("warning").iter().collect();
        assert_eq!(shown, [r#"299 - "this registry moves""#, r#"299 - "to \"b\"""#], "{path}");
    }
    bed.stop().await;
}

/// Reads the head of an answer, and gives what came behind it.
async fn head(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let rest = bytes.split_off(end + 4);
            return (String::from_utf8(bytes).expect("text"), rest);
        }
        assert_ne!(stream.read_buf(&mut bytes).await.expect("more of it"), 0, "an answer");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_pull_at_once() {
    const CROWD: usize = 1000;
    const LENGTH: usize = 1 << 20;
    let bed = Bed::start(PLAIN).await;
    // Theirs, ours, and a file for each.
    assert!(jeroboam_listen::open_files() > 3 * CROWD as u64 + 100, "this test needs more open files: ulimit -Hn 4096");
    let layer = Arc::new(vec![42_u8; LENGTH]);
    let digest = Digest::sha256(&layer);
    let pushed = bed.send(Method::POST, &format!("/v2/team/app/blobs/uploads/?digest={digest}"), layer.to_vec()).await;
    assert_eq!(pushed.status(), StatusCode::CREATED);
    // Nobody takes more than the head before all have that: so all of them are served at the same time.
    let all_have_a_head = Arc::new(tokio::sync::Barrier::new(CROWD));
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let (port, digest, barrier) = (bed.ports[0], digest.clone(), Arc::clone(&all_have_a_head));
        let expected = Arc::clone(&layer);
        crowd.spawn(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
            let request = format!("GET /v2/team/app/blobs/{digest} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.expect("asked");
            let (head, mut body) = head(&mut stream).await;
            assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
            barrier.wait().await;
            stream.read_to_end(&mut body).await.expect("the rest");
            assert!(body == *expected, "{} bytes", body.len());
        });
    }
    let served = async {
        while let Some(one) = crowd.join_next().await {
            one.expect("served");
        }
    };
    timeout(Duration::from_secs(120), served).await.expect("all are served at once");
    bed.stop().await;
}

#[tokio::test]
async fn a_browser_sees_what_there_is_and_runs_nothing_of_it() {
    let bed = Bed::start(PLAIN).await;
    bed.push("team/app", "1").await;
    let config = Digest::sha256(b"{}");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},"layers":[],"annotations":{{"<b>":"<script>alert(1)</script>"}},"artifactType":"a/<i>","subject":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{config}","size":2}}}}"#
    );
    let digest = Digest::sha256(manifest.as_bytes());
    let put = bed.send(Method::PUT, "/v2/team/app/manifests/evil", manifest).await;
    assert_eq!(put.status(), StatusCode::CREATED);
    let tags = bed.get("/ui/team/app").await;
    assert_eq!(tags.headers()["content-type"], "text/html; charset=utf-8");
    let tags = bed.page("/ui/team/app").await;
    assert!(tags.contains(r#"<a href="/ui/team/app:evil">evil</a>"#) && tags.contains(">1</a>"), "{tags}");
    let page = bed.get("/ui/team/app:evil").await;
    let policy = page.headers()["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let page = bed.page("/ui/team/app:evil").await;
    assert!(page.contains(&digest.to_string()) && page.contains(&config.to_string()), "{page}");
    assert!(
        page.contains("&lt;script&gt;") && !page.contains("<script") && !page.contains("<b>") && !page.contains("<i>"),
        "{page}"
    );
    let about = bed.get(&format!("/ui/team/app@{config}")).await;
    assert_eq!(about.status(), StatusCode::NOT_FOUND, "the subject need not be there");
    for (path, status) in [
        ("/ui/none", StatusCode::NOT_FOUND),
        ("/ui/UPPER", StatusCode::NOT_FOUND),
        ("/ui/team/app:2", StatusCode::NOT_FOUND),
    ] {
        let answer = bed.get(path).await;
        assert_eq!(answer.status(), status, "{path}");
        assert!(answer.text().await.expect("a text").contains("<main>"), "{path}");
    }
    bed.stop().await;
    let without = Bed::start(&format!("{PLAIN}jeroboam: {{page: {{enabled: false}}}}\n")).await;
    let answer = without.get("/").await;
    assert_eq!((answer.status(), answer.text().await.expect("a text").as_str()), (StatusCode::OK, ""));
    without.stop().await;
}

#[tokio::test]
async fn nobody_is_let_in_from_everywhere_by_mistake() {
    let everywhere = PLAIN.replace("addr: 127.0.0.1:PORT", "addr: ':PORT'");
    let bed = Bed::start(&everywhere).await;
    assert_eq!(bed.get("/v2/").await.status(), StatusCode::OK, "distribution's own file does what it did");
    bed.stop().await;
    for addition in ["jeroboam: {compat: shared}\n", "auth: {none: {}}\n"] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut bed = Bed::begin(dir, &format!("{everywhere}{addition}")).await;
        let ended = timeout(PATIENCE, bed.tasks.join_next()).await.expect("in time").expect("it ran");
        assert!(matches!(ended.expect("no panic"), Err(ServeError::Open)), "{addition}");
    }
    let meant = format!("{everywhere}jeroboam: {{insecure_open: true}}\n");
    Bed::start(&meant).await.stop().await;
}

#[tokio::test]
async fn what_was_begun_is_finished_and_readiness_goes_first() {
    let bed = Bed::start(PLAIN).await;
    until_ready(&bed).await;
    let began = bed.send(Method::POST, "/v2/a/blobs/uploads/", "").await;
    let location = began.headers()[LOCATION].to_str().expect("text").to_owned();
    let location = location.strip_prefix(&bed.url("")).unwrap_or(&location).to_owned();
    let mut slow = TcpStream::connect(("127.0.0.1", bed.ports[0])).await.expect("a connection");
    let head = format!("PATCH {location} HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello");
    slow.write_all(head.as_bytes()).await.expect("written");
    tokio::time::sleep(Duration::from_millis(100)).await;
    bed.shutdown.begin();
    let wait = async {
        while let Ok(answer) = bed.client.get(bed.url("/readyz")).send().await {
            if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                return true;
            }
        }
        false
    };
    assert!(timeout(PATIENCE, wait).await.expect("in time"), "it said so before it went");
    until_nobody_listens(&bed).await;
    let heard = end(slow, b"world").await;
    assert!(heard.starts_with("HTTP/1.1 202"), "{heard}");
    assert!(heard.to_ascii_lowercase().contains("range: 0-9"), "{heard}");
    bed.stop().await;
}

async fn until_nobody_listens(bed: &Bed) {
    let wait = async {
        while TcpStream::connect(("127.0.0.1", bed.ports[0])).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("it goes");
}

/// Sends the rest of a request, and gives what is said until the connection ends.
async fn end(mut slow: TcpStream, rest: &[u8]) -> String {
    slow.write_all(rest).await.expect("written");
    let mut heard = String::new();
    timeout(PATIENCE, slow.read_to_string(&mut heard)).await.expect("in time").expect("an answer");
    heard
}

#[tokio::test]
async fn of_what_ends_after_the_word_to_stop_others_are_told() {
    let kept = tempfile::tempdir().expect("a directory");
    let plain = PLAIN.replace("DIR/store", &kept.path().join("store").display().to_string());
    let telling =
        |port| format!("{plain}notifications: {{endpoints: [{{name: hub, url: 'http://127.0.0.1:{port}/'}}]}}\n");
    let bed = Bed::start(&telling(1)).await;
    until_ready(&bed).await;
    bed.push("a", "v1").await;
    let manifest = bed.get("/v2/a/manifests/v1").await.text().await.expect("a manifest");
    let (most, last) = manifest.split_at(manifest.len() - 1);
    let mut slow = TcpStream::connect(("127.0.0.1", bed.ports[0])).await.expect("a connection");
    let head = format!(
        "PUT /v2/a/manifests/late HTTP/1.1\r\nhost: a\r\ncontent-type: application/vnd.oci.image.manifest.v1+json\r\ncontent-length: {}\r\n\r\n{most}",
        manifest.len()
    );
    slow.write_all(head.as_bytes()).await.expect("written");
    tokio::time::sleep(Duration::from_millis(100)).await;
    bed.shutdown.begin();
    until_nobody_listens(&bed).await;
    let heard = end(slow, last.as_bytes()).await;
    assert!(heard.starts_with("HTTP/1.1 201"), "{heard}");
    bed.stop().await;

    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let hub = axum::Router::new().fallback(move |body: String| async move { tell.send(body).expect("somebody hears") });
    let mut hubs = JoinSet::new();
    hubs.spawn(async move { axum::serve(listener, hub).await.expect("it serves") });
    let next = Bed::start(&telling(port)).await;
    let wait = async { while !told.recv().await.expect("a notification").contains(r#""tag":"late""#) {} };
    timeout(PATIENCE, wait).await.expect("they are told");
    next.stop().await;
}

#[tokio::test]
async fn too_long_a_header_and_too_long_an_address_are_refused() {
    let bed = Bed::start(PLAIN).await;
    let long = bed.client.get(bed.url("/v2/")).header("x-long", "y".repeat(70_000)).send().await.expect("an answer");
    assert_eq!(long.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(long.headers()["docker-distribution-api-version"], "registry/2.0");
    let said: serde_json::Value = long.json().await.expect("JSON");
    assert_eq!(said["errors"][0]["message"], "the header is too long");
    // What is much too long is not even read.
    let longer = bed.client.get(bed.url("/v2/")).header("x-long", "y".repeat(200_000)).send().await.expect("an answer");
    assert_eq!(longer.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let fits = bed.client.get(bed.url("/v2/")).header("x-long", "y".repeat(50_000)).send().await.expect("an answer");
    assert_eq!(fits.status(), StatusCode::OK);
    assert_eq!(bed.get(&format!("/v2/{}", "a".repeat(20_000))).await.status(), StatusCode::URI_TOO_LONG);
    bed.stop().await;
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_wanted() {
    let knowing = Client::builder().no_proxy().http2_prior_knowledge().build().expect("a client");
    let bed = Bed::start(PLAIN).await;
    assert!(knowing.get(bed.url("/v2/")).send().await.is_err(), "not without being asked for");
    bed.stop().await;
    let bed = Bed::start(&PLAIN.replace("http:\n", "http:\n  h2c: {enabled: true}\n")).await;
    let answer = knowing.get(bed.url("/v2/")).send().await.expect("an answer");
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(bed.get("/v2/").await.version(), Version::HTTP_11);
    bed.stop().await;
}

#[tokio::test]
async fn tls_is_spoken_and_a_certificate_is_somebody() {
    install_provider();
    let dir = tempfile::tempdir().expect("a directory");
    let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority =
        rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().expect("a key")).expect("an authority");
    let issue = |name: &str| {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        (params.signed_by(&key, &authority).expect("a certificate").pem(), key.serialize_pem())
    };
    let (certificate, key) = issue("localhost");
    std::fs::write(dir.path().join("crt"), certificate).expect("written");
    std::fs::write(dir.path().join("key"), key).expect("written");
    std::fs::write(dir.path().join("ca"), authority.pem()).expect("written");
    let text = PLAIN.replace(
        "http:\n",
        "auth: {certificates: {rules: [{names: [node], prefixes: ['*'], actions: [pull]}]}}\nhttp:\n  \
         tls: {certificate: DIR/crt, key: DIR/key, clientcas: [DIR/ca], clientauth: verify-client-cert-if-given}\n",
    );
    let bed = Bed::start_in(dir, &text).await;
    let url = format!("https://localhost:{}/v2/", bed.ports[0]);
    let roots = reqwest::Certificate::from_pem(authority.pem().as_bytes()).expect("an authority");
    let client = || Client::builder().no_proxy().tls_certs_only([roots.clone()]);
    let nobody = client().build().expect("a client").get(&url).send().await.expect("an answer");
    assert_eq!((nobody.status(), nobody.version()), (StatusCode::FORBIDDEN, Version::HTTP_2));
    let (certificate, key) = issue("node");
    let own = reqwest::Identity::from_pem(format!("{certificate}{key}").as_bytes()).expect("an identity");
    let node = client().identity(own).build().expect("a client").get(&url).send().await.expect("an answer");
    assert_eq!(node.status(), StatusCode::OK);
    bed.stop().await;
}

/// Whoever starts a program does this first.
fn install_provider() {
    // Another test may have done it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

#[tokio::test]
async fn a_socket_in_the_file_system_is_as_good() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("socket");
    let text = PLAIN.replace("addr: 127.0.0.1:PORT", "net: unix\n  addr: DIR/socket");
    let text = format!("{text}jeroboam: {{insecureopen: true, trustedproxies: [127.0.0.1]}}\n");
    let bed = Bed::begin(dir, &text).await;
    let wait = async {
        loop {
            match UnixStream::connect(&path).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let mut stream = timeout(PATIENCE, wait).await.expect("a socket");
    // Only a proxy on this machine comes that way.
    let begin = b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nhost: a\r\nx-forwarded-proto: https\r\nx-forwarded-host: registry.example.org\r\nconnection: close\r\n\r\n";
    stream.write_all(begin).await.expect("written");
    let mut heard = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut heard)).await.expect("in time").expect("an answer");
    assert!(heard.starts_with("HTTP/1.1 202"), "{heard}");
    assert!(heard.contains("\r\nlocation: https://registry.example.org/v2/a/blobs/uploads/"), "{heard}");
    bed.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_prefix_stands_before_everything_but_health() {
    let text = PLAIN.replace("http:\n", "auth: {anonymous: {pull: ['*']}}\nhttp:\n  prefix: /images/\n");
    let bed = Bed::start(&text).await;
    let asked = bed.get("/images/v2/a/manifests/b").await;
    assert_eq!(asked.status(), StatusCode::NOT_FOUND);
    assert_eq!(bed.get("/healthz").await.status(), StatusCode::OK);
    assert_eq!(bed.get("/images/").await.status(), StatusCode::OK);
    assert_eq!(bed.get("/images/auth/token").await.status(), StatusCode::OK);
    assert_ne!(bed.get("/auth/token").await.status(), StatusCode::OK);
    bed.stop().await;
}

#[tokio::test]
async fn a_password_becomes_a_token_and_a_token_a_pull() {
    let dir = tempfile::tempdir().expect("a directory");
    let hash = hash_password(&"one".into(), HashMethod::Bcrypt, Some(4)).expect("a hash");
    std::fs::write(dir.path().join("users"), format!("ada:{hash}\n")).expect("written");
    let text = PLAIN.replace("http:\n", "auth: {htpasswd: {realm: r, path: DIR/users}, builtin: {}}\nhttp:\n");
    let bed = Bed::start_in(dir, &text).await;
    let refused = bed.get("/v2/").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let challenge = refused.headers()[WWW_AUTHENTICATE].to_str().expect("text").to_owned();
    let value = |name: &str| {
        let rest = challenge.split_once(&format!("{name}=\"")).expect("in the challenge").1;
        rest.split_once('"').expect("quoted").0.to_owned()
    };
    let token_url = format!("{}?service={}&scope=repository:a:pull", value("realm"), value("service"));
    let answer = bed.client.get(token_url).basic_auth("ada", Some("one")).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let body: serde_json::Value = answer.json().await.expect("JSON");
    let bearer = format!("Bearer {}", body["token"].as_str().expect("a token"));
    let with = |path: &str| bed.client.get(bed.url(path)).header(AUTHORIZATION, &bearer).send();
    assert_eq!(with("/v2/").await.expect("an answer").status(), StatusCode::OK);
    assert_eq!(with("/v2/a/manifests/b").await.expect("an answer").status(), StatusCode::NOT_FOUND);
    assert_eq!(with("/v2/c/manifests/b").await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    // Who is not let in learns nothing of paths, and a browser is asked for a password.
    assert_eq!(bed.get("/v2/a/b/c").await.status(), StatusCode::UNAUTHORIZED);
    let page = bed.get("/").await;
    assert!(page.headers()[WWW_AUTHENTICATE].to_str().expect("text").starts_with("Basic "));
    bed.stop().await;
}

#[tokio::test]
async fn a_store_that_is_away_keeps_nobody_from_starting() {
    let nowhere = free_port().await;
    let swift = format!(
        "storage: {{swift: {{authurl: 'http://127.0.0.1:{nowhere}/v3', username: u, password: p, tenant: t, domain: Default, container: c}}}}"
    );
    let text = PLAIN.replace("storage: {filesystem: {rootdirectory: DIR/store}, delete: {enabled: true}}", &swift);
    let bed = Bed::start(&text).await;
    assert_eq!(bed.get("/v2/").await.status(), StatusCode::OK);
    assert_eq!(bed.get("/readyz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let missing = bed.get("/v2/a/manifests/b").await;
    assert_eq!(missing.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(missing.headers().contains_key(RETRY_AFTER));
    let (status, wrong) = bed.operator("/debug/health").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(wrong.contains("storagedriver"), "{wrong}");
    bed.stop().await;
}

/// A service that says the same to everybody. Gives its port.
async fn saying(answer: (StatusCode, [(&'static str, String); 2], &'static str), tasks: &mut JoinSet<()>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let app = axum::Router::new().fallback(move || async move { answer });
    tasks.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
    port
}

#[tokio::test]
async fn operators_are_told_why_the_store_lets_nobody_in_and_clients_are_not() {
    let mut keystones = JoinSet::new();
    for (status, scope, told) in [
        (StatusCode::UNAUTHORIZED, "tenant: t", "identity refused the credentials: not you"),
        (StatusCode::FORBIDDEN, "tenant: t", "identity answered 403 to POST /auth/tokens: not you"),
        (StatusCode::NOT_FOUND, "trustid: t-1", "trust t-1 is no longer there: not you"),
    ] {
        let headers = [("content-type", "application/json".to_owned()), ("vary", "X-Auth-Token".to_owned())];
        let keystone = saying((status, headers, r#"{"error": {"message": "not you"}}"#), &mut keystones).await;
        let swift = format!(
            "storage: {{swift: {{authurl: 'http://127.0.0.1:{keystone}/v3', username: u, password: opensesame, {scope}, domain: Default, container: c}}}}"
        );
        let text = PLAIN.replace("storage: {filesystem: {rootdirectory: DIR/store}, delete: {enabled: true}}", &swift);
        let bed = Bed::start(&text).await;
        let wrong = bed.operators_see("/debug/health", |wrong| wrong.contains(told).then(|| wrong.to_owned())).await;
        assert!(!wrong.contains("opensesame"), "{wrong}");
        assert_eq!(bed.get("/readyz").await.text().await.expect("a text"), "not ready\n");
        let missing = bed.get("/v2/a/manifests/b").await.text().await.expect("a text");
        assert!(missing.contains("UNAVAILABLE") && !missing.contains("not you"), "{missing}");
        bed.stop().await;
    }
}

#[tokio::test]
async fn how_far_the_clock_of_the_store_is_ahead_is_among_the_numbers() {
    install_provider();
    let mut stores = JoinSet::new();
    let later = SystemClock.now() + Duration::from_secs(3600);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&later).expect("a date");
    let headers = [("content-type", "application/xml".to_owned()), ("date", date)];
    let store = saying((StatusCode::OK, headers, "<ListBucketResult></ListBucketResult>"), &mut stores).await;
    let s3 = format!(
        "storage: {{s3: {{region: r, bucket: b, regionendpoint: 'http://127.0.0.1:{store}', accesskey: a, secretkey: s}}}}"
    );
    let text = PLAIN.replace("storage: {filesystem: {rootdirectory: DIR/store}, delete: {enabled: true}}", &s3);
    let bed = Bed::start(&text).await;
    let ahead = |numbers: &str| {
        let line = numbers.lines().find_map(|line| line.strip_prefix("registry_clock_ahead_seconds "));
        line.and_then(|ahead| ahead.parse::<i64>().ok())
    };
    let ahead = bed.operators_see("/metrics", ahead).await;
    // It stands still at an hour from the beginning of the test.
    assert!((3500..=3601).contains(&ahead), "{ahead}");
    bed.stop().await;
}

#[tokio::test]
async fn a_file_switches_writing_off_and_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let switch = dir.path().join("read-only");
    let bed = Bed::start_in(dir, &format!("{PLAIN}jeroboam: {{readonlyfile: DIR/read-only}}\n")).await;
    bed.push("a", "v1").await;
    let begun = async || bed.send(Method::POST, "/v2/a/blobs/uploads/", "").await.status();
    let becomes = async |status: StatusCode| {
        let turned = async {
            while begun().await != status {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, turned).await.expect("the switch is seen");
    };
    std::fs::write(&switch, "").expect("written");
    becomes(StatusCode::METHOD_NOT_ALLOWED).await;
    assert_eq!(bed.get("/v2/a/manifests/v1").await.status(), StatusCode::OK);
    let removed = bed.send(Method::DELETE, "/v2/a/manifests/v1", "").await;
    assert_eq!(removed.status(), StatusCode::METHOD_NOT_ALLOWED);
    std::fs::remove_file(&switch).expect("removed");
    becomes(StatusCode::ACCEPTED).await;
    bed.stop().await;
}
