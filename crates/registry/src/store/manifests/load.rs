//! Reading the bytes of manifests: once for all who ask at the same time, within the room that there is for bodies in memory, and not on the threads that
//! serve everybody where it takes long.

use std::sync::Arc;

use bytes::Bytes;
use jeroboam_blobs::Freshness;
use jeroboam_oci::manifest::{BadManifest, Manifest, presumed_type};
use jeroboam_oci::{Digest, layout};
use tracing::{error, warn};

use super::StoredManifest;
use crate::store::blobs::is_whole;
use crate::store::ingest::collected;
use crate::store::{Result, Store, StoreError};

/// Largest manifest that is read, whatever may be pushed: an old store may have been filled with another limit.
const READ_LIMIT: u64 = 16 << 20;

/// What is longer is hashed and read by a thread that may take its time.
const SHORT: usize = 256 << 10;

/// Why there is no manifest to remember.
enum Missed {
    /// There is none, or something else.
    Nothing,
    Failed(StoreError),
}

impl Store {
    /// The manifest that the store sorts by this digest; `None` where there is none, or something else.
    pub async fn load_manifest(&self, canonical: &Digest) -> Result<Option<Arc<StoredManifest>>> {
        if let Some(stored) = self.cache.manifests.get(canonical).await {
            return Ok(Some(stored));
        }
        // These bytes never become one.
        if self.cache.no_manifests.contains_key(canonical) {
            return Ok(None);
        }
        let loaded = self.cache.manifests.try_get_with_by_ref(canonical, self.read_manifest(canonical)).await;
        match loaded {
            Ok(stored) => Ok(Some(stored)),
            Err(missed) => match Arc::try_unwrap(missed) {
                Ok(Missed::Nothing) => Ok(None),
                Ok(Missed::Failed(error)) => Err(error),
                // Others waited for the same.
                Err(shared) => match &*shared {
                    Missed::Nothing => Ok(None),
                    Missed::Failed(error) => Err(error.shared()),
                },
            },
        }
    }

    async fn read_manifest(&self, canonical: &Digest) -> std::result::Result<Arc<StoredManifest>, Missed> {
        let path = layout::blob(canonical);
        let object =
            self.blobs.read(&path, None, Freshness::Any).await.map_err(|error| Missed::Failed(error.into()))?;
        let Some(object) = object.filter(|object| is_whole(canonical, object.meta.size)) else {
            // Whatever is remembered of it is not so: who pushes it again has to write it.
            self.suspects.doubt(canonical);
            self.cache.sizes.forget(canonical).await;
            return Err(Missed::Nothing);
        };
        let size = object.meta.size;
        if size > READ_LIMIT {
            // A layer, asked for as a manifest.
            self.cache.no_manifests.insert(canonical.clone(), ());
            return Err(Missed::Nothing);
        }
        let _room = self.reading_room(size).await.map_err(Missed::Failed)?;
        let bytes = collected(object.body, size).await.map_err(Missed::Failed)?;
        let named = canonical.clone();
        let read = if bytes.len() > SHORT {
            let read = tokio::task::spawn_blocking(move || understand(&named, bytes)).await;
            read.map_err(|_| Missed::Failed(StoreError::Unavailable("a manifest was not read to its end".to_owned())))?
        } else {
            understand(&named, bytes)
        };
        match read {
            Understood::Manifest(stored) => Ok(stored),
            Understood::Nothing => {
                self.cache.no_manifests.insert(canonical.clone(), ());
                Err(Missed::Nothing)
            }
            Understood::OtherBytes(found) => {
                self.suspects.add(canonical);
                error!(%path, %found, "the bytes of a manifest are not those that its digest names");
                Err(Missed::Failed(StoreError::Damaged { path, why: format!("its bytes have the digest {found}") }))
            }
        }
    }
}

/// What bytes are.
enum Understood {
    Manifest(Arc<StoredManifest>),
    /// Something else.
    Nothing,
    /// They have another digest than they should.
    OtherBytes(Digest),
}

fn understand(canonical: &Digest, bytes: Bytes) -> Understood {
    let found = Digest::of(canonical.algorithm(), &bytes);
    if found != *canonical {
        return Understood::OtherBytes(found);
    }
    let (media_type, manifest) = match Manifest::stored(&bytes) {
        Ok(manifest) => (manifest.media_type.as_str().into(), Some(manifest)),
        Err(BadManifest::UnknownType(media_type)) => (media_type.into(), None),
        // distribution looks at less, and gave what it had taken.
        Err(why) => match presumed_type(&bytes) {
            Some(media_type) => {
                warn!(digest = %canonical, %why, "a manifest is not understood, and is given as it is");
                (media_type.into(), None)
            }
            None => {
                warn!(digest = %canonical, %why, "a blob was asked for as a manifest, and is none");
                return Understood::Nothing;
            }
        },
    };
    Understood::Manifest(Arc::new(StoredManifest { canonical: canonical.clone(), bytes, media_type, manifest }))
}
