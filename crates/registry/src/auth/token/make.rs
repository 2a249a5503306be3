//! Keys and tokens that an operator makes by hand: for several registries of one name, for machines without a password.

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jeroboam_model::Timestamp;

use super::builtin::{Builtin, KeyError};
use crate::auth::scope::Scope;
use crate::config::BuiltinConfig;

/// A new Ed25519 key in PEM, for `auth.builtin.key`.
pub fn new_key() -> Result<String, KeyError> {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::Make)?;
    let encoded = STANDARD.encode(document.as_ref());
    let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    Ok(pem)
}

/// No token is made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// There is no key that the registry has, too.
    #[error("auth.builtin.key is not set: a token that is made by hand needs a key that the registry reads, too")]
    NoKey,
    /// The key cannot be used.
    #[error("auth.builtin.key")]
    Key(#[source] KeyError),
    /// Something is no scope.
    #[error("{0:?} is no scope such as repository:team/app:pull")]
    Scope(String),
}

/// A token for somebody, which the registry of this configuration believes without asking anybody.
pub fn make_token(
    config: BuiltinConfig,
    subject: &str,
    service: &str,
    scopes: &[String],
    lifetime: Duration,
    now: Timestamp,
) -> Result<String, MakeError> {
    if config.key.is_none() {
        return Err(MakeError::NoKey);
    }
    let scope = |text: &String| Scope::parse(text).ok_or_else(|| MakeError::Scope(text.clone()));
    let scopes: Vec<Scope> = scopes.iter().map(scope).collect::<Result<_, _>>()?;
    let builtin = Builtin::open(BuiltinConfig { lifetime, ..config }).map_err(MakeError::Key)?;
    Ok(builtin.issue(subject, Some(subject), service, &scopes, now, None).token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Action;

    #[test]
    fn what_an_operator_makes_is_believed() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key.pem");
        std::fs::write(&path, new_key().expect("a key")).expect("written");
        let config = BuiltinConfig { key: Some(path), ..BuiltinConfig::default() };
        let now = Timestamp::from_second(1_000_000).expect("a time");
        let day = Duration::from_secs(86_400);
        let scopes = ["repository:a:pull".to_owned()];
        let token = make_token(config.clone(), "robot", "reg", &scopes, day, now).expect("a token");
        let registry = Builtin::open(config.clone()).expect("a registry");
        let claims = registry.verify(&token, "reg", now + day / 2).expect("a good token");
        assert!(claims.sub == "robot" && claims.permissions().allows_in("a", Action::Pull));
        let wrong = make_token(config, "robot", "reg", &["all".to_owned()], day, now);
        assert!(matches!(wrong, Err(MakeError::Scope(_))));
        let keyless = make_token(BuiltinConfig::default(), "robot", "reg", &scopes, day, now);
        assert!(matches!(keyless, Err(MakeError::NoKey)));
    }
}
