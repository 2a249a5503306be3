//! A connection that is ended politely: what the client is still sending is read and thrown away for a while.
//!
//! A kernel that closes a socket with unread bytes resets the connection, and then a client whose body was too large never reads
//! the answer that says so.
//!
//! Until a client has shown which HTTP it speaks, nobody else looks at the clock: who keeps that open is cut off here. So is who takes
//! nothing of what it asked for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::activity::Activity;

/// A client that has sent nothing for so long has read the answer.
const SILENCE: Duration = Duration::from_secs(1);
/// Longest that anybody is listened to.
const LONGEST: Duration = Duration::from_secs(15);
/// Most that is read of anybody.
const MOST: usize = 64 << 20;

/// What every client of HTTP/2 begins with; anything else is HTTP/1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream with a polite end.
pub(crate) struct Polite<S> {
    stream: S,
    opening: Option<Opening>,
    farewell: Option<Farewell>,
    /// How long a client may take nothing of what is written to it.
    stall: Duration,
    /// When that is over, while something waits to be written.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Who is told that something waits.
    activity: Arc<Activity>,
}

/// The beginning of a stream, while it may still become HTTP/1 or HTTP/2.
struct Opening {
    end: Pin<Box<Sleep>>,
    said: usize,
}

/// The end of a stream after our side of it.
struct Farewell {
    silence: Pin<Box<Sleep>>,
    end: Instant,
    left: usize,
}

impl<S> Polite<S> {
    /// A client that has not shown after `patience` which HTTP it speaks is read no further.
    /// One that takes nothing of its answer for `stall` is cut off.
    pub(crate) fn new(stream: S, patience: Duration, stall: Duration, activity: Arc<Activity>) -> Self {
        let opening = Opening { end: Box::pin(sleep(patience)), said: 0 };
        Self { stream, opening: Some(opening), farewell: None, stall, stalled: None, activity }
    }

    /// What came of writing, unless it has waited for too long.
    fn watched<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.activity.set_blocked(written.is_pending());
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stall = self.stall;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Opening {
    /// Whether it goes on after these bytes.
    fn goes_on(&mut self, bytes: &[u8]) -> bool {
        let undecided = PREFACE[self.said..].starts_with(bytes);
        self.said += bytes.len();
        undecided && self.said < PREFACE.len()
    }
}

impl Farewell {
    fn begin() -> Self {
        let now = Instant::now();
        Self { silence: Box::pin(sleep_until(now + SILENCE)), end: now + LONGEST, left: MOST }
    }

    /// Ready when the client has ended, too, or was listened to for long enough.
    fn poll<S: AsyncRead + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; 16 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return self.silence.as_mut().poll(cx),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {}
            }
            let read = buffer.filled().len();
            let now = Instant::now();
            self.left = self.left.saturating_sub(read);
            if read == 0 || self.left == 0 || now >= self.end {
                return Poll::Ready(());
            }
            self.silence.as_mut().reset((now + SILENCE).min(self.end));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Polite<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if let Some(opening) = &mut this.opening {
            match &read {
                Poll::Pending if opening.end.as_mut().poll(cx).is_ready() => {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Ready(Ok(())) if !opening.goes_on(&buffer.filled()[before..]) => this.opening = None,
                _ => {}
            }
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Polite<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watched(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watched(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watched(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.farewell.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let farewell = this.farewell.get_or_insert_with(Farewell::begin);
        ready!(farewell.poll(&mut this.stream, cx));
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::time::timeout;

    const PATIENCE: Duration = Duration::from_secs(30);
    const AN_HOUR: Duration = Duration::from_secs(3600);

    fn polite(stream: DuplexStream) -> Polite<DuplexStream> {
        Polite::new(stream, PATIENCE, PATIENCE, Arc::default())
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_show_what_it_speaks_is_cut_off() {
        for said in [&b""[..], b"P", &PREFACE[..23]] {
            let (mut client, server) = tokio::io::duplex(1024);
            client.write_all(said).await.expect("written");
            let mut server = polite(server);
            let mut heard = Vec::new();
            let read = timeout(AN_HOUR, server.read_to_end(&mut heard)).await.expect("an end within the hour");
            assert_eq!(read.expect_err("cut off").kind(), io::ErrorKind::TimedOut, "{said:?}");
            assert_eq!(heard, said);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_shown_what_it_speaks_is_listened_to() {
        for said in [&b"G"[..], b"PO", PREFACE, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore"] {
            let (mut client, server) = tokio::io::duplex(1024);
            client.write_all(said).await.expect("written");
            let mut server = polite(server);
            let mut heard = Vec::new();
            assert!(timeout(AN_HOUR, server.read_to_end(&mut heard)).await.is_err(), "{said:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_word_is_heard_by_who_is_still_talking() {
        let (mut client, server) = tokio::io::duplex(1024);
        let mut server = polite(server);
        let (sent, ended) = tokio::join!(
            async {
                let sent = client.write_all(&[b'x'; 1_000_000]).await;
                let mut heard = String::new();
                client.read_to_string(&mut heard).await.expect("an answer");
                drop(client);
                (sent.is_ok(), heard)
            },
            async {
                server.write_all(b"too much").await.expect("written");
                server.shutdown().await
            }
        );
        assert_eq!(sent, (true, "too much".to_owned()));
        ended.expect("a polite end");
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_not_waited_for() {
        let (_silent, server) = tokio::io::duplex(1024);
        polite(server).shutdown().await.expect("an end");
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_ends_is_left() {
        let (mut client, server) = tokio::io::duplex(1024);
        let mut server = polite(server);
        let endless = async { while client.write_all(&[b'x'; 4096]).await.is_ok() {} };
        tokio::select! {
            () = endless => panic!("the server went before it had heard enough"),
            ended = server.shutdown() => ended.expect("an end"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_cut_off() {
        let (_client, server) = tokio::io::duplex(16);
        let mut server = polite(server);
        let written = timeout(AN_HOUR, server.write_all(&[b'x'; 64])).await.expect("an end within the hour");
        assert_eq!(written.expect_err("cut off").kind(), io::ErrorKind::TimedOut);
    }
}
