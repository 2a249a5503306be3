//! Tags of a repository.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use jeroboam_blobs::{Condition, Freshness, List, Listed};
use jeroboam_oci::layout::{self, Folder, InRepository, Meaning};
use jeroboam_oci::{Digest, RepositoryName, Tag, link};

use super::blobs::is_canonical;
use super::{Result, Store, StoreError};

/// How many lines of a listing are asked for at once.
pub(super) const PAGE: usize = 10_000;

/// How many tags are looked at once.
const AT_ONCE: usize = 16;

impl Store {
    /// All tags of a repository, sorted.
    pub async fn tags(&self, repository: &RepositoryName) -> Result<Arc<Vec<Tag>>> {
        if let Some(tags) = self.cache.tag_lists.get(repository).await {
            return Ok(tags);
        }
        let before = self.cache.tag_lists.before(repository);
        let mut tags = self.listed_tags(repository).await?;
        self.recent.merge_tags(repository, &mut tags);
        if tags.is_empty() && !self.repository_exists(repository).await? {
            return Err(StoreError::RepositoryUnknown(repository.clone()));
        }
        let tags = Arc::new(tags.into_iter().collect::<Vec<_>>());
        self.cache.tag_lists.learn(before, repository.clone(), tags.clone()).await;
        Ok(tags)
    }

    async fn listed_tags(&self, repository: &RepositoryName) -> Result<std::collections::BTreeSet<Tag>> {
        let prefix = layout::tags(repository);
        let mut tags = std::collections::BTreeSet::new();
        let mut after = None;
        loop {
            let list = List { prefix: &prefix, after: after.as_deref(), folders: true, limit: PAGE };
            let page = self.blobs.list(list).await?;
            for item in page.items {
                if let Listed::Folder { path } = item
                    && let Folder::Tag(_, tag) = layout::folder(&path)
                {
                    tags.insert(tag);
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(tags);
            }
        }
    }

    /// Whether the store has anything of a repository itself, and not only of those whose names begin with its name and a slash.
    pub async fn repository_exists(&self, repository: &RepositoryName) -> Result<bool> {
        let prefix = layout::repository(repository);
        // What belongs to the repository begins with `_`, which no part of a name does; `^` is the character before it.
        let after = format!("{prefix}^");
        let page = self.blobs.list(List { prefix: &prefix, after: Some(&after), folders: true, limit: 1 }).await?;
        let found = page.items.first().map(|item| match item {
            Listed::Object { path, .. } | Listed::Folder { path } => path.as_str(),
        });
        Ok(found.and_then(|path| path.strip_prefix(&prefix)).is_some_and(|rest| rest.starts_with('_')))
    }

    /// The digest that the store sorts a manifest by which a tag points to. A tag keeps the digest that its manifest was pushed under; `None` where the link
    /// from that to the store's own is gone.
    pub(crate) async fn sorted_by(&self, repository: &RepositoryName, target: &Digest) -> Result<Option<Digest>> {
        if is_canonical(target) {
            return Ok(Some(target.clone()));
        }
        self.fixed_link(layout::revision(repository, target)).await
    }

    /// What a tag points to, as the store has it now.
    pub(super) async fn read_tag(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>> {
        self.read_link(&layout::tag_current(repository, tag), Freshness::Newest).await
    }

    /// Whether what a tag points to is this manifest. Where the link from its other digest is gone, the bytes tell.
    pub(super) async fn is_same(
        &self,
        repository: &RepositoryName,
        target: &Digest,
        canonical: &Digest,
    ) -> Result<bool> {
        if let Some(found) = self.sorted_by(repository, target).await? {
            return Ok(found == *canonical);
        }
        let stored = self.readable_manifest(canonical).await?;
        Ok(stored.is_some_and(|stored| Digest::of(target.algorithm(), &stored.bytes) == *target))
    }

    /// Makes a tag point to a manifest under this digest, of which something may be noted.
    pub(super) async fn write_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        target: &Digest,
        canonical: &Digest,
        note: Option<&str>,
    ) -> Result<()> {
        let path = layout::tag_current(repository, tag);
        let content = Bytes::from(link::content(target));
        let mut target = target.clone();
        if self.is_immutable(repository, tag) {
            target = self.write_tag_once(repository, tag, &target, canonical).await?;
        } else if let Some(note) = note {
            self.blobs.put_noted(&path, content, note).await?;
        } else {
            self.blobs.put(&path, content, Condition::Always).await?;
        }
        self.cache.tags.wrote(path, target).await;
        self.recent.tag_is(repository, tag, true);
        self.quotas.tagged(repository, tag);
        self.cache.tag_lists.forget(repository).await;
        Ok(())
    }

    /// The tags that may point to a manifest, and the objects that belong to each besides the one that says so.
    ///
    /// A tag has a link to all that it ever pointed to, so that only those with a link to this manifest are looked at.
    pub(super) async fn tag_candidates(
        &self,
        repository: &RepositoryName,
        canonical: &Digest,
    ) -> Result<BTreeMap<Tag, Vec<String>>> {
        let mut all: BTreeMap<Tag, (bool, Vec<String>)> = BTreeMap::new();
        for path in self.objects_below(&layout::tags(repository)).await? {
            let Meaning::Repository(_, InRepository::TagOnce(tag, digest)) = layout::meaning(&path) else { continue };
            let candidate = all.entry(tag).or_default();
            candidate.0 |= digest == *canonical;
            candidate.1.push(path);
        }
        // What was just written need not be in a listing yet.
        for tag in self.recent.tags_written(repository) {
            let once = layout::tag_once(repository, &tag, canonical);
            let candidate = all.entry(tag).or_default();
            candidate.0 = true;
            if !candidate.1.contains(&once) {
                candidate.1.push(once);
            }
        }
        let pointed = all.into_iter().filter(|(_, (pointed, _))| *pointed);
        Ok(pointed.map(|(tag, (_, below))| (tag, below)).collect())
    }

    /// Those of some tags that point to a manifest, as the store has it now; and those that were deleted in part, and point to nothing.
    pub(super) async fn pointing_to(
        &self,
        repository: &RepositoryName,
        canonical: &Digest,
        candidates: BTreeMap<Tag, Vec<String>>,
    ) -> Result<Vec<(Tag, Vec<String>)>> {
        let looked = stream::iter(candidates).map(|(tag, below)| async move {
            let goes = match self.read_tag(repository, &tag).await? {
                Some(target) => self.is_same(repository, &target, canonical).await?,
                None => true,
            };
            Ok::<_, StoreError>(goes.then_some((tag, below)))
        });
        let looked: Vec<_> = looked.buffered(AT_ONCE).try_collect().await?;
        Ok(looked.into_iter().flatten().collect())
    }

    /// The tags that point to a manifest, as the store has it now.
    pub async fn tags_of(&self, repository: &RepositoryName, digest: &Digest) -> Result<Vec<Tag>> {
        let Some(canonical) = self.linked_manifest(repository, digest).await? else { return Ok(Vec::new()) };
        let candidates = self.tag_candidates(repository, &canonical).await?;
        let pointing = self.pointing_to(repository, &canonical, candidates).await?;
        Ok(pointing.into_iter().map(|(tag, _)| tag).collect())
    }

    /// The paths of all objects below a folder.
    pub(super) async fn objects_below(&self, prefix: &str) -> Result<Vec<String>> {
        let mut paths = Vec::new();
        let mut after = None;
        loop {
            let list = List { prefix, after: after.as_deref(), folders: false, limit: PAGE };
            let page = self.blobs.list(list).await?;
            paths.extend(page.items.into_iter().filter_map(|item| match item {
                Listed::Object { path, .. } => Some(path),
                Listed::Folder { .. } => None,
            }));
            after = page.next;
            if after.is_none() {
                return Ok(paths);
            }
        }
    }
}
