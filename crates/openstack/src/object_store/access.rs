//! How we get in: a session with Keystone, or the older ways of asking the store itself.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use jeroboam_model::{Clock, Timestamp};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::SERVICE;
use crate::error::message_in;
use crate::transport::{broken, streaming_client};
use crate::{Error, Session, TransportConfig};

/// How we get in.
#[derive(Clone, Debug)]
pub enum StoreAccess {
    /// As Keystone knows us; the address is the catalogue's.
    Session(Session),
    /// As the store itself knows us.
    Legacy(LegacyAccess),
}

/// Ways in that are older than Keystone's v3.
#[derive(Clone, Debug)]
pub struct LegacyAccess {
    /// Whom to ask: `http://swift/auth/v1.0`, `http://keystone:5000/v2.0`.
    pub auth_url: String,
    /// The user; for Swift's own accounts `account:user`.
    pub user: String,
    /// The password.
    pub key: SecretString,
    /// For version 2: the tenant by name or id, the region. `None` speaks version 1.
    pub v2: Option<V2Scope>,
}

/// What version 2 of Keystone wants to know besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct V2Scope {
    /// The tenant's name.
    pub tenant: Option<String>,
    /// The tenant's id.
    pub tenant_id: Option<String>,
    /// The region of the endpoint.
    pub region: Option<String>,
    /// `public`, `internal`, `admin`.
    pub interface: crate::Interface,
}

/// Where to go, and with what.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) token: SecretString,
    pub(crate) url: Url,
    /// Counts the log-ins of the older ways, where the same token may be handed out again.
    login: u64,
}

pub(crate) enum Access {
    Session(Session),
    Legacy(Box<Legacy>),
}

pub(crate) struct Legacy {
    how: LegacyAccess,
    transport: TransportConfig,
    held: Mutex<Option<Held>>,
}

struct Held {
    entry: Entry,
    /// When another login is due; a token without a stated end is used until it is refused.
    renew: Option<Timestamp>,
}

/// A token, where to go with it, and when another log-in is due.
type Granted = (SecretString, Url, Option<Timestamp>);

/// Without the key.
impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session(session) => session.fmt(f),
            Self::Legacy(legacy) => legacy.how.fmt(f),
        }
    }
}

impl Access {
    pub(crate) fn new(access: StoreAccess, transport: &TransportConfig) -> Self {
        match access {
            StoreAccess::Session(session) => Self::Session(session),
            StoreAccess::Legacy(how) => {
                Self::Legacy(Box::new(Legacy { how, transport: transport.clone(), held: Mutex::new(None) }))
            }
        }
    }

    /// The token and the address, logging in if there is none.
    pub(crate) async fn enter(&self, clock: &Arc<dyn Clock>) -> Result<Entry, Error> {
        match self {
            Self::Session(session) => {
                let token = session.usable_token().await?;
                Ok(Entry { token, url: session.endpoint(SERVICE).await?, login: 0 })
            }
            Self::Legacy(legacy) => legacy.enter(clock, None).await,
        }
    }

    /// The same after the store has refused this one; an error where there is no other way in. Many who were refused log in once.
    pub(crate) async fn enter_again(&self, clock: &Arc<dyn Clock>, refused: &Entry) -> Result<Entry, Error> {
        match self {
            Self::Session(session) if session.can_log_in() => {
                let token = session.replace(&refused.token).await?;
                Ok(Entry { token, url: session.endpoint(SERVICE).await?, login: 0 })
            }
            Self::Session(_) => Err(Error::Login { message: Some("the token that was given is refused".to_owned()) }),
            Self::Legacy(legacy) => legacy.enter(clock, Some(refused)).await,
        }
    }
}

impl Legacy {
    async fn enter(&self, clock: &Arc<dyn Clock>, refused: Option<&Entry>) -> Result<Entry, Error> {
        let mut held = self.held.lock().await;
        let now = clock.now();
        let serves = |held: &&Held| {
            refused.is_none_or(|refused| refused.login < held.entry.login) && held.renew.is_none_or(|renew| now < renew)
        };
        if let Some(held) = held.as_ref().filter(serves) {
            return Ok(held.entry.clone());
        }
        let (token, url, renew) = match &self.how.v2 {
            None => self.ask_v1(now).await?,
            Some(scope) => self.ask_v2(scope).await?,
        };
        let login = held.as_ref().map_or(1, |held| held.entry.login + 1);
        let entry = Entry { token, url, login };
        *held = Some(Held { entry: entry.clone(), renew });
        Ok(entry)
    }

    /// `GET` with the name and the key in headers.
    async fn ask_v1(&self, now: Timestamp) -> Result<Granted, Error> {
        let url = address(&self.how.auth_url)?;
        let answer = self
            .ask(&url, |client| {
                let mut key =
                    HeaderValue::from_str(self.how.key.expose_secret()).unwrap_or(HeaderValue::from_static(""));
                key.set_sensitive(true);
                client.get(url.clone()).header("x-auth-user", &self.how.user).header("x-auth-key", key)
            })
            .await?;
        let header = |name: &'static str| {
            let value = answer.headers().get(HeaderName::from_static(name));
            value.and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let missing = |name: &str| Error::unreadable(SERVICE, format!("the login has no {name}"));
        let token = header("x-auth-token").ok_or_else(|| missing("X-Auth-Token"))?;
        let storage = header("x-storage-url").ok_or_else(|| missing("X-Storage-Url"))?;
        let life: Option<u64> = header("x-auth-token-expires").and_then(|text| text.parse().ok());
        // Swift hands out the token that there is, so that a new one cannot be had before the end: an early login only costs a request.
        let renew = life.map(|seconds| now + Duration::from_secs(seconds / 5 * 4));
        Ok((token.into(), address(&storage)?, renew))
    }

    async fn ask_v2(&self, scope: &V2Scope) -> Result<Granted, Error> {
        let base = self.how.auth_url.trim_end_matches('/');
        let url = address(&format!("{}/tokens", base.strip_suffix("/tokens").unwrap_or(base)))?;
        let mut auth =
            json!({"passwordCredentials": {"username": self.how.user, "password": self.how.key.expose_secret()}});
        for (name, value) in [("tenantName", &scope.tenant), ("tenantId", &scope.tenant_id)] {
            if let Some(value) = value {
                auth[name] = json!(value);
            }
        }
        let body = json!({"auth": auth});
        let answer = self.ask(&url, |client| client.post(url.clone()).json(&body)).await?;
        let body: V2Answer =
            answer.json().await.map_err(|_| Error::unreadable(SERVICE, "the login is not what version 2 answers"))?;
        let services = body.access.catalog.into_iter().filter(|service| service.kind == SERVICE.as_str());
        let fits = |endpoint: &V2Endpoint| scope.region.is_none() || endpoint.region == scope.region;
        let endpoint = services.flat_map(|service| service.endpoints).find(fits);
        let url = endpoint.and_then(|endpoint| match scope.interface {
            crate::Interface::Public => endpoint.public,
            crate::Interface::Internal => endpoint.internal,
            crate::Interface::Admin => endpoint.admin,
        });
        let none = || Error::NoEndpoint { service: SERVICE, interface: scope.interface, region: scope.region.clone() };
        let url = address(&url.ok_or_else(none)?)?;
        Ok((body.access.token.id.into(), url, None))
    }

    async fn ask(
        &self,
        url: &Url,
        request: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, Error> {
        let client = streaming_client(&self.transport, url)?;
        let mut attempt = 0;
        loop {
            let outcome = request(&client).timeout(self.transport.timeout).send().await;
            attempt += 1;
            let passing = match &outcome {
                Ok(answer) => answer.status() == StatusCode::TOO_MANY_REQUESTS || answer.status().is_server_error(),
                Err(_) => true,
            };
            if passing && attempt < self.transport.retry.attempts {
                tokio::time::sleep(self.transport.retry.pause(attempt - 1)).await;
                continue;
            }
            let answer = outcome.map_err(|error| broken(SERVICE, error))?;
            let (status, method, path) = (answer.status(), http::Method::GET, url.path().to_owned());
            return match status {
                status if status.is_success() => Ok(answer),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    let body = answer.bytes().await.unwrap_or_default();
                    Err(Error::Login { message: message_in(&body) })
                }
                status if passing => {
                    Err(Error::Busy { service: SERVICE, method, path, status: status.as_u16(), retry_after: None })
                }
                status => {
                    Err(Error::Refused { service: SERVICE, method, path, status: status.as_u16(), message: None })
                }
            };
        }
    }
}

fn address(text: &str) -> Result<Url, Error> {
    text.trim().parse().map_err(|_| Error::Settings(format!("{text:?} is no address")))
}

#[derive(Deserialize)]
struct V2Answer {
    access: V2Access,
}

#[derive(Deserialize)]
struct V2Access {
    token: V2Token,
    #[serde(rename = "serviceCatalog", default)]
    catalog: Vec<V2Service>,
}

#[derive(Deserialize)]
struct V2Token {
    id: String,
}

#[derive(Deserialize)]
struct V2Service {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    endpoints: Vec<V2Endpoint>,
}

#[derive(Deserialize)]
struct V2Endpoint {
    region: Option<String>,
    #[serde(rename = "publicURL")]
    public: Option<String>,
    #[serde(rename = "internalURL")]
    internal: Option<String>,
    #[serde(rename = "adminURL")]
    admin: Option<String>,
}
