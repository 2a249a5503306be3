//! The token endpoint: `GET` as Docker has it, `POST` as OAuth 2 has it.
//!
//! What is granted is what was asked for and is allowed. Less than was asked for is no error; a wrong password is.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use jeroboam_oci::{ErrorCode, Query};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tracing::{info, warn};

use super::credentials::Credentials;
use super::identity::{Identity, Unknown};
use super::scope::{self, Scope};
use super::{AGAIN, AUDIT, Auth, Caller, Peer, Shared};
use crate::http::failure::seconds;
use crate::http::{HttpConfig, location};

/// Where it is.
pub const TOKEN_PATH: &str = "/auth/token";

/// Longest body of a `POST`.
const LONGEST: usize = 16 << 10;

/// Why somebody gets no token, for the log.
const TOO_MANY: &str = "too many requests for tokens";
const BAD_SCOPE: &str = "a scope is none, or there are too many";

/// The token endpoint, for whoever serves it below `prefix`; with nothing in it where there is none.
pub fn routes(auth: &Auth, prefix: &str) -> Router {
    let there = auth.shared.as_ref().filter(|shared| shared.builtin.is_some());
    if there.is_none() {
        return Router::new();
    }
    let method = get(get_token).post(post_token).layer(DefaultBodyLimit::max(LONGEST));
    Router::new().route(&format!("{prefix}{TOKEN_PATH}"), method).with_state(auth.clone())
}

/// What somebody asks for.
#[derive(Debug, Default)]
struct Wish {
    service: Option<String>,
    scopes: Vec<Scope>,
    /// Whether they want a refresh token, too.
    offline: bool,
    /// Whether the answer is in the words of OAuth 2.
    oauth: bool,
}

async fn get_token(State(auth): State<Auth>, request: Request<Body>) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let Some(shared) = auth.shared.as_deref() else { return plain(StatusCode::NOT_FOUND) };
    let peer = Peer::of(&parts);
    let caller = shared.caller(&parts, &peer);
    let shown = Credentials::of(&parts.headers);
    let name = if let Credentials::Basic(name, _) = &shown { name.as_str() } else { "" };
    let no = |why: &str, what: &str| told(&caller, name, why, refused(StatusCode::BAD_REQUEST, what));
    let Ok(query) = Query::parse(parts.uri.query()) else { return no("the query cannot be read", "invalid_request") };
    let Some(scopes) = scopes(query.all("scope")) else { return no(BAD_SCOPE, "invalid_scope") };
    let wish = Wish {
        service: query.first("service").map(str::to_owned),
        scopes,
        offline: query.first("offline_token") == Some("true"),
        oauth: false,
    };
    if let Err(wait) = shared.tokens.take(caller.address, shared.clock.now()) {
        return told(&caller, name, TOO_MANY, too_many(wait));
    }
    let identity = match &shown {
        // A token of ours is good for what it says and not for another token.
        Credentials::Bearer(_) => Err(Unknown::Wrong("a token is no password".to_owned())),
        _ => shared.identify(&shown, &caller, "").await,
    };
    shared.answer(&parts, &caller, wish, identity, name).await
}

async fn post_token(State(auth): State<Auth>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Some(shared) = auth.shared.as_deref() else { return plain(StatusCode::NOT_FOUND) };
    let peer = Peer::of(&parts);
    let caller = shared.caller(&parts, &peer);
    if let Err(wait) = shared.tokens.take(caller.address, shared.clock.now()) {
        return told(&caller, "", TOO_MANY, too_many(wait));
    }
    let unread = |status: StatusCode| told(&caller, "", "the form cannot be read", refused(status, "invalid_request"));
    let Ok(body) = axum::body::to_bytes(body, LONGEST).await else {
        return unread(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let Some(form) = form(&body) else { return unread(StatusCode::BAD_REQUEST) };
    let name = form.first("username").unwrap_or_default();
    let no = |why: &str, what: &str| told(&caller, name, why, refused(StatusCode::BAD_REQUEST, what));
    let Some(scopes) = scopes(form.all("scope")) else { return no(BAD_SCOPE, "invalid_scope") };
    let wish = Wish {
        service: form.first("service").map(str::to_owned),
        scopes,
        offline: form.first("access_type") == Some("offline"),
        oauth: true,
    };
    let secret = |name: &str| form.first(name).map(|text| SecretString::from(text.to_owned()));
    let identity = match form.first("grant_type") {
        Some("password") => match secret("password") {
            Some(password) if !name.is_empty() => shared.by_password(name, &password, &caller).await,
            _ => return no("the name or the password is missing", "invalid_request"),
        },
        Some("refresh_token") => match secret("refresh_token") {
            Some(token) => shared.by_refresh_token(&token).await,
            None => return no("the refresh token is missing", "invalid_request"),
        },
        _ => return no("the grant type is not known", "unsupported_grant_type"),
    };
    shared.answer(&parts, &caller, wish, identity, name).await
}

/// A form is written as a query is.
fn form(body: &Bytes) -> Option<Query> {
    Query::parse(Some(std::str::from_utf8(body).ok()?)).ok()
}

/// Scopes of all values, several in one of them or not; none where there are too many or one is none.
fn scopes<'a>(values: impl Iterator<Item = &'a str>) -> Option<Vec<Scope>> {
    let mut found = Vec::new();
    for text in values.flat_map(str::split_ascii_whitespace) {
        if found.len() == scope::MOST {
            return None;
        }
        found.push(Scope::parse(text)?);
    }
    Some(found)
}

impl Shared {
    async fn answer(
        &self,
        request: &Parts,
        caller: &Caller<'_>,
        wish: Wish,
        identity: Result<Identity, Unknown>,
        claimed: &str,
    ) -> Response<Body> {
        let identity = match identity {
            Ok(identity) => identity,
            Err(why) => {
                let response = self.refused_token(request, caller, &why, wish.oauth);
                return told(caller, claimed, &format!("{why:?}"), response);
            }
        };
        let subject = identity.name.clone().unwrap_or_default();
        let name = if subject.is_empty() { "anonymous" } else { subject.as_str() };
        let Some(builtin) = &self.builtin else { return plain(StatusCode::NOT_FOUND) };
        let service = wish.service.clone().unwrap_or_else(|| self.service(request, caller.peer));
        // A token is for this registry, under the name that its challenge gives.
        if service != self.service(request, caller.peer) {
            let response = refused(StatusCode::BAD_REQUEST, "invalid_request");
            return told(caller, name, "it would be for another service", response);
        }
        let granted: Vec<Scope> = wish.scopes.iter().filter_map(|scope| scope.granted(&identity.permissions)).collect();
        let (client, now) = (caller.client(), self.clock.now());
        let issued = builtin.issue(&subject, identity.account.as_deref(), &service, &granted, now, identity.ends);
        let shown: Vec<String> = granted.iter().map(ToString::to_string).collect();
        let scope = shown.join(" ");
        info!(target: AUDIT, { user.name = name, by = identity.way, client, scope = scope.as_str() }, "gave a token");
        let mut body = json!({
            "token": issued.token, "access_token": issued.token,
            "expires_in": issued.told().as_secs(), "issued_at": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        });
        if wish.oauth {
            body["scope"] = json!(scope);
            body["token_type"] = json!("Bearer");
        }
        if let Some(refresh) = self.refresh_token(&identity, wish.offline).await {
            body["refresh_token"] = json!(refresh.expose_secret());
        }
        json_body(StatusCode::OK, &body)
    }

    /// A refresh token, where somebody wants one and there is a password that it can stand for.
    async fn refresh_token(&self, identity: &Identity, wanted: bool) -> Option<SecretString> {
        let (tokens, name) = (self.refresh.as_ref().filter(|_| wanted)?, identity.name.as_deref()?);
        let fingerprint = identity.fingerprint.clone()?;
        match tokens.give(name, fingerprint, self.clock.now()).await {
            Ok(token) => Some(token),
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "no refresh token was given");
                None
            }
        }
    }

    fn refused_token(&self, request: &Parts, caller: &Caller<'_>, why: &Unknown, oauth: bool) -> Response<Body> {
        match why {
            Unknown::Wrong(_) if oauth => refused(StatusCode::BAD_REQUEST, "invalid_grant"),
            Unknown::Wrong(_) => {
                let mut response = error(ErrorCode::Unauthorized, "the credentials are not accepted");
                let realm = super::challenge::Way::Basic { realm: self.service(request, caller.peer) };
                if let Some(value) = realm.challenge(&[], None) {
                    response.headers_mut().insert(WWW_AUTHENTICATE, value);
                }
                response
            }
            Unknown::TooOften(wait) => too_many(*wait),
            Unknown::Busy => too_many(AGAIN),
            Unknown::Away => again(error(ErrorCode::Unavailable, "nobody can say who you are at the moment"), AGAIN),
        }
    }
}

/// The answer to somebody who gets no token, of which the log is told.
fn told(caller: &Caller<'_>, name: &str, reason: &str, response: Response<Body>) -> Response<Body> {
    let client = caller.client();
    info!(target: AUDIT, { user.name = name, client, reason }, "refused a token");
    response
}

fn json_body(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An error in the words of OAuth 2.
fn refused(status: StatusCode, what: &str) -> Response<Body> {
    json_body(status, &json!({ "error": what }))
}

/// An error in the words of the registry.
fn error(code: ErrorCode, message: &str) -> Response<Body> {
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json_body(status, &json!({"errors": [{"code": code.name(), "message": message, "detail": null}]}))
}

fn too_many(wait: Duration) -> Response<Body> {
    again(error(ErrorCode::TooManyRequests, TOO_MANY), wait)
}

fn again(mut response: Response<Body>, wait: Duration) -> Response<Body> {
    response.headers_mut().insert(RETRY_AFTER, seconds(wait));
    response
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The host that a client calls us by: the name of this registry in tokens, where it has no other.
pub(super) fn host(locations: &HttpConfig, request: &Parts, peer: &Peer) -> String {
    let address = location::of(locations, request, peer, "");
    let host = address.split_once("://").map(|(_, host)| host.split('/').next().unwrap_or(host));
    host.unwrap_or("registry").to_owned()
}

/// Where this registry's token endpoint is, as a client reaches it.
pub(super) fn token_address(locations: &HttpConfig, request: &Parts, peer: &Peer) -> String {
    location::of(locations, request, peer, TOKEN_PATH)
}
