use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use jeroboam_model::{ManualClock, Timestamp};
use serde_json::Value;
use tower::ServiceExt as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;
use crate::config::Config;

struct Bed {
    auth: Auth,
    clock: Arc<ManualClock>,
    dir: tempfile::TempDir,
}

impl Bed {
    /// With this below `auth`, in which `DIR` is a directory with a file of users: `ada` with the password `one` and `bob` with `two`.
    fn new(auth: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let line = |name: &str, password: &str| {
            let hash = hash_password(&password.into(), HashMethod::Bcrypt, Some(4)).expect("a hash");
            format!("{name}:{hash}\n")
        };
        std::fs::write(dir.path().join("users"), line("ada", "one") + &line("bob", "two")).expect("written");
        std::fs::create_dir(dir.path().join("refresh")).expect("a directory");
        let clock = Arc::new(ManualClock::at("2026-11-29T12:00:00Z".parse().expect("a time")));
        let auth = Auth::new(config(auth, dir.path()), &HttpConfig::default(), clock.clone()).expect("auth");
        Self { auth, clock, dir }
    }

    async fn check(&self, request: &Parts, needs: &[Need]) -> Result<Option<String>, (u16, Vec<String>)> {
        let answer = self.auth.check(request, &Peer::of(request), needs).await;
        answer.map(|actor| actor.name).map_err(|refusal| {
            let challenges = refusal.challenges.iter().map(|value| value.to_str().expect("text").to_owned());
            (refusal.status().as_u16(), challenges.collect())
        })
    }

    async fn status(&self, request: &Parts, need: Need) -> u16 {
        self.check(request, &[need]).await.map_or_else(|(status, _)| status, |_| 200)
    }

    async fn token(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = routes(&self.auth, "").oneshot(request).await.expect("an answer");
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn get_token(&self, query: &str, user: Option<(&str, &str)>) -> (StatusCode, Value) {
        let mut request = Request::get(format!("{TOKEN_PATH}?{query}")).header(HOST, "reg:5000");
        if let Some((name, password)) = user {
            request = request.header(AUTHORIZATION, basic(name, password));
        }
        self.token(request.body(Body::empty()).expect("a request")).await
    }

    async fn post_token(&self, form: &str) -> (StatusCode, Value) {
        let request = Request::post(TOKEN_PATH).header(HOST, "reg:5000");
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.token(request.body(Body::from(form.to_owned())).expect("a request")).await
    }
}

fn config(auth: &str, dir: &Path) -> AuthConfig {
    let indented: String = auth.lines().map(|line| format!("  {line}\n")).collect();
    let text = format!("version: 0.1\nstorage: inmemory\nauth:\n{indented}");
    let text = text.replace("DIR", &dir.display().to_string());
    let read = Config::read(&text, &BTreeMap::new()).expect("YAML");
    read.into_config().expect("a configuration").auth
}

/// Listens to what the log is told of decisions.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    /// The lines since the last time.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("lock"))
    }
}

/// A sentence, and its fields behind it.
#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => self.0.insert_str(0, &format!("{value:?}")),
            name => self.0.push_str(&format!(" {name}={value:?}")),
        }
    }
}

impl Subscriber for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == AUDIT
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.0.lock().expect("lock").push(line.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

const USERS: &str = "htpasswd: {realm: ours, path: DIR/users}";

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

fn request(authorization: Option<&str>) -> Parts {
    asking(Method::GET, "/v2/", authorization, Peer { address: Some([192, 0, 2, 1].into()), ..Peer::default() })
}

fn asking(method: Method, uri: &str, authorization: Option<&str>, peer: Peer) -> Parts {
    let mut request = Request::builder().method(method).uri(uri).header(HOST, "reg:5000").extension(peer);
    if let Some(value) = authorization {
        request = request.header(AUTHORIZATION, value);
    }
    request.body(()).expect("a request").into_parts().0
}

fn need(repository: &str, action: Action) -> Need {
    Need::Repository(repository.parse().expect("a name"), action)
}

#[tokio::test]
async fn without_anything_everybody_is_let_in() {
    let bed = Bed::new("none: {}");
    assert!(bed.auth.is_open());
    assert_eq!(bed.check(&request(None), &[need("a", Action::Delete), Need::Catalog]).await, Ok(None));
}

#[tokio::test]
async fn tokens_of_this_registry_alone_keep_everybody_else_out() {
    let bed = Bed::new("builtin: {}");
    assert!(!bed.auth.is_open());
    let (status, challenges) = bed.check(&request(None), &[need("a", Action::Push)]).await.expect_err("nobody");
    assert_eq!(status, 401);
    assert!(challenges[0].starts_with("Bearer realm=\"http://reg:5000/auth/token\""), "{challenges:?}");
    for authorization in ["Bearer x.y.z".to_owned(), basic("ada", "one")] {
        assert_eq!(bed.status(&request(Some(&authorization)), need("a", Action::Pull)).await, 401);
    }
    let shared = bed.auth.shared.as_ref().expect("not open");
    let scope = scope::Scope::parse("repository:a:pull").expect("a scope");
    let builtin = shared.builtin.as_ref().expect("a maker of tokens");
    let token = builtin.issue("ci", None, "reg:5000", std::slice::from_ref(&scope), bed.clock.now(), None).token;
    let shown = request(Some(&format!("Bearer {token}")));
    assert_eq!(bed.check(&shown, &[need("a", Action::Pull)]).await, Ok(Some("ci".to_owned())));
    assert_eq!(bed.status(&shown, need("a", Action::Push)).await, 401);
    // With something that anybody may pull, too, one still has to be somebody to come in.
    let bed = Bed::new("builtin: {}\nanonymous: {pull: ['*']}");
    assert_eq!(bed.status(&request(None), Need::Entry).await, 401);
    let bed = Bed::new("anonymous: {pull: ['*']}");
    assert_eq!((bed.auth.is_open(), bed.status(&request(None), Need::Entry).await), (false, 200));
    assert_eq!(bed.status(&request(None), need("a", Action::Push)).await, 401);
}

#[tokio::test]
async fn a_user_of_the_file_is_asked_for_a_password() {
    let bed = Bed::new(USERS);
    let challenge = vec!["Basic realm=\"ours\"".to_owned()];
    assert_eq!(bed.check(&request(None), &[Need::Entry]).await, Err((401, challenge.clone())));
    assert!(bed.auth.visible(&request(None), &Peer::default(), &[]).await.is_err());
    let good = request(Some(&basic("ada", "one")));
    assert_eq!(bed.check(&good, &[Need::Entry, need("a", Action::Delete)]).await, Ok(Some("ada".to_owned())));
    assert_eq!(bed.check(&request(Some(&basic("ada", "two"))), &[Need::Entry]).await, Err((401, challenge.clone())));
    assert_eq!(bed.check(&request(Some("Bearer x.y.z")), &[Need::Entry]).await, Err((401, challenge)));
}

#[tokio::test]
async fn rules_say_what_a_user_may_do() {
    let rules = "htpasswd:\n  realm: ours\n  path: DIR/users\n  rules:\n  - {names: [ada], prefixes: [team/], actions: [pull, push]}\n";
    let bed = Bed::new(rules);
    let ada = request(Some(&basic("ada", "one")));
    assert_eq!(bed.status(&ada, need("team/a", Action::Push)).await, 200);
    assert_eq!(bed.status(&ada, need("team/a", Action::Delete)).await, 403);
    assert_eq!(bed.status(&ada, need("other", Action::Pull)).await, 403);
    assert_eq!(bed.status(&ada, Need::Catalog).await, 403);
    assert!(bed.auth.may(&ada, &Peer::default(), &need("team/b", Action::Pull)).await);
    assert!(!bed.auth.may(&ada, &Peer::default(), &need("other", Action::Pull)).await);
    let bob = request(Some(&basic("bob", "two")));
    assert_eq!((bed.status(&bob, Need::Entry).await, bed.status(&bob, need("team/a", Action::Pull)).await), (200, 403));
}

#[tokio::test]
async fn who_fails_too_often_is_refused_unseen_and_only_there() {
    let bed = Bed::new(&format!("{USERS}\nlimits: {{failures: 3}}"));
    let right = request(Some(&basic("ada", "one")));
    // A client shows the same wrong password with each request: that is one guess, also where many come at once.
    let wrong: Vec<Parts> = (0..10).map(|_| request(Some(&basic("ada", "wrong")))).collect();
    let statuses = futures::future::join_all(wrong.iter().map(|shown| bed.status(shown, Need::Entry))).await;
    assert_eq!(statuses, [401; 10]);
    assert_eq!(bed.status(&right, Need::Entry).await, 200);
    for n in 0..2 {
        assert_eq!(bed.status(&request(Some(&basic("ada", &format!("wrong {n}")))), Need::Entry).await, 401);
    }
    assert_eq!(bed.status(&wrong[0], Need::Entry).await, 429);
    assert_eq!(bed.status(&right, Need::Entry).await, 429);
    let elsewhere = Peer { address: Some([192, 0, 2, 2].into()), ..Peer::default() };
    let elsewhere = asking(Method::GET, "/v2/", Some(&basic("ada", "one")), elsewhere);
    assert_eq!(bed.status(&elsewhere, Need::Entry).await, 200);
    assert_eq!(bed.status(&request(Some(&basic("bob", "two"))), Need::Entry).await, 200);
    bed.clock.advance(Duration::from_secs(61));
    assert_eq!(bed.status(&right, Need::Entry).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_many_passwords_at_once_has_no_more_tries() {
    let bed = Bed::new(&format!("{USERS}\nlimits: {{failures: 3}}"));
    let wrong: Vec<Parts> = (0..30).map(|n| request(Some(&basic("ada", &format!("wrong {n}"))))).collect();
    let statuses = futures::future::join_all(wrong.iter().map(|shown| bed.status(shown, Need::Entry))).await;
    let of = |status: u16| statuses.iter().filter(|other| **other == status).count();
    assert_eq!((of(401), of(429)), (3, 27), "{statuses:?}");
    // Who is right may be many.
    let right: Vec<Parts> = (0..30).map(|_| request(Some(&basic("bob", "two")))).collect();
    let statuses = futures::future::join_all(right.iter().map(|shown| bed.status(shown, Need::Entry))).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    // Whoever guesses learns nothing without a try, not even what was right a moment ago.
    for n in 0..4 {
        bed.status(&request(Some(&basic("bob", &format!("wrong {n}")))), Need::Entry).await;
    }
    assert_eq!(bed.status(&right[0], Need::Entry).await, 429);
}

#[tokio::test]
async fn a_token_is_good_for_what_was_asked_and_allowed() {
    let bed = Bed::new(&format!("{USERS}\nbuiltin: {{}}"));
    let scopes = "service=reg:5000&scope=repository:a/b:pull,push&scope=repository:c:pull";
    let (status, body) = bed.get_token(scopes, Some(("ada", "one"))).await;
    assert_eq!(
        (status, &body["expires_in"], &body["token"]),
        (StatusCode::OK, &Value::from(300), &body["access_token"])
    );
    assert_eq!(body["issued_at"], "2026-11-29T12:00:00Z");
    let bearer = format!("Bearer {}", body["token"].as_str().expect("a token"));
    let shown = request(Some(&bearer));
    assert_eq!(bed.check(&shown, &[Need::Entry, need("a/b", Action::Push)]).await, Ok(Some("ada".to_owned())));
    let (status, challenges) = bed.check(&shown, &[need("a/b", Action::Delete)]).await.expect_err("not that");
    let wanted = "Bearer realm=\"http://reg:5000/auth/token\",service=\"reg:5000\",scope=\"repository:a/b:delete\",error=\"insufficient_scope\"";
    assert_eq!((status, challenges), (401, vec![wanted.to_owned()]));
    bed.clock.advance(Duration::from_secs(361));
    let (status, challenges) = bed.check(&shown, &[Need::Entry]).await.expect_err("it has ended");
    assert!(status == 401 && challenges[0].ends_with(",error=\"invalid_token\""), "{challenges:?}");
    // Clients that show a password with each request are let in, too.
    assert_eq!(bed.status(&request(Some(&basic("ada", "one"))), need("z", Action::Push)).await, 200);

    assert_eq!(bed.get_token(scopes, Some(("ada", "wrong"))).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(bed.get_token("service=other", Some(("ada", "one"))).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(bed.get_token("scope=nothing", Some(("ada", "one"))).await.0, StatusCode::BAD_REQUEST);
    let (status, body) = bed.get_token(scopes, None).await;
    assert_eq!(status, StatusCode::OK);
    let bearer = format!("Bearer {}", body["token"].as_str().expect("a token"));
    assert_eq!(bed.status(&request(Some(&bearer)), need("c", Action::Pull)).await, 401, "a token of nobody");
}

#[tokio::test]
async fn a_mount_asks_for_both_repositories_at_once() {
    let bed = Bed::new(&format!("{USERS}\nbuiltin: {{}}"));
    let uri = "/v2/a/blobs/uploads/?mount=sha256%3Ax&from=c%2Fd";
    let asked = asking(Method::POST, uri, None, Peer::default());
    let (_, challenges) =
        bed.check(&asked, &[need("a", Action::Pull), need("a", Action::Push)]).await.expect_err("401");
    assert!(challenges[0].contains("scope=\"repository:a:pull,push repository:c/d:pull\""), "{challenges:?}");
}

#[tokio::test]
async fn anybody_gets_a_token_for_what_is_public() {
    let bed = Bed::new(&format!("{USERS}\nanonymous: {{pull: [public/]}}"));
    let (status, challenges) =
        bed.check(&request(None), &[Need::Entry]).await.expect_err("clients are told whom to ask");
    assert_eq!(
        (status, challenges),
        (401, vec!["Bearer realm=\"http://reg:5000/auth/token\",service=\"reg:5000\"".to_owned()])
    );
    assert_eq!(bed.status(&request(None), need("public/a", Action::Pull)).await, 200);
    let names: Vec<RepositoryName> = ["public/a", "team/a"].map(|name| name.parse().expect("a name")).to_vec();
    let (nobody, ada) = (request(None), request(Some(&basic("ada", "one"))));
    assert_eq!(bed.auth.visible(&nobody, &Peer::default(), &names).await, Ok(names[..1].to_vec()));
    assert_eq!(bed.auth.visible(&ada, &Peer::default(), &names).await, Ok(names));
    assert_eq!(bed.status(&request(None), need("public/a", Action::Push)).await, 401);
    let (status, body) = bed.get_token("service=reg:5000&scope=repository:public/a:pull,push", None).await;
    assert_eq!(status, StatusCode::OK);
    let shown = request(Some(&format!("Bearer {}", body["token"].as_str().expect("a token"))));
    assert_eq!(bed.status(&shown, Need::Entry).await, 200);
    assert_eq!(bed.status(&shown, need("public/a", Action::Pull)).await, 200);
    assert_eq!(bed.status(&shown, need("public/a", Action::Push)).await, 401);
    assert_eq!(bed.status(&shown, need("team/a", Action::Pull)).await, 401);
}

#[tokio::test]
async fn a_refresh_token_stands_for_a_password_until_that_changes() {
    let bed = Bed::new(&format!("{USERS}\nbuiltin: {{refreshtokens: DIR/refresh}}"));
    let form = "grant_type=password&service=reg:5000&client_id=c&username=ada&password=one&access_type=offline&scope=repository:a:pull+repository:b:pull";
    let (status, body) = bed.post_token(form).await;
    assert_eq!((status, &body["scope"]), (StatusCode::OK, &Value::from("repository:a:pull repository:b:pull")));
    let refresh = body["refresh_token"].as_str().expect("a refresh token").to_owned();
    let again = format!(
        "grant_type=refresh_token&service=reg:5000&client_id=c&refresh_token={refresh}&scope=repository:a:push"
    );
    let (status, body) = bed.post_token(&again).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.get("refresh_token").is_none());
    let shown = request(Some(&format!("Bearer {}", body["access_token"].as_str().expect("a token"))));
    assert_eq!(bed.status(&shown, need("a", Action::Push)).await, 200);
    for form in [
        "grant_type=password&service=reg:5000&username=ada&password=wrong",
        "grant_type=refresh_token&service=reg:5000&refresh_token=none",
    ] {
        assert_eq!(bed.post_token(form).await.0, StatusCode::BAD_REQUEST, "{form}");
    }
    assert_eq!(bed.post_token("grant_type=client_credentials").await.1["error"], "unsupported_grant_type");
    let hash = hash_password(&"changed".into(), HashMethod::Bcrypt, Some(4)).expect("a hash");
    std::fs::write(bed.dir.path().join("users"), format!("ada:{hash}\n")).expect("written");
    bed.clock.advance(Duration::from_secs(2));
    assert_eq!(bed.post_token(&again).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn tokens_are_given_so_often_and_no_more() {
    let bed = Bed::new(&format!("{USERS}\nbuiltin: {{}}\nlimits: {{tokens: 2}}"));
    // Twenty at once, and from then on two a second.
    for more in [20, 2] {
        for _ in 0..more {
            assert_eq!(bed.get_token("", Some(("ada", "one"))).await.0, StatusCode::OK);
        }
        assert_eq!(bed.get_token("", Some(("ada", "one"))).await.0, StatusCode::TOO_MANY_REQUESTS);
        bed.clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn whoever_gets_no_token_leaves_a_line() {
    let heard = Heard::default();
    let _guard = tracing::subscriber::set_default(heard.clone());
    let bed = Bed::new(&format!("{USERS}\nbuiltin: {{}}\nlimits: {{tokens: 1}}"));
    let ada = Some(("ada", "one"));
    for (query, reason) in [
        ("scope=nothing", "a scope is none, or there are too many"),
        ("scope=%zz", "the query cannot be read"),
        ("service=other", "it would be for another service"),
    ] {
        assert_eq!(bed.get_token(query, ada).await.0, StatusCode::BAD_REQUEST, "{query}");
        let line = format!("refused a token user.name=\"ada\" client=\"\" reason=\"{reason}\"");
        assert_eq!(heard.take(), [line], "{query}");
    }
    for (form, reason) in [
        ("grant_type=password&username=ada&password=one&scope=nothing", "a scope is none, or there are too many"),
        ("grant_type=password&username=ada", "the name or the password is missing"),
        ("grant_type=refresh_token&username=ada", "the refresh token is missing"),
        ("username=ada", "the grant type is not known"),
    ] {
        assert_eq!(bed.post_token(form).await.0, StatusCode::BAD_REQUEST, "{form}");
        let line = format!("refused a token user.name=\"ada\" client=\"\" reason=\"{reason}\"");
        assert_eq!(heard.take(), [line], "{form}");
    }
    // Five of ten tries are left.
    for _ in 0..5 {
        assert_eq!(bed.get_token("", ada).await.0, StatusCode::OK);
        assert!(heard.take()[0].starts_with("gave a token user.name=\"ada\""));
    }
    assert_eq!(bed.get_token("", ada).await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(bed.post_token("username=ada").await.0, StatusCode::TOO_MANY_REQUESTS);
    let line =
        |name: &str| format!("refused a token user.name={name:?} client=\"\" reason=\"too many requests for tokens\"");
    assert_eq!(heard.take(), [line("ada"), line("")]);
}

#[tokio::test]
async fn what_a_mount_may_read_is_told_like_any_other_decision() {
    let rules = "htpasswd:\n  realm: ours\n  path: DIR/users\n  rules:\n  - {names: [ada], prefixes: [team/], actions: [pull, push]}\n";
    let bed = Bed::new(rules);
    let heard = Heard::default();
    let _guard = tracing::subscriber::set_default(heard.clone());
    let ada = asking(Method::POST, "/v2/team/a/blobs/uploads/", Some(&basic("ada", "one")), Peer::default());
    assert!(bed.auth.may(&ada, &Peer::default(), &need("team/b", Action::Pull)).await);
    assert!(!bed.auth.may(&ada, &Peer::default(), &need("other", Action::Pull)).await);
    let said = |word: &str, name: &str| {
        let who = "user.name=\"ada\" by=\"password\" client=\"\"";
        format!("{word} a mount in POST /v2/team/a/blobs/uploads/ {who} scope=\"repository:{name}:pull\"")
    };
    assert_eq!(heard.take(), [said("allowed", "team/b"), said("refused", "other") + " reason=\"not allowed\""]);
}

#[tokio::test]
async fn the_subject_of_a_certificate_is_somebody() {
    let rules = "certificates:\n  rules:\n  - {names: [node], prefixes: ['*'], actions: [pull]}\n";
    let bed = Bed::new(&format!("{USERS}\n{rules}"));
    let peer = |whole: &str, common: Option<&str>| {
        let subject = Subject { whole: whole.into(), common: common.map(Into::into) };
        Peer { subject: Some(subject), tls: true, ..Peer::default() }
    };
    let node = asking(Method::GET, "/v2/", None, peer("O=us, CN=node", Some("node")));
    assert_eq!(bed.check(&node, &[Need::Entry, need("a", Action::Pull)]).await, Ok(Some("node".to_owned())));
    assert_eq!(bed.status(&node, need("a", Action::Push)).await, 403);
    for (whole, common) in [("CN=other", Some("other")), ("O=x\\, CN=node", None)] {
        let other = asking(Method::GET, "/v2/", None, peer(whole, common));
        assert_eq!(bed.status(&other, Need::Entry).await, 401, "{whole}");
    }
    // Where nothing else helps there is no challenge, and so no 401.
    let bed = Bed::new(rules);
    assert_eq!(bed.status(&node, Need::Entry).await, 200);
    for shown in [None, Some(basic("ada", "one")), Some("Bearer x.y.z".to_owned())] {
        assert_eq!(bed.check(&request(shown.as_deref()), &[Need::Entry]).await, Err((403, Vec::new())), "{shown:?}");
    }
    let other = asking(Method::GET, "/v2/", None, peer("CN=other", Some("other")));
    assert_eq!(bed.status(&other, Need::Entry).await, 403);
}

#[tokio::test]
async fn tokens_of_another_server_are_believed_with_its_key() {
    let dir = tempfile::tempdir().expect("a directory");
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let certificate = rcgen::CertificateParams::new(vec!["tokens".to_owned()]).expect("parameters");
    let certificate = certificate.self_signed(&key).expect("a certificate");
    std::fs::write(dir.path().join("bundle"), certificate.pem()).expect("written");
    std::fs::write(dir.path().join("key"), key.serialize_pem()).expect("written");
    let text = "token: {realm: 'https://tokens/', service: reg, issuer: them, rootcertbundle: DIR/bundle}";
    let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_790_000_000).expect("a time")));
    let auth = Auth::new(config(text, dir.path()), &HttpConfig::default(), clock.clone()).expect("auth");
    let bed = Bed { auth, clock, dir };
    // What their server does is what ours would do with their key.
    let theirs = |issuer: &str| {
        let key = Some(bed.dir.path().join("key"));
        Builtin::open(BuiltinConfig { issuer: issuer.to_owned(), key, ..BuiltinConfig::default() }).expect("a server")
    };
    let scope = scope::Scope::parse("repository:a:pull").expect("a scope");
    let give = |issuer: &str, service: &str| {
        theirs(issuer).issue("ada", None, service, std::slice::from_ref(&scope), bed.clock.now(), None).token
    };
    let shown = |token: String| request(Some(&format!("Bearer {token}")));
    assert_eq!(bed.check(&shown(give("them", "reg")), &[need("a", Action::Pull)]).await, Ok(Some("ada".to_owned())));
    for token in [give("others", "reg"), give("them", "other")] {
        let (status, challenges) =
            bed.check(&shown(token), &[need("a", Action::Pull)]).await.expect_err("not believed");
        assert_eq!(status, 401);
        assert_eq!(
            challenges,
            ["Bearer realm=\"https://tokens/\",service=\"reg\",scope=\"repository:a:pull\",error=\"invalid_token\""]
        );
    }
    let other =
        Builtin::open(BuiltinConfig { issuer: "them".to_owned(), ..BuiltinConfig::default() }).expect("a server");
    let forged = other.issue("ada", None, "reg", std::slice::from_ref(&scope), bed.clock.now(), None).token;
    assert_eq!(bed.status(&shown(forged), need("a", Action::Pull)).await, 401);
}

#[tokio::test]
async fn another_server_may_be_at_the_address_that_clients_call_us_by() {
    let dir = tempfile::tempdir().expect("a directory");
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let certificate = rcgen::CertificateParams::new(vec!["tokens".to_owned()]).expect("parameters");
    let certificate = certificate.self_signed(&key).expect("a certificate");
    std::fs::write(dir.path().join("bundle"), certificate.pem()).expect("written");
    let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_790_000_000).expect("a time")));
    let trusted = HttpConfig {
        trusted_proxies: vec!["192.0.2.0/24".parse().expect("a network")],
        prefix: "/p".to_owned(),
        ..HttpConfig::default()
    };
    let set = HttpConfig { host: Some("http://set:5000".to_owned()), ..HttpConfig::default() };
    let relative = HttpConfig { relative_urls: true, ..HttpConfig::default() };
    for (more, locations, realm) in [
        ("", HttpConfig::default(), "https://tokens/"),
        (", autoredirect: false, autoredirectpath: /t", HttpConfig::default(), "https://tokens/"),
        (", autoredirect: true", HttpConfig::default(), "https://reg:5000/auth/token"),
        (", autoredirect: true, autoredirectpath: t", HttpConfig::default(), "https://reg:5000/t"),
        (", autoredirect: true", trusted, "http://pub.example.org/auth/token"),
        (", autoredirect: true", set, "http://set:5000/auth/token"),
        (", autoredirect: true", relative, "https://reg:5000/auth/token"),
    ] {
        let text = format!(
            "token: {{realm: 'https://tokens/', service: reg, issuer: them, rootcertbundle: DIR/bundle{more}}}"
        );
        let auth = Auth::new(config(&text, dir.path()), &locations, clock.clone()).expect("auth");
        let mut asked = request(None);
        for (name, value) in [("x-forwarded-proto", "http"), ("x-forwarded-host", "pub.example.org")] {
            asked.headers.insert(name, HeaderValue::from_static(value));
        }
        let refusal = auth.check(&asked, &Peer::of(&asked), &[Need::Entry]).await.expect_err("401");
        assert_eq!(refusal.challenges, [format!("Bearer realm=\"{realm}\",service=\"reg\"")], "{more}");
    }
}

#[tokio::test]
async fn silly_lets_in_whoever_says_anything() {
    let bed = Bed::new("silly: {realm: r, service: s}");
    let (status, challenges) = bed.check(&request(None), &[need("a", Action::Pull)]).await.expect_err("401");
    assert_eq!(
        (status, challenges),
        (401, vec!["Bearer realm=\"r\",service=\"s\",scope=\"repository:a:pull\"".to_owned()])
    );
    assert_eq!(bed.status(&request(Some("seriously, anything")), need("a", Action::Delete)).await, 200);
}
