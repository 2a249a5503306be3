//! Blobs into another registry: taken from a repository there that has them, else sent, and sent on where an upload was cut.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION};
use http::{Method, StatusCode};
use jeroboam_oci::range::read_progress;
use jeroboam_oci::{Digest, RepositoryName};
use reqwest::{Body, Response};
use tokio::time::{Instant, timeout_at};
use tracing::debug;
use url::Url;

use super::auth::Scope;
use super::{ClientError, Remote, Result, header};

/// What is sent is read from here, more than once where an upload was cut.
pub trait Source: Send + Sync {
    /// The bytes from this offset on.
    fn read(&self, from: u64) -> BoxFuture<'_, Result<BoxStream<'static, Result<Bytes>>>>;
}

/// How a blob came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The repository had it.
    Existed,
    /// Another repository there had it.
    Mounted,
    /// So many bytes were sent.
    Sent(u64),
}

/// What a registry may do with all the bytes of a blob before it answers: some copy them.
const FINISHING: Duration = Duration::from_secs(600);

/// How a body goes out.
struct Progress(Mutex<Moved>);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Moved {
    /// When a piece was asked for or handed over last.
    last: Instant,
    /// Bytes that were not handed over yet.
    left: u64,
    /// Whether the next piece is still to come from here: from our store, or through the limit of bytes in a second.
    is_ours: bool,
}

/// What has stood still, for how many seconds.
#[derive(Debug, PartialEq, Eq)]
enum Stuck {
    /// What is to be sent.
    Source(u64),
    /// The registry.
    Registry(&'static str, u64),
}

impl Progress {
    fn of(size: u64) -> Self {
        Self(Mutex::new(Moved { last: Instant::now(), left: size, is_ours: false }))
    }

    fn moved(&self) -> MutexGuard<'_, Moved> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The registry has taken what there was, and wants more.
    fn asked(&self) {
        let mut moved = self.moved();
        (moved.last, moved.is_ours) = (Instant::now(), true);
    }

    /// It is given so many bytes.
    fn gave(&self, bytes: usize) {
        let mut moved = self.moved();
        *moved = Moved { last: Instant::now(), left: moved.left.saturating_sub(bytes as u64), is_ours: false };
    }

    /// Waits for an answer while the body moves.
    async fn watch<T>(&self, silence: Duration, answer: impl Future<Output = T>) -> std::result::Result<T, Stuck> {
        let mut answer = std::pin::pin!(answer);
        loop {
            let seen = *self.moved();
            let patience = if seen.is_ours || seen.left == 0 { silence.max(FINISHING) } else { silence };
            if let Ok(answered) = timeout_at(seen.last + patience, &mut answer).await {
                return Ok(answered);
            }
            if *self.moved() == seen {
                let seconds = patience.as_secs();
                return Err(match (seen.is_ours, seen.left) {
                    (true, _) => Stuck::Source(seconds),
                    (false, 0) => Stuck::Registry("says nothing to it", seconds),
                    (false, _) => Stuck::Registry("takes no more of it", seconds),
                });
            }
        }
    }
}

impl Remote {
    /// Makes sure that a repository has a blob.
    pub async fn push_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        size: u64,
        mount_from: &[RepositoryName],
        source: &dyn Source,
    ) -> Result<Pushed> {
        if self.blob_size(repository, digest).await?.is_some() {
            return Ok(Pushed::Existed);
        }
        let there = self.there(repository);
        for from in mount_from {
            if self.mount(&there, digest, from).await? {
                return Ok(Pushed::Mounted);
            }
        }
        let _turn = self.turn().await;
        let scope = Scope::of(&there, "pull,push");
        let mut sent = 0;
        let (mut attempt, mut upload) = (0, None);
        loop {
            let outcome = self.attempt(&there, digest, size, &scope, &mut upload, source, &mut sent).await;
            attempt += 1;
            match outcome {
                Ok(pushed) => return Ok(pushed),
                Err(error) => {
                    let may_pass = matches!(
                        error.trouble(),
                        super::Trouble::Away | super::Trouble::TooMany | super::Trouble::Missing
                    );
                    let pause = self.retries.pause(attempt, error.retry_after()).filter(|_| may_pass);
                    let Some(pause) = pause else { return Err(error) };
                    debug!(registry = self.name, %digest, error = %error.chain(), "going on with an upload");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Takes a blob from another repository there. Whatever the answer is, but for that it is done, the blob has to be sent.
    async fn mount(&self, there: &str, digest: &Digest, from: &RepositoryName) -> Result<bool> {
        let from = self.there(from);
        if from == there {
            return Ok(false);
        }
        let mut url = self.at(&format!("/v2/{there}/blobs/uploads/"))?;
        url.query_pairs_mut().append_pair("mount", &digest.to_string()).append_pair("from", &from);
        let scope = Scope::of(there, "pull,push").and(&from, "pull");
        let _turn = self.turn().await;
        let answer = self.post(&url, &scope).await?;
        match answer.status() {
            StatusCode::CREATED => Ok(true),
            // It began an upload instead, which we do not need: most forget it by themselves, some let it be cancelled.
            StatusCode::ACCEPTED => {
                if let Ok(location) = self.location(&answer) {
                    let _ = self.send(&scope, || self.http.delete(location.clone())).await;
                }
                Ok(false)
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => {
                Ok(false)
            }
            _ => Err(self.refused(format!("mount {digest} into {there}"), answer).await),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what an attempt starts from, and what it changes")]
    async fn attempt(
        &self,
        there: &str,
        digest: &Digest,
        size: u64,
        scope: &Scope,
        upload: &mut Option<Url>,
        source: &dyn Source,
        sent: &mut u64,
    ) -> Result<Pushed> {
        let begun = match upload.take() {
            None => None,
            Some(location) => self.progress(&location, scope).await?.filter(|(_, offset)| *offset <= size),
        };
        let (location, offset) = match begun {
            Some(begun) => begun,
            None => match self.begin(there, digest, scope).await? {
                Some(location) => (location, 0),
                None => return Ok(Pushed::Mounted),
            },
        };
        *upload = Some(location.clone());
        let body = source.read(offset).await?;
        *sent += size - offset;
        if offset == 0 {
            // Whole and with its digest: whoever can write it in one go does.
            self.finish(&location, digest, scope, Some((size, body))).await?;
            return Ok(Pushed::Sent(*sent));
        }
        let location = self.chunk(&location, offset, size, scope, body).await?;
        *upload = Some(location.clone());
        self.finish(&location, digest, scope, None).await?;
        Ok(Pushed::Sent(*sent))
    }

    /// Begins an upload; `None` where the registry takes the blob from another repository instead. Nobody says from which one: a registry that looks for none by
    /// itself begins an upload all the same, and one that refuses such a question is asked it once.
    async fn begin(&self, there: &str, digest: &Digest, scope: &Scope) -> Result<Option<Url>> {
        let url = self.at(&format!("/v2/{there}/blobs/uploads/"))?;
        let mut is_question = false;
        if !self.wants_source.load(Ordering::Relaxed) {
            let mut mounting = url.clone();
            mounting.query_pairs_mut().append_pair("mount", &digest.to_string());
            let answer = self.post(&mounting, scope).await?;
            match answer.status() {
                StatusCode::CREATED => return Ok(None),
                StatusCode::ACCEPTED => return self.location(&answer).map(Some),
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => {
                    return Err(self.refused(format!("begin an upload into {there}"), answer).await);
                }
                // Whatever it has against that, it may take the bytes. What these say is not about this blob or this repository.
                status => is_question = matches!(status.as_u16(), 400 | 405 | 422 | 500 | 501),
            }
        }
        let answer = self.post(&url, scope).await?;
        if answer.status() != StatusCode::ACCEPTED {
            return Err(self.refused(format!("begin an upload into {there}"), answer).await);
        }
        if is_question {
            self.wants_source.store(true, Ordering::Relaxed);
        }
        self.location(&answer).map(Some)
    }

    async fn post(&self, url: &Url, scope: &Scope) -> Result<Response> {
        self.send(scope, || self.http.post(url.clone()).header(CONTENT_LENGTH, 0)).await
    }

    /// How far an upload came; `None` where it is gone.
    async fn progress(&self, location: &Url, scope: &Scope) -> Result<Option<(Url, u64)>> {
        let answer = self.send(scope, || self.http.get(location.clone())).await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        let Some(offset) = header(answer.headers(), "range").and_then(read_progress) else { return Ok(None) };
        Ok(Some((self.location(&answer).unwrap_or_else(|_| location.clone()), offset)))
    }

    async fn chunk(
        &self,
        location: &Url,
        offset: u64,
        size: u64,
        scope: &Scope,
        body: BoxStream<'static, Result<Bytes>>,
    ) -> Result<Url> {
        if offset == size {
            return Ok(location.clone());
        }
        let request = self
            .http
            .request(Method::PATCH, location.clone())
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_RANGE, format!("{offset}-{}", size - 1))
            .header(CONTENT_LENGTH, size - offset);
        let answer = self.send_body(request, scope, size - offset, body).await?;
        match answer.status() {
            StatusCode::ACCEPTED => self.location(&answer),
            _ => Err(self.refused("go on with an upload".to_owned(), answer).await),
        }
    }

    async fn finish(
        &self,
        location: &Url,
        digest: &Digest,
        scope: &Scope,
        whole: Option<(u64, BoxStream<'static, Result<Bytes>>)>,
    ) -> Result<()> {
        let mut url = location.clone();
        url.query_pairs_mut().append_pair("digest", &digest.to_string());
        let answer = match whole {
            Some((size, body)) => {
                let request =
                    self.http.put(url).header(CONTENT_TYPE, "application/octet-stream").header(CONTENT_LENGTH, size);
                self.send_body(request, scope, size, body).await?
            }
            None => self.send(scope, || self.http.put(url.clone()).header(CONTENT_LENGTH, 0)).await?,
        };
        if answer.status() == StatusCode::CREATED {
            return Ok(());
        }
        Err(self.refused(format!("write {digest}"), answer).await)
    }

    /// Sends a body that can be sent only once. It may take as long as it takes while it moves.
    async fn send_body(
        &self,
        request: reqwest::RequestBuilder,
        scope: &Scope,
        size: u64,
        body: BoxStream<'static, Result<Bytes>>,
    ) -> Result<Response> {
        let throttle = self.throttle.clone();
        let broken = Arc::new(Mutex::new(None));
        let progress = Arc::new(Progress::of(size));
        let (broken_s, progress_s) = (broken.clone(), progress.clone());
        let body = stream::unfold(Some(body), move |body| {
            let (throttle, broken, progress) = (throttle.clone(), broken_s.clone(), progress_s.clone());
            async move {
                let mut body = body?;
                progress.asked();
                let Some(piece) = body.next().await else {
                    progress.gave(0);
                    return None;
                };
                match piece {
                    Ok(piece) => {
                        throttle.pass(piece.len()).await;
                        progress.gave(piece.len());
                        Some((Ok(piece), Some(body)))
                    }
                    Err(error) => {
                        let why = std::io::Error::other(error.chain());
                        *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        Some((Err(why), None))
                    }
                }
            }
        });
        let sent = self.send_once(scope, request.body(Body::wrap_stream(body)));
        let sent = progress.watch(self.read_timeout, sent).await.map_err(|stuck| match stuck {
            Stuck::Source(seconds) => ClientError::Source(format!("nothing came for {seconds} s")),
            Stuck::Registry(what, seconds) => ClientError::Stalled { registry: self.name().to_owned(), what, seconds },
        })?;
        // What could not be read is no fault of the registry, which only saw an upload that ended.
        let unreadable = broken.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (sent, unreadable) {
            (Err(_), Some(error)) => Err(error),
            (sent, _) => sent.map_err(|source| self.unreachable(source)),
        }
    }

    fn location(&self, answer: &Response) -> Result<Url> {
        let text = header(answer.headers(), LOCATION.as_str());
        let location = text.and_then(|text| answer.url().join(text).ok());
        let location =
            location.ok_or_else(|| self.unreadable("it does not say where the upload goes on".to_owned()))?;
        let elsewhere = location.host_str() != self.url.host_str();
        if location.scheme() != self.url.scheme() && !elsewhere {
            // It does not know of the proxy that speaks TLS for it.
            return self.here(location);
        }
        if self.url.scheme() == "https" && location.scheme() != "https" {
            return Err(ClientError::Unreadable {
                registry: self.name.clone(),
                why: "an upload would go on in the clear".to_owned(),
            });
        }
        Ok(location)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_body_may_take_long_while_it_moves() {
        let progress = Progress::of(100);
        let slow = async {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_secs(50)).await;
                progress.gave(1);
            }
            // The registry copies it.
            tokio::time::sleep(Duration::from_secs(500)).await;
            "written"
        };
        assert_eq!(progress.watch(SILENCE, slow).await, Ok("written"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stands_still_is_given_up() {
        let progress = Progress::of(100);
        let begin = Instant::now();
        let stuck = async {
            tokio::time::sleep(Duration::from_secs(50)).await;
            progress.gave(99);
            std::future::pending::<()>().await;
        };
        assert_eq!(progress.watch(SILENCE, stuck).await, Err(Stuck::Registry("takes no more of it", 60)));
        assert_eq!(begin.elapsed(), Duration::from_secs(110));
        progress.gave(1);
        let silent = std::future::pending::<()>();
        assert_eq!(progress.watch(SILENCE, silent).await, Err(Stuck::Registry("says nothing to it", 600)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_is_slow_is_no_fault_of_the_registry() {
        let progress = Progress::of(100);
        let slow = async {
            progress.asked();
            tokio::time::sleep(Duration::from_secs(590)).await;
            progress.gave(100);
            "written"
        };
        assert_eq!(progress.watch(SILENCE, slow).await, Ok("written"));
        progress.asked();
        assert_eq!(progress.watch(SILENCE, std::future::pending::<()>()).await, Err(Stuck::Source(600)));
    }
}
