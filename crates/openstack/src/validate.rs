//! Who calls us: tokens checked with Keystone as keystonemiddleware does it, and remembered for a while.
//!
//! The cache never holds a token, only its SHA-256. A Keystone that is away is never taken for a bad token.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use jeroboam_model::{Caller, Clock};
use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

use crate::session::{ACCESS_RULES, SUBJECT_TOKEN, token_header};
use crate::{Error, ServiceType, Session, TokenInfo};

/// How tokens are checked.
#[derive(Clone, Debug)]
pub struct ValidatorConfig {
    /// How long a good token is remembered; zero for not at all.
    pub cache_time: Duration,
    /// How long a bad token is remembered.
    pub negative_cache_time: Duration,
    /// Most tokens that are remembered.
    pub capacity: u64,
    /// One of these roles makes a token a service's.
    pub service_token_roles: Vec<String>,
    /// Whether `X-Service-Token` counts only with such a role.
    pub service_token_roles_required: bool,
    /// The types that access rules may call us by; empty refuses every credential that has such rules.
    pub service_types: Vec<String>,
}

impl Default for ValidatorConfig {
    fn default() -> Self {
        Self {
            cache_time: Duration::from_secs(300),
            negative_cache_time: Duration::from_secs(10),
            capacity: 50_000,
            service_token_roles: vec!["service".to_owned()],
            service_token_roles_required: false,
            service_types: ServiceType::ContainerInfra.aliases().iter().map(|alias| (*alias).to_owned()).collect(),
        }
    }
}

/// What a request shows of who sends it.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// `X-Auth-Token`.
    pub token: Option<&'a SecretString>,
    /// `X-Service-Token`.
    pub service_token: Option<&'a SecretString>,
    /// The method, for access rules.
    pub method: &'a Method,
    /// The path with `/v1`, for access rules.
    pub path: &'a str,
}

/// Who sends a request.
#[derive(Clone, Debug)]
pub struct Validated {
    /// The user.
    pub user: Arc<TokenInfo>,
    /// The service that passes the user's request on.
    pub service: Option<Arc<TokenInfo>>,
}

/// Why a request is not let in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TokenError {
    /// There is no token: 401.
    #[error("the request has no token")]
    Missing,
    /// The token is not good, or not for this: 401.
    #[error("the token is not accepted: {0}")]
    Invalid(&'static str),
    /// Keystone can not say: 503.
    #[error("the token can not be checked")]
    Unavailable(#[source] Arc<Error>),
}

/// SHA-256 of a token.
type Digest = [u8; 32];

/// What checks have found out about tokens of late.
#[derive(Clone)]
pub(crate) struct KnownTokens(Cache<Digest, Arc<TokenInfo>>);

impl KnownTokens {
    pub(crate) async fn get(&self, token: &SecretString) -> Option<Arc<TokenInfo>> {
        self.0.get(&digest(token)).await
    }
}

impl std::fmt::Debug for KnownTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownTokens").finish_non_exhaustive()
    }
}

/// Checks tokens for a service. Clones share the cache.
#[derive(Clone)]
pub struct TokenValidator {
    service: Session,
    config: Arc<ValidatorConfig>,
    clock: Arc<dyn Clock>,
    good: Cache<Digest, Arc<TokenInfo>>,
    bad: Cache<Digest, ()>,
}

impl std::fmt::Debug for TokenValidator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenValidator").field("config", &self.config).finish_non_exhaustive()
    }
}

impl TokenValidator {
    /// A validator that asks Keystone with `service`'s credentials.
    #[must_use]
    pub fn new(service: Session, config: ValidatorConfig, clock: Arc<dyn Clock>) -> Self {
        let good = Cache::builder().max_capacity(config.capacity).time_to_live(config.cache_time).build();
        let bad = Cache::builder().max_capacity(config.capacity).time_to_live(config.negative_cache_time).build();
        Self { service, config: Arc::new(config), clock, good, bad }
    }

    /// Who sends a request, and whether it may make it at all.
    pub async fn validate(&self, shown: &Presented<'_>) -> Result<Validated, TokenError> {
        let service = match shown.service_token {
            Some(token) => self.service_token(token).await?,
            None => None,
        };
        let token = shown.token.ok_or(TokenError::Missing)?;
        let user = self.look_up(token, service.is_some()).await?;
        // What a service passes on was allowed where it came in.
        if service.is_none() {
            self.check_access_rules(&user, shown)?;
        }
        Ok(Validated { user, service })
    }

    /// What a token stands for, expired ones excluded.
    pub async fn token(&self, token: &SecretString) -> Result<Arc<TokenInfo>, TokenError> {
        self.look_up(token, false).await
    }

    /// What this validator has found out, for sessions that use the same tokens.
    pub(crate) fn known(&self) -> KnownTokens {
        KnownTokens(self.good.clone())
    }

    /// A session in the caller's own name, with the catalogue that the token's check brought.
    pub async fn session_for(&self, caller: &Caller) -> Session {
        let info = self.good.get(&digest(&caller.token)).await;
        self.service.for_token(caller.token.clone(), info)
    }

    /// The service; `None` for a token without a service role, which is let pass and makes nobody more than a caller:
    /// everybody has a token to show here.
    async fn service_token(&self, token: &SecretString) -> Result<Option<Arc<TokenInfo>>, TokenError> {
        let info = self.look_up(token, false).await?;
        let has_role = info.roles.iter().any(|role| self.config.service_token_roles.contains(role));
        if has_role {
            return Ok(Some(info));
        }
        if self.config.service_token_roles_required {
            return Err(TokenError::Invalid("the service token lacks a service role"));
        }
        warn!(user.id = %info.user, "a service token without a service role counts for nothing");
        Ok(None)
    }

    async fn look_up(&self, token: &SecretString, allow_expired: bool) -> Result<Arc<TokenInfo>, TokenError> {
        let key = digest(token);
        if !allow_expired && self.bad.contains_key(&key) {
            return Err(TokenError::Invalid("it is unknown, expired or revoked"));
        }
        let info = match self.good.get(&key).await {
            Some(info) => Ok(info),
            // Not shared with callers for whom an expired token is a bad one.
            None if allow_expired => self.ask_and_keep(key, token).await.map_err(Arc::new),
            None => self.good.try_get_with(key, self.ask(token, false)).await,
        };
        let info = match info {
            Ok(info) => info,
            Err(refused) => {
                if matches!(*refused, TokenError::Invalid(_)) && !allow_expired {
                    self.bad.insert(key, ()).await;
                }
                return Err((*refused).clone());
            }
        };
        if !allow_expired && info.expired(self.clock.now()) {
            return Err(TokenError::Invalid("it has expired"));
        }
        Ok(info)
    }

    async fn ask_and_keep(&self, key: Digest, token: &SecretString) -> Result<Arc<TokenInfo>, TokenError> {
        let info = self.ask(token, true).await?;
        self.good.insert(key, Arc::clone(&info)).await;
        Ok(info)
    }

    async fn ask(&self, token: &SecretString, allow_expired: bool) -> Result<Arc<TokenInfo>, TokenError> {
        // A text that no header can hold is no token.
        let Ok(subject) = token_header(token) else { return Err(TokenError::Invalid("it is malformed")) };
        let mut request = self.service.get(ServiceType::Identity, &["auth", "tokens"]);
        if allow_expired {
            request = request.query("allow_expired", "1");
        }
        let unavailable = |error: Error| {
            warn!(error = %error, "keystone can not check a token");
            TokenError::Unavailable(Arc::new(error))
        };
        let request = request.header(ACCESS_RULES, "1.0").sensitive_header(SUBJECT_TOKEN, subject);
        let answer = request.send_any_status().await.map_err(unavailable)?;
        match answer.status {
            StatusCode::OK => TokenInfo::from_body(&answer.body).map(Arc::new).map_err(unavailable),
            StatusCode::NOT_FOUND => Err(TokenError::Invalid("it is unknown, expired or revoked")),
            _ => Err(unavailable(answer.refusal(Method::GET, "/auth/tokens".to_owned()))),
        }
    }

    fn check_access_rules(&self, info: &TokenInfo, shown: &Presented<'_>) -> Result<(), TokenError> {
        let rules = info.application_credential.as_ref().and_then(|credential| credential.access_rules.as_ref());
        let Some(rules) = rules else { return Ok(()) };
        let ours: Vec<&str> = self.config.service_types.iter().map(String::as_str).collect();
        if rules.iter().any(|rule| rule.allows(&ours, shown.method, shown.path)) {
            return Ok(());
        }
        info!(user.id = %info.user, "no access rule of the application credential allows the request");
        Err(TokenError::Invalid("no access rule of the application credential allows the request"))
    }
}

fn digest(token: &SecretString) -> Digest {
    let mut digest = Digest::default();
    let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.expose_secret().as_bytes());
    digest.copy_from_slice(sum.as_ref());
    digest
}
