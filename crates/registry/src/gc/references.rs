//! What manifests refer to: read once, since a manifest never changes, and kept in the store for the next mark.
//!
//! A shard is one object with the manifests whose keys begin with the same byte. Each is its key, the numbers of blobs and of manifests that it names
//! in four bytes each, most significant first, and their keys.

use std::collections::HashMap;

use bytes::Bytes;
use futures::{StreamExt, stream};
use jeroboam_blobs::{Condition, Freshness, Result, SharedBlobs};
use jeroboam_oci::gc::{Key, paths};
use jeroboam_oci::manifest::Manifest;
use jeroboam_oci::{Algorithm, Digest, layout};
use tracing::warn;

use super::documents::read_bytes;
use crate::http::failure::chain;

/// With fewer manifests than this, reading them again is as cheap as reading what they refer to.
const WORTH_IT: usize = 1_000;

/// So many manifests are read at once.
const AT_ONCE: usize = 16;

/// What a manifest names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Configurations and layers.
    pub(super) blobs: Vec<Key>,
    /// Manifests of an index.
    pub(super) children: Vec<Key>,
}

/// What was found of a manifest.
#[derive(Debug)]
pub(super) enum References {
    /// It refers to these.
    Are(Names),
    /// It is not there.
    Missing,
    /// It could not be read, or not be understood.
    Unreadable(String),
}

/// What manifests of one shard refer to.
#[derive(Default)]
pub(super) struct Shard {
    known: HashMap<Key, Names>,
    kept: bool,
    changed: bool,
}

impl Shard {
    /// Reads what is known of a shard. A shard that makes no sense is as good as none: it is only a cache.
    pub(super) async fn read(blobs: &SharedBlobs, byte: u8, manifests: usize) -> Result<Self> {
        let kept = manifests >= WORTH_IT;
        if !kept {
            return Ok(Self::default());
        }
        let bytes = read_bytes(blobs, &paths::references(byte), Freshness::Newest).await;
        let known = match bytes {
            Ok(Some(bytes)) => parse(&bytes).unwrap_or_default(),
            Ok(None) => HashMap::new(),
            Err(error) => {
                warn!(error = chain(&error), "what manifests refer to is read anew");
                HashMap::new()
            }
        };
        Ok(Self { known, kept, changed: false })
    }

    /// What these manifests refer to, in any order.
    pub(super) async fn of(&mut self, blobs: &SharedBlobs, manifests: Vec<Key>, mut show: impl FnMut(Key, References)) {
        let (known, unknown): (Vec<Key>, Vec<Key>) =
            manifests.into_iter().partition(|key| self.known.contains_key(key));
        for key in known {
            let names = self.known.get(&key).cloned().unwrap_or_default();
            show(key, References::Are(names));
        }
        let mut fetched =
            stream::iter(unknown).map(|key| async move { (key, fetch(blobs, &key).await) }).buffer_unordered(AT_ONCE);
        while let Some((key, references)) = fetched.next().await {
            if let References::Are(names) = &references
                && self.kept
            {
                self.known.insert(key, names.clone());
                self.changed = true;
            }
            show(key, references);
        }
    }

    /// Keeps what is new.
    pub(super) async fn keep(self, blobs: &SharedBlobs, byte: u8) -> Result<()> {
        if self.changed {
            blobs.put(&paths::references(byte), write(&self.known), Condition::Always).await?;
        }
        Ok(())
    }
}

async fn fetch(blobs: &SharedBlobs, key: &Key) -> References {
    let digest = digest_of(key);
    let bytes = match read_bytes(blobs, &layout::blob(&digest), Freshness::Any).await {
        Ok(Some(bytes)) if !bytes.is_empty() => bytes,
        Ok(_) => return References::Missing,
        Err(error) => return References::Unreadable(error.to_string()),
    };
    // Rot may still look like a manifest, and name something else.
    let found = Digest::sha256(&bytes);
    if found != digest {
        return References::Unreadable(format!("its bytes have the digest {found}"));
    }
    match Manifest::stored(&bytes) {
        Ok(manifest) => References::Are(Names {
            blobs: manifest.blobs().map(|named| Key::blob(&named.descriptor.digest)).collect(),
            children: manifest.children().map(|child| Key::blob(&child.digest)).collect(),
        }),
        Err(error) => References::Unreadable(error.to_string()),
    }
}

/// The digest of a blob that the store sorts by SHA-256, which all that are collected are.
pub(super) fn digest_of(key: &Key) -> Digest {
    Digest::from_parts(Algorithm::Sha256, &key.to_string()).expect("a key has the digits of a digest")
}

fn write(known: &HashMap<Key, Names>) -> Bytes {
    let mut bytes = Vec::new();
    for (manifest, names) in known {
        bytes.extend_from_slice(manifest.bytes());
        for keys in [&names.blobs, &names.children] {
            bytes.extend_from_slice(&u32::try_from(keys.len()).unwrap_or(0).to_be_bytes());
        }
        names.blobs.iter().chain(&names.children).for_each(|key| bytes.extend_from_slice(key.bytes()));
    }
    bytes.into()
}

fn parse(bytes: &[u8]) -> Option<HashMap<Key, Names>> {
    let mut known = HashMap::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (manifest, behind) = rest.split_first_chunk::<32>()?;
        let (blobs, behind) = behind.split_first_chunk::<4>()?;
        let (children, behind) = behind.split_first_chunk::<4>()?;
        let (blobs, behind) = parse_keys(behind, u32::from_be_bytes(*blobs))?;
        let (children, behind) = parse_keys(behind, u32::from_be_bytes(*children))?;
        known.insert(Key::from(*manifest), Names { blobs, children });
        rest = behind;
    }
    Some(known)
}

fn parse_keys(bytes: &[u8], count: u32) -> Option<(Vec<Key>, &[u8])> {
    let length = usize::try_from(count).ok()?.checked_mul(32)?;
    let (keys, behind) = bytes.split_at_checked(length)?;
    let (keys, _) = keys.as_chunks::<32>();
    Some((keys.iter().map(|key| Key::from(*key)).collect(), behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_manifests_is_read_again_or_not_at_all() {
        let key = |byte| Key::from([byte; 32]);
        let names = Names { blobs: vec![key(2)], children: vec![key(3)] };
        let known = HashMap::from([(key(1), names), (key(4), Names::default())]);
        let bytes = write(&known);
        assert_eq!(parse(&bytes), Some(known));
        for cut in [1, 33, 40, bytes.len() - 1] {
            assert_eq!(parse(&bytes[..cut]).filter(|known| known.len() > 1), None, "{cut}");
        }
        assert_eq!(parse(&[]), Some(HashMap::new()));
    }
}
