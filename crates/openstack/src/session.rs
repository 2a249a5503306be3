//! Who we are towards OpenStack: credentials, the token they gave, and where the services are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jeroboam_model::{Clock, Timestamp};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tracing::debug;

use crate::catalog::versioned;
use crate::error::message_in;
use crate::transport::{Outgoing, Transport};
use crate::validate::KnownTokens;
use crate::{Answer, Auth, Error, Interface, Request, ServiceType, Token, TokenInfo, TokenValidator, TransportConfig};

pub(crate) const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
pub(crate) const SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");
/// Makes Keystone accept and show tokens with access rules.
pub(crate) const ACCESS_RULES: HeaderName = HeaderName::from_static("openstack-identity-access-rules");

/// A token that ends sooner is replaced before it is used.
const SHORTLY: Duration = Duration::from_secs(60);

/// After so much of its life, in hundredths, a token is replaced while the old one still serves.
const RENEWED_AFTER: i64 = 80;

/// So long an early replacement may take, and so long after one that failed none is tried.
const RENEWAL: Duration = Duration::from_secs(10);

/// A token that was just had is used whatever its end: Keystone's clock may not be ours.
const JUST_NOW: Duration = Duration::from_secs(5);

/// What a session needs to begin.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Keystone, with or without `/v3`.
    pub auth_url: String,
    /// The credentials.
    pub auth: Auth,
    /// The region of the services; the first that is listed where none is given.
    pub region: Option<String>,
    /// Which endpoints to use.
    pub interface: Interface,
    /// How connections are made.
    pub transport: TransportConfig,
    /// Addresses that take the place of the catalogue's.
    pub endpoint_overrides: BTreeMap<ServiceType, String>,
    /// What is different for single services.
    pub services: BTreeMap<ServiceType, ServiceOptions>,
}

/// What is different for one service; `None` and `false` are the session's own settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceOptions {
    /// The region of its endpoint.
    pub region: Option<String>,
    /// Which endpoint of it to use.
    pub interface: Option<Interface>,
    /// The only authorities to believe.
    pub cacert: Option<PathBuf>,
    /// Believe any certificate.
    pub insecure: bool,
}

impl SessionConfig {
    /// The settings that most sessions have.
    #[must_use]
    pub fn new(auth_url: impl Into<String>, auth: Auth) -> Self {
        Self {
            auth_url: auth_url.into(),
            auth,
            region: None,
            interface: Interface::Public,
            transport: TransportConfig::default(),
            endpoint_overrides: BTreeMap::new(),
            services: BTreeMap::new(),
        }
    }
}

/// A session with OpenStack. Clones share the token and the connections.
#[derive(Clone, Debug)]
pub struct Session {
    shared: Arc<Shared>,
    view: View,
}

/// What a region or an interface may change without logging in again.
#[derive(Clone, Debug)]
struct View {
    region: Option<String>,
    interface: Interface,
    overrides: Arc<BTreeMap<ServiceType, Url>>,
    services: Arc<BTreeMap<ServiceType, Own>>,
    known: Option<KnownTokens>,
    /// Sent along, so that the logs of all services can be read together.
    request_id: Option<HeaderValue>,
}

/// What one service has of its own.
#[derive(Debug, Default)]
struct Own {
    region: Option<String>,
    interface: Option<Interface>,
    transport: Option<Transport>,
}

struct Shared {
    transport: Arc<Transport>,
    clock: Arc<dyn Clock>,
    auth_url: Url,
    who: Who,
    /// Held while logging in, so that many callers log in once.
    token: Mutex<Option<Arc<Token>>>,
    /// Held by whoever replaces a token that still serves: until when it is not tried again.
    renewal: Mutex<Option<Timestamp>>,
}

#[derive(Debug)]
enum Who {
    /// We can log in again at any time.
    Own(Auth),
    /// Somebody else's token: when it ends, so does the session.
    Lent(SecretString),
}

impl Own {
    fn new(options: ServiceOptions, session: &TransportConfig) -> Result<Self, Error> {
        let same = options.cacert.is_none() && !options.insecure;
        let transport = (!same).then(|| {
            Transport::new(&TransportConfig {
                cacert: options.cacert.or_else(|| session.cacert.clone()),
                insecure: options.insecure || session.insecure,
                ..session.clone()
            })
        });
        Ok(Self { region: options.region, interface: options.interface, transport: transport.transpose()? })
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("auth_url", &self.auth_url.as_str())
            .field("who", &self.who)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session that logs in when it is first used.
    pub fn new(config: SessionConfig, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let auth_url = versioned(&config.auth_url, ServiceType::Identity)
            .ok_or_else(|| Error::Settings(format!("auth_url {:?} is no address", config.auth_url)))?;
        let mut overrides = BTreeMap::new();
        for (service, url) in &config.endpoint_overrides {
            let address = versioned(url, *service)
                .ok_or_else(|| Error::Settings(format!("the endpoint {url:?} of {service} is no address")))?;
            overrides.insert(*service, address);
        }
        let transport = Arc::new(Transport::new(&config.transport)?);
        let mut services = BTreeMap::new();
        for (service, options) in config.services {
            let own = Own::new(options, &config.transport)?;
            services.insert(service, own);
        }
        let shared = Shared {
            transport,
            clock,
            auth_url,
            who: Who::Own(config.auth),
            token: Mutex::new(None),
            renewal: Mutex::new(None),
        };
        let view = View {
            region: config.region,
            interface: config.interface,
            overrides: Arc::new(overrides),
            services: Arc::new(services),
            known: None,
            request_id: None,
        };
        Ok(Self { shared: Arc::new(shared), view })
    }

    /// A session in the name of whoever holds `token`, with this one's connections, region and interface.
    ///
    /// `info` is what a validation said of it; without it Keystone is asked when the catalogue is first needed.
    #[must_use]
    pub fn for_token(&self, token: SecretString, info: Option<Arc<TokenInfo>>) -> Self {
        let known = info.map(|info| Arc::new(Token { secret: token.clone(), info, obtained: self.shared.clock.now() }));
        let shared = Shared {
            transport: Arc::clone(&self.shared.transport),
            clock: Arc::clone(&self.shared.clock),
            auth_url: self.shared.auth_url.clone(),
            who: Who::Lent(token),
            token: Mutex::new(known),
            renewal: Mutex::new(None),
        };
        Self { shared: Arc::new(shared), view: self.view.clone() }
    }

    /// A session with other credentials and this one's connections, region and interface.
    #[must_use]
    pub fn for_auth(&self, auth: Auth) -> Self {
        let shared = Shared {
            transport: Arc::clone(&self.shared.transport),
            clock: Arc::clone(&self.shared.clock),
            auth_url: self.shared.auth_url.clone(),
            who: Who::Own(auth),
            token: Mutex::new(None),
            renewal: Mutex::new(None),
        };
        Self { shared: Arc::new(shared), view: self.view.clone() }
    }

    /// The same session towards another interface of the services.
    #[must_use]
    pub fn with_interface(mut self, interface: Interface) -> Self {
        self.view.interface = interface;
        self
    }

    /// The same session on the way of one request, which the services are to know by this id.
    #[must_use]
    pub fn with_request_id(mut self, id: &str) -> Self {
        self.view.request_id = HeaderValue::from_str(id).ok();
        self
    }

    /// The same session towards another region.
    #[must_use]
    pub fn with_region(mut self, region: Option<String>) -> Self {
        self.view.region = region;
        self
    }

    /// The same session; what `validator` finds out about tokens is not asked for again by [`Session::for_token`].
    #[must_use]
    pub fn with_known_tokens(mut self, validator: &TokenValidator) -> Self {
        self.view.known = Some(validator.known());
        self
    }

    /// Keystone's address with its version.
    #[must_use]
    pub fn auth_url(&self) -> &Url {
        &self.shared.auth_url
    }

    /// The region that is set.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.view.region.as_deref()
    }

    /// The interface that is set.
    #[must_use]
    pub fn interface(&self) -> Interface {
        self.view.interface
    }

    /// Logs in, whether or not there is a token already.
    pub async fn authenticate(&self) -> Result<Arc<Token>, Error> {
        let mut slot = self.shared.token.lock().await;
        let token = Arc::new(self.log_in().await?);
        *slot = Some(Arc::clone(&token));
        Ok(token)
    }

    /// The token, logging in if there is none or it is about to end. One that is old but still serves is replaced by one of its users, and
    /// kept if Keystone is away.
    pub async fn token(&self) -> Result<Arc<Token>, Error> {
        let mut slot = self.shared.token.lock().await;
        let now = self.shared.clock.now();
        let Some(token) = slot.as_ref().filter(|token| !self.ends_shortly(token, now)).cloned() else {
            let token = Arc::new(self.log_in().await?);
            *slot = Some(Arc::clone(&token));
            return Ok(token);
        };
        drop(slot);
        if !self.is_old(&token, now) {
            return Ok(token);
        }
        // Somebody else is at it, or it failed a moment ago.
        let Ok(mut not_before) = self.shared.renewal.try_lock() else { return Ok(token) };
        if not_before.is_some_and(|moment| now < moment) {
            return Ok(token);
        }
        match tokio::time::timeout(RENEWAL, self.log_in()).await {
            Ok(Ok(fresh)) => {
                let fresh = Arc::new(fresh);
                *self.shared.token.lock().await = Some(Arc::clone(&fresh));
                *not_before = None;
                Ok(fresh)
            }
            outcome => {
                debug!(late = outcome.is_err(), "the token could not be replaced early");
                *not_before = Some(now + RENEWAL);
                Ok(token)
            }
        }
    }

    /// Where a service is.
    pub async fn endpoint(&self, service: ServiceType) -> Result<Url, Error> {
        if let Some(address) = self.view.overrides.get(&service) {
            return Ok(address.clone());
        }
        let token = self.token().await?;
        let own = self.view.services.get(&service);
        let region = own.and_then(|own| own.region.as_deref()).or(self.view.region.as_deref());
        let interface = own.and_then(|own| own.interface).unwrap_or(self.view.interface);
        if let Some(address) = token.info.catalog.endpoint(service, interface, region) {
            return Ok(address);
        }
        if service == ServiceType::Identity {
            return Ok(self.shared.auth_url.clone());
        }
        Err(Error::NoEndpoint { service, interface, region: region.map(str::to_owned) })
    }

    /// Begins a request; each item of `path` is one segment and is escaped.
    pub fn request(&self, service: ServiceType, method: Method, path: &[&str]) -> Request<'_> {
        Request::new(self, service, method, path)
    }

    /// Begins a GET.
    pub fn get(&self, service: ServiceType, path: &[&str]) -> Request<'_> {
        self.request(service, Method::GET, path)
    }

    /// Sends with our token; a 401 is answered with a new token once.
    pub(crate) async fn send(&self, mut request: Outgoing) -> Result<Answer, Error> {
        let token = self.usable_token().await?;
        request.headers.insert(AUTH_TOKEN, token_header(&token)?);
        if let Some(id) = &self.view.request_id {
            request.headers.insert(REQUEST_ID, id.clone());
        }
        let transport = self.transport_to(request.service);
        let answer = transport.send(&request).await?;
        if answer.status != StatusCode::UNAUTHORIZED || matches!(self.shared.who, Who::Lent(_)) {
            return Ok(answer);
        }
        debug!(service = %request.service, "the token is no longer accepted, logging in again");
        let fresh = self.replace(&token).await?;
        request.headers.insert(AUTH_TOKEN, token_header(&fresh)?);
        transport.send(&request).await
    }

    fn transport_to(&self, service: ServiceType) -> &Transport {
        let own = self.view.services.get(&service).and_then(|own| own.transport.as_ref());
        own.unwrap_or(&self.shared.transport)
    }

    /// Sends without any token of ours.
    pub(crate) async fn send_bare(&self, request: &Outgoing) -> Result<Answer, Error> {
        self.shared.transport.send(request).await
    }

    pub(crate) async fn usable_token(&self) -> Result<SecretString, Error> {
        match &self.shared.who {
            Who::Lent(token) => Ok(token.clone()),
            Who::Own(_) => Ok(self.token().await?.secret.clone()),
        }
    }

    /// Whether another login can be tried where a token is refused.
    pub(crate) fn can_log_in(&self) -> bool {
        matches!(self.shared.who, Who::Own(_))
    }

    /// A new token, unless somebody else has had one meanwhile.
    pub(crate) async fn replace(&self, old: &SecretString) -> Result<SecretString, Error> {
        let mut slot = self.shared.token.lock().await;
        if let Some(token) = slot.as_ref().filter(|token| token.secret.expose_secret() != old.expose_secret()) {
            return Ok(token.secret.clone());
        }
        *slot = None;
        let token = Arc::new(self.log_in().await?);
        *slot = Some(Arc::clone(&token));
        Ok(token.secret.clone())
    }

    fn ends_shortly(&self, token: &Token, now: Timestamp) -> bool {
        match self.shared.who {
            Who::Own(_) => token.info.expired(now + SHORTLY) && token.obtained + JUST_NOW < now,
            Who::Lent(_) => false,
        }
    }

    /// Whether most of a token's life is over.
    fn is_old(&self, token: &Token, now: Timestamp) -> bool {
        let life = token.info.expires_at.as_second() - token.obtained.as_second();
        let age = now.as_second() - token.obtained.as_second();
        matches!(self.shared.who, Who::Own(_)) && age * 100 >= life * RENEWED_AFTER && token.obtained + JUST_NOW < now
    }

    async fn log_in(&self) -> Result<Token, Error> {
        match &self.shared.who {
            Who::Own(auth) => self.post_token(auth).await,
            Who::Lent(token) => self.look_at_own(token).await,
        }
    }

    async fn post_token(&self, auth: &Auth) -> Result<Token, Error> {
        let mut request = self.token_request(Method::POST);
        request.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.body = Some(auth.body().to_string().into_bytes());
        let answer = self.send_bare(&request).await?;
        match answer.status {
            status if status.is_success() => {}
            // Keystone answers 404 to an application credential that it does not have.
            // Keystone says the same of a trust that is gone and of a wrong password.
            StatusCode::UNAUTHORIZED if Box::pin(self.only_the_trust(auth)).await => {
                let trust = auth.trust().unwrap_or_default().to_owned();
                return Err(Error::Trust { trust, message: message_in(&answer.body) });
            }
            StatusCode::UNAUTHORIZED => return Err(Error::Login { message: message_in(&answer.body) }),
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN if auth.trust().is_some() => {
                let trust = auth.trust().unwrap_or_default().to_owned();
                return Err(Error::Trust { trust, message: message_in(&answer.body) });
            }
            StatusCode::NOT_FOUND => return Err(Error::Login { message: message_in(&answer.body) }),
            // Keystone's schema errors repeat what they do not like, which may be the password.
            StatusCode::BAD_REQUEST => return Err(quiet_refusal(&answer)),
            _ => return Err(answer.refusal(Method::POST, "/auth/tokens".to_owned())),
        }
        let header = answer.headers.get(&SUBJECT_TOKEN).and_then(|value| value.to_str().ok());
        let secret = header.ok_or_else(|| Error::unreadable(ServiceType::Identity, "it has no X-Subject-Token"))?;
        Ok(Token {
            secret: secret.into(),
            info: Arc::new(TokenInfo::from_body(&answer.body)?),
            obtained: self.shared.clock.now(),
        })
    }

    /// Whether the same credentials are good without the trust that they come with.
    async fn only_the_trust(&self, auth: &Auth) -> bool {
        match auth.without_trust() {
            Some(auth) => self.post_token(&auth).await.is_ok(),
            None => false,
        }
    }

    async fn look_at_own(&self, token: &SecretString) -> Result<Token, Error> {
        let obtained = self.shared.clock.now();
        if let Some(known) = &self.view.known
            && let Some(info) = known.get(token).await
        {
            return Ok(Token { secret: token.clone(), info, obtained });
        }
        let mut request = self.token_request(Method::GET);
        request.headers.insert(AUTH_TOKEN, token_header(token)?);
        request.headers.insert(SUBJECT_TOKEN, token_header(token)?);
        request.headers.insert(ACCESS_RULES, HeaderValue::from_static("1.0"));
        let answer = self.send_bare(&request).await?;
        match answer.status {
            status if status.is_success() => {}
            // Keystone does not find a token that has been revoked, even where it is the one that asks.
            StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => {
                return Err(Error::Login { message: message_in(&answer.body) });
            }
            _ => return Err(answer.refusal(Method::GET, "/auth/tokens".to_owned())),
        }
        Ok(Token { secret: token.clone(), info: Arc::new(TokenInfo::from_body(&answer.body)?), obtained })
    }

    fn token_request(&self, method: Method) -> Outgoing {
        let mut url = self.shared.auth_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["auth", "tokens"]);
        }
        let mut headers = HeaderMap::new();
        headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
        // A token more or less does no harm, so the POST may be repeated as well.
        Outgoing { service: ServiceType::Identity, method, url, headers, body: None, repeatable: true }
    }
}

fn quiet_refusal(answer: &Answer) -> Error {
    Error::Refused {
        service: ServiceType::Identity,
        method: Method::POST,
        path: "/auth/tokens".to_owned(),
        status: answer.status.as_u16(),
        message: None,
    }
}

/// A token as a header that no log will show.
pub(crate) fn token_header(token: &SecretString) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(token.expose_secret())
        .map_err(|_| Error::Settings("the token has characters that no header can hold".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}
