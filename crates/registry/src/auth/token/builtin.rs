//! Tokens of this registry, signed with a key of its own.

use std::path::Path;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jeroboam_model::Timestamp;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;

use super::claims::{Access, Audience};
use super::jws::{Algorithm, Key, Unverified, encode};
use super::{BadToken, Claims, keys};
use crate::auth::keyed::random_text;
use crate::auth::scope::Scope;
use crate::config::BuiltinConfig;

/// How far the clocks of registries that share a key may be apart.
const LEEWAY: Duration = Duration::from_secs(60);
/// Clients take a token that says nothing for one of a minute, and ask for no shorter one.
const SHORTEST: Duration = Duration::from_secs(60);
/// Longest life of a token for somebody whom others vouch for: whoever takes their word back is not asked before it ends.
const LONGEST_OF_OTHERS: Duration = Duration::from_secs(300);

pub(in crate::auth) struct Builtin {
    pub(in crate::auth) config: BuiltinConfig,
    pair: Ed25519KeyPair,
    public: Key,
    name: String,
}

/// A token that was just made.
pub(in crate::auth) struct Issued {
    pub(in crate::auth) token: String,
    pub(in crate::auth) lifetime: Duration,
}

impl Issued {
    /// What clients are told: none is told of less than a minute, for which it is believed in any case, as clocks may be apart.
    pub(in crate::auth) fn told(&self) -> Duration {
        self.lifetime.max(SHORTEST)
    }
}

/// There is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("read the private key of {0}: {1}")]
    File(String, String),
    /// It is another kind of key.
    #[error("use the private key of {0}: it is no Ed25519 key in PKCS #8")]
    Kind(String),
    /// None could be made.
    #[error("make a key for tokens")]
    Make,
}

impl Builtin {
    pub(in crate::auth) fn open(config: BuiltinConfig) -> Result<Self, KeyError> {
        let pair = match &config.key {
            Some(path) => read(path)?,
            None => Ed25519KeyPair::generate().map_err(|_| KeyError::Make)?,
        };
        let public = Key::Ed25519(pair.public_key().as_ref().to_vec());
        let name = keys::thumbprint(&public).unwrap_or_default();
        Ok(Self { config, pair, public, name })
    }

    /// A token for somebody, who may do what `scopes` say. Where others vouch for them until `end` it ends no later than that, and after five minutes
    /// at most, whatever is set.
    pub(in crate::auth) fn issue(
        &self,
        subject: &str,
        account: Option<&str>,
        service: &str,
        scopes: &[Scope],
        now: Timestamp,
        end: Option<Timestamp>,
    ) -> Issued {
        let lifetime = match end {
            None => self.config.lifetime.max(SHORTEST),
            Some(end) => {
                let left = Duration::try_from(end.duration_since(now)).unwrap_or_default();
                self.config.lifetime.min(LONGEST_OF_OTHERS).min(left)
            }
        };
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let access = |scope: &Scope| Access {
            kind: scope.kind.clone(),
            name: scope.name.clone(),
            actions: scope.actions.clone(),
        };
        let claims = Claims {
            iss: self.config.issuer.clone(),
            sub: subject.to_owned(),
            aud: Audience(vec![service.to_owned()]),
            exp: now.as_second().saturating_add(seconds),
            nbf: now.as_second(),
            iat: now.as_second(),
            jti: random_text(),
            access: scopes.iter().map(access).collect(),
            account: account.map(str::to_owned),
        };
        let header = json!({"typ": "JWT", "alg": "EdDSA", "kid": self.name}).to_string();
        let payload = json!(claims).to_string();
        let message = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
        let signature = encode(self.pair.sign(message.as_bytes()).as_ref());
        Issued { token: format!("{message}.{signature}"), lifetime }
    }

    /// Whether a token names our key.
    pub(in crate::auth) fn made(&self, token: &str) -> bool {
        Unverified::parse(token).is_ok_and(|token| token.header.kid.as_deref() == Some(self.name.as_str()))
    }

    /// What a token of ours says, if it is a good one for this service.
    pub(in crate::auth) fn verify(&self, token: &str, service: &str, now: Timestamp) -> Result<Claims, BadToken> {
        let unverified = Unverified::parse(token)?;
        let claims = Claims::parse(&unverified.verify(&self.public, &[Algorithm::EdDSA])?)?;
        claims.check(&self.config.issuer, service, now, LEEWAY)?;
        Ok(claims)
    }
}

fn read(path: &Path) -> Result<Ed25519KeyPair, KeyError> {
    let shown = path.display().to_string();
    let key = PrivateKeyDer::from_pem_file(path).map_err(|error| KeyError::File(shown.clone(), error.to_string()))?;
    let PrivateKeyDer::Pkcs8(key) = key else { return Err(KeyError::Kind(shown)) };
    let document = key.secret_pkcs8_der();
    let pair = Ed25519KeyPair::from_pkcs8(document).or_else(|_| Ed25519KeyPair::from_pkcs8_maybe_unchecked(document));
    pair.map_err(|_| KeyError::Kind(shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Action;

    #[test]
    fn a_token_of_ours_is_believed_until_it_ends() {
        let builtin = Builtin::open(BuiltinConfig::default()).expect("a key");
        let now = Timestamp::from_second(1_000_000).expect("a time");
        let scope = Scope::parse("repository:a:pull").expect("a scope");
        let issued = builtin.issue("ada", Some("u1"), "reg", &[scope], now, None);
        assert_eq!(issued.lifetime, Duration::from_secs(300));
        assert!(builtin.made(&issued.token));
        let claims = builtin.verify(&issued.token, "reg", now).expect("a good token");
        assert_eq!((claims.sub.as_str(), claims.account.as_deref()), ("ada", Some("u1")));
        assert!(claims.permissions().allows_in("a", Action::Pull));
        let later = now + Duration::from_secs(361);
        assert_eq!(builtin.verify(&issued.token, "reg", later), Err(BadToken::Expired));
        assert_eq!(builtin.verify(&issued.token, "other", now), Err(BadToken::Audience));
        let other = Builtin::open(BuiltinConfig::default()).expect("a key");
        assert!(!other.made(&issued.token));
        assert_eq!(other.verify(&issued.token, "reg", now), Err(BadToken::Signature));
    }

    #[test]
    fn a_token_of_a_user_of_keystone_ends_with_keystones_word_and_after_five_minutes() {
        let hour = BuiltinConfig { lifetime: Duration::from_secs(3600), ..BuiltinConfig::default() };
        let builtin = Builtin::open(hour).expect("a key");
        let now = Timestamp::from_second(1_000_000).expect("a time");
        for (left, lives) in [(None, 3600), (Some(7200), 300), (Some(20), 20), (Some(0), 0), (Some(-30), 0)] {
            let end = left.map(|seconds: i64| Timestamp::from_second(1_000_000 + seconds).expect("a time"));
            let issued = builtin.issue("ada", None, "reg", &[], now, end);
            assert_eq!(issued.lifetime, Duration::from_secs(lives), "{left:?}");
            let claims = builtin.verify(&issued.token, "reg", now).expect("a good token");
            assert_eq!(u64::try_from(claims.exp - 1_000_000), Ok(lives), "{left:?}");
        }
    }

    #[test]
    fn a_key_in_a_file_makes_registries_alike() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key.pem");
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        std::fs::write(&path, key.serialize_pem()).expect("written");
        let open = || Builtin::open(BuiltinConfig { key: Some(path.clone()), ..BuiltinConfig::default() });
        let (one, two) = (open().expect("a key"), open().expect("a key"));
        let now = Timestamp::from_second(1_000_000).expect("a time");
        let issued = one.issue("ada", None, "reg", &[], now, None);
        assert!(two.verify(&issued.token, "reg", now).is_ok());
        std::fs::write(&path, rcgen::KeyPair::generate().expect("a key").serialize_pem()).expect("written");
        assert!(matches!(open(), Err(KeyError::Kind(_))));
        std::fs::write(&path, "none").expect("written");
        assert!(matches!(open(), Err(KeyError::File(..))));
    }
}
