//! What an operator may choose about the HTTP side.

use std::path::PathBuf;
use std::time::Duration;

use jeroboam_oslo::VersionRange;

/// Settings of the API.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Microversions that are offered. An operator may end them early, at what the clients of the cloud know.
    pub versions: VersionRange,
    /// The service as version headers of answers name it; clouds with old clients may want `container-infra`.
    pub version_service: String,
    /// How many items a listing gives at most, `[api] max_limit`.
    pub max_limit: u64,
    /// The largest body that is read, in bytes.
    pub max_body_bytes: usize,
    /// How long a request may take before it is given up with a 503.
    pub request_timeout: Duration,
    /// How long a client may take to send a body before it is told so with a 408.
    pub body_timeout: Duration,
    /// Whether a proxy's word about scheme, host and prefix is believed,
    /// `[oslo_middleware] enable_proxy_headers_parsing`.
    pub proxy_headers: bool,
    /// The path that the service is mounted on, without a slash at the end; empty for the root.
    pub prefix: String,
    /// The scheme of links when no proxy says otherwise.
    pub scheme: String,
    /// The host of links for clients that name none.
    pub host: String,
    /// Where clients get tokens, `[keystone_authtoken] www_authenticate_uri`.
    pub www_authenticate_uri: String,
    /// While this file exists, `/healthcheck` answers 503.
    pub healthcheck_disabled_by: Option<PathBuf>,
    /// What pages of other origins may do, `[cors]`.
    pub cors: CorsConfig,
}

/// What pages of other origins may do. The defaults are Magnum's, and no origin is among them.
#[derive(Clone, Debug)]
pub struct CorsConfig {
    /// `https://horizon.example` and the like; `*` is any.
    pub origins: Vec<String>,
    /// Whether browsers may send cookies along.
    pub credentials: bool,
    /// Methods that browsers may use.
    pub methods: Vec<String>,
    /// Headers that browsers may send.
    pub headers: Vec<String>,
    /// Headers that browsers may read.
    pub exposed: Vec<String>,
    /// Seconds that browsers may remember all this.
    pub max_age: u64,
}

impl Default for CorsConfig {
    fn default() -> Self {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        Self {
            origins: Vec::new(),
            credentials: true,
            methods: words("GET PUT POST DELETE PATCH"),
            headers: words(
                "X-Auth-Token X-Identity-Status X-Roles X-Service-Catalog X-User-Id X-Tenant-Id X-OpenStack-Request-ID \
                 X-Server-Management-Url",
            ),
            exposed: words(
                "X-Auth-Token X-Subject-Token X-Service-Token X-OpenStack-Request-ID X-Server-Management-Url",
            ),
            max_age: 3600,
        }
    }
}

impl ApiConfig {
    /// What Magnum does without a word in its configuration.
    #[must_use]
    pub fn new(www_authenticate_uri: impl Into<String>) -> Self {
        Self {
            versions: VersionRange::default(),
            version_service: "container-infrastructure-management".to_owned(),
            max_limit: 1000,
            max_body_bytes: 1024 * 1024,
            request_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(30),
            proxy_headers: false,
            prefix: String::new(),
            scheme: "http".to_owned(),
            host: "127.0.0.1:9511".to_owned(),
            www_authenticate_uri: www_authenticate_uri.into(),
            healthcheck_disabled_by: Some(PathBuf::from("/etc/magnum/healthcheck_disable")),
            cors: CorsConfig::default(),
        }
    }
}
