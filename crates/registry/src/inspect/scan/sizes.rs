//! Compares what manifests say of sizes with what there is.
//!
//! A large object that lost a segment, and a file that was cut off, are shorter than they were when they were pushed. A blob of another size is read, whatever
//! share of all is to be: its bytes tell whether it is damaged, or whether the manifest never said the right size.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use jeroboam_blobs::{Freshness, Result, SharedBlobs};
use jeroboam_oci::manifest::{Kind, Manifest};
use jeroboam_oci::{Digest, layout};

use super::{AT_ONCE, Problem, Scan, of_one};

impl Scan {
    /// Reads blobs that have another size than a manifest says.
    pub(super) async fn compare_sizes(&mut self, blobs: &SharedBlobs) -> Result<()> {
        let mut there = BTreeSet::new();
        let mut looked = stream::iter(self.of_other_sizes())
            .map(|digest| async move {
                let meta = blobs.head(&layout::blob(&digest), Freshness::Newest).await;
                (digest, meta)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((digest, meta)) = looked.next().await {
            match of_one(blobs, meta).await? {
                // A listing may say another size of a large object than it has.
                Ok(Some(meta)) => {
                    self.blobs.insert(digest.clone(), meta.size);
                    there.insert(digest);
                }
                Ok(None) => {
                    self.blobs.remove(&digest);
                }
                Err(why) => {
                    self.problems.insert(Problem::Unreadable { path: layout::blob(&digest), why });
                }
            }
        }
        for digest in self.of_other_sizes().intersection(&there) {
            if let Some(is_right) = self.compare(blobs, digest).await? {
                self.compared.insert(digest.clone(), is_right);
            }
        }
        Ok(())
    }

    /// Blobs that have another size than a manifest says. Of those that have no bytes nothing needs to be read.
    fn of_other_sizes(&self) -> BTreeSet<Digest> {
        let manifests = self.manifests.values().filter_map(|manifest| manifest.as_ref().ok());
        let parts = manifests.flat_map(|manifest| self.other_sizes(manifest)).map(|(part, ..)| part.clone());
        parts.filter(|part| !self.problems.contains(&Problem::EmptyBlob { digest: part.clone() })).collect()
    }

    /// The parts of a manifest of which it says another size than they have: what it says, and what they have.
    pub(super) fn other_sizes<'a>(&'a self, manifest: &'a Manifest) -> impl Iterator<Item = (&'a Digest, u64, u64)> {
        // Docker's first form says no sizes.
        let says_sizes = manifest.kind() != Kind::Schema1;
        let parts = manifest.references.iter().filter(move |named| says_sizes && !named.is_elsewhere());
        parts.filter_map(move |named| {
            let part = self.meant(&named.descriptor.digest);
            let (said, size) = (named.descriptor.size, *self.blobs.get(part)?);
            (said != size).then_some((part, said, size))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use jeroboam_blobs::{Condition, Memory};
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn what_a_listing_says_of_a_large_object_is_no_damage() {
        let blobs: SharedBlobs = Arc::new(Memory::default());
        let (whole, cut) = (Digest::sha256(b"layer"), Digest::sha256(b"another"));
        for (digest, bytes) in [(&whole, "layer"), (&cut, "anothe")] {
            blobs.put(&layout::blob(digest), Bytes::from(bytes), Condition::Always).await.unwrap();
        }
        let part = |digest: &Digest, size: u64| json!({"mediaType": "a/b", "digest": digest.to_string(), "size": size});
        let manifest = json!({"schemaVersion": 2, "config": part(&whole, 5), "layers": [part(&cut, 7)]}).to_string();
        let manifest = Manifest::stored(manifest.as_bytes()).map_err(|why| why.to_string());
        let mut scan = Scan::default();
        scan.manifests.insert(Digest::sha256(b"manifest"), manifest);
        // A gateway shows how long the list of segments is.
        scan.blobs.extend([(whole.clone(), 300), (cut.clone(), 300)]);
        scan.compare_sizes(&blobs).await.unwrap();
        assert_eq!((scan.blobs[&whole], scan.blobs[&cut]), (5, 6));
        let found = Digest::sha256(b"anothe");
        assert_eq!(scan.problems, BTreeSet::from([Problem::WrongBytes { digest: cut, found }]));
        assert_eq!(scan.verified, 1, "the other one has its size");
    }
}
