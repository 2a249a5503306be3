//! Answers a registry's challenges: a password for Basic, a token fetched with the password for Bearer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::options::Login;
use crate::stop::{Stop, Verdict};

/// What has been handed in, by the part of the registry that wanted it.
pub(crate) struct Keyring {
    login: Option<Login>,
    keys: Mutex<HashMap<String, HeaderValue>>,
}

/// What a registry wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Keyring {
    pub(crate) fn new(login: Option<Login>) -> Self {
        Self { login, keys: Mutex::new(HashMap::new()) }
    }

    /// What this part of the registry took before.
    pub(crate) fn known(&self, path: &str) -> Option<HeaderValue> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(part(path)).cloned()
    }

    /// Gets what a challenge asks for; `None` where nobody is logged in and a password is wanted.
    pub(crate) async fn answer_challenge(
        &self,
        http: &reqwest::Client,
        path: &str,
        headers: &HeaderMap,
    ) -> Verdict<Option<HeaderValue>> {
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let Some(challenge) = challenges.filter_map(parse).next() else {
            return Err(Stop::Fail(format!("{path}: 401 without a challenge in WWW-Authenticate that we know")));
        };
        let key = match challenge {
            Challenge::Basic => self.password(),
            Challenge::Bearer { realm, service, scope } => {
                Some(self.token(http, &realm, service.as_deref(), scope.as_deref(), path).await?)
            }
        };
        if let Some(key) = &key {
            self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(part(path).to_owned(), key.clone());
        }
        Ok(key)
    }

    fn password(&self) -> Option<HeaderValue> {
        let login = self.login.as_ref()?;
        let text = format!("{}:{}", login.user, login.password.expose_secret());
        let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(text))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    async fn token(
        &self,
        http: &reqwest::Client,
        realm: &str,
        service: Option<&str>,
        scope: Option<&str>,
        path: &str,
    ) -> Verdict<HeaderValue> {
        let failed = |why: String| Stop::Fail(format!("{path}: a token from {realm}: {why}"));
        let mut url: url::Url = realm.parse().map_err(|error| failed(format!("no address: {error}")))?;
        // What a push needs is more than what the first request needs, and the next ones are to be let in as well.
        let wide = scope.map(|scope| widened(scope, part(path)));
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(service.map(|service| ("service", service)));
            query.extend_pairs(wide.iter().flatten().map(|scope| ("scope", scope.as_str())));
        }
        let mut request = http.get(url);
        if let Some(password) = self.password() {
            request = request.header(AUTHORIZATION, password);
        }
        let answer = request.send().await.map_err(|error| failed(error.to_string()))?;
        if !answer.status().is_success() {
            return Err(failed(answer.status().to_string()));
        }
        let token: Token = answer.json().await.map_err(|error| failed(error.to_string()))?;
        let token = token.token.or(token.access_token).ok_or_else(|| failed("there is none in it".to_owned()))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|error| failed(error.to_string()))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// The part of a registry that a key is for: the repository, or all that is in none.
fn part(path: &str) -> &str {
    let rest = path.strip_prefix("/v2/").unwrap_or_default();
    let ends = ["/blobs/", "/manifests/", "/tags/", "/referrers/"];
    ends.iter().filter_map(|end| rest.rfind(end)).max().map_or("", |end| &rest[..end])
}

/// The scopes of a challenge, with all that is done to this repository.
fn widened(scope: &str, repository: &str) -> Vec<String> {
    let own = format!("repository:{repository}:");
    let others = scope.split(' ').filter(|scope| !scope.starts_with(&own)).map(str::to_owned);
    let all = (!repository.is_empty()).then(|| format!("{own}pull,push,delete"));
    all.into_iter().chain(others).collect()
}

fn parse(text: &str) -> Option<Challenge> {
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameters = parameters(rest);
    let value = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    Some(Challenge::Bearer { realm: value("realm")?, service: value("service"), scope: value("scope") })
}

/// `name="value"` after `name="value"`; values may hold commas.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let Some((value, after)) = after.split_once('"') else { break };
        let name = name.trim_matches(|c: char| c == ',' || c.is_whitespace());
        all.push((name.to_ascii_lowercase(), value.to_owned()));
        rest = after;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let bearer = Challenge::Bearer {
            realm: "https://auth/token".to_owned(),
            service: Some("registry".to_owned()),
            scope: Some("repository:a/b:pull,push".to_owned()),
        };
        for (text, expected) in [
            ("Basic realm=\"here\"", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://auth/token\",service=\"registry\",scope=\"repository:a/b:pull,push\"",
                Some(bearer),
            ),
            ("Bearer service=\"registry\"", None),
            ("Negotiate", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn keys_are_kept_by_repository() {
        for (path, expected) in [
            ("/v2/", ""),
            ("/v2/a/blobs/sha256:0", "a"),
            ("/v2/a/blobs/b/blobs/uploads/1", "a/blobs/b"),
            ("/v2/a/tags/list", "a"),
        ] {
            assert_eq!(part(path), expected, "{path}");
        }
    }

    #[test]
    fn a_token_is_for_all_that_is_done_to_the_repository() {
        assert_eq!(
            widened("repository:a:pull repository:b:pull", "a"),
            ["repository:a:pull,push,delete", "repository:b:pull"]
        );
        assert_eq!(widened("registry:catalog:*", ""), ["registry:catalog:*"]);
    }
}
