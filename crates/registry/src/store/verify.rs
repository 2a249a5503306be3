//! Whether what is stored is what its digest names: looked at now and then while it is read anyway.
//!
//! Bytes that are not do not go out whole, and count as absent for a while: clients that would leave them out of a push bring them again, and what they bring
//! takes the place of what is there. After that while whoever reads all of it compares again, and nobody is sent to the store for it: what was wrong
//! on its way only is right then.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use jeroboam_blobs::{ByteStream, Error, Kind};
use jeroboam_oci::{Digest, Hasher};
use moka::sync::Cache;
use tracing::error;

use super::Store;

/// So many digests are remembered whose bytes were wrong.
const MOST: u64 = 10_000;

/// How long: most of a push that was told to bring it, and not longer than what passes by itself should be felt.
const WHILE: Duration = Duration::from_secs(600);

/// Blobs whose bytes were seen to be wrong.
#[derive(Clone)]
pub(super) struct Suspects {
    /// Those that count as absent.
    absent: Cache<Digest, ()>,
    /// Those whose next reader looks at all bytes.
    doubted: Cache<Digest, ()>,
}

impl Default for Suspects {
    fn default() -> Self {
        let of = || Cache::builder().max_capacity(MOST);
        Self { absent: of().time_to_live(WHILE).build(), doubted: of().build() }
    }
}

impl Suspects {
    pub(super) fn add(&self, canonical: &Digest) {
        self.doubted.insert(canonical.clone(), ());
        self.absent.insert(canonical.clone(), ());
    }

    /// Its bytes were looked for and were not there, which may pass: nobody goes by what is said of them elsewhere.
    pub(super) fn doubt(&self, canonical: &Digest) {
        self.doubted.insert(canonical.clone(), ());
    }

    pub(super) fn contains(&self, canonical: &Digest) -> bool {
        self.absent.contains_key(canonical)
    }

    /// Whether its bytes were wrong once and have not been seen to be right since.
    pub(super) fn are_doubted(&self, canonical: &Digest) -> bool {
        self.doubted.contains_key(canonical)
    }

    /// It was written anew, or is right after all.
    pub(super) fn remove(&self, canonical: &Digest) {
        self.absent.invalidate(canonical);
        self.doubted.invalidate(canonical);
    }
}

impl Store {
    /// All bytes of a blob on their way to a client; of one read in so many they are compared with the digest.
    pub(super) fn sampled(&self, canonical: &Digest, body: ByteStream) -> ByteStream {
        let one_in = self.config.verify_reads;
        let chosen = one_in > 0 && rand::random::<u32>().is_multiple_of(one_in);
        if !chosen && !self.suspects.are_doubted(canonical) {
            return body;
        }
        compared(body, canonical.clone(), self.suspects.clone())
    }
}

/// The same bytes. The last ones come only when the digest is right.
fn compared(body: ByteStream, canonical: Digest, suspects: Suspects) -> ByteStream {
    let begin = (body, Hasher::new(canonical.algorithm()), None::<Bytes>);
    let compared = stream::try_unfold(Some(begin), move |state| {
        let (canonical, suspects) = (canonical.clone(), suspects.clone());
        async move {
            let Some((mut body, mut hasher, mut held)) = state else { return Ok(None) };
            loop {
                match body.next().await {
                    Some(piece) => {
                        let piece = piece?;
                        hasher.update(&piece);
                        if let Some(before) = held.replace(piece) {
                            return Ok(Some((before, Some((body, hasher, held)))));
                        }
                    }
                    None => {
                        let found = hasher.finish();
                        if found == canonical {
                            suspects.remove(&canonical);
                            return Ok(held.map(|last| (last, None)));
                        }
                        suspects.add(&canonical);
                        error!(%canonical, %found, "the bytes of a blob are not those that its digest names");
                        let what = format!("read the blob {canonical}: its bytes have the digest {found}");
                        return Err(Error::new(Kind::Broken, what));
                    }
                }
            }
        }
    });
    compared.boxed()
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    fn body(pieces: &[&'static [u8]]) -> ByteStream {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
        stream::iter(pieces).boxed()
    }

    #[tokio::test]
    async fn wrong_bytes_never_come_to_their_end() {
        let suspects = Suspects::default();
        let cases: [(&[&'static [u8]], bool); 5] = [
            (&[b"one", b"two"], true),
            (&[b"onetwo"], true),
            (&[b"one", b"too"], false),
            (&[b"one"], false),
            (&[], false),
        ];
        for (pieces, right) in cases {
            let canonical = Digest::sha256(b"onetwo");
            let mut came = Vec::new();
            let mut stream = compared(body(pieces), canonical.clone(), suspects.clone());
            let outcome = loop {
                match stream.try_next().await {
                    Ok(Some(piece)) => came.extend_from_slice(&piece),
                    Ok(None) => break true,
                    Err(_) => break false,
                }
            };
            assert_eq!((outcome, suspects.contains(&canonical)), (right, !right), "{pieces:?}");
            assert!(right || came.len() < pieces.concat().len().max(1), "the end was held back");
            suspects.remove(&canonical);
        }
    }
}
