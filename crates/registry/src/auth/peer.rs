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
    pub subject: Option<Arc<str>>,
}

impl Peer {
    /// The other end of a request's connection; one of which nothing is known where nobody said.
    #[must_use]
    pub fn of(request: &Parts) -> Self {
        request.extensions.get().cloned().unwrap_or_default()
    }
}
