//! What the repositories of a namespace have: each blob once, however many of them have it, and what their unfinished uploads hold.

use std::collections::{HashMap, HashSet};

use jeroboam_oci::{Algorithm, Digest, RepositoryName, Tag, UploadId};

/// A digest in the room that it needs: there may be a million of them.
pub(super) type Key = [u8; 32];

/// The key of a digest that the store sorts by.
pub(super) fn key(canonical: &Digest) -> Key {
    let hex = canonical.hex().as_bytes();
    std::array::from_fn(|at| (digit(hex[2 * at]) << 4) | digit(hex[2 * at + 1]))
}

fn digit(hex: u8) -> u8 {
    if hex.is_ascii_digit() { hex - b'0' } else { hex - b'a' + 10 }
}

/// The digest of a key.
pub(super) fn digest(key: &Key) -> Digest {
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    Digest::from_parts(Algorithm::Sha256, &hex).expect("32 bytes have 64 digits")
}

/// As what a repository has a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::store) enum Link {
    /// As a blob.
    Layer,
    /// As a manifest.
    Revision,
}

/// What the repositories of a namespace have.
#[derive(Debug, Default)]
pub(super) struct Tally {
    numbers: HashMap<RepositoryName, u32>,
    blobs: HashMap<Key, Held>,
    /// Unfinished uploads, and how many bytes each holds.
    uploads: HashMap<UploadId, u64>,
    bytes: u64,
    tags: HashSet<(u32, Tag)>,
}

#[derive(Debug)]
struct Held {
    size: u64,
    /// Numbers of repositories and, in the last bit, as what they have it.
    links: Vec<u64>,
}

impl Tally {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn tags(&self) -> u64 {
        self.tags.len() as u64
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        self.blobs.contains_key(key)
    }

    pub(super) fn has_tag(&self, repository: &RepositoryName, tag: &Tag) -> bool {
        self.numbers.get(repository).is_some_and(|number| self.tags.contains(&(*number, tag.clone())))
    }

    /// A repository has a blob. Told twice, it counts once.
    pub(super) fn link(&mut self, repository: &RepositoryName, link: Link, key: Key, size: u64) {
        let link = self.mark(repository, link);
        let held = self.blobs.entry(key).or_insert(Held { size: 0, links: Vec::new() });
        self.bytes = self.bytes - held.size + size;
        held.size = size;
        if !held.links.contains(&link) {
            held.links.push(link);
        }
    }

    /// A repository has a blob no more.
    pub(super) fn unlink(&mut self, repository: &RepositoryName, link: Link, key: &Key) {
        let link = self.mark(repository, link);
        let Some(held) = self.blobs.get_mut(key) else { return };
        held.links.retain(|other| *other != link);
        if held.links.is_empty() {
            self.bytes -= held.size;
            self.blobs.remove(key);
        }
    }

    /// An unfinished upload holds so many bytes; none, once it is over.
    pub(super) fn upload(&mut self, id: &UploadId, bytes: u64) {
        let before = if bytes > 0 { self.uploads.insert(id.clone(), bytes) } else { self.uploads.remove(id) };
        self.bytes = self.bytes - before.unwrap_or_default() + bytes;
    }

    pub(super) fn tag(&mut self, repository: &RepositoryName, tag: Tag) {
        let number = self.number(repository);
        self.tags.insert((number, tag));
    }

    pub(super) fn untag(&mut self, repository: &RepositoryName, tag: &Tag) {
        let number = self.number(repository);
        self.tags.remove(&(number, tag.clone()));
    }

    /// All blobs, and how large each is.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (&Key, u64)> {
        self.blobs.iter().map(|(key, held)| (key, held.size))
    }

    /// Says how large a blob is that was linked before.
    pub(super) fn resize(&mut self, key: &Key, size: u64) {
        let Some(held) = self.blobs.get_mut(key) else { return };
        self.bytes = self.bytes - held.size + size;
        held.size = size;
    }

    fn number(&mut self, repository: &RepositoryName) -> u32 {
        if let Some(number) = self.numbers.get(repository) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len()).expect("there is no room for so many names");
        self.numbers.insert(repository.clone(), number);
        number
    }

    fn mark(&mut self, repository: &RepositoryName, link: Link) -> u64 {
        (u64::from(self.number(repository)) << 1) | u64::from(link == Link::Revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RepositoryName {
        text.parse().expect("a name")
    }

    #[test]
    fn a_digest_is_its_key() {
        let of = Digest::sha256(b"layer");
        assert_eq!(digest(&key(&of)), of);
    }

    #[test]
    fn a_blob_counts_once_and_until_the_last_has_let_go_of_it() {
        let (a, b) = (name("team/a"), name("team/b"));
        let blob = key(&Digest::sha256(b"layer"));
        let mut tally = Tally::default();
        for (repository, link) in [(&a, Link::Layer), (&a, Link::Layer), (&a, Link::Revision), (&b, Link::Layer)] {
            tally.link(repository, link, blob, 100);
            assert_eq!(tally.bytes(), 100);
        }
        tally.unlink(&a, Link::Layer, &blob);
        tally.unlink(&a, Link::Layer, &blob);
        tally.unlink(&b, Link::Layer, &blob);
        assert_eq!(tally.bytes(), 100, "it is still somebody's manifest");
        tally.unlink(&a, Link::Revision, &blob);
        assert_eq!((tally.bytes(), tally.has(&blob)), (0, false));
        tally.unlink(&a, Link::Revision, &blob);
        assert_eq!(tally.bytes(), 0);
    }

    #[test]
    fn an_upload_counts_with_what_it_holds() {
        let (one, other) = (UploadId::of_random([1; 16]), UploadId::of_random([2; 16]));
        let mut tally = Tally::default();
        tally.link(&name("a"), Link::Layer, key(&Digest::sha256(b"layer")), 100);
        for (id, bytes, all) in [(&one, 10, 110), (&one, 30, 130), (&other, 5, 135), (&one, 0, 105), (&one, 0, 105)] {
            tally.upload(id, bytes);
            assert_eq!(tally.bytes(), all, "{id} {bytes}");
        }
        assert_eq!(tally.sizes().count(), 1, "it is no blob");
    }

    #[test]
    fn a_tag_counts_once_in_each_repository() {
        let mut tally = Tally::default();
        let tag: Tag = "v1".parse().expect("a tag");
        for repository in ["a", "a", "b"] {
            tally.tag(&name(repository), tag.clone());
        }
        assert_eq!((tally.tags(), tally.has_tag(&name("b"), &tag)), (2, true));
        tally.untag(&name("b"), &tag);
        assert_eq!((tally.tags(), tally.has_tag(&name("b"), &tag)), (1, false));
    }
}
