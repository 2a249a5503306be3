//! Manifests by what they are about.
//!
//! Each push of a manifest with a subject writes one small object, so that nothing is read, changed and written again. What distribution took before us
//! has none: the manifests of a repository are read once, when somebody asks for the first time, and again those that came since where distribution may
//! still write. A manifest is shown as long as the repository has it, whatever the index says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use jeroboam_blobs::{Condition, Freshness, List, Listed};
use jeroboam_model::Timestamp;
use jeroboam_oci::layout::{self, InRepository, Meaning};
use jeroboam_oci::manifest::{Descriptor, Kind, Manifest};
use jeroboam_oci::{Digest, RepositoryName, referrers};
use tokio::sync::Mutex;

use super::blobs::is_canonical;
use super::ingest::collected;
use super::tags::PAGE;
use super::{Compat, Result, Store, StoreError};

/// How many manifests are looked at once: what is said of each may be as long as a manifest.
const AT_ONCE: usize = 8;

/// How long others may have written without us looking again.
const AGAIN: Duration = Duration::from_secs(10);

/// How far clocks may be apart: what was written so much before we looked is looked at again.
const SKEW: Duration = Duration::from_secs(3600);

/// Largest object of the index: annotations may be as long as manifests.
const ENTRY: u64 = 32 << 20;

/// What is known of how complete the index of a repository is.
#[derive(Default)]
pub(super) struct Scan {
    /// When it was looked through, by our clock.
    looked: Option<Timestamp>,
    /// What was written since the look that the store knows of, and was looked at.
    known: BTreeSet<Digest>,
    /// What could not be written down, since nothing is written: subjects, and what is about each.
    unwritten: BTreeMap<Digest, BTreeSet<Digest>>,
}

pub(super) type SharedScan = Arc<Mutex<Scan>>;

impl Store {
    /// The manifests of a repository that are about another one, which need not be there. For who needs all of them at once; their annotations may be long.
    pub async fn referrers(&self, repository: &RepositoryName, subject: &Digest) -> Result<Vec<Arc<Descriptor>>> {
        self.referrers_after(repository, subject, None).await?.try_collect().await
    }

    /// The same one after the other, sorted by their digests, those behind `after` alone. What nobody takes is not read.
    pub async fn referrers_after<'a>(
        &'a self,
        repository: &'a RepositoryName,
        subject: &'a Digest,
        after: Option<&Digest>,
    ) -> Result<BoxStream<'a, Result<Arc<Descriptor>>>> {
        let digests = self.referring(repository, subject).await?;
        let wanted: Vec<Digest> =
            digests.into_iter().filter(|digest| after.is_none_or(|after| digest > after)).collect();
        let looked = stream::iter(wanted).map(move |digest| async move {
            if self.linked_revision(repository, &digest).await?.is_none() {
                return Ok(None);
            }
            self.referrer(repository, subject, &digest).await
        });
        Ok(looked.buffered(AT_ONCE).try_filter_map(|found| async move { Ok(found) }).boxed())
    }

    /// What the index knows to be about a manifest, each once. Not all of it need still be there.
    async fn referring(&self, repository: &RepositoryName, subject: &Digest) -> Result<BTreeSet<Digest>> {
        let mut digests = self.complete_index(repository, subject).await?;
        let prefix = layout::referrers(repository, subject);
        digests.extend(self.recent.referrers_written(repository, subject));
        for path in self.objects_below(&prefix).await? {
            let named = path.strip_prefix(&prefix).and_then(|rest| rest.split_once('/'));
            digests.extend(named.and_then(|(algorithm, hex)| Digest::from_parts(algorithm.parse().ok()?, hex).ok()));
        }
        // One manifest is listed once: by the kind of digest that the client uses, where it has both.
        let aliases: Vec<Digest> = digests.iter().filter(|digest| !is_canonical(digest)).cloned().collect();
        let resolved = stream::iter(aliases)
            .map(|alias| async move { Ok::<_, StoreError>((self.linked_revision(repository, &alias).await?, alias)) });
        let resolved: Vec<_> = resolved.buffered(AT_ONCE).try_collect().await?;
        for (canonical, alias) in resolved {
            let Some(canonical) = canonical else { continue };
            if digests.contains(&canonical) {
                digests.remove(if is_canonical(subject) { &alias } else { &canonical });
            }
        }
        Ok(digests)
    }

    async fn referrer(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        digest: &Digest,
    ) -> Result<Option<Arc<Descriptor>>> {
        if let Some(descriptor) = self.cache.descriptors.get(digest).await {
            return Ok(Some(descriptor));
        }
        let path = layout::referrer(repository, subject, digest);
        let text = match self.blobs.read(&path, None, Freshness::Any).await? {
            Some(object) if object.meta.size <= ENTRY => {
                let _room = self.reading_room(object.meta.size).await?;
                Some(collected(object.body, object.meta.size).await?)
            }
            _ => None,
        };
        let written = text.and_then(|text| serde_json::from_slice::<Descriptor>(&text).ok());
        let descriptor = match written {
            Some(descriptor) => Arc::new(descriptor),
            None => match self.described(repository, digest).await? {
                Some(descriptor) => Arc::new(descriptor),
                None => return Ok(None),
            },
        };
        self.cache.descriptors.insert(digest.clone(), descriptor.clone()).await;
        Ok(Some(descriptor))
    }

    /// What a list says of a manifest, made of the manifest itself.
    async fn described(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<Descriptor>> {
        let Some(canonical) = self.linked_manifest(repository, digest).await? else { return Ok(None) };
        let Some(stored) = self.load_manifest(&canonical).await? else { return Ok(None) };
        let size = stored.bytes.len() as u64;
        Ok(stored.manifest.as_ref().map(|manifest| referrers::descriptor(manifest, digest.clone(), size)))
    }

    /// Notes what a manifest is about.
    pub(super) async fn index_referrer(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        size: u64,
        manifest: &Manifest,
    ) -> Result<()> {
        let Some(subject) = &manifest.subject else { return Ok(()) };
        let descriptor = referrers::descriptor(manifest, digest.clone(), size);
        let text = serde_json::to_vec(&descriptor).expect("texts and numbers can be written as JSON");
        let path = layout::referrer(repository, &subject.digest, digest);
        self.blobs.put(&path, Bytes::from(text), Condition::Always).await?;
        self.recent.referrer_is(repository, &subject.digest, digest);
        Ok(())
    }

    /// Refuses what would leave an index or a referrer without what it names, where that is forbidden.
    pub(super) async fn check_protected(&self, repository: &RepositoryName, canonical: &Digest) -> Result<()> {
        if !self.config.protect_referenced {
            return Ok(());
        }
        let denied = |what: &str| Err(StoreError::Denied(format!("{what} names the manifest: delete that first")));
        let mut referrers = self.referrers_after(repository, canonical, None).await?;
        if referrers.try_next().await?.is_some() {
            return denied("a referrer");
        }
        for (revision, _) in self.revisions(repository).await? {
            let Some(stored) = self.load_manifest(&revision).await? else { continue };
            let names = |manifest: &Manifest| {
                manifest.kind() == Kind::Index && manifest.children().any(|child| child.digest == *canonical)
            };
            if stored.manifest.as_ref().is_some_and(names) {
                return denied("an index");
            }
        }
        Ok(())
    }

    /// Sees to it that the index knows all manifests of a repository. Gives what is about the subject and could not be written down.
    async fn complete_index(&self, repository: &RepositoryName, subject: &Digest) -> Result<BTreeSet<Digest>> {
        let scan = self.scans.get_with_by_ref(repository, async { SharedScan::default() }).await;
        let mut scan = scan.lock().await;
        let now = self.clock.now();
        if let Some(looked) = scan.looked {
            let ours_alone = self.config.compat == Compat::Exclusive;
            if ours_alone || now.duration_since(looked).unsigned_abs() < AGAIN {
                return Ok(scan.unwritten.get(subject).cloned().unwrap_or_default());
            }
        }
        let path = layout::referrers_complete(repository);
        let marked = self.read_small(&path, Freshness::Newest, 64).await?;
        let marked: Option<Timestamp> = marked.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse().ok());
        if marked.is_some() && self.config.compat == Compat::Exclusive {
            scan.looked = Some(now);
            return Ok(BTreeSet::new());
        }
        let since = marked.map(|marked| marked - SKEW);
        let mut fresh = BTreeSet::new();
        for (digest, modified) in self.revisions(repository).await? {
            let old = since.zip(modified).is_some_and(|(since, modified)| modified < since);
            if !old && !scan.known.contains(&digest) {
                fresh.insert(digest);
            }
        }
        let mut look_at = fresh.clone();
        // A repository without manifests has no lists of them either.
        if marked.is_none() && !fresh.is_empty() {
            look_at.extend(self.listed_in_fallback_tags(repository).await?);
        }
        let looked = stream::iter(look_at)
            .map(|digest| async move { self.index_stored(repository, digest).await })
            .buffer_unordered(AT_ONCE);
        let looked: Vec<_> = looked.try_collect().await?;
        for (subject, digest) in looked.into_iter().flatten() {
            scan.unwritten.entry(subject).or_default().insert(digest);
        }
        // Of an empty repository nothing need be written down: it is looked through in no time.
        let changed = !fresh.is_empty() && !self.is_read_only();
        if changed {
            self.blobs.put(&path, Bytes::from(now.to_string()), Condition::Always).await?;
        }
        scan.known.extend(fresh);
        scan.looked = Some(now);
        Ok(scan.unwritten.get(subject).cloned().unwrap_or_default())
    }

    /// Notes what a manifest of the store is about; gives it where nothing is written. One that cannot be read is about nothing.
    async fn index_stored(&self, repository: &RepositoryName, digest: Digest) -> Result<Option<(Digest, Digest)>> {
        let Some(canonical) = self.linked_manifest(repository, &digest).await? else { return Ok(None) };
        // What a client calls by another algorithm is one manifest, and is noted by its own name.
        if digest != canonical {
            return Ok(None);
        }
        let stored = match self.load_manifest(&canonical).await {
            Ok(Some(stored)) => stored,
            Ok(None) | Err(StoreError::Damaged { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(manifest) = &stored.manifest else { return Ok(None) };
        if self.is_read_only() {
            return Ok(manifest.subject.as_ref().map(|subject| (subject.digest.clone(), digest)));
        }
        self.index_referrer(repository, &digest, stored.bytes.len() as u64, manifest).await?;
        Ok(None)
    }

    /// Manifests in the lists that clients wrote where there was no index.
    async fn listed_in_fallback_tags(&self, repository: &RepositoryName) -> Result<BTreeSet<Digest>> {
        let mut listed = BTreeSet::new();
        let tags = match self.tags(repository).await {
            Ok(tags) => tags,
            Err(StoreError::RepositoryUnknown(_)) => return Ok(listed),
            Err(error) => return Err(error),
        };
        for tag in tags.iter().filter(|tag| referrers::fallback_subject(tag).is_some()) {
            let Some(target) = self.tag_target(repository, tag).await? else { continue };
            let stored = match self.load_manifest(&target).await {
                Ok(stored) => stored,
                Err(StoreError::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            if let Some(manifest) = stored.as_ref().and_then(|stored| stored.manifest.as_ref()) {
                listed.extend(manifest.children().map(|child| child.digest.clone()));
            }
        }
        Ok(listed)
    }

    /// The digests of all manifests of a repository, and when each was linked.
    pub(super) async fn revisions(&self, repository: &RepositoryName) -> Result<Vec<(Digest, Option<Timestamp>)>> {
        let prefix = layout::revisions(repository);
        let mut revisions = Vec::new();
        let mut after = None;
        loop {
            let list = List { prefix: &prefix, after: after.as_deref(), folders: false, limit: PAGE };
            let page = self.blobs.list(list).await?;
            for item in page.items {
                if let Listed::Object { path, modified, .. } = item
                    && let Meaning::Repository(_, InRepository::Revision(digest)) = layout::meaning(&path)
                {
                    revisions.push((digest, modified));
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(revisions);
            }
        }
    }
}
