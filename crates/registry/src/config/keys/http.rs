//! The network.

use super::Kind::{Duration, Flag, Secret, Text, Texts};
use super::{Chapter, key, without_effect};

pub(super) const HTTP: Chapter = Chapter {
    title: "HTTP",
    about: "Where the registry listens and how it speaks.",
    keys: &[
        key("http.addr", Text, ":5000", "Address and port, or the path of a socket"),
        key(
            "http.net",
            Text,
            "tcp",
            "`tcp`, `unix`, or `tcp4` and `tcp6`. A proxy in front of a `unix` socket counts as `127.0.0.1` in `jeroboam.trustedproxies`",
        ),
        key("http.prefix", Text, "", "What stands before `/v2/` in all paths"),
        key(
            "http.host",
            Text,
            "",
            "The address at which clients reach the registry, such as `https://registry.example.org`; without it, what a request says",
        ),
        key("http.relativeurls", Flag, "false", "Whether `Location` is a path without scheme and host"),
        key(
            "http.secret",
            Secret,
            "",
            "Signs the state of uploads; the same in all registries of one store, or else an upload stays with the registry where it began",
        ),
        key("http.draintimeout", Duration, "10s", "How long requests may take to end when the process is told to stop"),
        key("http.headers.*", Texts, "", "Headers of every answer"),
        key("http.http2.disabled", Flag, "false", "HTTP/1.1 alone"),
        key("http.h2c.enabled", Flag, "false", "HTTP/2 without TLS, too"),
        key(
            "http.tls.certificate",
            Text,
            "",
            "The certificate and those that signed it, in PEM; read again when it changes",
        ),
        key("http.tls.key", Text, "", "Its private key"),
        key("http.tls.clientcas", Texts, "", "Authorities of clients' certificates; read again when they change"),
        key(
            "http.tls.clientauth",
            Text,
            "require-and-verify-client-cert",
            "With `clientcas`: `require-and-verify-client-cert`, or `verify-client-cert-if-given`",
        ),
        key("http.tls.minimumtls", Text, "tls1.2", "`tls1.2` or `tls1.3`"),
        key(
            "http.tls.ciphersuites",
            Texts,
            "",
            "The only suites, by the names of their standard; without it, those that are safe today",
        ),
        without_effect(
            "http.tls.letsencrypt",
            "no certificates are asked for; whatever renews them replaces the files, which are read again",
        ),
        key("http.debug.addr", Text, "", "A second address for `/debug/health` and metrics; keep it from clients"),
        key("http.debug.prometheus.enabled", Flag, "false", "Whether metrics are there"),
        key("http.debug.prometheus.path", Text, "/metrics", "Where"),
    ],
};
