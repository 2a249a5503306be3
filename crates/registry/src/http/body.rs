//! Bodies of requests: their pieces, at a pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::store::{BodyError, Incoming};

/// Longest wait for the next piece, however much came before.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// How much is read after a refusal, and for how long.
const DRAINED: usize = 8 << 20;
const DRAIN: Duration = Duration::from_secs(2);

/// How many bytes the client announced, if it did.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The body of a request. Nothing of it is read before somebody asks for its pieces.
#[derive(Clone)]
pub(super) struct RequestBody {
    data: Arc<Mutex<BodyDataStream>>,
    /// Whether the client sends it only when it is asked for it, and it was not.
    held_back: Arc<AtomicBool>,
}

impl RequestBody {
    pub(super) fn new(body: Body, headers: &HeaderMap) -> Self {
        Self {
            data: Arc::new(Mutex::new(body.into_data_stream())),
            held_back: Arc::new(AtomicBool::new(headers.contains_key(EXPECT))),
        }
    }

    /// The pieces. A client that brings fewer than `rate` bytes for each second that we wait, after `grace`, is sent away. What we take for ourselves,
    /// while the store is slow, does not count.
    pub(super) fn pieces(&self, (grace, rate): (Duration, u64)) -> Incoming {
        let begin = (self.clone(), Duration::ZERO, 0_u64);
        stream::unfold(Some(begin), move |state| async move {
            let (body, mut waited, mut came) = state?;
            let earned = Duration::from_secs(came / rate.max(1));
            let patience = (grace + earned).saturating_sub(waited).min(LONGEST_WAIT);
            let before = Instant::now();
            let piece = match tokio::time::timeout(patience, body.next()).await {
                Ok(None) => return None,
                Ok(Some(Ok(piece))) => piece,
                Ok(Some(Err(error))) => return Some((Err(BodyError::Cut(error.to_string())), None)),
                Err(_) => return Some((Err(BodyError::TooSlow), None)),
            };
            waited += before.elapsed();
            came += piece.len() as u64;
            Some((Ok(piece), Some((body, waited, came))))
        })
        .boxed()
    }

    async fn next(&self) -> Option<Result<Bytes, axum::Error>> {
        self.held_back.store(false, Ordering::Relaxed);
        self.data.lock().await.next().await
    }

    /// Reads on for a little while after a refusal: where a connection is closed with bytes unread, the client may never see why.
    pub(super) async fn drain(&self) {
        if self.held_back.load(Ordering::Relaxed) {
            return;
        }
        let mut rest = DRAINED;
        let drained = async {
            while let Some(Ok(piece)) = self.next().await {
                rest = rest.saturating_sub(piece.len());
                if rest == 0 {
                    break;
                }
            }
        };
        // A client that sends no more, or much more, has to do without.
        let _ = tokio::time::timeout(DRAIN, drained).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_trickles_is_sent_away() {
        let pace = (Duration::from_secs(30), 1024);
        let every = |seconds: u64, bytes: usize| {
            let pieces = stream::unfold((), move |()| async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Some((Ok::<_, std::io::Error>(Bytes::from(vec![0; bytes])), ()))
            });
            Body::from_stream(pieces.take(100))
        };
        for (seconds, bytes, fine) in [(1, 2048, true), (1, 100, false), (29, 60_000, true), (40, 1, false)] {
            let body = RequestBody::new(every(seconds, bytes), &HeaderMap::new());
            let all: Vec<_> = body.pieces(pace).collect().await;
            let last = all.last().expect("something came");
            assert_eq!(last.is_ok(), fine, "{bytes} bytes every {seconds} s");
            assert_eq!(all.len() == 100, fine);
        }
    }
}
