//! Addresses that clients are given.

use std::net::IpAddr;

use http::header::{FORWARDED, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::HttpConfig;
use crate::auth::Peer;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of a path, which begins with `/v2/`.
pub(crate) fn of(config: &HttpConfig, request: &Parts, peer: &Peer, path: &str) -> String {
    let prefix = &config.prefix;
    match base(config, request, peer) {
        Some(base) => format!("{base}{prefix}{path}"),
        None => format!("{prefix}{path}"),
    }
}

/// Scheme and host; `None` where the client is told neither.
fn base(config: &HttpConfig, request: &Parts, peer: &Peer) -> Option<String> {
    if config.relative_urls {
        return None;
    }
    if let Some(host) = &config.host {
        return Some(host.trim_end_matches('/').to_owned());
    }
    let headers = &request.headers;
    let told = if is_trusted(config, peer) { Told::of(headers) } else { Told::default() };
    let scheme = told.scheme.unwrap_or(if peer.tls { "https" } else { "http" });
    let own_host = || request.uri.authority().map(http::uri::Authority::as_str).or_else(|| first(headers, &HOST));
    let host = told.host.or_else(own_host).filter(|host| is_host(host))?;
    let port = told.port.filter(|_| !has_port(host));
    match port {
        Some(port) if !matches!((scheme, port), ("https", 443) | ("http", 80)) => {
            Some(format!("{scheme}://{host}:{port}"))
        }
        _ => Some(format!("{scheme}://{host}")),
    }
}

/// Where the client itself is, as far as can be believed.
pub(crate) fn client(config: &HttpConfig, request: &Parts, peer: &Peer) -> Option<IpAddr> {
    if !is_trusted(config, peer) {
        return peer.address;
    }
    // The last one was written by the proxy that we trust; what stands before it may be anybody's.
    let told = request.headers.get_all(&FORWARDED_FOR).iter().next_back().and_then(|value| value.to_str().ok());
    let told = told.and_then(|list| list.rsplit(',').next()).and_then(|address| address.trim().parse().ok());
    told.or(peer.address)
}

fn is_trusted(config: &HttpConfig, peer: &Peer) -> bool {
    peer.address.is_some_and(|address| config.trusted_proxies.iter().any(|network| network.contains(address)))
}

/// What a proxy tells of the request that it got.
#[derive(Default)]
struct Told<'a> {
    scheme: Option<&'a str>,
    host: Option<&'a str>,
    port: Option<u16>,
}

impl<'a> Told<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let mut told = Self {
            scheme: first(headers, &FORWARDED_PROTO).and_then(scheme),
            host: first(headers, &FORWARDED_HOST),
            port: first(headers, &FORWARDED_PORT).and_then(|port| port.parse().ok()),
        };
        let forwarded = first(headers, &FORWARDED).unwrap_or_default();
        for (name, value) in forwarded.split(';').filter_map(|pair| pair.trim().split_once('=')) {
            let value = value.trim_matches('"');
            if name.eq_ignore_ascii_case("proto") {
                told.scheme = scheme(value).or(told.scheme);
            } else if name.eq_ignore_ascii_case("host") {
                told.host = Some(value);
            }
        }
        told
    }
}

fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|known| known.eq_ignore_ascii_case(text))
}

/// The first of a list: that of the proxy next to the client.
fn first<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.split(',').next().unwrap_or_default().trim()).filter(|value| !value.is_empty())
}

fn is_host(host: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    !host.is_empty() && host.bytes().all(known)
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[track_caller]
    fn check(config: &HttpConfig, peer: &str, headers: &[(&str, &str)], expected: &str) {
        let mut request = Request::builder().uri("/v2/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let peer = Peer { address: Some(peer.parse().unwrap()), ..Peer::default() };
        assert_eq!(of(config, &parts, &peer, "/v2/x"), expected, "{headers:?}");
    }

    #[test]
    fn addresses_come_from_whoever_may_say_so() {
        let plain = HttpConfig { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..HttpConfig::default() };
        let host = ("host", "reg:5000");
        check(&plain, "192.0.2.1", &[host], "http://reg:5000/v2/x");
        check(&plain, "192.0.2.1", &[], "/v2/x");
        check(&plain, "192.0.2.1", &[("host", "a b")], "/v2/x");
        let told = [host, ("x-forwarded-proto", "https"), ("x-forwarded-host", "pub.example.org, inner")];
        check(&plain, "192.0.2.1", &told, "http://reg:5000/v2/x");
        check(&plain, "10.0.0.1", &told, "https://pub.example.org/v2/x");
        let port = [told[1], told[2], ("x-forwarded-port", "8443")];
        check(&plain, "10.0.0.1", &port, "https://pub.example.org:8443/v2/x");
        let port = [told[1], told[2], ("x-forwarded-port", "443")];
        check(&plain, "10.0.0.1", &port, "https://pub.example.org/v2/x");
        let forwarded = [host, ("forwarded", "for=1.2.3.4;proto=https;host=\"pub.example.org:1\", for=x")];
        check(&plain, "10.0.0.1", &forwarded, "https://pub.example.org:1/v2/x");
        check(&plain, "10.0.0.1", &[host, ("x-forwarded-proto", "gopher")], "http://reg:5000/v2/x");
        let set = HttpConfig { host: Some("https://set/".to_owned()), prefix: "/p".to_owned(), ..plain.clone() };
        check(&set, "10.0.0.1", &told, "https://set/p/v2/x");
        let relative = HttpConfig { relative_urls: true, ..set };
        check(&relative, "10.0.0.1", &told, "/p/v2/x");
    }
}
