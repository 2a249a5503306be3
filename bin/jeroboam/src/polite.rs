//! A connection that is ended politely: what the client is still sending is read and thrown away for a while.
//!
//! A kernel that closes a socket with unread bytes resets the connection, and then a client whose body was too large never reads
//! the answer that says so.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A client that has sent nothing for so long has read the answer.
const SILENCE: Duration = Duration::from_secs(1);
/// Longest that anybody is listened to.
const LONGEST: Duration = Duration::from_secs(15);
/// Most that is read of anybody.
const MOST: usize = 64 << 20;

/// A stream with a polite end.
pub(crate) struct Polite<S> {
    stream: S,
    farewell: Option<Farewell>,
}

/// The end of a stream after our side of it.
struct Farewell {
    silence: Pin<Box<Sleep>>,
    end: Instant,
    left: usize,
}

impl<S> Polite<S> {
    pub(crate) const fn new(stream: S) -> Self {
        Self { stream, farewell: None }
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
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Polite<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn the_last_word_is_heard_by_who_is_still_talking() {
        let (mut client, server) = tokio::io::duplex(1024);
        let mut server = Polite::new(server);
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
        Polite::new(server).shutdown().await.expect("an end");
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_ends_is_left() {
        let (mut client, server) = tokio::io::duplex(1024);
        let mut server = Polite::new(server);
        let endless = async { while client.write_all(&[b'x'; 4096]).await.is_ok() {} };
        tokio::select! {
            () = endless => panic!("the server went before it had heard enough"),
            ended = server.shutdown() => ended.expect("an end"),
        }
    }
}
