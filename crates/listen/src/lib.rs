//! Listening: connections that are plain or TLS, HTTP/1.1 and HTTP/2 on them, limits for both, and an end in order.
//!
//! Who is at the other end goes into the extensions of each request as a [`Peer`]. Nothing here knows what is served.

mod accept;
mod activity;
mod answer;
mod connection;
mod files;
mod polite;
mod socket;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use rustls::pki_types::CertificateDer;

pub use accept::serve;
pub use files::{open_files, raise_open_files};
pub use socket::{Socket, SocketError};
pub use tls::{Tls, TlsError, TlsFiles};

/// Who is at the other end of a connection.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The address; none over a unix socket.
    pub address: Option<SocketAddr>,
    /// Whether it is TLS.
    pub tls: bool,
    /// The certificate that the client showed and that one of our authorities signed.
    pub certificate: Option<CertificateDer<'static>>,
}

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// Both, whatever the client begins with.
    #[default]
    Both,
    /// HTTP/1.1 alone.
    Http1,
}

/// What a listener takes on, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time. More wait in the kernel until one ends.
    pub connections: usize,
    /// A client that has sent no header by then is cut off.
    pub header: Duration,
    /// Most bytes of a header; none for what the library takes.
    pub header_bytes: Option<usize>,
    /// A connection on which nothing is asked and no answer is under way for so long is ended, after twice that time at the latest.
    pub idle: Duration,
    /// A client that takes nothing of its answer for so long is cut off.
    pub stall: Duration,
    /// Requests at a time on one connection of HTTP/2.
    pub streams: u32,
    /// Bytes that a client may send ahead on one stream of HTTP/2, and four times as many on its connection.
    pub window: u32,
    /// What was begun gets so long to finish when the process stops. On a connection that ends by itself it gets as long as the client takes it.
    pub finish: Duration,
    /// Which HTTP is spoken.
    pub versions: Versions,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        // A process usually has 1,024 descriptors, and what it needs itself wants some of them.
        Self {
            connections: 900,
            header: seconds(30),
            header_bytes: None,
            idle: seconds(75),
            stall: seconds(60),
            streams: 128,
            window: 64 * 1024,
            finish: seconds(10),
            versions: Versions::Both,
        }
    }
}
