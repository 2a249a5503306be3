//! What a mark remembers: 48 bytes of each blob.

use super::Key;

/// Blobs that were there when the mark began, and what is known of each.
///
/// Blobs are listed first and references read after, so that what is pushed meanwhile is either not here or found to be referenced.
#[derive(Debug, Default)]
pub struct Mark {
    /// Sorted once all are there.
    blobs: Vec<Blob>,
}

#[derive(Clone, Copy, Debug)]
struct Blob {
    key: Key,
    size: u64,
    seen: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// Nothing was found that refers to it.
    Not,
    /// Something that could not be read may refer to it.
    Kept,
    /// Something refers to it.
    Referenced,
}

/// A blob that nothing refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreferenced {
    /// The blob.
    pub key: Key,
    /// Its length, as the listing had it.
    pub size: u64,
}

impl Mark {
    /// Of these blobs, in any order.
    #[must_use]
    pub fn of(blobs: impl IntoIterator<Item = (Key, u64)>) -> Self {
        let blobs = blobs.into_iter().map(|(key, size)| Blob { key, size, seen: Seen::Not });
        let mut blobs: Vec<Blob> = blobs.collect();
        blobs.sort_unstable_by_key(|blob| blob.key);
        blobs.dedup_by_key(|blob| blob.key);
        Self { blobs }
    }

    /// Something refers to this. `false`: it was not there when the mark began.
    pub fn reference(&mut self, key: &Key) -> bool {
        self.raise(key, Seen::Referenced)
    }

    /// Something that could not be read may refer to this.
    pub fn keep(&mut self, key: &Key) -> bool {
        self.raise(key, Seen::Kept)
    }

    /// Something that could not be read may refer to anything.
    pub fn keep_all(&mut self) {
        for blob in &mut self.blobs {
            blob.seen = blob.seen.max(Seen::Kept);
        }
    }

    /// Whether nothing was found that refers to this, and it was there when the mark began.
    #[must_use]
    pub fn is_unreferenced(&self, key: &Key) -> bool {
        self.find(key).is_some_and(|at| self.blobs[at].seen == Seen::Not)
    }

    /// What nothing refers to.
    pub fn unreferenced(&self) -> impl Iterator<Item = Unreferenced> + '_ {
        let not_seen = self.blobs.iter().filter(|blob| blob.seen == Seen::Not);
        not_seen.map(|blob| Unreferenced { key: blob.key, size: blob.size })
    }

    /// How many blobs there were, and how many bytes they had.
    #[must_use]
    pub fn all(&self) -> (u64, u64) {
        self.sum(|_| true)
    }

    /// Of how many blobs, with how many bytes, it is not known whether anything refers to them.
    #[must_use]
    pub fn kept(&self) -> (u64, u64) {
        self.sum(|seen| seen == Seen::Kept)
    }

    fn sum(&self, which: impl Fn(Seen) -> bool) -> (u64, u64) {
        let of = self.blobs.iter().filter(|blob| which(blob.seen));
        of.fold((0, 0), |(count, bytes), blob| (count + 1, bytes + blob.size))
    }

    fn raise(&mut self, key: &Key, to: Seen) -> bool {
        let found = self.find(key);
        if let Some(at) = found {
            let blob = &mut self.blobs[at];
            blob.seen = blob.seen.max(to);
        }
        found.is_some()
    }

    fn find(&self, key: &Key) -> Option<usize> {
        self.blobs.binary_search_by_key(key, |blob| blob.key).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;

    #[test]
    fn what_is_referenced_or_may_be_is_not_unreferenced() {
        let key = |n: u8| Key::blob(&Digest::sha256(&[n]));
        let mut mark = Mark::of((0..4).map(|n| (key(n), 10)));
        assert!(mark.reference(&key(0)));
        assert!(!mark.reference(&key(9)), "came later");
        mark.keep(&key(1));
        mark.keep(&key(0));
        assert_eq!((mark.all(), mark.kept()), ((4, 40), (1, 10)));
        let mut found: Vec<Key> = mark.unreferenced().map(|blob| blob.key).collect();
        found.sort_unstable();
        let mut expected = vec![key(2), key(3)];
        expected.sort_unstable();
        assert_eq!(found, expected);
        assert!(mark.is_unreferenced(&key(2)) && !mark.is_unreferenced(&key(1)) && !mark.is_unreferenced(&key(9)));
        mark.keep_all();
        assert_eq!((mark.unreferenced().count(), mark.kept()), (0, (3, 30)));
    }

    #[test]
    fn a_million_blobs_fit_into_the_memory_that_is_promised() {
        assert!(size_of::<Blob>() <= 48, "{}", size_of::<Blob>());
    }
}
