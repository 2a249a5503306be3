//! Where connections come in: an address and a port, or a path.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A socket that listens.
#[derive(Debug)]
pub enum Socket {
    /// On a port.
    Tcp(TcpListener),
    /// At a path, which is removed with it.
    Unix(UnixListener, SocketFile),
}

/// The file of a socket. It goes when this does.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Nobody can listen there.
#[derive(Debug, thiserror::Error)]
#[error("listen on {place}")]
pub struct SocketError {
    place: String,
    #[source]
    source: io::Error,
}

/// A connection, before anything was said on it.
pub(crate) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Socket {
    /// Listens on `host:port`; without a host, on all addresses of the machine. Go: `net.Listen`.
    pub async fn tcp(address: &str) -> Result<Self, SocketError> {
        let failed = |source| SocketError { place: address.to_owned(), source };
        let bound = match address.strip_prefix(':') {
            // Both families, where the machine has the second.
            Some(port) => match TcpListener::bind(format!("[::]:{port}")).await {
                Ok(listener) => Ok(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
                Err(_) => TcpListener::bind(format!("0.0.0.0:{port}")).await,
            },
            None => TcpListener::bind(address).await,
        };
        bound.map(Self::Tcp).map_err(failed)
    }

    /// Listens at a path. A socket on which nobody listens any more is replaced; anything else that is there stays.
    pub async fn unix(path: &Path) -> Result<Self, SocketError> {
        let failed = |source| SocketError { place: path.display().to_string(), source };
        let left = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
        if left && UnixStream::connect(path).await.is_err() {
            std::fs::remove_file(path).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        Ok(Self::Unix(listener, SocketFile(path.to_owned())))
    }

    /// Whether only this machine can come in.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(listener) => listener.local_addr().is_ok_and(|address| address.ip().is_loopback()),
            Self::Unix(..) => true,
        }
    }

    /// The address, of a port.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true).ok();
                Ok(Accepted::Tcp(stream, address))
            }
            Self::Unix(listener, _) => listener.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
        }
    }
}

impl From<TcpListener> for Socket {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_was_left_is_replaced_and_nothing_else_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        let first = Socket::unix(&path).await.expect("a socket");
        assert!(Socket::unix(&path).await.is_err(), "somebody listens there");
        drop(first);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
        assert!(Socket::unix(&path).await.expect("in place of the one that was left").is_local());
        std::fs::write(&path, "text").expect("a file");
        assert!(Socket::unix(&path).await.is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "text");
    }

    #[tokio::test]
    async fn without_a_host_all_addresses_are_meant() {
        let socket = Socket::tcp(":0").await.expect("a port");
        assert!(!socket.is_local());
        assert!(Socket::tcp("127.0.0.1:0").await.expect("a port").is_local());
        let taken = format!(":{}", socket.address().expect("an address").port());
        assert!(Socket::tcp(&taken).await.is_err());
    }
}
