//! The client: connections that are kept, bodies that exist before, answers that are read to their end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// A connection, and what drives it as long as it is kept.
pub(super) struct Wire {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    _driver: JoinSet<hyper::Result<()>>,
}

/// What came of a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// How long its body was.
    pub(super) length: usize,
    /// The body of an answer that is an error.
    text: Vec<u8>,
}

/// A blob, and what it is called.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    pub(super) bytes: Bytes,
    pub(super) digest: String,
}

impl Wire {
    pub(super) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("connect")?;
        stream.set_nodelay(true).ok();
        let handshake =
            hyper::client::conn::http1::Builder::new().max_buf_size(1 << 20).handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.context("connect")?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        Ok(Self { sender, host: address.to_string(), _driver: driver })
    }

    /// Sends one request and reads its whole answer.
    pub(super) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(http::HeaderName, String)],
        body: Bytes,
    ) -> Result<Answer> {
        self.sender.ready().await.context("the connection was closed")?;
        let mut request = Request::builder().method(method.clone()).uri(path).header(HOST, &self.host);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if body.is_empty() && method != Method::GET && method != Method::HEAD {
            request = request.header(CONTENT_LENGTH, "0");
        }
        let answer = self.sender.send_request(request.body(Full::new(body)).context("make a request")?).await;
        let answer = answer.with_context(|| format!("{method} {path}: no answer"))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = answer.into_body();
        let (mut length, mut text) = (0, Vec::new());
        while let Some(frame) = body.frame().await {
            let frame = frame.with_context(|| format!("{method} {path}: half an answer"))?;
            let Some(data) = frame.data_ref() else { continue };
            length += data.len();
            if status.is_client_error() || status.is_server_error() {
                text.extend_from_slice(data);
            }
        }
        Ok(Answer { status, headers, length, text })
    }

    /// Opens a session; where it is.
    async fn begin(&mut self, repository: &str) -> Result<String> {
        let path = format!("/v2/{repository}/blobs/uploads/");
        let answer = self.ask(Method::POST, &path, &[], Bytes::new()).await?;
        answer.expect(202)?.location()
    }

    /// Pushes a blob in one body.
    pub(super) async fn push(&mut self, repository: &str, blob: &Blob) -> Result<()> {
        let at = with_digest(&self.begin(repository).await?, &blob.digest);
        self.ask(Method::PUT, &at, &octets(), blob.bytes.clone()).await?.expect(201)?;
        Ok(())
    }

    /// Pushes a blob in chunks.
    pub(super) async fn push_chunked(&mut self, repository: &str, blob: &Blob, chunk: usize) -> Result<()> {
        let mut at = self.begin(repository).await?;
        for start in (0..blob.bytes.len()).step_by(chunk) {
            let end = blob.bytes.len().min(start + chunk);
            let mut headers = octets();
            headers.push((CONTENT_RANGE, format!("{start}-{}", end - 1)));
            at = self.ask(Method::PATCH, &at, &headers, blob.bytes.slice(start..end)).await?.expect(202)?.location()?;
        }
        self.ask(Method::PUT, &with_digest(&at, &blob.digest), &[], Bytes::new()).await?.expect(201)?;
        Ok(())
    }

    /// Pulls a blob and counts its bytes.
    pub(super) async fn pull(&mut self, repository: &str, blob: &Blob) -> Result<()> {
        let path = format!("/v2/{repository}/blobs/{}", blob.digest);
        let answer = self.ask(Method::GET, &path, &[], Bytes::new()).await?.expect(200)?;
        if answer.length != blob.bytes.len() {
            bail!("{} bytes came of a blob of {}", answer.length, blob.bytes.len());
        }
        Ok(())
    }

    /// Pushes a manifest.
    pub(super) async fn put_manifest(&mut self, repository: &str, reference: &str, body: Bytes) -> Result<()> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let kind = vec![(CONTENT_TYPE, MANIFEST.to_owned())];
        self.ask(Method::PUT, &path, &kind, body).await?.expect(201)?;
        Ok(())
    }
}

/// What manifests are here.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

impl Answer {
    pub(super) fn expect(self, status: u16) -> Result<Self> {
        if self.status == status {
            return Ok(self);
        }
        bail!("answered {} where {status} was expected: {}", self.status, String::from_utf8_lossy(&self.text));
    }

    /// The path that the answer sends us to.
    fn location(&self) -> Result<String> {
        let text = self.headers.get(LOCATION).and_then(|value| value.to_str().ok()).context("no Location")?;
        let uri: Uri = text.parse().context("a Location that is no address")?;
        Ok(uri.path_and_query().context("a Location without a path")?.to_string())
    }
}

fn octets() -> Vec<(http::HeaderName, String)> {
    vec![(CONTENT_TYPE, "application/octet-stream".to_owned())]
}

fn with_digest(at: &str, digest: &str) -> String {
    format!("{at}{}digest={digest}", if at.contains('?') { '&' } else { '?' })
}

/// Works off so many pieces of work on some connections at once: how long it took, and each piece.
pub(super) async fn crowd<F, Fut>(
    address: SocketAddr,
    connections: usize,
    pieces: u64,
    work: F,
) -> Result<(Duration, Vec<Duration>)>
where
    F: Fn(Wire, u64) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Wire>> + Send,
{
    let barrier = Arc::new(Barrier::new(connections + 1));
    let mut workers = JoinSet::new();
    for worker in 0..connections as u64 {
        let (barrier, work) = (Arc::clone(&barrier), work.clone());
        let mut wire = Wire::open(address).await?;
        workers.spawn(async move {
            barrier.wait().await;
            let mut took = Vec::new();
            for piece in (worker..pieces).step_by(connections) {
                let began = Instant::now();
                wire = work(wire, piece).await?;
                took.push(began.elapsed());
            }
            anyhow::Ok(took)
        });
    }
    barrier.wait().await;
    let began = Instant::now();
    let mut all = Vec::new();
    while let Some(ended) = workers.join_next().await {
        all.extend(ended.context("a worker broke")??);
    }
    Ok((began.elapsed(), all))
}
