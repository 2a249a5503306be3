//! Bytes on their way into a request, in blocks: never in one piece, and never in memory twice.
//!
//! What clients send comes in slices of buffers that are often much larger than what is in them, and that live as long as any slice does. So it is
//! copied into blocks of our own as it comes, and the blocks are what waits for a retry.

use bytes::{Bytes, BytesMut};
use futures::stream;

/// Length of a block.
pub(super) const BLOCK: usize = 128 * 1024;

/// The body of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    blocks: Vec<Bytes>,
    length: usize,
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { length: bytes.len(), blocks: vec![bytes] }
    }
}

impl Body {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn blocks(&self) -> &[Bytes] {
        &self.blocks
    }

    pub(super) fn into_blocks(self) -> Vec<Bytes> {
        self.blocks
    }

    /// As it is sent. Whoever sends says how long it is.
    pub(super) fn sent(&self) -> reqwest::Body {
        match self.blocks.as_slice() {
            [] => reqwest::Body::from(Bytes::new()),
            [only] => reqwest::Body::from(only.clone()),
            _ => {
                let blocks = self.blocks.clone().into_iter().map(Ok::<_, std::convert::Infallible>);
                reqwest::Body::wrap_stream(stream::iter(blocks))
            }
        }
    }
}

/// A body that is being collected.
#[derive(Debug, Default)]
pub(super) struct Collected {
    blocks: Vec<Bytes>,
    open: BytesMut,
    length: usize,
}

impl Collected {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Takes bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len();
        while !bytes.is_empty() {
            if self.open.capacity() == self.open.len() {
                self.close();
                self.open = BytesMut::with_capacity(BLOCK);
            }
            let fits = bytes.len().min(self.open.capacity() - self.open.len());
            let (now, later) = bytes.split_at(fits);
            self.open.extend_from_slice(now);
            bytes = later;
        }
    }

    /// All of it; it stays here too.
    pub(super) fn copy(&mut self) -> Body {
        self.close();
        Body { blocks: self.blocks.clone(), length: self.length }
    }

    /// All of it; nothing stays.
    pub(super) fn take(&mut self) -> Body {
        self.close();
        self.open = BytesMut::new();
        Body { blocks: std::mem::take(&mut self.blocks), length: std::mem::take(&mut self.length) }
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.blocks.push(self.open.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_collected_is_given_as_it_came() {
        let all: Vec<u8> = (0..3 * BLOCK + 17).map(|at| (at / 251) as u8 ^ at as u8).collect();
        for step in [1000, BLOCK, 2 * BLOCK + 1] {
            let mut collected = Collected::default();
            let (begin, end) = all.split_at(all.len() / 2);
            begin.chunks(step).for_each(|piece| collected.push(piece));
            assert_eq!(collected.copy().blocks().concat(), begin, "{step}");
            end.chunks(step).for_each(|piece| collected.push(piece));
            assert_eq!(collected.len(), all.len());
            let body = collected.take();
            assert!(body.blocks().iter().all(|block| block.len() <= BLOCK));
            assert_eq!((body.blocks().concat(), body.len()), (all.clone(), all.len()), "{step}");
            assert!(collected.is_empty() && collected.take().is_empty());
        }
    }
}
