//! Who is at the other end of a connection, as far as the connection itself tells.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;

/// The other end of a connection. Whoever serves puts it into the extensions of each request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// The client's address; none over a unix socket.
    pub address: Option<IpAddr>,
    /// Whether the client came over TLS.
    pub tls: bool,
    /// The subject of the certificate that it showed and that one of our authorities signed.
    pub subject: Option<Subject>,
}

/// Whom a certificate is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The whole name, as `C=NL, CN=ada`. What has a meaning in such a text and stands in a value is escaped, as RFC 4514 has it.
    pub whole: Arc<str>,
    /// The common name; none where there is none, or more than one.
    pub common: Option<Arc<str>>,
}

impl Peer {
    /// The other end of a request's connection; one of which nothing is known where nobody said.
    #[must_use]
    pub fn of(request: &Parts) -> Self {
        request.extensions.get().cloned().unwrap_or_default()
    }
}
