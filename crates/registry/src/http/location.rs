//! Addresses that clients are given.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

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
    let base =
        if config.relative_urls { None } else { base(config, request, peer, if peer.tls { "https" } else { "http" }) };
    match base {
        Some(base) => format!("{base}{prefix}{path}"),
        None => format!("{prefix}{path}"),
    }
}

/// Scheme and host of what somebody else has at the address that a client calls us by. Passwords go there: where nobody who is trusted says otherwise it is
/// behind TLS, although we may not be.
pub(crate) fn beside(config: &HttpConfig, request: &Parts, peer: &Peer) -> Option<String> {
    base(config, request, peer, "https")
}

/// Scheme and host; `None` where nobody says them. The scheme is `own` where nobody who is trusted says another.
fn base(config: &HttpConfig, request: &Parts, peer: &Peer, own: &'static str) -> Option<String> {
    if let Some(host) = &config.host {
        return Some(host.trim_end_matches('/').to_owned());
    }
    let headers = &request.headers;
    let told = if is_trusted(config, peer) { Told::of(headers) } else { Told::default() };
    let scheme = told.scheme.unwrap_or(own);
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
pub(crate) fn client(config: &HttpConfig, headers: &HeaderMap, peer: &Peer) -> Option<IpAddr> {
    if !is_trusted(config, peer) {
        return peer.address;
    }
    // The last one was written by the proxy that we trust; what stands before it may be anybody's. Most proxies write `X-Forwarded-For`, and let pass what a
    // client says in `Forwarded`: so that counts only where the other one is not there at all.
    let node = if headers.contains_key(&FORWARDED_FOR) {
        last(headers, &FORWARDED_FOR)
    } else {
        last(headers, &FORWARDED).and_then(|element| parameter(element, "for"))
    };
    node.and_then(address).or(peer.address)
}

/// The address of a node, which may have a port: `192.0.2.1`, `[2001:db8::1]:4711`. What hides behind another name has none.
fn address(node: &str) -> Option<IpAddr> {
    let node = node.trim().trim_matches('"');
    let bare: Option<IpAddr> = node.trim_matches(['[', ']']).parse().ok();
    let with_port = || Some(node.parse::<SocketAddr>().ok()?.ip());
    bare.or_else(with_port).map(|address| address.to_canonical())
}

/// Whoever is at the other end of a unix socket is on this machine, and is trusted where its loopback address is.
fn is_trusted(config: &HttpConfig, peer: &Peer) -> bool {
    let address = peer.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    config.trusted_proxies.iter().any(|network| network.contains(address))
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
        told.scheme = parameter(forwarded, "proto").and_then(scheme).or(told.scheme);
        told.host = parameter(forwarded, "host").or(told.host);
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

/// The last of a list, over all its lines: that of the proxy next to us.
fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    // Whatever a client wrote into the same line before it.
    let line = headers.get_all(name).iter().next_back()?.as_bytes();
    let last = line.rsplit(|byte| *byte == b',').next()?;
    std::str::from_utf8(last).ok().map(str::trim)
}

/// What an element of `Forwarded` says of something.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim_matches('"'))
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

    #[test]
    fn a_proxy_on_a_unix_socket_is_trusted_where_the_loopback_is() {
        let request = Request::builder()
            .uri("/v2/")
            .header("host", "inner")
            .header("x-forwarded-for", "203.0.113.9")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "pub.example.org");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        for (trusted, address, found) in [
            ("127.0.0.1", "https://pub.example.org/v2/x", Some("203.0.113.9")),
            ("10.0.0.0/8", "http://inner/v2/x", None),
        ] {
            let config = HttpConfig { trusted_proxies: vec![trusted.parse().unwrap()], ..HttpConfig::default() };
            let peer = Peer::default();
            assert_eq!(of(&config, &parts, &peer, "/v2/x"), address, "{trusted}");
            assert_eq!(client(&config, &parts.headers, &peer), found.map(|text| text.parse::<IpAddr>().unwrap()));
        }
    }

    #[test]
    fn the_client_of_a_trusted_proxy_is_whom_the_proxy_names() {
        let config = HttpConfig { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..HttpConfig::default() };
        type Headers = &'static [(&'static str, &'static [u8])];
        let cases: &[(&str, Headers, &str)] = &[
            ("192.0.2.1", &[("x-forwarded-for", b"203.0.113.9")], "192.0.2.1"),
            ("192.0.2.1", &[("forwarded", b"for=203.0.113.9")], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[("x-forwarded-for", b"198.51.100.1, 203.0.113.9")], "203.0.113.9"),
            (
                "10.0.0.1",
                &[("x-forwarded-for", b"198.51.100.1"), ("x-forwarded-for", b"203.0.113.9:80")],
                "203.0.113.9",
            ),
            ("10.0.0.1", &[("forwarded", b"for=198.51.100.1, for=203.0.113.9;proto=https")], "203.0.113.9"),
            ("10.0.0.1", &[("forwarded", b"proto=https;For=\"[2001:db8::1]:4711\"")], "2001:db8::1"),
            ("10.0.0.1", &[("forwarded", b"for=\"[2001:db8::1]\"")], "2001:db8::1"),
            ("10.0.0.1", &[("forwarded", b"for=_hidden")], "10.0.0.1"),
            ("10.0.0.1", &[("forwarded", b"for=unknown;by=203.0.113.9")], "10.0.0.1"),
            // What the client says itself does not count beside what the proxy does, nor does it hide that.
            ("10.0.0.1", &[("forwarded", b"for=198.51.100.1"), ("x-forwarded-for", b"203.0.113.9")], "203.0.113.9"),
            ("10.0.0.1", &[("forwarded", b"for=198.51.100.1"), ("x-forwarded-for", b"unknown")], "10.0.0.1"),
            ("10.0.0.1", &[("x-forwarded-for", b"\xff, 203.0.113.9")], "203.0.113.9"),
        ];
        for (peer, headers, expected) in cases {
            let mut request = Request::builder().uri("/v2/");
            for (name, value) in *headers {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let peer = Peer { address: Some(peer.parse().unwrap()), ..Peer::default() };
            let found = client(&config, &parts.headers, &peer);
            assert_eq!(found, Some(expected.parse().unwrap()), "{headers:?}");
        }
    }
}
