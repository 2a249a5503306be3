//! Buffers that are used again: new memory has to be cleared and mapped, which costs as much as the copy into it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// The length of a buffer, and of a piece that is read.
pub(super) const PIECE: usize = 256 * 1024;

/// So many are kept when nobody uses them: 4 MiB.
const KEPT: usize = 16;

/// Buffers that nobody uses at the moment.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<Box<[u8]>>>);

/// A buffer in use. It goes back when it is dropped.
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    length: usize,
    pool: Arc<Pool>,
}

impl Pool {
    /// A buffer of `length` bytes, at most [`PIECE`]. What is in it is of no meaning.
    pub(super) fn get(self: &Arc<Self>, length: usize) -> Buffer {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = kept.unwrap_or_else(|| vec![0; PIECE].into_boxed_slice());
        Buffer { bytes, length: length.min(PIECE), pool: Arc::clone(self) }
    }
}

impl Buffer {
    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }

    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut kept = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_and_are_no_more_than_are_kept() {
        let pool = Arc::new(Pool::default());
        let many: Vec<_> = (0..KEPT + 5).map(|_| pool.get(10).freeze()).collect();
        assert!(many.iter().all(|bytes| bytes.len() == 10));
        let part = many[0].slice(2..4);
        drop(many);
        assert_eq!(pool.0.lock().expect("a lock").len(), KEPT, "the one in use is missed, but the others are enough");
        drop(part);
        assert_eq!(pool.0.lock().expect("a lock").len(), KEPT);
    }
}
