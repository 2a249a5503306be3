//! What a token says: who made it, for whom and for which registry, from when to when, and what may be done with it.

use std::time::Duration;

use jeroboam_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::BadToken;
use crate::access::Action;
use crate::auth::permissions::{EVERY_ACTION, Grant, Permissions, Place};

/// Most entries of a token that are looked at.
const MOST: usize = 1000;

/// The claims of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::auth) struct Claims {
    #[serde(default)]
    pub(super) iss: String,
    #[serde(default)]
    pub(in crate::auth) sub: String,
    #[serde(default)]
    pub(super) aud: Audience,
    #[serde(default)]
    pub(in crate::auth) exp: i64,
    #[serde(default)]
    pub(super) nbf: i64,
    #[serde(default)]
    pub(super) iat: i64,
    #[serde(default)]
    pub(super) jti: String,
    #[serde(default)]
    pub(in crate::auth) access: Vec<Access>,
    /// Whose uploads are counted; ours alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) account: Option<String>,
}

/// For whom a token is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Text", into = "Text")]
pub(super) struct Audience(pub(super) Vec<String>);

/// One text or several: the standard has both.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    One(String),
    Several(Vec<String>),
}

impl From<Text> for Audience {
    fn from(text: Text) -> Self {
        match text {
            Text::One(text) => Self(vec![text]),
            Text::Several(texts) => Self(texts),
        }
    }
}

impl From<Audience> for Text {
    fn from(mut audience: Audience) -> Self {
        if audience.0.len() == 1 { Self::One(audience.0.remove(0)) } else { Self::Several(audience.0) }
    }
}

/// What may be done with one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::auth) struct Access {
    #[serde(rename = "type")]
    pub(in crate::auth) kind: String,
    pub(in crate::auth) name: String,
    #[serde(default)]
    pub(in crate::auth) actions: Vec<String>,
}

impl Claims {
    /// Reads the claims of a token whose signature holds.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, BadToken> {
        serde_json::from_slice(bytes).map_err(|_| BadToken::Form)
    }

    /// Whether it is a token of this issuer, for this service, now.
    pub(super) fn check(&self, issuer: &str, service: &str, now: Timestamp, leeway: Duration) -> Result<(), BadToken> {
        let leeway = i64::try_from(leeway.as_secs()).unwrap_or(i64::MAX);
        let now = now.as_second();
        if self.iss != issuer {
            return Err(BadToken::Issuer);
        }
        if !self.aud.0.iter().any(|audience| audience == service) {
            return Err(BadToken::Audience);
        }
        // A token that does not end is none.
        if self.exp == 0 || now >= self.exp.saturating_add(leeway) {
            return Err(BadToken::Expired);
        }
        if now < self.nbf.saturating_sub(leeway) {
            return Err(BadToken::Early);
        }
        Ok(())
    }

    /// What may be done with it.
    pub(in crate::auth) fn permissions(&self) -> Permissions {
        let mut permissions = Permissions::default();
        for access in self.access.iter().take(MOST) {
            let all = access.actions.iter().any(|action| action == "*");
            match access.kind.split_once('(').map_or(access.kind.as_str(), |(kind, _)| kind) {
                "registry" if access.name == "catalog" => permissions.catalog |= all,
                "repository" => {
                    let has = |word: &str| all || access.actions.iter().any(|action| action == word);
                    let allowed = EVERY_ACTION.into_iter().filter(|action| {
                        has(match action {
                            Action::Pull => "pull",
                            Action::Push => "push",
                            Action::Delete => "delete",
                        })
                    });
                    permissions.grants.push(Grant::new(Place::One(access.name.clone()), allowed.collect()));
                }
                _ => {}
            }
        }
        permissions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_somebody_for_somebody_and_for_a_while() {
        let claims = Claims {
            iss: "us".to_owned(),
            aud: Audience(vec!["a".to_owned(), "b".to_owned()]),
            exp: 1100,
            nbf: 900,
            ..Claims::default()
        };
        let leeway = Duration::from_secs(60);
        for (issuer, service, now, outcome) in [
            ("us", "a", 1000, Ok(())),
            ("us", "b", 1159, Ok(())),
            ("us", "a", 1160, Err(BadToken::Expired)),
            ("us", "a", 840, Ok(())),
            ("us", "a", 839, Err(BadToken::Early)),
            ("them", "a", 1000, Err(BadToken::Issuer)),
            ("us", "c", 1000, Err(BadToken::Audience)),
        ] {
            let now = Timestamp::from_second(now).expect("a time");
            assert_eq!(claims.check(issuer, service, now, leeway), outcome, "{issuer} {service} {now}");
        }
        let endless = Claims { exp: 0, ..claims };
        let now = Timestamp::from_second(1000).expect("a time");
        assert_eq!(endless.check("us", "a", now, leeway), Err(BadToken::Expired));
    }

    #[test]
    fn access_is_read_as_token_servers_write_it() {
        let text = r#"{"aud": "one", "access": [
            {"type": "repository", "name": "a/b", "actions": ["pull", "push"]},
            {"type": "repository(plugin)", "name": "c", "actions": ["*"]},
            {"type": "registry", "name": "catalog", "actions": ["*"]},
            {"type": "other", "name": "d", "actions": ["pull"]}], "unknown": {}}"#;
        let claims = Claims::parse(text.as_bytes()).expect("claims");
        assert_eq!(claims.aud.0, ["one"]);
        let permissions = claims.permissions();
        assert!(permissions.allows_in("a/b", Action::Push) && !permissions.allows_in("a/b", Action::Delete));
        assert!(permissions.allows_in("c", Action::Delete) && permissions.catalog);
        assert!(!permissions.allows_in("a/b/c", Action::Pull) && !permissions.allows_in("d", Action::Pull));
    }
}
