//! One request with a short body, again where the trouble may pass. All that we ask can be asked twice.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::{Body, Response, Url};
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;
use tracing::debug;

use super::access::Entry;
use super::head::http_date;
use super::{ObjectStore, SERVICE, quoted};
use crate::Error;
use crate::error::message_in;
use crate::session::token_header;
use crate::transport::{broken, retry_after};

/// A request that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) target: Target<'a>,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    /// Statuses beside success that are an answer.
    pub(crate) answers: &'static [u16],
    /// Whether the store has to work on it.
    pub(crate) long: bool,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    Account,
    Container,
    Object(&'a str),
}

impl<'a> Call<'a> {
    pub(crate) fn new(method: Method, target: Target<'a>) -> Self {
        let (query, headers) = (Vec::new(), HeaderMap::new());
        Self { method, target, query, headers, body: None, answers: &[], long: false }
    }

    pub(crate) fn answers(mut self, answers: &'static [u16]) -> Self {
        self.answers = answers;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(http::HeaderName::from_static(name), value);
        }
        self
    }

    /// Notes at an object; a value that no header can hold is quoted.
    pub(crate) fn notes(&mut self, notes: &[(&'static str, String)]) {
        for (name, value) in notes {
            let name = http::HeaderName::try_from(format!("x-object-meta-{name}"));
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&quoted(value))) {
                self.headers.insert(name, value);
            }
        }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }
}

/// What an attempt came to.
pub(crate) enum Outcome {
    Answer(Response),
    /// The token is no longer accepted.
    Unauthorized,
    /// It may work in a moment.
    Passing(Error),
}

impl ObjectStore {
    /// The answer, and at which attempt it came. Attempts end where they have taken as long as one may: whoever waits has others to ask.
    pub(crate) async fn call(&self, call: &Call<'_>) -> Result<(Response, u32), Error> {
        let mut begun = None;
        let mut attempt = 0;
        let mut refused: Option<Entry> = None;
        loop {
            attempt += 1;
            let limit = if call.long { self.limits().long_answer } else { self.limits().answer };
            // Nobody queues for a store that is away.
            if self.shared.breaker.rests(Instant::now()) {
                return Err(Error::Resting { service: SERVICE, rest: self.limits().rest });
            }
            let turn = self.turn(call.long, limit).await?;
            let begun = *begun.get_or_insert_with(Instant::now);
            if let Some(rest) = self.shared.breaker.resting(Instant::now(), self.limits().rest) {
                return Err(Error::Resting { service: SERVICE, rest });
            }
            // An empty body is said with its length, which Swift wants to have.
            let body = call.body.clone().filter(|body| !body.is_empty()).map(Body::from);
            let trouble = match self.entry(refused.as_ref()).await {
                Ok(entry) => match self.once(call, &entry, body, limit, turn).await? {
                    Outcome::Answer(response) => return Ok((response, attempt)),
                    // A store that many ask at once does not find tokens that are good.
                    Outcome::Unauthorized if refused.is_some() => self.unauthorized(call),
                    Outcome::Unauthorized => {
                        debug!("the object store no longer accepts the token, logging in again");
                        refused = Some(entry);
                        attempt -= 1;
                        continue;
                    }
                    Outcome::Passing(trouble) => trouble,
                },
                // Nor does it let anybody log in for a moment.
                Err(error) if error.is_temporary() => error,
                Err(error) => return Err(error),
            };
            let is_resting = self.shared.breaker.rests(Instant::now());
            if attempt >= self.retry().attempts || is_resting || begun.elapsed() >= limit {
                return Err(trouble);
            }
            // It needs longer to come to itself than a lost connection does.
            let is_busy = refused.is_some();
            self.pause(attempt + u32::from(is_busy), &trouble).await;
        }
    }

    /// A token and where it is good, another one than one that was refused.
    async fn entry(&self, refused: Option<&Entry>) -> Result<Entry, Error> {
        match refused {
            Some(entry) => self.shared.access.enter_again(&self.shared.clock, entry).await,
            None => self.shared.access.enter(&self.shared.clock).await,
        }
    }

    /// The right to wait for an answer. What the store works on for long needs none: it would keep others out.
    async fn turn(&self, long: bool, limit: Duration) -> Result<Option<SemaphorePermit<'_>>, Error> {
        if long {
            return Ok(None);
        }
        let turn = tokio::time::timeout(limit, self.shared.turns.acquire()).await;
        Ok(turn.map_err(|_| Error::Timeout { service: SERVICE })?.ok())
    }

    /// Waits before another attempt: as long as the store wants, within reason.
    pub(crate) async fn pause(&self, attempt: u32, trouble: &Error) {
        let own = || self.retry().pause(attempt - 1);
        let pause = trouble.retry_after().map_or_else(own, |wish| wish.min(self.retry().cap));
        debug!(
            pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            "asking the object store again: {trouble}"
        );
        tokio::time::sleep(pause).await;
    }

    /// One attempt. The turn is over when the answer begins.
    pub(crate) async fn once(
        &self,
        call: &Call<'_>,
        entry: &Entry,
        body: Option<Body>,
        limit: Duration,
        turn: Option<SemaphorePermit<'_>>,
    ) -> Result<Outcome, Error> {
        let mut url = self.target(&entry.url, call.target)?;
        if !call.query.is_empty() {
            let mut pairs = url.query_pairs_mut();
            for (name, value) in &call.query {
                // A flag of Swift's stands alone, a parameter of ours has a value.
                if value.is_empty() {
                    pairs.append_key_only(name)
                } else {
                    pairs.append_pair(name, value)
                };
            }
        }
        let client = self.client(&url).await?;
        let mut request = client.request(call.method.clone(), url).headers(call.headers.clone());
        request = request.header(crate::session::AUTH_TOKEN, token_header(&entry.token)?);
        request = match body {
            Some(body) => request.body(body),
            None if matches!(call.method, Method::PUT | Method::POST) => {
                request.header(http::header::CONTENT_LENGTH, 0)
            }
            None => request,
        };
        let failed = || self.shared.breaker.failed(Instant::now(), self.limits().rest);
        let response = match tokio::time::timeout(limit, request.send()).await {
            Err(_) => {
                failed();
                return Ok(Outcome::Passing(Error::Timeout { service: SERVICE }));
            }
            Ok(Err(error)) => {
                failed();
                return Ok(Outcome::Passing(broken(SERVICE, error)));
            }
            Ok(Ok(response)) => response,
        };
        drop(turn);
        if is_away(response.status()) {
            failed();
        } else {
            self.shared.breaker.answered();
        }
        self.judge(call, response).await
    }

    /// What an answer means.
    async fn judge(&self, call: &Call<'_>, response: Response) -> Result<Outcome, Error> {
        self.look_at_clock(response.headers());
        let status = response.status();
        if status.is_success() || call.answers.contains(&status.as_u16()) {
            return Ok(Outcome::Answer(response));
        }
        if status == StatusCode::UNAUTHORIZED {
            return Ok(Outcome::Unauthorized);
        }
        let (method, path) = (call.method.clone(), shown(self.container(), call.target));
        if is_passing(status) {
            let retry_after = retry_after(response.headers());
            let busy = Error::Busy { service: SERVICE, method, path, status: status.as_u16(), retry_after };
            return Ok(Outcome::Passing(busy));
        }
        let body = self.short_body(response).await.unwrap_or_default();
        let message = message_in(&body).or_else(|| sentence_of_page(&body));
        Err(Error::Refused { service: SERVICE, method, path, status: status.as_u16(), message })
    }

    pub(crate) fn unauthorized(&self, call: &Call<'_>) -> Error {
        let path = shown(self.container(), call.target);
        Error::Refused { service: SERVICE, method: call.method.clone(), path, status: 401, message: None }
    }

    /// A body that is not long: a listing, a manifest, what an error says.
    pub(crate) async fn short_body(&self, mut response: Response) -> Result<Bytes, Error> {
        let mut body = bytes::BytesMut::new();
        loop {
            let chunk = tokio::time::timeout(self.limits().stall, response.chunk()).await;
            let chunk = chunk.map_err(|_| Error::Timeout { service: SERVICE })?.map_err(|e| broken(SERVICE, e))?;
            let Some(chunk) = chunk else { return Ok(body.freeze()) };
            if body.len() + chunk.len() > self.shared.transport.max_body {
                let max = self.shared.transport.max_body;
                return Err(Error::unreadable(SERVICE, format!("it is longer than {max} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
    }

    /// The same as a whole, asked for again where the body breaks off.
    pub(crate) async fn call_for_body(&self, call: &Call<'_>) -> Result<(StatusCode, Bytes), Error> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (response, _) = self.call(call).await?;
            let status = response.status();
            match self.short_body(response).await {
                Ok(body) => return Ok((status, body)),
                Err(error) if error.is_temporary() && attempt < self.retry().attempts => {
                    self.pause(attempt, &error).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The address of an object, or of the container.
    pub(crate) fn address(&self, base: &Url, object: Option<&str>) -> Result<Url, Error> {
        self.target(base, object.map_or(Target::Container, Target::Object))
    }

    fn target(&self, base: &Url, target: Target<'_>) -> Result<Url, Error> {
        let mut url = base.clone();
        let mut path = url
            .path_segments_mut()
            .map_err(|()| Error::Settings("the store's endpoint is no HTTP address".to_owned()))?;
        path.pop_if_empty();
        if target != Target::Account {
            path.push(self.container());
        }
        if let Target::Object(name) = target {
            // An address with such parts would be another object's.
            if name.is_empty() || name.split('/').any(|part| matches!(part, "." | "..")) {
                return Err(Error::not_found(SERVICE, "object", name));
            }
            path.extend(name.split('/'));
        }
        drop(path);
        Ok(url)
    }

    fn look_at_clock(&self, headers: &HeaderMap) {
        let date = headers.get(http::header::DATE).and_then(|value| value.to_str().ok()).and_then(http_date);
        if let Some(date) = date {
            let ahead = date.as_second() - self.shared.clock.now().as_second();
            self.shared.ahead.store(ahead, Ordering::Relaxed);
        }
    }
}

/// 408: the connection was slow; 409: somebody wrote at the same moment; 422: what arrived is not what was sent; 498: Swift's limit of rates.
pub(crate) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 409 | 422 | 429 | 498 | 499 | 500 | 502..=504)
}

/// Whether a store that answers so is not there, rather than busy with this or with us.
fn is_away(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502..=504)
}

fn shown(container: &str, target: Target<'_>) -> String {
    match target {
        Target::Account => "/".to_owned(),
        Target::Container => format!("/{container}"),
        Target::Object(name) => format!("/{container}/{name}"),
    }
}

/// Swift explains itself with a page, a Ceph gateway with a word.
fn sentence_of_page(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let text = text.rsplit_once("<p>").map_or(text, |(_, rest)| rest);
    let text = text.split('<').next().unwrap_or_default().trim();
    let line = text.lines().next().unwrap_or_default().trim();
    (!line.is_empty()).then(|| line.chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_on_a_page() {
        for (page, wanted) in [
            (
                "<html><h1>Not Found</h1><p>The resource could not be found.</p></html>",
                "The resource could not be found.",
            ),
            ("InvalidBucketName", "InvalidBucketName"),
            ("\r\n", ""),
        ] {
            assert_eq!(sentence_of_page(page.as_bytes()).unwrap_or_default(), wanted);
        }
    }
}
