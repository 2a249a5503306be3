//! When and by whose clients a tag was moved, kept beside the tags for the other regions.

use std::sync::Arc;

use bytes::Bytes;
use jeroboam_blobs::{Condition, Error, Freshness, SharedBlobs};
use jeroboam_model::Clock;
use jeroboam_oci::{Digest, RepositoryName, Tag, layout};
use tracing::warn;

use crate::client::{Stamp, TagState};
use crate::journal::read_small;

/// Largest record that is read.
const LARGEST: usize = 4096;

/// The records of a store.
pub(super) struct Stamps {
    blobs: SharedBlobs,
    clock: Arc<dyn Clock>,
    origin: String,
}

impl Stamps {
    pub(super) fn new(blobs: SharedBlobs, clock: Arc<dyn Clock>, origin: &str) -> Self {
        Self { blobs, clock, origin: origin.to_owned() }
    }

    /// What is written of a tag: where it pointed then, and since when.
    async fn record(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<TagState>, Error> {
        let path = layout::tag_stamp(repository, tag);
        let Some(bytes) = read_small(&self.blobs, &path, LARGEST).await? else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(state) => Ok(Some(state)),
            Err(error) => {
                warn!(path, %error, "a record of a tag cannot be read, and counts as none");
                Ok(None)
            }
        }
    }

    /// Where a tag points and since when; `digest` is where it points. What distribution moved has the time of its link.
    pub(super) async fn state(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: Option<Digest>,
    ) -> Result<TagState, Error> {
        let record = self.record(repository, tag).await?;
        if let Some(record) = &record
            && record.digest == digest
        {
            return Ok(TagState { digest, stamp: record.stamp.clone() });
        }
        if digest.is_none() {
            return Ok(TagState::default());
        }
        let meta = self.blobs.head(&layout::tag_current(repository, tag), Freshness::Newest).await?;
        let at = meta.and_then(|meta| meta.modified).unwrap_or_else(|| self.clock.now());
        // Where a removal was written down and did not come about, all regions have what they had before it.
        let base = record.and_then(|record| record.digest.or_else(|| record.stamp.and_then(|stamp| stamp.base)));
        Ok(TagState { digest, stamp: Some(Stamp { at, origin: self.origin.clone(), base }) })
    }

    /// Writes down that a tag was moved, or removed; `stamp` is what another region said of it, and nothing where a client of ours did it.
    pub(super) async fn moved(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: Option<Digest>,
        stamp: Option<Stamp>,
    ) -> Result<(), Error> {
        let stamp = match stamp {
            Some(stamp) => stamp,
            None => self.of_ours(repository, tag, digest.as_ref()).await?,
        };
        let state = TagState { digest, stamp: Some(stamp) };
        let json = serde_json::to_vec(&state).expect("texts can be written as JSON");
        self.blobs.put(&layout::tag_stamp(repository, tag), Bytes::from(json), Condition::Always).await?;
        Ok(())
    }

    async fn of_ours(&self, repository: &RepositoryName, tag: &Tag, digest: Option<&Digest>) -> Result<Stamp, Error> {
        let before = self.record(repository, tag).await?;
        let at = self.clock.now();
        let origin = self.origin.clone();
        let base = match before {
            None => None,
            // Pushed again: nothing moved.
            Some(TagState { digest: target, stamp: Some(stamp) }) if target.as_ref() == digest => return Ok(stamp),
            Some(TagState { stamp: Some(stamp), .. }) if stamp.origin == origin => stamp.base,
            Some(TagState { digest, .. }) => digest,
        };
        Ok(Stamp { at, origin, base })
    }
}
