//! Links in answers: they name the host that the client used, or that its proxy says it used.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, Uri};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::config::ApiConfig;
use crate::error::{ApiError, ApiResult};

/// The start of every link of one request: scheme, host and prefix.
#[derive(Clone, Debug)]
pub(crate) struct Links(Arc<str>);

/// A link.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Link {
    /// Where it leads.
    pub(crate) href: String,
    /// `self`, `bookmark`, `describedby`.
    pub(crate) rel: &'static str,
    /// The type of what is there, when it is not JSON.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'static str>,
}

impl Link {
    /// A link to something of ours.
    pub(crate) const fn new(href: String, rel: &'static str) -> Self {
        Self { href, rel, kind: None }
    }
}

impl Links {
    /// What the request says. Magnum: oslo.middleware `http_proxy_to_wsgi` and webob `application_url`.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap, config: &ApiConfig) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let mut scheme = config.scheme.as_str();
        let mut host = header("host").or_else(|| uri.authority().map(http::uri::Authority::as_str));
        let mut forwarded_prefix = "";
        if config.proxy_headers {
            let (forwarded_scheme, forwarded_host) = match header("forwarded") {
                Some(forwarded) => (part(forwarded, "proto"), part(forwarded, "host")),
                // An empty one says nothing.
                None => (header("x-forwarded-proto"), header("x-forwarded-host").filter(|host| !host.is_empty())),
            };
            scheme = forwarded_scheme.filter(|scheme| ["http", "https"].contains(scheme)).unwrap_or(scheme);
            host = forwarded_host.or(host);
            forwarded_prefix = header("x-forwarded-prefix").unwrap_or_default();
        }
        let host = host.filter(|host| !host.is_empty()).unwrap_or(&config.host);
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        let host = host.strip_suffix(default_port).unwrap_or(host);
        let (outer, inner) = (forwarded_prefix.trim_end_matches('/'), config.prefix.trim_end_matches('/'));
        Self(format!("{scheme}://{host}{outer}{inner}").into())
    }

    /// The start itself.
    pub(crate) fn base(&self) -> &str {
        &self.0
    }

    /// The link to a thing and the one without the version.
    pub(crate) fn pair(&self, path: &str) -> [Link; 2] {
        let base = self.base();
        [Link::new(format!("{base}/v1/{path}"), "self"), Link::new(format!("{base}/{path}"), "bookmark")]
    }
}

/// One parameter of the first element of a `Forwarded` header.
fn part<'a>(forwarded: &'a str, name: &str) -> Option<&'a str> {
    let first = forwarded.split(',').next().unwrap_or_default();
    let pairs = first.split(';').filter_map(|pair| pair.split_once('='));
    let found = pairs.map(|(key, value)| (key.trim(), value)).find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim().trim_matches('"'))
}

impl FromRequestParts<App> for Links {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        Ok(Self::of(&parts.uri, &parts.headers, app.config()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(proxy_headers: bool, prefix: &str, headers: &[(&'static str, &'static str)]) -> String {
        let config = ApiConfig { proxy_headers, prefix: prefix.to_owned(), ..ApiConfig::new("http://keystone") };
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
        Links::of(&Uri::from_static("/v1"), &headers.collect(), &config).base().to_owned()
    }

    #[test]
    fn links_start_where_the_client_thinks_we_are() {
        let host = ("host", "cloud:9511");
        let rows = [
            (false, "", vec![host], "http://cloud:9511"),
            (false, "", vec![("host", "cloud:80")], "http://cloud"),
            (false, "", vec![], "http://127.0.0.1:9511"),
            (false, "/magnum", vec![host], "http://cloud:9511/magnum"),
            (false, "", vec![host, ("x-forwarded-proto", "https"), ("x-forwarded-host", "evil")], "http://cloud:9511"),
            (true, "", vec![host, ("x-forwarded-proto", "https")], "https://cloud:9511"),
            (true, "", vec![host, ("x-forwarded-proto", "https"), ("x-forwarded-host", "")], "https://cloud:9511"),
            (
                true,
                "",
                vec![
                    host,
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", "api.example:443"),
                    ("x-forwarded-prefix", "/c/"),
                ],
                "https://api.example/c",
            ),
            (true, "", vec![host, ("x-forwarded-proto", "gopher")], "http://cloud:9511"),
            // What the proxy takes away goes before what we are mounted on.
            (true, "/magnum", vec![host, ("x-forwarded-prefix", "/cloud")], "http://cloud:9511/cloud/magnum"),
            (false, "/magnum", vec![host, ("x-forwarded-prefix", "/cloud")], "http://cloud:9511/magnum"),
            (
                true,
                "",
                vec![host, ("forwarded", "for=1.2.3.4;proto=https;host=\"api.example\", for=5.6.7.8")],
                "https://api.example",
            ),
        ];
        for (proxy, prefix, headers, expected) in rows {
            assert_eq!(base(proxy, prefix, &headers), expected, "{headers:?}");
        }
    }
}
