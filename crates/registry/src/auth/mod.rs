//! Who may do what: every endpoint asks here before it does anything.
//!
//! Somebody is recognised by a password of a file, by Keystone, by a token of ours or of another server, or by a certificate; what they may do are
//! permissions, whoever said so. Every decision leaves a line in the log under the target [`AUDIT`], and no line or answer says whether a
//! repository exists that somebody may not see.

mod challenge;
mod credentials;
mod endpoint;
mod followed;
mod hash;
mod htpasswd;
mod identity;
mod keyed;
mod keystone;
mod peer;
mod permissions;
mod rates;
mod refusal;
mod scope;
mod token;
mod wrong;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::request::Parts;
use jeroboam_model::Clock;
use jeroboam_oci::{ErrorCode, Query, RepositoryName};
use tracing::info;

use crate::access::{Action, Actor, Need};
use crate::config::{AuthConfig, BuiltinConfig, Prefix, Rule, SillyConfig};
use crate::http::{HttpConfig, location};
use challenge::{Flaw, Way};
use credentials::Credentials;
use htpasswd::Htpasswd;
use identity::{Identity, Unknown};
use keystone::Keystone;
use rates::Rates;
use token::{Builtin, External, RefreshTokens};
use wrong::Wrong;

pub use endpoint::{TOKEN_PATH, routes};
pub use followed::FileError;
pub(crate) use followed::Followed;
pub use hash::{BadPassword, Method as HashMethod, hash_password};
pub use peer::{Peer, Subject};
pub use refusal::Refusal;
pub use token::{ExternalError, KeyError, MakeError, RefreshError, make_token, new_key};

/// The target of lines about decisions.
pub const AUDIT: &str = "jeroboam_registry::audit";

/// When a client may come again to somebody who does not answer.
const AGAIN: Duration = Duration::from_secs(5);

/// Tokens for so many seconds may be asked for at once: a client wants one for each repository that it might mount from.
const BURST: u32 = 10;

/// Decides about requests. Clones share what they know.
#[derive(Clone, Default)]
pub struct Auth {
    /// None where everybody may do everything.
    shared: Option<Arc<Shared>>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.shared.is_some() { "Auth" } else { "Auth (open)" })
    }
}

struct Shared {
    clock: Arc<dyn Clock>,
    silly: Option<SillyConfig>,
    htpasswd: Option<Htpasswd>,
    external: Option<External>,
    builtin: Option<Builtin>,
    /// Whether tokens of ours are a way that was asked for: some may have been made by hand.
    by_hand: bool,
    refresh: Option<RefreshTokens>,
    keystone: Option<Keystone>,
    certificates: Vec<Rule>,
    anonymous: Vec<Prefix>,
    failures: Rates<(Option<IpAddr>, String)>,
    wrong: Wrong,
    tokens: Rates<Option<IpAddr>>,
    /// How clients are told where the token endpoint is, and whose word about clients' addresses counts.
    locations: HttpConfig,
}

/// Who sends a request, before anything that it says is believed.
struct Caller<'a> {
    peer: &'a Peer,
    /// The client's own address, behind proxies that are trusted.
    address: Option<IpAddr>,
}

impl Caller<'_> {
    /// The client's address for the log.
    fn client(&self) -> String {
        self.address.map(|address| address.to_string()).unwrap_or_default()
    }
}

/// What is configured cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The file of users.
    #[error("auth.htpasswd")]
    Htpasswd(#[source] FileError),
    /// Another token server.
    #[error("auth.token")]
    Token(#[source] ExternalError),
    /// Our own tokens.
    #[error("auth.builtin")]
    Builtin(#[source] KeyError),
    /// Refresh tokens.
    #[error("auth.builtin.refreshtokens")]
    Refresh(#[source] RefreshError),
    /// Keystone.
    #[error("auth.keystone")]
    Keystone(#[source] jeroboam_openstack::Error),
}

impl Auth {
    /// Lets everybody do everything.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// As it is configured.
    pub fn new(config: AuthConfig, locations: &HttpConfig, clock: Arc<dyn Clock>) -> Result<Self, AuthError> {
        if config.is_open() {
            return Ok(Self::open());
        }
        let by_hand = config.builtin.is_some();
        let wanted = config.keystone.is_some() || !config.anonymous.is_empty() && config.token.is_none();
        let builtin = config.builtin.or_else(|| wanted.then(BuiltinConfig::default));
        let refresh = builtin.as_ref().and_then(|builtin| {
            builtin.refresh_tokens.clone().map(|directory| RefreshTokens::open(directory, builtin.refresh_lifetime))
        });
        let minute = Duration::from_secs(60);
        let htpasswd = config.htpasswd.map(|file| Htpasswd::open(file, config.limits.hashing, Arc::clone(&clock)));
        let keystone = config.keystone.map(|keystone| Keystone::new(keystone, config.table, Arc::clone(&clock)));
        let shared = Shared {
            silly: config.silly,
            htpasswd: htpasswd.transpose().map_err(AuthError::Htpasswd)?,
            external: config.token.map(|token| External::open(token, &clock)).transpose().map_err(AuthError::Token)?,
            builtin: builtin.map(Builtin::open).transpose().map_err(AuthError::Builtin)?,
            by_hand,
            refresh: refresh.transpose().map_err(AuthError::Refresh)?,
            keystone: keystone.transpose().map_err(AuthError::Keystone)?,
            certificates: config.certificates,
            anonymous: config.anonymous,
            failures: Rates::new(config.limits.failures, minute),
            wrong: Wrong::new(minute),
            tokens: Rates::new(config.limits.tokens.saturating_mul(BURST), Duration::from_secs(1) * BURST),
            // A client of a token server knows no address to which another would be relative.
            locations: HttpConfig { relative_urls: false, ..locations.clone() },
            clock,
        };
        Ok(Self { shared: Some(Arc::new(shared)) })
    }

    /// Whether everybody may do everything.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.shared.is_none()
    }

    /// Lets a request in if it may do all of `needs`.
    ///
    /// What a mount would read from another repository is no need: whether it may is asked with [`Auth::may`], and a no there refuses nothing.
    /// The challenge names it all the same, so that clients ask for both at once.
    pub async fn check(&self, request: &Parts, peer: &Peer, needs: &[Need]) -> Result<Actor, Refusal> {
        let Some(shared) = &self.shared else { return Ok(Actor::default()) };
        let caller = shared.caller(request, peer);
        let service = shared.service(request, peer);
        let outcome = shared.decide(request, &caller, &service, needs).await;
        shared.tell(request, &caller, needs, "", &outcome);
        match outcome {
            Ok(identity) => Ok(Actor { name: identity.name, account: identity.account }),
            Err(no) => Err(shared.refusal(request, peer, &service, needs, &no)),
        }
    }

    /// Those of `names` that a request may pull, for lists that show nobody what is not theirs. Nobody is asked who they are as long as there is
    /// anything that anybody may pull.
    pub async fn visible(
        &self,
        request: &Parts,
        peer: &Peer,
        names: &[RepositoryName],
    ) -> Result<Vec<RepositoryName>, Refusal> {
        let Some(shared) = &self.shared else { return Ok(names.to_vec()) };
        let caller = shared.caller(request, peer);
        let service = shared.service(request, peer);
        let shown = Credentials::of(&request.headers);
        let outcome = match shared.identify(&shown, &caller, &service).await {
            Ok(identity) if identity.is_somebody() || !shared.anonymous.is_empty() => Ok(identity),
            Ok(_) => Err(No::Anonymous),
            Err(unknown) => Err(No::Unknown(unknown)),
        };
        shared.tell(request, &caller, &[Need::Entry], "", &outcome);
        match outcome {
            Ok(identity) => {
                let may = |name: &&RepositoryName| identity.permissions.allows_in(name.as_str(), Action::Pull);
                Ok(names.iter().filter(may).cloned().collect())
            }
            Err(no) => Err(shared.refusal(request, peer, &service, &[Need::Entry], &no)),
        }
    }

    /// Whether a mount may read this as well, of a request that was let in for its needs. The log is told; the client is not, since the upload begins all
    /// the same.
    pub async fn may(&self, request: &Parts, peer: &Peer, need: &Need) -> bool {
        let Some(shared) = &self.shared else { return true };
        let caller = shared.caller(request, peer);
        let service = shared.service(request, peer);
        let needs = std::slice::from_ref(need);
        // Who was let in is remembered: nobody is asked again.
        let outcome = shared.decide(request, &caller, &service, needs).await;
        shared.tell(request, &caller, needs, "a mount in ", &outcome);
        outcome.is_ok()
    }
}

/// Why a request is not let in.
#[derive(Clone, Debug)]
enum No {
    /// Nobody said who they are, and not everybody may do this.
    Anonymous,
    /// What was said is not believed.
    Unknown(Unknown),
    /// They may do other things.
    NotAllowed(Identity),
}

impl Shared {
    fn caller<'a>(&self, request: &Parts, peer: &'a Peer) -> Caller<'a> {
        Caller { peer, address: location::client(&self.locations, &request.headers, peer) }
    }

    async fn decide(
        &self,
        request: &Parts,
        caller: &Caller<'_>,
        service: &str,
        needs: &[Need],
    ) -> Result<Identity, No> {
        let shown = Credentials::of(&request.headers);
        let identity = self.identify(&shown, caller, service).await.map_err(No::Unknown)?;
        if needs.iter().all(|need| self.allowed(&identity, need)) {
            Ok(identity)
        } else if identity.is_somebody() {
            Err(No::NotAllowed(identity))
        } else {
            Err(No::Anonymous)
        }
    }

    /// Whether somebody may do this. To be let in at all, one has to be somebody: clients learn from the refusal whom to ask for a token, also
    /// for what everybody may pull.
    fn allowed(&self, identity: &Identity, need: &Need) -> bool {
        match need {
            Need::Entry => identity.is_somebody() || (self.ways_are_none() && identity::is_public(&self.anonymous)),
            _ => identity.permissions.allows(need),
        }
    }

    /// Whether nobody can be anybody.
    fn ways_are_none(&self) -> bool {
        let by_password = self.silly.is_some() || self.htpasswd.is_some() || self.keystone.is_some();
        !by_password && self.external.is_none() && !self.by_hand
    }

    /// Whom clients may turn to, in the order in which they should.
    fn ways(&self, request: &Parts, peer: &Peer, service: &str) -> Vec<Way> {
        let mut ways = Vec::new();
        if let Some(silly) = &self.silly {
            ways.push(Way::Bearer { realm: silly.realm.clone(), service: silly.service.clone() });
        }
        if let Some(external) = &self.external {
            let beside = external.beside.as_deref();
            let beside = beside.and_then(|path| Some(location::beside(&self.locations, request, peer)? + path));
            let realm = beside.unwrap_or_else(|| external.realm.clone());
            ways.push(Way::Bearer { realm, service: external.service.clone() });
        }
        if let Some(builtin) = &self.builtin {
            let own = || endpoint::token_address(&self.locations, request, peer);
            let realm = builtin.config.realm.clone().unwrap_or_else(own);
            ways.push(Way::Bearer { realm, service: service.to_owned() });
        } else if let Some(users) = &self.htpasswd {
            ways.push(Way::Basic { realm: users.realm.clone() });
        }
        ways
    }

    /// The name of this registry in tokens of its own.
    fn service(&self, request: &Parts, peer: &Peer) -> String {
        let fixed = self.builtin.as_ref().and_then(|builtin| builtin.config.service.clone());
        fixed.unwrap_or_else(|| endpoint::host(&self.locations, request, peer))
    }

    fn refusal(&self, request: &Parts, peer: &Peer, service: &str, needs: &[Need], no: &No) -> Refusal {
        let (code, message, flaw, retry_after) = match no {
            No::Anonymous => (ErrorCode::Unauthorized, "authentication required", None, None),
            No::Unknown(Unknown::Wrong(_)) => {
                (ErrorCode::Unauthorized, "the credentials are not accepted", Some(Flaw::Invalid), None)
            }
            No::Unknown(Unknown::TooOften(wait)) => {
                (ErrorCode::TooManyRequests, "too many failed log-ins", None, Some(*wait))
            }
            No::Unknown(Unknown::Busy) => (ErrorCode::TooManyRequests, "too many log-ins at a time", None, Some(AGAIN)),
            No::Unknown(Unknown::Away) => {
                (ErrorCode::Unavailable, "nobody can say who you are at the moment", None, Some(AGAIN))
            }
            // A token may be good for less than its owner is: a client asks for another.
            No::NotAllowed(identity) if identity.by_token => {
                (ErrorCode::Unauthorized, "the token is good for something else", Some(Flaw::Insufficient), None)
            }
            No::NotAllowed(_) => (ErrorCode::Denied, "requested access to the resource is denied", None, None),
        };
        let challenges: Vec<HeaderValue> = if code == ErrorCode::Unauthorized {
            let wishes = wish(request);
            let scopes = scope::of_needs(needs.iter().chain(&wishes));
            let ways = self.ways(request, peer, service);
            ways.iter().filter_map(|way| way.challenge(&scopes, flaw)).collect()
        } else {
            Vec::new()
        };
        // A 401 has to say whom to turn to, and there is nobody: neither a password nor a token helps here.
        if code == ErrorCode::Unauthorized && challenges.is_empty() {
            let message = "only a client's certificate helps here: connect with one that a rule of this registry names";
            return Refusal::new(ErrorCode::Denied, message);
        }
        Refusal { code, message: message.to_owned(), challenges, retry_after }
    }

    /// Tells the log what was decided about a request, or about the `part` of it that is meant.
    fn tell(&self, request: &Parts, caller: &Caller<'_>, needs: &[Need], part: &str, outcome: &Result<Identity, No>) {
        let scopes: Vec<String> = scope::of_needs(needs).iter().map(ToString::to_string).collect();
        let (scope, client) = (scopes.join(" "), caller.client());
        let (method, path) = (&request.method, request.uri.path());
        let claimed = || match Credentials::of(&request.headers) {
            Credentials::Basic(name, _) => name,
            _ => String::new(),
        };
        match outcome {
            Ok(identity) => {
                let (name, way) = (identity.name.as_deref().unwrap_or("anonymous"), identity.way);
                info!(target: AUDIT, { user.name = name, by = way, client, scope }, "allowed {part}{method} {path}");
            }
            Err(No::Anonymous) => info!(target: AUDIT, { client, scope }, "asked {part}{method} {path} who it is"),
            Err(No::Unknown(why)) => {
                let why = match why {
                    Unknown::Wrong(reason) => reason.as_str(),
                    Unknown::TooOften(_) => "too many failed log-ins",
                    Unknown::Busy => "too many log-ins at a time",
                    Unknown::Away => "nobody can say who it is",
                };
                let name = claimed();
                info!(target: AUDIT, { user.name = name, client, scope, reason = why }, "refused {part}{method} {path}");
            }
            Err(No::NotAllowed(identity)) => {
                let (name, way) = (identity.name.as_deref().unwrap_or("anonymous"), identity.way);
                info!(target: AUDIT, { user.name = name, by = way, client, scope, reason = "not allowed" }, "refused {part}{method} {path}");
            }
        }
    }
}

/// What a mount would read from another repository.
fn wish(request: &Parts) -> Option<Need> {
    let query = Query::parse(request.uri.query()).ok()?;
    query.first("mount")?;
    let from: RepositoryName = query.first("from")?.parse().ok()?;
    Some(Need::Repository(from, Action::Pull))
}

#[cfg(test)]
mod tests;
