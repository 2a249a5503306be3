//! Manifests by what they are about.
//!
//! Each push of a manifest with a subject writes one small object, so that nothing is read, changed and written again. What distribution took before us
//! has none: the manifests of a repository are read once, when somebody asks for the first time or there is time for it, and again those that came since
//! where distribution may still write. That is done beside the requests, which wait for it no longer than clients do. A manifest is shown as long as the repository has it,
//! whatever the index says.

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

use super::blobs::is_canonical;
use super::ingest::collected;
use super::scans::Scan;
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

/// How long a client waits until a repository was looked through. The scan goes on when it waits no more.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long those wait who copy images: nobody at the other end of a line goes away meanwhile.
const COPYING: Duration = Duration::from_secs(3600);

/// So many manifests are read without waiting for room.
const FEW: usize = 100;

/// What is known of how complete the index of a repository is.
#[derive(Default)]
pub(super) struct Found {
    /// When it was last looked through to its end, by our clock.
    looked: Option<Timestamp>,
    /// What was written since the look that the store knows of, and was looked at.
    known: BTreeSet<Digest>,
    /// What was looked at since then by scans that broke off: the next one goes on with the rest.
    begun: BTreeSet<Digest>,
    /// What could not be written down, since nothing is written: subjects, and what is about each.
    unwritten: BTreeMap<Digest, BTreeSet<Digest>>,
}

impl Found {
    /// A manifest was looked at. With what it is about, where that could not be written down.
    fn note(&mut self, digest: Digest, unwritten: Option<(Digest, Digest)>) {
        if let Some((subject, about)) = unwritten {
            self.unwritten.entry(subject).or_default().insert(about);
        }
        self.begun.insert(digest);
    }

    /// A scan came to its end.
    fn end(&mut self, fresh: BTreeSet<Digest>, now: Timestamp) {
        self.known.extend(fresh);
        self.begun.clear();
        self.looked = Some(now);
    }
}

impl Store {
    /// The manifests of a repository that are about another one, which need not be there. For who needs all of them at once, and waits until they are known;
    /// their annotations may be long.
    pub async fn referrers(
        self: &Arc<Self>,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<Arc<Descriptor>>> {
        let unwritten = self.complete_index(repository, subject, COPYING).await?;
        self.indexed_after(repository, subject, unwritten, None).await?.try_collect().await
    }

    /// The same one after the other, sorted by their digests, those behind `after` alone. What nobody takes is not read. Where the repository has to be
    /// looked through first and that takes long, whoever asks is told to come again.
    pub async fn referrers_after<'a>(
        self: &'a Arc<Self>,
        repository: &'a RepositoryName,
        subject: &'a Digest,
        after: Option<&Digest>,
    ) -> Result<BoxStream<'a, Result<Arc<Descriptor>>>> {
        let unwritten = self.complete_index(repository, subject, PATIENCE).await?;
        self.indexed_after(repository, subject, unwritten, after).await
    }

    /// What the index has, whether it is complete or not, with what could not be written into it.
    async fn indexed_after<'a>(
        &'a self,
        repository: &'a RepositoryName,
        subject: &'a Digest,
        unwritten: BTreeSet<Digest>,
        after: Option<&Digest>,
    ) -> Result<BoxStream<'a, Result<Arc<Descriptor>>>> {
        let digests = self.referring(repository, subject, unwritten).await?;
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

    /// What the index knows to be about a manifest and what it does not have, each once. Not all of it need still be there.
    async fn referring(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        unwritten: BTreeSet<Digest>,
    ) -> Result<BTreeSet<Digest>> {
        let mut digests = unwritten;
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
        // The index need not be complete: what it does not have is found below, where all manifests are looked at anyway.
        let mut indexed = self.indexed_after(repository, canonical, BTreeSet::new(), None).await?;
        if indexed.try_next().await?.is_some() {
            return denied("a referrer");
        }
        for (revision, _) in self.revisions(repository).await? {
            let Some(stored) = self.load_manifest(&revision).await? else { continue };
            let Some(manifest) = &stored.manifest else { continue };
            if manifest.kind() == Kind::Index && manifest.children().any(|child| child.digest == *canonical) {
                return denied("an index");
            }
            let is_about = manifest.subject.as_ref().is_some_and(|subject| subject.digest == *canonical);
            // A listing may still show what is gone.
            if is_about && self.linked_revision(repository, &revision).await?.is_some() {
                return denied("a referrer");
            }
        }
        Ok(())
    }

    /// Sees to it that the index knows all manifests of a repository. Gives what is about the subject and could not be written down.
    async fn complete_index(
        self: &Arc<Self>,
        repository: &RepositoryName,
        subject: &Digest,
        patience: Duration,
    ) -> Result<BTreeSet<Digest>> {
        let scan = self.looked_through(repository, patience).await?;
        let unwritten = scan.found().unwritten.get(subject).cloned();
        Ok(unwritten.unwrap_or_default())
    }

    /// Sees to it that the index knows all manifests of a repository before anybody asks. `false`: it was written down that it does, and nothing was looked at.
    pub async fn index_referrers(self: &Arc<Self>, repository: &RepositoryName) -> Result<bool> {
        if self.marked(repository).await?.is_some() {
            return Ok(false);
        }
        self.look_again(repository).await?;
        Ok(true)
    }

    /// When it was written down that the index knows all manifests of a repository, if it was.
    async fn marked(&self, repository: &RepositoryName) -> Result<Option<Timestamp>> {
        let text = self.read_small(&layout::referrers_complete(repository), Freshness::Newest, 64).await?;
        Ok(text.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse().ok()))
    }

    /// What is known of a repository that was looked through a short time ago. Where nobody did, it is done now, and goes on when the patience is over.
    async fn looked_through(self: &Arc<Self>, repository: &RepositoryName, patience: Duration) -> Result<Arc<Scan>> {
        let scan = self.scans.of(repository);
        if self.is_fresh(&scan) {
            return Ok(scan);
        }
        if let Ok(looked) = tokio::time::timeout(patience, self.look_again(repository)).await {
            return looked;
        }
        // It was looked through before: what came since is missing until that was done again.
        let was_complete = scan.found().looked.is_some();
        if was_complete { Ok(scan) } else { Err(Self::not_yet(repository)) }
    }

    /// What whoever asks is told as long as nobody can know.
    fn not_yet(repository: &RepositoryName) -> StoreError {
        let what = "is being looked through for what its manifests are about, which goes on; ask again";
        StoreError::Unavailable(format!("{repository} {what}"))
    }

    fn is_fresh(&self, scan: &Scan) -> bool {
        let Some(looked) = scan.found().looked else { return false };
        let ours_alone = self.config.compat == Compat::Exclusive;
        ours_alone || self.clock.now().duration_since(looked).unsigned_abs() < AGAIN
    }

    /// Waits until a repository was looked through, by a task that does not end with whoever waits here.
    async fn look_again(self: &Arc<Self>, repository: &RepositoryName) -> Result<Arc<Scan>> {
        let (store, name) = (self.clone(), repository.clone());
        let look = move |scan: Arc<Scan>| async move { store.look_through(&name, &scan).await };
        let scan = self.scans.begin(repository, look);
        scan.ended().await?;
        Ok(scan)
    }

    /// Looks at the manifests of a repository that the index does not know.
    async fn look_through(&self, repository: &RepositoryName, scan: &Scan) -> Result<()> {
        let began = self.clock.now();
        let marked = self.marked(repository).await?;
        if marked.is_some() && self.config.compat == Compat::Exclusive {
            scan.found().end(BTreeSet::new(), began);
            return Ok(());
        }
        let fresh = self.fresh_revisions(repository, marked, scan).await?;
        let mut look_at = fresh.clone();
        // A repository without manifests has no lists of them either.
        if marked.is_none() && !fresh.is_empty() {
            look_at.extend(self.listed_in_fallback_tags(repository).await?);
        }
        self.look_at(repository, look_at, scan).await?;
        // The mark says that everything is written down. Of an empty repository nothing need be: it is looked through in no time.
        let all_written = scan.found().unwritten.is_empty();
        if !fresh.is_empty() && all_written && !self.is_read_only() {
            let path = layout::referrers_complete(repository);
            self.blobs.put(&path, Bytes::from(began.to_string()), Condition::Always).await?;
        }
        scan.found().end(fresh, self.clock.now());
        Ok(())
    }

    /// Manifests that were linked since the mark, or about then, and that no scan of ours has looked at to its end.
    async fn fresh_revisions(
        &self,
        repository: &RepositoryName,
        marked: Option<Timestamp>,
        scan: &Scan,
    ) -> Result<BTreeSet<Digest>> {
        let since = marked.map(|marked| marked - SKEW);
        let revisions = self.revisions(repository).await?;
        let (found, mut fresh) = (scan.found(), BTreeSet::new());
        for (digest, modified) in revisions {
            let old = since.zip(modified).is_some_and(|(since, modified)| modified < since);
            if !old && !found.known.contains(&digest) {
                fresh.insert(digest);
            }
        }
        Ok(fresh)
    }

    /// Looks at manifests, but for those that a scan has looked at that broke off.
    async fn look_at(&self, repository: &RepositoryName, mut digests: BTreeSet<Digest>, scan: &Scan) -> Result<()> {
        {
            let found = scan.found();
            digests.retain(|digest| !found.begun.contains(digest));
        }
        // A few manifests wait for nobody's many.
        let _room = if digests.len() > FEW { Some(self.scans.room().await) } else { None };
        let looked = stream::iter(digests).map(|digest| async move {
            let unwritten = self.index_stored(repository, digest.clone()).await?;
            Ok::<_, StoreError>((digest, unwritten))
        });
        let mut looked = looked.buffer_unordered(AT_ONCE);
        while let Some((digest, unwritten)) = looked.try_next().await? {
            scan.found().note(digest, unwritten);
        }
        Ok(())
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
