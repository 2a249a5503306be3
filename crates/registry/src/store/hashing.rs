//! The digests of what comes, made beside the thread that receives it: one batch is hashed while the next one is on its way.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use jeroboam_oci::{Algorithm, Digest, Hasher};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::{Result, StoreError};

/// From this length on another thread hashes. Two batches are held at most.
const BATCH: usize = 512 << 10;

/// So many slices at most: each holds the whole buffer that it came in.
const MANY: usize = 64;

/// What is shorter is hashed sooner than another thread begins.
const LITTLE: usize = 64 << 10;

/// Threads that hash at a time, for all stores of a process: more would only keep others from running.
static THREADS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Arc::new(Semaphore::new(cores))
});

/// The digests that are made while bytes come.
#[derive(Clone, Debug)]
pub(super) struct Hashes {
    /// What the store sorts by.
    pub(super) sha256: Hasher,
    /// What the client said that it would name.
    pub(super) sha512: Option<Hasher>,
}

impl Hashes {
    fn new(algorithm: Option<Algorithm>) -> Self {
        let sha512 = (algorithm == Some(Algorithm::Sha512)).then(|| Hasher::new(Algorithm::Sha512));
        Self { sha256: Hasher::new(Algorithm::Sha256), sha512 }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(bytes);
        }
    }

    /// The digest of what came; `None` of an algorithm that was not asked for in time.
    pub(super) fn digest(&self, algorithm: Algorithm) -> Option<Digest> {
        match algorithm {
            Algorithm::Sha256 => Some(self.sha256.clone().finish()),
            Algorithm::Sha512 => self.sha512.clone().map(Hasher::finish),
        }
    }
}

/// Digests that are being made. Who stops to wait for them finds them as they should be.
pub(super) struct Hashing {
    /// `None` while another thread has them.
    hashes: Option<Hashes>,
    running: Option<JoinHandle<Hashes>>,
    collected: Vec<Bytes>,
    length: usize,
    algorithm: Option<Algorithm>,
}

impl From<Hashes> for Hashing {
    fn from(hashes: Hashes) -> Self {
        let algorithm = hashes.sha512.as_ref().map(|_| Algorithm::Sha512);
        Self { hashes: Some(hashes), running: None, collected: Vec::new(), length: 0, algorithm }
    }
}

impl Hashing {
    /// Of no bytes; `algorithm` is what the client said that it would name them by.
    pub(super) fn new(algorithm: Option<Algorithm>) -> Self {
        Hashes::new(algorithm).into()
    }

    /// What the client said that it would name them by, where that is another one than ours.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// Takes more bytes; waits while the batch before is not done.
    pub(super) async fn update(&mut self, piece: Bytes) -> Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        self.length += piece.len();
        self.collected.push(piece);
        if self.length < BATCH && self.collected.len() < MANY {
            return Ok(());
        }
        if self.length < LITTLE {
            return self.all().await.map(drop);
        }
        self.wait().await?;
        let turn = THREADS.clone().acquire_owned().await.map_err(|_| lost())?;
        let Some(mut hashes) = self.hashes.take() else { return Err(lost()) };
        let batch = std::mem::take(&mut self.collected);
        self.length = 0;
        self.running = Some(tokio::task::spawn_blocking(move || {
            let _turn = turn;
            batch.iter().for_each(|piece| hashes.update(piece));
            hashes
        }));
        Ok(())
    }

    /// The digests of all that came.
    pub(super) async fn all(&mut self) -> Result<&Hashes> {
        self.wait().await?;
        let hashes = self.hashes.as_mut().ok_or_else(lost)?;
        self.collected.drain(..).for_each(|piece| hashes.update(&piece));
        self.length = 0;
        Ok(hashes)
    }

    /// Nothing is lost where nobody waits to the end.
    async fn wait(&mut self) -> Result<()> {
        if let Some(running) = &mut self.running {
            let outcome = running.await;
            self.running = None;
            self.hashes = Some(outcome.map_err(|_| lost())?);
        }
        Ok(())
    }
}

/// The threads end only with the runtime.
fn lost() -> StoreError {
    StoreError::Unavailable("what came was not hashed to its end; ask again".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn digests_are_those_of_all_bytes_however_they_come() {
        let bytes: Bytes = (0..2_000_003_u32).map(|at| ((at * 7) >> 3) as u8).collect::<Vec<_>>().into();
        for piece in [100, 1000, BATCH / MANY + 1, BATCH - 1, BATCH, BATCH + 1, 2_000_003] {
            let mut hashing = Hashing::new(Some(Algorithm::Sha512));
            for start in (0..bytes.len()).step_by(piece) {
                hashing.update(bytes.slice(start..bytes.len().min(start + piece))).await.unwrap();
                // Whoever looks on the way finds what came so far.
                if start == piece {
                    let so_far = Digest::sha256(&bytes[..bytes.len().min(2 * piece)]);
                    assert_eq!(hashing.all().await.unwrap().digest(Algorithm::Sha256), Some(so_far));
                }
            }
            for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
                let found = hashing.all().await.unwrap().digest(algorithm);
                assert_eq!(found, Some(Digest::of(algorithm, &bytes)), "pieces of {piece}");
            }
        }
        assert_eq!(Hashing::new(None).all().await.unwrap().digest(Algorithm::Sha512), None);
    }

    #[tokio::test]
    async fn slices_are_few_however_short_they_are() {
        let (mut hashing, byte) = (Hashing::new(None), Bytes::from_static(b"x"));
        for _ in 0..10_000 {
            hashing.update(byte.clone()).await.unwrap();
            assert!(hashing.collected.len() < MANY);
        }
        let digest = hashing.all().await.unwrap().digest(Algorithm::Sha256);
        assert_eq!(digest, Some(Digest::sha256(&[b'x'; 10_000])));
    }

    #[tokio::test]
    async fn who_stops_waiting_loses_nothing() {
        let (mut hashing, piece) = (Hashing::new(None), Bytes::from(vec![7; BATCH]));
        for _ in 0..3 {
            let mut update = Box::pin(hashing.update(piece.clone()));
            let _ = futures::poll!(&mut update);
        }
        let digest = hashing.all().await.unwrap().digest(Algorithm::Sha256);
        assert_eq!(digest, Some(Digest::sha256(&[7; 3 * BATCH])));
    }
}
