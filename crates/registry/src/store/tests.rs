//! How often a push waits for the disk.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use jeroboam_blobs::{Condition, Directory, SharedBlobs, SyncPolicy};
use jeroboam_model::{Clock, SystemClock};
use jeroboam_oci::{Digest, Reference, RepositoryName};
use serde_json::json;

use super::{BodyError, NewManifest, Store, StoreConfig, TagCondition};
use crate::config::{ImmutableRule, Prefix};
use crate::leases::{GRACE, Leases};

#[tokio::test]
async fn a_push_waits_for_the_disk_as_seldom_as_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open_with(folder.path(), SyncPolicy::Ordered).await.unwrap();
    let blobs: SharedBlobs = Arc::new(directory.clone());
    let mut before = directory.syncs();
    let mut spent = || {
        let now = directory.syncs();
        now - std::mem::replace(&mut before, now)
    };
    // One, as each link costs; two where the file system of temporary files cannot be written around its cache.
    blobs.put("some/small/object", Bytes::from_static(b"x"), Condition::Always).await.unwrap();
    let link = spent();
    assert!((1..=2).contains(&link), "{link}");

    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let leases = Arc::new(Leases::in_memory(clock.clone(), GRACE));
    let immutable = vec![ImmutableRule { prefix: Prefix::All, tags: vec!["v*".to_owned()] }];
    let store = Store::new(blobs, clock, leases, StoreConfig { immutable, ..StoreConfig::default() });
    let name: RepositoryName = "team/app".parse().unwrap();
    let config = Bytes::from_static(b"{}");
    let small = Digest::sha256(&config);
    store.put_small_blob(&name, &small, config).await.unwrap();
    // What is written around the cache waits with what follows it.
    let together = |files: u64| if link == 1 { 1 } else { files * link };
    assert_eq!(spent(), together(2), "a small blob and its link");

    let layer = vec![7_u8; 2_000_000];
    let large = Digest::sha256(&layer);
    let pieces: Vec<Result<Bytes, BodyError>> =
        layer.chunks(100_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    store.put_blob(&name, &large, Some(2_000_000), stream::iter(pieces).boxed()).await.unwrap();
    assert_eq!(spent(), 2 + link, "a large blob, the directory that got it, and its link");

    let part = |digest: &Digest, size: usize| json!({"mediaType": "a/b", "digest": digest.to_string(), "size": size});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": part(&small, 2),
        "layers": [part(&large, 2_000_000)],
    });
    let new = || NewManifest {
        reference: Reference::Tag("v1".parse().unwrap()),
        tags: Vec::new(),
        content_type: None,
        condition: TagCondition::Always,
        bytes: manifest.to_string().into(),
    };
    store.put_manifest(&name, new()).await.unwrap();
    assert_eq!(spent(), together(4), "a manifest, its link, and the two of its tag");
    store.put_manifest(&name, new()).await.unwrap();
    assert!(spent() > 0, "a tag that never moves is written again, for what was written before it");
}
