//! Tokens that another server makes, as distribution believes them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_model::{Clock, Timestamp};

use super::jws::{Algorithm, Key, Unverified};
use super::keys::{self, KeySet};
use super::{BadToken, Claims};
use crate::auth::followed::{FileError, Followed};
use crate::config::TokenConfig;

pub(in crate::auth) struct External {
    pub(in crate::auth) realm: String,
    /// The path of the realm, where that is at the address that clients call us by.
    pub(in crate::auth) beside: Option<String>,
    pub(in crate::auth) service: String,
    issuer: String,
    leeway: Duration,
    algorithms: Vec<Algorithm>,
    certificates: Option<Followed<KeySet>>,
    set: Option<Followed<KeySet>>,
}

/// The settings of another token server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// An algorithm is not known.
    #[error("auth.token.signingalgorithms has {0:?}, which is not known")]
    Algorithm(String),
}

impl External {
    pub(in crate::auth) fn open(config: TokenConfig, clock: &Arc<dyn Clock>) -> Result<Self, ExternalError> {
        let open = |path: Option<PathBuf>, read: fn(&str) -> Result<KeySet, String>| {
            path.map(|path| Followed::open(path, read, Arc::clone(clock))).transpose()
        };
        let algorithms = match config.algorithms {
            None => Algorithm::usual(),
            Some(names) => {
                let known = |name: String| Algorithm::named(&name).ok_or(ExternalError::Algorithm(name));
                names.into_iter().map(known).collect::<Result<_, _>>()?
            }
        };
        Ok(Self {
            certificates: open(config.root_certificates, KeySet::of_certificates)?,
            set: open(config.key_set, KeySet::of_set)?,
            realm: config.realm,
            beside: config.auto_redirect,
            service: config.service,
            issuer: config.issuer,
            leeway: config.leeway,
            algorithms,
        })
    }

    /// What a token says, if it is a good one.
    pub(in crate::auth) fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, BadToken> {
        let unverified = Unverified::parse(token)?;
        let key = self.key(&unverified, now).ok_or(BadToken::Key)?;
        let claims = Claims::parse(&unverified.verify(&key, &self.algorithms)?)?;
        claims.check(&self.issuer, &self.service, now, self.leeway)?;
        Ok(claims)
    }

    /// The key that a token names, if it is one of ours or one of ours vouches for it.
    fn key(&self, token: &Unverified<'_>, now: Timestamp) -> Option<Key> {
        let sets = [self.certificates.as_ref(), self.set.as_ref()].map(|followed| followed.map(Followed::get));
        let sets = || sets.iter().flatten();
        if !token.header.x5c.is_empty() {
            return sets().find_map(|set| set.of_chain(&token.header.x5c, now.as_second()));
        }
        if let Some(jwk) = &token.header.jwk {
            // A key that comes with the token counts if it is one that we have.
            let name = keys::thumbprint(&keys::key_of_jwk(jwk)?)?;
            return sets().find_map(|set| set.get(&name).cloned());
        }
        match &token.header.kid {
            Some(name) => sets().find_map(|set| set.get(name).cloned()),
            None => {
                let mut only = sets().filter_map(|set| set.only());
                only.next().filter(|_| only.next().is_none()).cloned()
            }
        }
    }
}
