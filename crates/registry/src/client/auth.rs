//! How we say who we are: Basic, or a token that the registry's token server gives for it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use jeroboam_model::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::{ClientError, Result};

/// Tokens that are remembered.
const REMEMBERED: usize = 1000;

/// For how long a token holds that says nothing. As the token protocol has it.
const LIFETIME: Duration = Duration::from_secs(60);

/// For how long a token is used at most, whatever it says.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A name and a password.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name.
    pub user_name: String,
    /// Where the password is from.
    pub password: Password,
}

/// Where a password is from.
#[derive(Clone, Debug)]
pub enum Password {
    /// It was given.
    Given(SecretString),
    /// It is what this file holds whenever we log in, but for white space at its end.
    File(PathBuf),
}

impl Credentials {
    fn basic(&self) -> Result<HeaderValue> {
        let from_file;
        let password = match &self.password {
            Password::Given(password) => password,
            Password::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    ClientError::Settings(format!("read the password in {}: {error}", path.display()))
                })?;
                from_file = SecretString::from(text.trim_end().to_owned());
                &from_file
            }
        };
        let pair = format!("{}:{}", self.user_name, password.expose_secret());
        let mut value =
            HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).expect("base64 is visible ASCII");
        value.set_sensitive(true);
        Ok(value)
    }
}

/// What a request needs: actions on repositories, as the token protocol writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Scope(pub(super) Vec<String>);

impl Scope {
    pub(super) fn of(repository: &str, actions: &str) -> Self {
        Self(vec![format!("repository:{repository}:{actions}")])
    }

    pub(super) fn and(mut self, other: &str, actions: &str) -> Self {
        self.0.push(format!("repository:{other}:{actions}"));
        self
    }

    pub(super) fn catalog() -> Self {
        Self(vec!["registry:catalog:*".to_owned()])
    }
}

/// Whom we ask, with what, and when.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) http: &'a reqwest::Client,
    pub(super) registry: &'a Url,
    pub(super) now: Timestamp,
}

/// Who we are at one registry.
#[derive(Debug)]
pub(super) struct Login {
    credentials: Option<Credentials>,
    known: Mutex<HashMap<Scope, Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    header: HeaderValue,
    until: Option<Instant>,
}

/// What a registry wants to see.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Login {
    pub(super) fn new(credentials: Option<Credentials>) -> Self {
        Self { credentials, known: Mutex::default() }
    }

    /// What is sent along, as far as we know it.
    pub(super) fn header(&self, scope: &Scope) -> Option<HeaderValue> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(scope)?;
        known.until.is_none_or(|until| until > Instant::now()).then(|| known.header.clone())
    }

    /// Answers a challenge. `false`: there is nothing that we could say.
    pub(super) async fn answer(&self, asker: &Asker<'_>, headers: &http::HeaderMap, scope: &Scope) -> Result<bool> {
        let challenges = headers.get_all(http::header::WWW_AUTHENTICATE).iter();
        let mut challenges: Vec<_> = challenges.filter_map(|value| challenge(value.to_str().ok()?)).collect();
        challenges.sort_by_key(|challenge| *challenge == Challenge::Basic);
        let known = match (challenges.into_iter().next(), &self.credentials) {
            (Some(Challenge::Bearer { realm, service }), _) => {
                self.token(asker, &realm, service.as_deref(), scope).await?
            }
            (Some(Challenge::Basic), Some(credentials)) => Known { header: credentials.basic()?, until: None },
            (Some(Challenge::Basic), None) | (None, _) => return Ok(false),
        };
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(scope.clone(), known);
        Ok(true)
    }

    async fn token(&self, asker: &Asker<'_>, realm: &str, service: Option<&str>, scope: &Scope) -> Result<Known> {
        let Asker { http, registry, now } = *asker;
        let name = registry.host_str().unwrap_or_default();
        let unreadable = |why: String| ClientError::Unreadable { registry: name.to_owned(), why };
        let mut url =
            registry.join(realm).map_err(|error| unreadable(format!("its realm {realm:?} is no address: {error}")))?;
        if registry.scheme() == "https" && url.scheme() != "https" {
            return Err(unreadable(format!("it wants the password sent in the clear, to {url}")));
        }
        url.query_pairs_mut().extend_pairs(service.map(|service| ("service", service)));
        url.query_pairs_mut().extend_pairs(scope.0.iter().map(|scope| ("scope", scope.as_str())));
        let mut request = http.get(url.clone());
        if let Some(credentials) = &self.credentials {
            request = request.header(http::header::AUTHORIZATION, credentials.basic()?);
        }
        let unreachable = |source: reqwest::Error| ClientError::Unreachable {
            registry: url.host_str().unwrap_or_default().to_owned(),
            source: source.without_url(),
        };
        let mut answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(super::refused_at(name, "log in".to_owned(), answer, now).await);
        }
        let body = super::beginning(&mut answer).await.map_err(unreachable)?;
        // The error itself would repeat what it found.
        let other = |error: serde_json::Error| {
            unreadable(format!("its token: not what a token server answers, at column {}", error.column()))
        };
        let answer: Answer = serde_json::from_slice(&body).map_err(other)?;
        let text = answer
            .token
            .or(answer.access_token)
            .ok_or_else(|| unreadable("there is no token in its answer".to_owned()))?;
        let mut header = HeaderValue::from_str(&format!("Bearer {text}"))
            .map_err(|_| unreadable("its token cannot be sent".to_owned()))?;
        header.set_sensitive(true);
        // One that is over at once is good for the request that it was fetched for.
        let lifetime = answer.expires_in.map_or(LIFETIME, Duration::from_secs).clamp(Duration::from_secs(1), LONGEST);
        // Not used in its last tenth, so that it does not end on the way.
        Ok(Known { header, until: Some(Instant::now() + lifetime.mul_f64(0.9)) })
    }
}

/// Reads one challenge; quoted values may hold commas.
fn challenge(text: &str) -> Option<Challenge> {
    let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service) = (None, None);
    let mut rest = rest.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "realm" => realm = Some(value.to_owned()),
            "service" => service = Some(value.trim().to_owned()),
            _ => {}
        }
        rest = after.trim_start().strip_prefix(',').unwrap_or(after).trim();
    }
    Some(Challenge::Bearer { realm: realm?, service })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
        };
        for (text, read) in [
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            ("Bearer realm=\"https://a/token\",service=\"b\"", bearer("https://a/token", Some("b"))),
            (
                "bearer scope=\"repository:a:pull,push\", error=\"invalid_token\",service=b , realm=\"/t?x=1\"",
                bearer("/t?x=1", Some("b")),
            ),
            ("Bearer service=\"b\"", None),
            ("Negotiate", None),
            ("Bearer realm=\"x", None),
            ("", None),
        ] {
            assert_eq!(challenge(text), read, "{text}");
        }
    }
}
