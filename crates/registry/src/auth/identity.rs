//! From what a request shows to somebody who may do something.

use std::sync::Arc;

use jeroboam_model::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::credentials::Credentials;
use super::htpasswd::{Htpasswd, Outcome};
use super::keystone::{NotIn, User};
use super::permissions::Permissions;
use super::{Caller, Shared};
use crate::config::Prefix;

/// Somebody who was recognised, or nobody.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    /// The name for logs and notifications.
    pub(super) name: Option<String>,
    /// Whose uploads are counted. Quotas are those of repositories, whoever pushes there.
    pub(super) account: Option<String>,
    pub(super) permissions: Permissions,
    /// How they were recognised, for the log.
    pub(super) way: &'static str,
    /// Whether a token was shown, which may be good for less than its owner is.
    pub(super) by_token: bool,
    /// When whoever recognised them wants to be asked again.
    pub(super) ends: Option<Timestamp>,
    /// Of the password, where a refresh token may stand for it.
    pub(super) fingerprint: Option<String>,
}

impl Identity {
    /// Whether it is somebody.
    pub(super) fn is_somebody(&self) -> bool {
        !self.way.is_empty()
    }
}

/// Why nobody was recognised although somebody said who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It is not believed, for a reason that stands in the log only.
    Wrong(String),
    /// There were too many wrong tries; again after so long.
    TooOften(std::time::Duration),
    /// There are too many others.
    Busy,
    /// Whoever would know does not answer.
    Away,
}

impl Shared {
    /// Who sends a request, for this `service`. Somebody anonymous is no [`Unknown`].
    pub(super) async fn identify(
        &self,
        shown: &Credentials,
        caller: &Caller<'_>,
        service: &str,
    ) -> Result<Identity, Unknown> {
        let anybody = Permissions::pull(&self.anonymous);
        let mut identity = match shown {
            Credentials::None => self.by_certificate(caller),
            Credentials::Unreadable if self.silly.is_some() => silly(),
            Credentials::Unreadable => return Err(Unknown::Wrong("it can not be read".to_owned())),
            Credentials::Bearer(token) => self.by_token(token, service)?,
            Credentials::Basic(name, password) => self.by_password(name, password, caller).await?,
        };
        identity.permissions = identity.permissions.and(&anybody);
        Ok(identity)
    }

    fn by_certificate(&self, caller: &Caller<'_>) -> Identity {
        let Some(subject) = &caller.peer.subject else { return Identity::default() };
        let names: Vec<&str> =
            [Some(&subject.whole), subject.common.as_ref()].into_iter().flatten().map(AsRef::as_ref).collect();
        let permissions = Permissions::of_rules(&self.certificates, &names);
        if permissions.is_empty() {
            return Identity::default();
        }
        let name = subject.common.as_ref().unwrap_or(&subject.whole).to_string();
        Identity {
            account: Some(name.clone()),
            name: Some(name),
            permissions,
            way: "certificate",
            ..Identity::default()
        }
    }

    fn by_token(&self, token: &SecretString, service: &str) -> Result<Identity, Unknown> {
        if self.silly.is_some() {
            return Ok(silly());
        }
        let (text, now) = (token.expose_secret(), self.clock.now());
        let wrong = |error: super::token::BadToken| Unknown::Wrong(format!("the token is not good: {error}"));
        let ours = self.builtin.as_ref().filter(|builtin| builtin.made(text));
        let (claims, way) = match (ours, &self.external) {
            (Some(builtin), _) => (builtin.verify(text, service, now).map_err(wrong)?, "token"),
            (None, Some(external)) => (external.verify(text, now).map_err(wrong)?, "token of another server"),
            (None, None) => return Err(Unknown::Wrong("nobody here makes such tokens".to_owned())),
        };
        let name = Some(claims.sub.clone()).filter(|name| !name.is_empty());
        Ok(Identity {
            account: claims.account.clone().or_else(|| name.clone()),
            name,
            permissions: claims.permissions(),
            way,
            by_token: true,
            ..Identity::default()
        })
    }

    pub(super) async fn by_password(
        &self,
        name: &str,
        password: &SecretString,
        caller: &Caller<'_>,
    ) -> Result<Identity, Unknown> {
        if self.silly.is_some() {
            return Ok(silly());
        }
        let (key, now) = ((caller.address, name.to_owned()), self.clock.now());
        // Who was right a moment ago costs nothing, as long as there is a try: otherwise whoever guesses would learn it without one.
        if self.failures.has_any(&key, now)
            && let Some(identity) = self.remembered(name, password).await
        {
            return Ok(identity);
        }
        // Taken before anybody looks at the password: many at once are no more tries than one after the other.
        let attempt = self.failures.begin(key, now).await.map_err(Unknown::TooOften)?;
        let outcome = self.ask(name, password).await;
        // A client that shows the same wrong password with each request learns nothing more by it.
        let is_guess = matches!(outcome, Err(Unknown::Wrong(_))) && self.wrong.is_new(caller.address, name, password);
        if !is_guess {
            attempt.give_back();
        }
        outcome
    }

    /// Somebody whose password was right a moment ago.
    async fn remembered(&self, name: &str, password: &SecretString) -> Option<Identity> {
        if let Some(users) = self.htpasswd.as_ref().filter(|users| users.was_right(name, password)) {
            return Some(of_file(users, name));
        }
        let user = self.keystone.as_ref()?.remembered(name, password).await?;
        Some(of_keystone(&user))
    }

    async fn ask(&self, name: &str, password: &SecretString) -> Result<Identity, Unknown> {
        let mut reasons = Vec::new();
        if let Some(users) = &self.htpasswd {
            match users.check(name, password).await {
                Outcome::Right => return Ok(of_file(users, name)),
                Outcome::Busy => return Err(Unknown::Busy),
                Outcome::Wrong => reasons.push("the file of users does not have them".to_owned()),
            }
        }
        if let Some(keystone) = &self.keystone {
            match keystone.log_in(name, password).await {
                Ok(user) => return Ok(of_keystone(&user)),
                Err(NotIn::Away(_)) => return Err(Unknown::Away),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        if reasons.is_empty() {
            reasons.push("nobody here knows passwords".to_owned());
        }
        Err(Unknown::Wrong(reasons.join(", ")))
    }

    /// Somebody who shows a refresh token.
    pub(super) async fn by_refresh_token(&self, token: &SecretString) -> Result<Identity, Unknown> {
        let wrong = || Unknown::Wrong("the refresh token is not good".to_owned());
        let (Some(tokens), Some(users)) = (&self.refresh, &self.htpasswd) else { return Err(wrong()) };
        let record = tokens.find(token, self.clock.now()).await.ok_or_else(wrong)?;
        let fingerprint = users.fingerprint(&record.user).filter(|now| *now == record.fingerprint).ok_or_else(wrong)?;
        Ok(Identity {
            permissions: users.permissions(&record.user).and(&Permissions::pull(&self.anonymous)),
            account: Some(record.user.clone()),
            name: Some(record.user),
            way: "refresh token",
            fingerprint: Some(fingerprint),
            ..Identity::default()
        })
    }
}

fn of_file(users: &Htpasswd, name: &str) -> Identity {
    Identity {
        name: Some(name.to_owned()),
        account: Some(name.to_owned()),
        permissions: users.permissions(name),
        way: "password",
        fingerprint: users.fingerprint(name),
        ..Identity::default()
    }
}

fn of_keystone(user: &Arc<User>) -> Identity {
    Identity {
        name: Some(user.name.clone()),
        // Not the project: what one of its users leaves unfinished is in no other one's way.
        account: Some(user.id.clone()),
        permissions: user.permissions.clone(),
        way: "keystone",
        ends: Some(user.ends),
        ..Identity::default()
    }
}

fn silly() -> Identity {
    Identity {
        name: Some("silly".to_owned()),
        permissions: Permissions::everything(),
        way: "silly",
        ..Identity::default()
    }
}

/// Whether anybody may pull everything.
pub(super) fn is_public(anonymous: &[Prefix]) -> bool {
    anonymous.contains(&Prefix::All)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_of_a_user_of_keystone_are_the_users_own() {
        let ends = Timestamp::from_second(1_000_000).expect("a time");
        let user =
            User { id: "u1".to_owned(), name: "ada@default".to_owned(), permissions: Permissions::default(), ends };
        let identity = of_keystone(&Arc::new(user));
        assert_eq!((identity.account.as_deref(), identity.name.as_deref()), (Some("u1"), Some("ada@default")));
        assert_eq!(identity.ends, Some(ends));
    }
}
