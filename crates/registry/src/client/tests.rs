use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use axum::routing::{any, get};
use base64::Engine as _;
use futures::StreamExt;
use http::{HeaderMap, Method, StatusCode};
use jeroboam_model::{Clock as _, SystemClock};
use jeroboam_oci::{Digest, Reference};
use serde_json::json;

use super::*;
use crate::bed::{InMemory, Server, Wanted, by_tag, bytes, image, listen, name, pull_blob, push, settings};

type Pairs = Vec<(String, String)>;

/// The query of a request for a token, and how somebody logged in.
type TokenRequest = (Pairs, Option<String>);

/// A registry that lets in whoever has a token of its token server, and that server.
#[derive(Clone, Default)]
struct Guarded {
    asked: Arc<Mutex<Vec<TokenRequest>>>,
    lifetime: u64,
}

fn answer(status: StatusCode, headers: &[(&'static str, &str)], body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    for (name, value) in headers {
        response.headers_mut().append(*name, value.parse().unwrap());
    }
    response
}

async fn token(State(guarded): State<Guarded>, Query(query): Query<Pairs>, headers: HeaderMap) -> Response {
    let login = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    guarded.asked.lock().unwrap().push((query, login));
    answer(StatusCode::OK, &[], json!({"token": "let-me-in", "expires_in": guarded.lifetime}).to_string())
}

async fn guarded(headers: HeaderMap) -> Response {
    if headers.get("authorization").is_some_and(|value| value == "Bearer let-me-in") {
        return answer(StatusCode::OK, &[], "{}");
    }
    let challenge = "Bearer realm=\"/token\",service=\"a registry\",scope=\"whatever\"";
    answer(StatusCode::UNAUTHORIZED, &[("www-authenticate", challenge)], "{}")
}

async fn guarded_remote(lifetime: u64) -> (Guarded, Remote, tokio::task::JoinSet<()>) {
    let state = Guarded { lifetime, ..Guarded::default() };
    let app = Router::new().route("/token", get(token)).fallback(get(guarded)).with_state(state.clone());
    let (address, tasks) = listen("127.0.0.1:0".parse().unwrap(), app).await;
    let password = Password::Given("secret".to_owned().into());
    let credentials = Some(Credentials { user_name: "ada".to_owned(), password });
    let remote = Remote::new(RemoteSettings { credentials, ..settings(address) }, Arc::new(SystemClock)).unwrap();
    (state, remote, tasks)
}

#[tokio::test]
async fn a_token_is_fetched_once_for_what_it_is_good_for() {
    let (state, remote, _tasks) = guarded_remote(300).await;
    remote.probe().await.unwrap();
    for _ in 0..3 {
        remote.manifest(&name("team/app"), &by_tag("v1")).await.unwrap();
    }
    remote.manifest(&name("team/tool"), &by_tag("v1")).await.unwrap();
    let asked = state.asked.lock().unwrap().clone();
    let scopes: Vec<_> = asked
        .iter()
        .map(|(query, _)| query.iter().filter(|(name, _)| name == "scope").map(|(_, v)| v.as_str()).collect::<Vec<_>>())
        .collect();
    assert_eq!(scopes, [vec![], vec!["repository:team/app:pull"], vec!["repository:team/tool:pull"]]);
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("ada:secret"));
    assert!(asked.iter().all(|(query, login)| {
        login.as_deref() == Some(&basic) && query.contains(&("service".to_owned(), "a registry".to_owned()))
    }));
}

#[tokio::test]
async fn a_token_that_is_over_is_replaced_and_a_wrong_password_is_said() {
    let (state, remote, _tasks) = guarded_remote(0).await;
    for _ in 0..2 {
        remote.manifest(&name("team/app"), &by_tag("v1")).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(state.asked.lock().unwrap().len(), 2);

    let app = Router::new().fallback(get(|| async {
        answer(
            StatusCode::UNAUTHORIZED,
            &[("www-authenticate", "Basic realm=\"x\"")],
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}"#,
        )
    }));
    let (address, _tasks) = listen("127.0.0.1:0".parse().unwrap(), app).await;
    let remote = Remote::new(settings(address), Arc::new(SystemClock)).unwrap();
    let refused = remote.probe().await.unwrap_err();
    assert_eq!(refused.trouble(), Trouble::Refused);
    assert!(refused.to_string().ends_with("status 401, UNAUTHORIZED no"), "{refused}");
}

#[tokio::test]
async fn a_password_is_not_sent_in_the_clear_to_somebody_else() {
    let registry: Url = "https://registry.example.org".parse().unwrap();
    let login = auth::Login::new(None);
    let headers = HeaderMap::from_iter([(
        http::header::WWW_AUTHENTICATE,
        "Bearer realm=\"http://127.0.0.1:1/token\"".parse().unwrap(),
    )]);
    let http = reqwest::Client::new();
    let asker = auth::Asker { http: &http, registry: &registry, now: SystemClock.now() };
    let refused = login.answer(&asker, &headers, &auth::Scope::default()).await.unwrap_err();
    assert!(refused.to_string().contains("in the clear"), "{refused}");
}

/// A registry that takes a hundred bytes of the first body and breaks.
#[derive(Clone, Default)]
struct Fragile {
    taken: Arc<Mutex<Vec<u8>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn fragile(State(state): State<Fragile>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let range = parts.headers.get("content-range").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let line = format!("{} {} {range}", parts.method, parts.uri);
    let first = {
        let mut asked = state.asked.lock().unwrap();
        asked.push(line.trim().to_owned());
        asked.iter().filter(|line| line.starts_with("PUT")).count() == 1
    };
    let location = [("location", "/upload?x=1")];
    match parts.method {
        Method::HEAD => answer(StatusCode::NOT_FOUND, &[], ""),
        Method::POST => answer(StatusCode::ACCEPTED, &location, ""),
        Method::GET => {
            let last = state.taken.lock().unwrap().len() - 1;
            answer(StatusCode::NO_CONTENT, &[location[0], ("range", &format!("0-{last}"))], "")
        }
        _ => {
            let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let mut taken = state.taken.lock().unwrap();
            if parts.method == Method::PUT && first {
                taken.extend_from_slice(&bytes[..100]);
                return answer(StatusCode::INTERNAL_SERVER_ERROR, &[], "");
            }
            taken.extend_from_slice(&bytes);
            let done = if parts.method == Method::PUT { StatusCode::CREATED } else { StatusCode::ACCEPTED };
            answer(done, &location, "")
        }
    }
}

#[tokio::test]
async fn an_upload_that_was_cut_goes_on() {
    let state = Fragile::default();
    let app = Router::new().fallback(any(fragile)).with_state(state.clone());
    let (address, _tasks) = listen("127.0.0.1:0".parse().unwrap(), app).await;
    let remote = Remote::new(settings(address), Arc::new(SystemClock)).unwrap();
    let whole = bytes("upload", 1000);
    let digest = Digest::sha256(&whole);
    let pushed = remote.push_blob(&name("a"), &digest, 1000, &[], &InMemory(whole.clone())).await.unwrap();
    assert_eq!(pushed, Pushed::Sent(1900), "the first hundred bytes were sent once");
    assert_eq!(*state.taken.lock().unwrap(), whole);
    let escaped = digest.to_string().replace(':', "%3A");
    let put = format!("PUT /upload?x=1&digest={escaped}");
    let head = format!("HEAD /v2/a/blobs/{digest}");
    // What is begun in place of a mount is gone on with.
    let begin = format!("POST /v2/a/blobs/uploads/?mount={escaped}");
    let expected: [&str; 6] = [&head, &begin, &put, "GET /upload?x=1", "PATCH /upload?x=1 100-999", &put];
    assert_eq!(*state.asked.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_download_goes_on_also_from_a_registry_that_knows_no_ranges() {
    let whole = bytes("download", 300_000);
    let digest = Digest::sha256(&whole);
    let (served, times) = (whole.clone(), Arc::new(Mutex::new(0)));
    let app = Router::new().fallback(get(move || {
        let (bytes, times) = (served.clone(), times.clone());
        async move {
            let first = {
                let mut times = times.lock().unwrap();
                *times += 1;
                *times == 1
            };
            let pieces: Vec<_> = bytes.chunks(10_000).map(bytes::Bytes::copy_from_slice).collect();
            let body = futures::stream::iter(pieces.into_iter().enumerate())
                .map(move |(n, piece)| if first && n == 13 { Err(std::io::Error::other("cut")) } else { Ok(piece) });
            answer(StatusCode::OK, &[], Body::from_stream(body))
        }
    }));
    let (address, _tasks) = listen("127.0.0.1:0".parse().unwrap(), app).await;
    let remote = Arc::new(Remote::new(settings(address), Arc::new(SystemClock)).unwrap());
    let body = remote.blob(&name("a"), &digest, 300_000, 0).await.unwrap().unwrap();
    let pieces: Vec<bytes::Bytes> = body.map(Result::unwrap).collect().await;
    assert!(pieces.concat() == whole);
    // The same bytes under another digest are not given whole.
    let other = Digest::sha256(b"other");
    let body = remote.blob(&name("a"), &other, 300_000, 0).await.unwrap().unwrap();
    let pieces: Vec<_> = body.collect().await;
    assert!(matches!(pieces.last(), Some(Err(ClientError::Digest { .. }))));
    let given: usize = pieces.iter().flatten().map(bytes::Bytes::len).sum();
    assert!(given < 300_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_repository_has_is_mounted() {
    let server = Server::start(Wanted::default()).await;
    let one = image("one", None);
    push(&server, "team/app", Some("v1"), &one).await.unwrap();
    let (digest, bytes) = one.blobs[1].clone();
    server.faults.asked("");
    let from = [name("team/none"), name("team/app")];
    let pushed = server
        .remote()
        .push_blob(&name("team/tool"), &digest, bytes.len() as u64, &from, &InMemory(bytes.clone()))
        .await;
    assert_eq!(pushed.unwrap(), Pushed::Mounted);
    assert_eq!(pull_blob(&server, "team/tool", &digest).await.as_ref(), Some(&bytes));
    // Also where nobody says which one that is.
    let unsaid = server
        .remote()
        .push_blob(&name("team/other"), &digest, bytes.len() as u64, &[], &InMemory(bytes.clone()))
        .await;
    assert_eq!(unsaid.unwrap(), Pushed::Mounted);
    assert_eq!(pull_blob(&server, "team/other", &digest).await, Some(bytes));
    assert_eq!(server.faults.asked("PUT"), Vec::<String>::new());
    // What is not there is no error.
    let none = server.remote().manifest(&name("team/app"), &Reference::Digest(digest)).await.unwrap();
    assert_eq!(none, None);
}

#[tokio::test]
async fn a_registry_that_mounts_nothing_without_a_source_is_asked_once_and_gets_the_bytes() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let asked_s = asked.clone();
    let app = Router::new().fallback(any(move |request: Request| {
        let asked = asked_s.clone();
        async move {
            let (parts, body) = request.into_parts();
            let is_mount = parts.uri.query().is_some_and(|query| query.starts_with("mount="));
            asked.lock().unwrap().push(if is_mount { "mount".to_owned() } else { parts.method.to_string() });
            let _ = axum::body::to_bytes(body, 1 << 20).await;
            match parts.method {
                Method::POST if is_mount => answer(StatusCode::BAD_REQUEST, &[], ""),
                Method::POST => answer(StatusCode::ACCEPTED, &[("location", "/upload")], ""),
                Method::PUT => answer(StatusCode::CREATED, &[], ""),
                _ => answer(StatusCode::NOT_FOUND, &[], ""),
            }
        }
    }));
    let (address, _tasks) = listen("127.0.0.1:0".parse().unwrap(), app).await;
    let remote = Remote::new(settings(address), Arc::new(SystemClock)).unwrap();
    for seed in ["one", "two"] {
        let whole = bytes(seed, 1000);
        let pushed = remote.push_blob(&name("a"), &Digest::sha256(&whole), 1000, &[], &InMemory(whole.clone())).await;
        assert_eq!(pushed.unwrap(), Pushed::Sent(1000));
    }
    assert_eq!(*asked.lock().unwrap(), ["HEAD", "mount", "POST", "PUT", "HEAD", "POST", "PUT"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_all_pages_and_referrers_are_found_under_a_tag_too() {
    let server = Server::start(Wanted { sparse: true, ..Wanted::default() }).await;
    let one = image("one", None);
    push(&server, "team/app", Some("v1"), &one).await.unwrap();
    let local = server.local();
    for n in 0..1200 {
        let label = format!("t{n}").parse().unwrap();
        server
            .store
            .point_tag(&name("team/app"), &label, &one.manifest.digest, &one.manifest.digest, None)
            .await
            .unwrap();
    }
    assert_eq!(server.remote().tags(&name("team/app")).await.unwrap().unwrap().len(), 1201);
    assert_eq!(crate::images::Images::tags(&local, &name("team/app")).await.unwrap().unwrap().len(), 1201);
    assert_eq!(server.remote().tags(&name("team/none")).await.unwrap(), None);

    // A registry without the list: it says that there is no such path.
    let signature = image("signature", Some(&one.manifest));
    let listed = crate::bed::index(&[&signature.manifest]);
    let fallback = jeroboam_oci::referrers::fallback_tag(&one.manifest.digest);
    server
        .remote()
        .put_manifest(&name("team/app"), Some(&fallback), &listed, &PutCondition::Always, None)
        .await
        .unwrap();
    let unknown =
        [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST, StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_ACCEPTABLE];
    for status in unknown {
        server.faults.refuse("/referrers/", status, "");
        let found = server.remote().referrers(&name("team/app"), &one.manifest.digest).await.unwrap();
        assert_eq!(found[0].digest, signature.manifest.digest, "{status}");
    }
}

#[tokio::test]
async fn a_registry_that_is_busy_is_asked_again_when_it_says() {
    let server = Server::start(Wanted::default()).await;
    for status in [429, 503, 502] {
        server.faults.refuse("/v2/", StatusCode::from_u16(status).unwrap(), "0");
        server.remote().probe().await.unwrap();
    }
    server.faults.refuse("/v2/", StatusCode::SERVICE_UNAVAILABLE, "3600");
    let refused = server.remote().probe().await.unwrap_err();
    assert_eq!((refused.trouble(), refused.retry_after()), (Trouble::Away, Some(Duration::from_secs(3600))));
}

/// A registry whose lists have two pages; the first says that the second is at this address.
async fn listing(next: &'static str, second: StatusCode) -> (Arc<Remote>, tokio::task::JoinSet<()>) {
    let app = Router::new().fallback(get(move |request: Request| async move {
        let query = request.uri().query().unwrap_or_default().to_owned();
        if query.contains("last=") {
            return answer(second, &[], json!({"name": "a", "tags": ["v2"]}).to_string());
        }
        let host = request.headers()["host"].to_str().unwrap().to_owned();
        let link = format!("<{}>; rel=\"next\"", next.replace("HOST", &host));
        answer(StatusCode::OK, &[("link", &link)], json!({"name": "a", "tags": ["v1"]}).to_string())
    }));
    let (address, tasks) = listen("127.0.0.1:0".parse().unwrap(), app).await;
    (Arc::new(Remote::new(settings(address), Arc::new(SystemClock)).unwrap()), tasks)
}

#[tokio::test]
async fn half_a_list_is_an_error_and_not_a_short_list() {
    for (next, second, whole) in [
        ("/v2/a/tags/list?last=v1", StatusCode::OK, true),
        ("https://HOST/v2/a/tags/list?last=v1", StatusCode::OK, true),
        ("http://127.0.0.1:1/v2/a/tags/list?last=v1", StatusCode::OK, true),
        ("/v2/a/tags/list?last=v1", StatusCode::NOT_FOUND, false),
        ("https://registry.example.org/v2/a/tags/list?last=v1", StatusCode::OK, false),
        ("/v2/a/tags/list?n=1000", StatusCode::OK, false),
    ] {
        let (remote, _tasks) = listing(next, second).await;
        let tags = remote.tags(&name("a")).await;
        assert_eq!(tags.as_ref().is_ok_and(|tags| tags.as_ref().unwrap().len() == 2), whole, "{next}: {tags:?}");
        assert!(whole || tags.is_err(), "{next}: {tags:?}");
    }
}

#[tokio::test]
async fn no_more_of_a_list_is_read_than_is_wanted() {
    let (remote, _tasks) = listing("/v2/a/tags/list?last=v1", StatusCode::OK).await;
    for (pages, bytes, fits) in [(2, 1000, true), (1, 1000, false), (2, 30, false)] {
        let tags = remote.tags_up_to(&name("a"), Most { pages, bytes }).await;
        assert_eq!(tags.is_ok(), fits, "{pages} pages, {bytes} bytes: {tags:?}");
    }
}

#[tokio::test]
async fn an_upload_that_goes_on_elsewhere_goes_on_without_our_password() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let heard_s = heard.clone();
    let elsewhere = Router::new().fallback(any(move |request: Request| {
        let heard = heard_s.clone();
        async move {
            let login = request.headers().get("authorization").is_some();
            heard.lock().unwrap().push((request.method().clone(), login));
            let _ = axum::body::to_bytes(request.into_body(), 1 << 20).await;
            answer(StatusCode::CREATED, &[], "")
        }
    }));
    let (other, _others) = listen("127.0.0.1:0".parse().unwrap(), elsewhere).await;
    let registry = Router::new().fallback(any(move |request: Request| async move {
        if request.headers().get("authorization").is_none() {
            return answer(StatusCode::UNAUTHORIZED, &[("www-authenticate", "Basic realm=\"x\"")], "");
        }
        match *request.method() {
            Method::POST => answer(StatusCode::ACCEPTED, &[("location", &format!("http://{other}/upload"))], ""),
            _ => answer(StatusCode::NOT_FOUND, &[], ""),
        }
    }));
    let (address, _tasks) = listen("127.0.0.1:0".parse().unwrap(), registry).await;
    let password = Password::Given("secret".to_owned().into());
    let credentials = Some(Credentials { user_name: "ada".to_owned(), password });
    let remote = Remote::new(RemoteSettings { credentials, ..settings(address) }, Arc::new(SystemClock)).unwrap();
    let whole = bytes("upload", 1000);
    remote.push_blob(&name("a"), &Digest::sha256(&whole), 1000, &[], &InMemory(whole.clone())).await.unwrap();
    assert_eq!(*heard.lock().unwrap(), [(Method::PUT, false)]);
}

#[tokio::test]
async fn a_token_server_is_not_believed_that_something_takes_for_ever() {
    let (state, remote, _tasks) = guarded_remote(u64::MAX).await;
    remote.probe().await.unwrap();
    assert_eq!(state.asked.lock().unwrap().len(), 1);

    let app = Router::new().fallback(get(|request: Request| async move {
        if request.uri().path() == "/token" {
            let date = [("retry-after", "Thu, 01 Jan 2099 00:00:00 GMT")];
            return answer(StatusCode::TOO_MANY_REQUESTS, &date, "");
        }
        answer(StatusCode::UNAUTHORIZED, &[("www-authenticate", "Bearer realm=\"/token\"")], "")
    }));
    let (address, _tasks) = listen("127.0.0.1:0".parse().unwrap(), app).await;
    let remote = Remote::new(settings(address), Arc::new(SystemClock)).unwrap();
    let refused = remote.probe().await.unwrap_err();
    assert_eq!((refused.trouble(), refused.retry_after()), (Trouble::TooMany, Some(Duration::from_secs(3600))));
}

/// Bytes that cannot be read to their end.
struct Broken;

impl Source for Broken {
    fn read(&self, _: u64) -> futures::future::BoxFuture<'_, Result<BlobStream>> {
        let pieces = [Ok(bytes("broken", 1000)), Err(ClientError::Source("it is damaged".to_owned()))];
        Box::pin(async move { Ok(futures::stream::iter(pieces).boxed()) })
    }
}

#[tokio::test]
async fn what_cannot_be_read_here_is_not_the_other_registrys_fault() {
    let server = Server::start(Wanted::default()).await;
    let failed = server.remote().push_blob(&name("a"), &Digest::sha256(b"x"), 2000, &[], &Broken).await.unwrap_err();
    assert!(matches!(failed, ClientError::Source(_)), "{failed}");
}
