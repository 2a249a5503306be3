//! The network.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::section::Section;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `host:port`, an address of Go's that may have no host.
    Tcp(String),
    /// The path of a socket.
    Unix(PathBuf),
}

/// Which version of TLS has to be spoken at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinimumTls {
    /// 1.2.
    #[default]
    V1_2,
    /// 1.3.
    V1_3,
}

/// `http.tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificate and those that signed it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities of clients' certificates; none, and nobody is asked for one.
    pub client_authorities: Vec<PathBuf>,
    /// Whether a client may come without one.
    pub certificate_optional: bool,
    /// The oldest version.
    pub minimum: MinimumTls,
    /// The only suites; none for all that are safe.
    pub suites: Vec<String>,
}

/// `http.debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebugConfig {
    /// Where.
    pub address: String,
    /// Where metrics are, if they are.
    pub metrics: Option<String>,
}

/// `http`.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Where to listen.
    pub address: Address,
    /// What stands before `/v2/`, without a slash at its end; usually nothing.
    pub prefix: String,
    /// The address that clients use, without a slash at its end.
    pub host: Option<String>,
    /// Whether `Location` is a path.
    pub relative_urls: bool,
    /// What signs the state of uploads.
    pub secret: Option<SecretString>,
    /// How long requests may take to end.
    pub drain: Duration,
    /// Headers of every answer.
    pub headers: Vec<(String, Vec<String>)>,
    /// Whether HTTP/2 is spoken over TLS.
    pub http2: bool,
    /// Whether HTTP/2 is spoken without TLS.
    pub h2c: bool,
    /// TLS.
    pub tls: Option<TlsConfig>,
    /// The second address.
    pub debug: Option<DebugConfig>,
}

const USUAL: &str = ":5000";

pub(super) fn read(root: &Section<'_>) -> HttpConfig {
    let http = root.section("http");
    let addr = http.given("addr").unwrap_or_else(|| USUAL.to_owned());
    let unix = http.choice("net", &[("tcp", false), ("tcp4", false), ("tcp6", false), ("unix", true)]);
    HttpConfig {
        address: if unix.unwrap_or(false) { Address::Unix(addr.into()) } else { Address::Tcp(addr) },
        prefix: prefix(&http),
        host: host(&http),
        relative_urls: http.flag("relativeurls").unwrap_or(false),
        secret: http.secret("secret"),
        drain: http.duration("draintimeout").filter(|time| !time.is_zero()).unwrap_or(Duration::from_secs(10)),
        headers: headers(&http),
        http2: !http.section("http2").flag("disabled").unwrap_or(false),
        h2c: http.section("h2c").flag("enabled").unwrap_or(false),
        tls: tls(&http.section("tls")),
        debug: debug(&http.section("debug")),
    }
}

/// distribution leaves away what cannot be sent; here it is named.
fn headers(http: &Section<'_>) -> Vec<(String, Vec<String>)> {
    let headers = http.multimap("headers");
    for (name, values) in &headers {
        let fine = values.iter().all(|value| ::http::HeaderValue::from_str(value).is_ok());
        if name.parse::<::http::HeaderName>().is_err() || !fine {
            http.refuse("headers", &format!("has {name:?}, which is no header that can be sent"));
        }
    }
    headers
}

fn prefix(http: &Section<'_>) -> String {
    let prefix = http.given("prefix").unwrap_or_default();
    let fine = prefix.is_empty() || (prefix.starts_with('/') && prefix.ends_with('/'));
    if !fine {
        http.refuse("prefix", "has to begin and to end with a slash");
    }
    prefix.trim_end_matches('/').to_owned()
}

fn host(http: &Section<'_>) -> Option<String> {
    let host = http.given("host")?;
    if !host.starts_with("http://") && !host.starts_with("https://") {
        http.refuse("host", "has to be a whole address such as https://registry.example.org");
    }
    Some(host.trim_end_matches('/').to_owned())
}

fn tls(tls: &Section<'_>) -> Option<TlsConfig> {
    let (certificate, key) = (tls.given("certificate"), tls.given("key"));
    let (certificate, key) = match (certificate, key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) => {
            if tls.section("letsencrypt").given("cachefile").is_some() {
                tls.refuse(
                    "letsencrypt",
                    "is not done here: name a certificate and its key, which are read again when they change",
                );
            }
            return None;
        }
        (Some(_), None) => {
            tls.refuse("key", "is missing");
            return None;
        }
        (None, Some(_)) => {
            tls.refuse("certificate", "is missing");
            return None;
        }
    };
    // distribution 2 takes 1.0 and 1.1, too; nobody should.
    let versions = [
        ("", MinimumTls::V1_2),
        ("tls1.0", MinimumTls::V1_2),
        ("tls1.1", MinimumTls::V1_2),
        ("tls1.2", MinimumTls::V1_2),
        ("tls1.3", MinimumTls::V1_3),
    ];
    let optional = [("require-and-verify-client-cert", false), ("verify-client-cert-if-given", true)];
    Some(TlsConfig {
        certificate: certificate.into(),
        key: key.into(),
        client_authorities: tls.texts("clientcas").unwrap_or_default().into_iter().map(PathBuf::from).collect(),
        certificate_optional: tls.choice("clientauth", &optional).unwrap_or(false),
        minimum: tls.choice("minimumtls", &versions).unwrap_or_default(),
        suites: tls.texts("ciphersuites").unwrap_or_default(),
    })
}

fn debug(debug: &Section<'_>) -> Option<DebugConfig> {
    let prometheus = debug.section("prometheus");
    let path = prometheus.given("path").unwrap_or_else(|| "/metrics".to_owned());
    let metrics = prometheus.flag("enabled").unwrap_or(false).then_some(path);
    Some(DebugConfig { address: debug.given("addr")?, metrics })
}
