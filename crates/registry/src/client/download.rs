//! Blobs of another registry: a download that was cut goes on where it ended, and its end is held back until the digest is known to be right.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use http::StatusCode;
use http::header::RANGE;
use jeroboam_oci::{Digest, Hasher, RepositoryName};
use reqwest::Response;
use tracing::debug;

use super::auth::Scope;
use super::{ClientError, Remote, Result, header};

/// The bytes of a blob, in pieces.
pub type BlobStream = BoxStream<'static, Result<Bytes>>;

impl Remote {
    /// So many bytes a blob has; `None` where the registry has none.
    pub async fn blob_size(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<u64>> {
        let there = self.there(repository);
        let url = self.at(&format!("/v2/{there}/blobs/{digest}"))?;
        let _turn = self.turn().await;
        let answer = self.send(&Scope::of(&there, "pull"), || self.http.head(url.clone())).await?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(self.refused(format!("find {there}@{digest}"), answer).await),
        }
        let size = header(answer.headers(), "content-length").and_then(|text| text.parse().ok());
        size.map(Some).ok_or_else(|| self.unreadable(format!("it does not say how large {digest} is")))
    }

    /// Begins to read a blob of this size; `None` where the registry has none. From its beginning it is checked; from elsewhere its length alone is.
    pub async fn blob(
        self: &Arc<Self>,
        repository: &RepositoryName,
        digest: &Digest,
        size: u64,
        from: u64,
    ) -> Result<Option<BlobStream>> {
        let mut download = Download {
            remote: self.clone(),
            there: self.there(repository),
            digest: digest.clone(),
            size,
            offset: from,
            hasher: (from == 0).then(|| Hasher::new(digest.algorithm())),
            body: None,
            extra: None,
            held: None,
            attempt: 0,
            over: false,
        };
        if from < size && !download.open().await? {
            return Ok(None);
        }
        Ok(Some(futures::stream::unfold(download, Download::next).boxed()))
    }
}

struct Download {
    remote: Arc<Remote>,
    there: String,
    digest: Digest,
    size: u64,
    offset: u64,
    hasher: Option<Hasher>,
    body: Option<Response>,
    /// Bytes behind the offset that came with others before it.
    extra: Option<Bytes>,
    /// The newest piece, which is given when the next one comes, or when the digest is right.
    held: Option<Bytes>,
    /// Failures since bytes came last.
    attempt: u32,
    over: bool,
}

impl Download {
    async fn next(mut self) -> Option<(Result<Bytes>, Self)> {
        if self.over {
            return None;
        }
        loop {
            if self.offset == self.size {
                self.over = true;
                return match (self.check(), self.held.take()) {
                    (Err(error), _) => Some((Err(error), self)),
                    (Ok(()), Some(piece)) => Some((Ok(piece), self)),
                    (Ok(()), None) => None,
                };
            }
            match self.piece().await {
                Ok(Some(piece)) => {
                    self.attempt = 0;
                    self.remote.throttle.pass(piece.len()).await;
                    self.offset += piece.len() as u64;
                    if self.offset > self.size {
                        self.over = true;
                        let error = self.length();
                        return Some((Err(error), self));
                    }
                    if let Some(hasher) = &mut self.hasher {
                        hasher.update(&piece);
                    }
                    if let Some(before) = self.held.replace(piece) {
                        return Some((Ok(before), self));
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    self.over = true;
                    return Some((Err(error), self));
                }
            }
        }
    }

    /// The next bytes; nothing where the connection ended early and another one is to be tried.
    async fn piece(&mut self) -> Result<Option<Bytes>> {
        if let Some(extra) = self.extra.take() {
            return Ok(Some(extra));
        }
        let Some(body) = &mut self.body else {
            self.attempt += 1;
            let Some(pause) = self.remote.retries.pause(self.attempt, None) else { return Err(self.length()) };
            debug!(registry = self.remote.name, digest = %self.digest, offset = self.offset, "going on with a download");
            tokio::time::sleep(pause).await;
            if !self.open().await? {
                return Err(self.length());
            }
            return Ok(None);
        };
        match body.chunk().await {
            Ok(Some(piece)) => Ok(Some(piece)),
            Ok(None) | Err(_) => {
                self.body = None;
                Ok(None)
            }
        }
    }

    /// Asks for the bytes from the offset on; `false` where there is no such blob.
    async fn open(&mut self) -> Result<bool> {
        let remote = self.remote.clone();
        let url = remote.at(&format!("/v2/{}/blobs/{}", self.there, self.digest))?;
        let _turn = remote.turn().await;
        let request = || match self.offset {
            0 => remote.http.get(url.clone()),
            offset => remote.http.get(url.clone()).header(RANGE, format!("bytes={offset}-")),
        };
        let mut answer = remote.send(&Scope::of(&self.there, "pull"), request).await?;
        match answer.status() {
            StatusCode::PARTIAL_CONTENT if self.begins_right(&answer) => {}
            StatusCode::OK => self.skip(&mut answer).await?,
            StatusCode::NOT_FOUND => return Ok(false),
            _ => return Err(remote.refused(format!("read {}@{}", self.there, self.digest), answer).await),
        }
        self.body = Some(answer);
        Ok(true)
    }

    fn begins_right(&self, answer: &Response) -> bool {
        let said = header(answer.headers(), "content-range").unwrap_or_default();
        said.starts_with(&format!("bytes {}-", self.offset))
    }

    /// A registry that knows no ranges sends everything again.
    async fn skip(&mut self, answer: &mut Response) -> Result<()> {
        let mut left = self.offset;
        while left > 0 {
            let piece = answer.chunk().await.map_err(|source| self.remote.unreachable(source))?;
            let Some(mut piece) = piece else { return Err(self.length()) };
            let skipped = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            left -= skipped as u64;
            let rest = piece.split_off(skipped);
            self.extra = Some(rest).filter(|rest| !rest.is_empty());
        }
        Ok(())
    }

    fn check(&mut self) -> Result<()> {
        let Some(hasher) = self.hasher.take() else { return Ok(()) };
        let found = hasher.finish();
        if found == self.digest {
            return Ok(());
        }
        Err(ClientError::Digest { registry: self.remote.name.clone(), expected: self.digest.clone(), found })
    }

    fn length(&self) -> ClientError {
        let (registry, digest) = (self.remote.name.clone(), self.digest.clone());
        ClientError::Length { registry, digest, expected: self.size, found: self.offset }
    }
}
