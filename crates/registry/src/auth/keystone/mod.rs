//! Users of OpenStack: Keystone says who they are and which roles they have in which project.
//!
//! A log-in is remembered for a short while under a keyed hash of what was shown, and asked for once however many requests show it at the same
//! time. A Keystone that does not answer is never taken for a wrong password: who was let in not long ago may go on pulling.

mod policy;
mod user;

use std::sync::Arc;
use std::time::Duration;

use jeroboam_model::{Clock, Timestamp};
use jeroboam_openstack::{
    Auth, Error, Interface, Kind, RetryPolicy, Session, SessionConfig, TokenInfo, TransportConfig,
};
use moka::future::Cache;
use secrecy::SecretString;
use tracing::warn;

use super::keyed::{Keyed, Sum};
use super::permissions::Permissions;
use crate::config::{KeystoneConfig, Namespace};
use crate::http::failure::chain;
use user::LogIn;

/// Most log-ins that are remembered.
const MOST: u64 = 20_000;

/// Somebody whom Keystone knows.
#[derive(Clone, Debug)]
pub(super) struct User {
    /// The user's id: that of whoever made it, for an application credential.
    pub(super) id: String,
    /// The name for logs: the user's, and the domain's id.
    pub(super) name: String,
    pub(super) permissions: Permissions,
    /// When Keystone's word ends.
    pub(super) ends: Timestamp,
}

/// Why somebody is not let in.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum NotIn {
    /// The name is of no form that is known.
    #[error("the name is none of OpenStack's")]
    Name,
    /// Keystone does not know them, or not with this password.
    #[error("keystone does not let them in")]
    Wrong,
    /// The application credential has access rules, and none is for a registry.
    #[error("no access rule of the application credential is for a registry")]
    AccessRules,
    /// Keystone does not answer.
    #[error("keystone does not answer")]
    Away(#[source] Arc<Error>),
}

pub(super) struct Keystone {
    session: Session,
    config: KeystoneConfig,
    table: Vec<Namespace>,
    clock: Arc<dyn Clock>,
    keyed: Keyed,
    good: Cache<Sum, Arc<User>>,
    bad: Cache<Sum, NotIn>,
    /// Who was let in, for longer: for times in which Keystone does not answer.
    before: Cache<Sum, (Arc<User>, Timestamp)>,
}

impl Keystone {
    pub(super) fn new(config: KeystoneConfig, table: Vec<Namespace>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        // A person is waiting: better two tries and an answer than four and a client that has gone.
        let retry = RetryPolicy { attempts: 2, cap: Duration::from_secs(1), ..RetryPolicy::default() };
        let transport = TransportConfig {
            timeout: config.timeout,
            cacert: config.ca_cert.clone(),
            insecure: config.insecure,
            retry,
            ..TransportConfig::default()
        };
        // Nobody is logged in with this; those who come bring credentials of their own.
        let nobody = Auth::Token { token: SecretString::default(), scope: jeroboam_openstack::Scope::Unscoped };
        let session = SessionConfig {
            region: config.region.clone(),
            interface: Interface::Public,
            transport,
            ..SessionConfig::new(config.url.clone(), nobody)
        };
        Ok(Self {
            session: Session::new(session, Arc::clone(&clock))?,
            good: cache(config.cache),
            bad: cache(config.negative_cache),
            before: cache(config.cache + config.stale_ok),
            keyed: Keyed::random(),
            config,
            table,
            clock,
        })
    }

    /// Who it is, if that was asked a moment ago.
    pub(super) async fn remembered(&self, name: &str, password: &SecretString) -> Option<Arc<User>> {
        let user = self.good.get(&self.keyed.sum(&[name], password)).await;
        user.filter(|user| user.ends > self.clock.now())
    }

    /// Who it is.
    pub(super) async fn log_in(&self, name: &str, password: &SecretString) -> Result<Arc<User>, NotIn> {
        let log_in = user::parse(name, password).ok_or(NotIn::Name)?;
        let key = self.keyed.sum(&[name], password);
        if let Some(refused) = self.bad.get(&key).await {
            return Err(refused);
        }
        let now = self.clock.now();
        if let Some(user) = self.good.get(&key).await {
            if user.ends > now {
                return Ok(user);
            }
            self.good.invalidate(&key).await;
        }
        match self.good.try_get_with(key, self.ask(log_in)).await {
            Ok(user) => {
                self.before.insert(key, (Arc::clone(&user), now)).await;
                Ok(user)
            }
            Err(refused) => self.refused(key, &refused, now).await,
        }
    }

    async fn refused(&self, key: Sum, refused: &NotIn, now: Timestamp) -> Result<Arc<User>, NotIn> {
        let NotIn::Away(error) = refused else {
            self.bad.insert(key, refused.clone()).await;
            // A word of Keystone's is newer than what was remembered.
            self.before.invalidate(&key).await;
            return Err(refused.clone());
        };
        if let Some((user, let_in)) = self.before.get(&key).await
            && user.ends > now
            && now.duration_since(let_in).unsigned_abs() <= self.config.cache + self.config.stale_ok
        {
            warn!(
                error = chain(&**error),
                user.name = user.name,
                "keystone does not answer: who was let in before may go on pulling"
            );
            let permissions = user.permissions.clone().reading();
            return Ok(Arc::new(User { permissions, ..(*user).clone() }));
        }
        warn!(error = chain(&**error), "keystone does not answer");
        Err(refused.clone())
    }

    async fn ask(&self, log_in: LogIn) -> Result<Arc<User>, NotIn> {
        let session = match log_in {
            LogIn::With(auth) => self.session.for_auth(auth),
            LogIn::Token(token) => self.session.for_token(token, None),
        };
        let token = session.authenticate().await.map_err(|error| match (&error, error.kind()) {
            (Error::Refused { status: 400, .. }, _) | (_, Kind::Unauthorized | Kind::NotFound | Kind::Forbidden) => {
                NotIn::Wrong
            }
            _ => NotIn::Away(Arc::new(error)),
        })?;
        let info = &token.info;
        let mut permissions = policy::permissions(info, &self.config, &self.table);
        let rules = info.application_credential.as_ref().and_then(|credential| credential.access_rules.as_ref());
        if let Some(rules) = rules {
            permissions = permissions.ruled(rules).ok_or(NotIn::AccessRules)?;
        }
        Ok(Arc::new(User { id: info.user.to_string(), name: shown(info), permissions, ends: info.expires_at }))
    }
}

fn cache<V: Clone + Send + Sync + 'static>(time: Duration) -> Cache<Sum, V> {
    Cache::builder().max_capacity(MOST).time_to_live(time).build()
}

fn shown(info: &TokenInfo) -> String {
    match &info.user_domain {
        Some(domain) => format!("{}@{domain}", info.user_name),
        None => info.user_name.clone(),
    }
}

#[cfg(test)]
mod tests;
