//! Links: read, written, remembered. An empty or torn link counts as absent; whoever writes it again mends it.

use bytes::Bytes;
use jeroboam_blobs::{Condition, Freshness};
use jeroboam_oci::{Digest, RepositoryName, layout, link};
use tracing::warn;

use super::ingest::collected;
use super::{Result, Store, StoreError};

impl Store {
    /// Reads an object that is known to be small; `None` where there is none.
    pub(crate) async fn read_small(&self, path: &str, freshness: Freshness, limit: u64) -> Result<Option<Bytes>> {
        Ok(self.read_small_noted(path, freshness, limit).await?.map(|(bytes, _)| bytes))
    }

    async fn read_small_noted(
        &self,
        path: &str,
        freshness: Freshness,
        limit: u64,
    ) -> Result<Option<(Bytes, Option<String>)>> {
        let Some(object) = self.blobs.read(path, None, freshness).await? else { return Ok(None) };
        if object.meta.size > limit {
            let why = format!("it has {} bytes, and no more than {limit} make sense", object.meta.size);
            return Err(StoreError::Damaged { path: path.to_owned(), why });
        }
        let bytes = collected(object.body, object.meta.size).await?;
        Ok(Some((bytes, object.note)))
    }

    /// Where a link leads; `None` where there is none, or one that leads nowhere.
    pub(super) async fn read_link(&self, path: &str, freshness: Freshness) -> Result<Option<Digest>> {
        Ok(self.read_link_noted(path, freshness).await?.map(|(digest, _)| digest))
    }

    /// The same, with what was noted at it.
    pub(super) async fn read_link_noted(
        &self,
        path: &str,
        freshness: Freshness,
    ) -> Result<Option<(Digest, Option<String>)>> {
        // A link that is longer than any we know is foreign, and as good as absent.
        let (bytes, note) = match self.read_small_noted(path, freshness, 4 * link::LONGEST as u64).await {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(None),
            Err(StoreError::Damaged { path, why }) => {
                warn!(%path, %why, "a link is damaged and counts as absent");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        match link::parse(&bytes) {
            Ok(digest) => Ok(Some((digest, note))),
            Err(why) => {
                warn!(%path, %why, "a link is damaged and counts as absent");
                Ok(None)
            }
        }
    }

    /// Where a link leads that is never written otherwise.
    pub(super) async fn fixed_link(&self, path: String) -> Result<Option<Digest>> {
        if let Some(digest) = self.cache.links.get(&path).await {
            return Ok(Some(digest));
        }
        let before = self.cache.links.before(&path);
        let found = self.read_link(&path, Freshness::Any).await?;
        if let Some(digest) = &found {
            self.cache.links.learn(before, path, digest.clone()).await;
        }
        Ok(found)
    }

    /// The same as the store has it now, whatever anybody remembers: for who promises that something stays.
    pub(super) async fn newest_link(&self, path: String) -> Result<Option<Digest>> {
        self.cache.links.forget(&path).await;
        let before = self.cache.links.before(&path);
        let found = self.read_link(&path, Freshness::Newest).await?;
        if let Some(digest) = &found {
            self.cache.links.learn(before, path, digest.clone()).await;
        }
        Ok(found)
    }

    /// Writes a link that is never written otherwise. It is written also where it is known to be there: somebody else may have deleted it since.
    pub(super) async fn write_fixed_link(&self, path: String, to: &Digest) -> Result<()> {
        self.write_link(path, to, false).await
    }

    /// The same; `followed` where something else is written for the same client afterwards, and may bring this.
    pub(super) async fn write_link(&self, path: String, to: &Digest, followed: bool) -> Result<()> {
        // Without a condition: a torn one has to be mended.
        let (content, condition) = (link::content(to).into(), Condition::Always);
        if followed {
            self.blobs.put_ahead(&path, content, condition).await?;
        } else {
            self.blobs.put(&path, content, condition).await?;
        }
        self.cache.links.wrote(path, to.clone()).await;
        Ok(())
    }

    /// Removes links, and what is remembered of them.
    pub(super) async fn delete_links(&self, paths: Vec<String>) -> Result<()> {
        if paths.is_empty() {
            return Ok(());
        }
        let outcome = self.blobs.delete(&paths).await;
        // Where it failed, some of them may be gone.
        for path in &paths {
            self.cache.links.forget(path).await;
            self.cache.tags.forget(path).await;
        }
        Ok(outcome?)
    }

    /// The blob that a repository has under this digest; `None` where it has none.
    pub(super) async fn linked_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<Digest>> {
        let Some(canonical) = self.fixed_link(layout::layer(repository, digest)).await? else { return Ok(None) };
        if canonical == *digest {
            return Ok(Some(canonical));
        }
        // Under another name of the same bytes: it is there as long as the bytes are under their own.
        let own = self.fixed_link(layout::layer(repository, &canonical)).await?;
        Ok(own.filter(|own| *own == canonical))
    }
}
