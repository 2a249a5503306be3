//! Bodies on their way through, which may end too early.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::body::{Body, Frame, SizeHint};

/// A body that may be cut.
pub(super) struct Passing {
    body: BoxBody<Bytes, std::io::Error>,
    /// Bytes until it is cut; never where there is none.
    left: Option<u64>,
}

impl Passing {
    pub(super) fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + Sync + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        Self { body: body.map_err(std::io::Error::other).boxed(), left: None }
    }

    /// Ends with an error after so many bytes, although its length says that there are more.
    pub(super) fn cut_after(self, bytes: u64) -> Self {
        Self { left: Some(bytes), ..self }
    }
}

/// All bytes at once.
pub(super) fn whole(bytes: Bytes) -> Passing {
    Passing::new(Full::new(bytes))
}

impl Body for Passing {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if self.left == Some(0) {
            return Poll::Ready(Some(Err(std::io::Error::other("cut on purpose"))));
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let Some(left) = self.left else { return polled };
        let Poll::Ready(Some(Ok(frame))) = polled else { return polled };
        let Ok(mut data) = frame.into_data() else { return Poll::Ready(None) };
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        data.truncate(most);
        self.left = Some(left.saturating_sub(data.len() as u64));
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
