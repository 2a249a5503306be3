//! Reads a store, whole.

mod links;
mod sizes;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, stream};
use jeroboam_blobs::{Freshness, Result, SharedBlobs};
use jeroboam_model::Timestamp;
use jeroboam_oci::layout::{self, Area, InRepository, Meaning};
use jeroboam_oci::manifest::{Kind, Manifest};
use jeroboam_oci::{Algorithm, Digest, Hasher, RepositoryName, Tag, link, referrers};

use super::{InspectOptions, Inspection, Problem, is_still, of_one};
use crate::gc::documents::read_bytes;
use crate::gc::leftovers::is_data;
use crate::gc::pages::{all_objects, each_object};

/// So many objects are read at once.
const AT_ONCE: usize = 16;

/// What one repository has.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Links to blobs, and their lengths.
    pub(crate) layers: BTreeMap<Digest, u64>,
    /// Links to manifests, and their lengths.
    pub(crate) revisions: BTreeMap<Digest, u64>,
    /// Links to manifests that are torn, which are not among those.
    pub(crate) torn: BTreeSet<Digest>,
    pub(crate) tags: BTreeSet<Tag>,
    /// What tags once pointed to, and since when.
    pub(crate) once: BTreeMap<Tag, Vec<(Option<Timestamp>, Digest)>>,
    /// What tags point to, as far as that could be read.
    pub(crate) targets: BTreeMap<Tag, Digest>,
    /// Those that call it by another digest than the store's own.
    pub(crate) renaming: BTreeSet<Tag>,
}

/// What a store has.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Sizes of blobs.
    pub(crate) blobs: HashMap<Digest, u64>,
    pub(crate) repositories: BTreeMap<RepositoryName, Held>,
    /// Names of repositories that have something from another registry.
    caches: BTreeSet<RepositoryName>,
    /// Where the bytes of uploads are.
    pub(crate) uploads: Vec<String>,
    /// Bytes of uploads that no record names, and their lengths.
    pub(crate) strays: BTreeMap<String, u64>,
    /// Uploads with a record.
    sessions: u64,
    pub(crate) problems: BTreeSet<Problem>,
    /// What is meant by other digests than the store's own.
    aliases: HashMap<Digest, Digest>,
    /// What manifests are meant by other digests that nothing leads from.
    pub(crate) called: HashMap<Digest, Digest>,
    referenced: BTreeSet<Digest>,
    manifests: HashMap<Digest, std::result::Result<Manifest, String>>,
    /// Blobs of another size than a manifest says that were read, and whether their bytes are those of their digests.
    compared: BTreeMap<Digest, bool>,
    verified: u64,
    foreign_uploads: BTreeSet<String>,
}

/// What keeps a manifest from being pulled.
enum Flaw {
    /// It or a part of it is not there, or is not what it should be.
    NotWhole(String),
    /// All of it is there, and of a part another size is said than it has.
    WrongSize { digest: Digest, said: u64, size: u64 },
}

/// Reads a store, whole.
pub(crate) async fn scan(blobs: &SharedBlobs, options: InspectOptions<'_>) -> Result<Scan> {
    let mut scan = Scan::default();
    scan.list(blobs).await?;
    scan.true_sizes(blobs).await?;
    scan.read_links(blobs).await?;
    scan.read_manifests(blobs).await?;
    scan.look_for_missing(blobs).await?;
    scan.compare_sizes(blobs).await?;
    scan.judge();
    scan.judge_links(options.caches);
    scan.look_again(blobs).await?;
    scan.verify(blobs, options.verify_percent).await?;
    Ok(scan)
}

impl Scan {
    async fn list(&mut self, blobs: &SharedBlobs) -> Result<()> {
        each_object(blobs, layout::ROOT, |entry| match layout::meaning(&entry.path) {
            Meaning::Blob(digest) => {
                self.blobs.insert(digest, entry.size);
            }
            Meaning::Repository(name, what) => {
                let held = self.repositories.entry(name).or_default();
                match what {
                    InRepository::Layer(digest) => {
                        held.layers.insert(digest, entry.size);
                    }
                    InRepository::Revision(digest) => {
                        held.revisions.insert(digest, entry.size);
                    }
                    InRepository::TagCurrent(tag) => {
                        held.tags.insert(tag);
                    }
                    InRepository::TagOnce(tag, digest) => {
                        held.once.entry(tag).or_default().push((entry.modified, digest));
                    }
                    InRepository::UploadData(id)
                    | InRepository::UploadStarted(id)
                    | InRepository::UploadHashState(id, ..) => {
                        self.foreign_uploads.insert(id.to_string());
                    }
                }
            }
            Meaning::Own(Area::Sessions, _) if is_data(&entry.path) => {
                self.strays.insert(entry.path.clone(), entry.size);
                self.uploads.push(entry.path);
            }
            Meaning::Own(Area::Mirror, rest) => {
                let name: Option<RepositoryName> =
                    rest.split_once("/_manifests/").and_then(|(name, _)| name.parse().ok());
                self.caches.extend(name);
            }
            Meaning::Own(..) | Meaning::Foreign => {}
        })
        .await?;
        // Of sessions, those count whose state is known: their bytes may be where no listing shows them.
        for entry in all_objects(blobs, &layout::area(Area::Sessions)).await? {
            if entry.path.ends_with("/state")
                && let Some(bytes) = read_bytes(blobs, &entry.path, Freshness::Newest).await?
                && let Ok(record) = serde_json::from_slice::<crate::store::SessionRecord>(&bytes)
            {
                self.sessions += 1;
                self.strays.remove(&record.data);
                self.uploads.push(record.data);
            }
        }
        self.uploads.sort();
        self.uploads.dedup();
        Ok(())
    }

    /// A listing of Swift shows large objects without bytes: only a look at each tells which really have none.
    async fn true_sizes(&mut self, blobs: &SharedBlobs) -> Result<()> {
        let empty = |digest: &Digest| *digest == Digest::of(digest.algorithm(), b"");
        let doubtful: Vec<Digest> = self
            .blobs
            .iter()
            .filter(|(digest, size)| **size == 0 && !empty(digest))
            .map(|(digest, _)| digest.clone())
            .collect();
        let mut looked = stream::iter(doubtful)
            .map(|digest| async move {
                let meta = blobs.head(&layout::blob(&digest), Freshness::Newest).await;
                (digest, meta)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((digest, meta)) = looked.next().await {
            let meta = match of_one(blobs, meta).await? {
                Ok(meta) => meta,
                Err(why) => {
                    self.problems.insert(Problem::Unreadable { path: layout::blob(&digest), why });
                    continue;
                }
            };
            match meta {
                Some(meta) if meta.size > 0 => {
                    self.blobs.insert(digest, meta.size);
                }
                Some(_) => {
                    self.problems.insert(Problem::EmptyBlob { digest });
                }
                None => {
                    self.blobs.remove(&digest);
                }
            }
        }
        Ok(())
    }

    /// Tags are read all; other links, where their length is not that of what they have to say.
    async fn read_links(&mut self, blobs: &SharedBlobs) -> Result<()> {
        let names: Vec<RepositoryName> = self.repositories.keys().cloned().collect();
        for name in names {
            let Some(held) = self.repositories.get_mut(&name) else { continue };
            let tags: Vec<Tag> = held.tags.iter().cloned().collect();
            let paths = tags.into_iter().map(|tag| (layout::tag_current(&name, &tag), tag));
            let mut read = stream::iter(paths)
                .map(|(path, tag)| async move { (tag, read_bytes(blobs, &path, Freshness::Newest).await) })
                .buffer_unordered(AT_ONCE);
            while let Some((tag, bytes)) = read.next().await {
                let bytes = match of_one(blobs, bytes).await? {
                    Ok(bytes) => bytes,
                    Err(why) => {
                        self.problems.insert(Problem::Unreadable { path: layout::tag_current(&name, &tag), why });
                        continue;
                    }
                };
                let Some(bytes) = bytes else { continue };
                match link::parse(&bytes) {
                    Ok(digest) => {
                        held.targets.insert(tag, digest);
                    }
                    Err(why) => {
                        let why = why.to_string();
                        self.problems.insert(Problem::TornTag { repository: name.clone(), tag, why });
                    }
                }
            }
            drop(read);
            for (digest, size) in held.revisions.clone() {
                match look_at_link(blobs, layout::revision(&name, &digest), &digest, size).await? {
                    Link::Sound => {}
                    Link::To(canonical) => {
                        self.aliases.insert(digest, canonical);
                    }
                    Link::Torn(why) => {
                        held.revisions.remove(&digest);
                        held.torn.insert(digest.clone());
                        self.problems.insert(Problem::TornRevision { repository: name.clone(), digest, why });
                    }
                    Link::Unreadable(path, why) => {
                        self.problems.insert(Problem::Unreadable { path, why });
                    }
                }
            }
            for (tag, target) in &mut held.targets {
                if held.revisions.contains_key(target)
                    && let Some(canonical) = self.aliases.get(target)
                {
                    *target = canonical.clone();
                    held.renaming.insert(tag.clone());
                }
            }
            for (digest, size) in held.layers.clone() {
                match look_at_link(blobs, layout::layer(&name, &digest), &digest, size).await? {
                    Link::Sound => {}
                    Link::To(canonical) => {
                        self.aliases.insert(digest, canonical);
                    }
                    Link::Torn(why) => {
                        held.layers.remove(&digest);
                        self.problems.insert(Problem::TornLayer { repository: name.clone(), digest, why });
                    }
                    Link::Unreadable(path, why) => {
                        self.problems.insert(Problem::Unreadable { path, why });
                    }
                }
            }
        }
        Ok(())
    }

    async fn read_manifests(&mut self, blobs: &SharedBlobs) -> Result<()> {
        let canonical = |digest: &&Digest| digest.algorithm() == Algorithm::Sha256;
        let mut pending: BTreeSet<Digest> = BTreeSet::new();
        let mut nameless: BTreeSet<Digest> = BTreeSet::new();
        for held in self.repositories.values() {
            let others = held.torn.iter().chain(held.targets.values()).filter(|digest| !canonical(digest));
            nameless.extend(others.cloned());
            // What a torn link leads to belongs to its repository as soon as it is mended.
            pending.extend(held.revisions.keys().chain(&held.torn).filter(canonical).cloned());
            pending.extend(held.targets.values().filter(canonical).cloned());
        }
        while !pending.is_empty() {
            let mut read = stream::iter(std::mem::take(&mut pending))
                .map(|digest| async move {
                    let bytes = read_bytes(blobs, &layout::blob(&digest), Freshness::Any).await;
                    (digest, bytes)
                })
                .buffer_unordered(AT_ONCE);
            let mut children = BTreeSet::new();
            while let Some((digest, bytes)) = read.next().await {
                let manifest = match of_one(blobs, bytes).await? {
                    Ok(bytes) => {
                        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { continue };
                        if !nameless.is_empty() {
                            let other = Digest::of(Algorithm::Sha512, &bytes);
                            if nameless.contains(&other) {
                                self.called.insert(other, digest.clone());
                            }
                        }
                        Manifest::stored(&bytes).map_err(|why| why.to_string())
                    }
                    Err(why) => Err(why),
                };
                self.referenced.insert(digest.clone());
                if let Ok(manifest) = &manifest {
                    let meant = |digest: &Digest| self.aliases.get(digest).unwrap_or(digest).clone();
                    self.referenced.extend(manifest.keeps().into_iter().map(meant));
                    children.extend(manifest.children().map(|child| meant(&child.digest)));
                }
                self.manifests.insert(digest, manifest);
            }
            drop(read);
            children.retain(|child| !self.manifests.contains_key(child) && self.blobs.contains_key(child));
            pending = children;
        }
        Ok(())
    }

    /// What a manifest names, and what no listing showed, may have been pushed since.
    async fn look_for_missing(&mut self, blobs: &SharedBlobs) -> Result<()> {
        let named = self.manifests.values().filter_map(|manifest| manifest.as_ref().ok()).flat_map(Manifest::keeps);
        let missing: BTreeSet<Digest> = named
            .map(|digest| self.meant(digest))
            .filter(|digest| digest.algorithm() == Algorithm::Sha256 && !self.blobs.contains_key(*digest))
            .cloned()
            .collect();
        let mut looked = stream::iter(missing)
            .map(|digest| async move {
                let meta = blobs.head(&layout::blob(&digest), Freshness::Newest).await;
                (digest, meta)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((digest, meta)) = looked.next().await {
            // One that cannot be looked at is as good as missing.
            if let Ok(Some(meta)) = of_one(blobs, meta).await? {
                self.blobs.insert(digest, meta.size);
            }
        }
        Ok(())
    }

    /// The digest that the store sorts a blob by.
    fn meant<'a>(&'a self, digest: &'a Digest) -> &'a Digest {
        self.aliases.get(digest).unwrap_or(digest)
    }

    /// Forgets problems that are none any more.
    async fn look_again(&mut self, blobs: &SharedBlobs) -> Result<()> {
        let problems = std::mem::take(&mut self.problems);
        let mut looked = stream::iter(problems)
            .map(|problem| async move {
                let is_still = is_still(blobs, &problem).await;
                (problem, is_still)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((problem, is_still)) = looked.next().await {
            if is_still?.unwrap_or(true) {
                self.problems.insert(problem);
            }
        }
        Ok(())
    }

    fn judge(&mut self) {
        let mut found = Vec::new();
        for (name, held) in &self.repositories {
            let tagged: BTreeSet<&Digest> = held.targets.values().collect();
            for (tag, manifest) in &held.targets {
                let (repository, tag, manifest) = (name.clone(), tag.clone(), manifest.clone());
                let bytes_are_there = self.manifests.contains_key(&manifest) || self.called.contains_key(&manifest);
                if !held.revisions.contains_key(&manifest) || !bytes_are_there {
                    found.push(Problem::TagWithoutManifest { repository, tag, manifest, bytes_are_there });
                } else if let Some(flaw) = self.flaw(&manifest) {
                    found.push(match flaw {
                        Flaw::NotWhole(why) => Problem::TagNotWhole { repository, tag, manifest, why },
                        Flaw::WrongSize { digest, said, size } => {
                            Problem::WrongSize { repository, tag: Some(tag), manifest, digest, said, size }
                        }
                    });
                }
            }
            for digest in held.revisions.keys().filter(|digest| digest.algorithm() == Algorithm::Sha256) {
                let (repository, manifest) = (name.clone(), digest.clone());
                if !self.manifests.contains_key(digest) {
                    found.push(Problem::RevisionToNothing { repository, manifest });
                } else if !tagged.contains(digest)
                    && let Some(flaw) = self.flaw(digest)
                {
                    found.push(match flaw {
                        Flaw::NotWhole(why) => Problem::ManifestNotWhole { repository, manifest, why },
                        Flaw::WrongSize { digest, said, size } => {
                            Problem::WrongSize { repository, tag: None, manifest, digest, said, size }
                        }
                    });
                }
            }
            for digest in held.layers.keys().filter(|digest| digest.algorithm() == Algorithm::Sha256) {
                if !self.blobs.contains_key(digest) {
                    found.push(Problem::LayerToNothing { repository: name.clone(), digest: digest.clone() });
                }
            }
            if held.layers.is_empty()
                && let Some(manifest) = held.revisions.keys().find(|digest| self.manifests.contains_key(*digest))
            {
                found.push(Problem::Unlisted { repository: name.clone(), manifest: manifest.clone() });
            }
        }
        self.problems.extend(found);
    }

    /// What keeps a manifest, or one that it names, from being pulled.
    fn flaw(&self, digest: &Digest) -> Option<Flaw> {
        let mut pending = vec![digest];
        let mut seen = BTreeSet::new();
        let mut wrong_size = None;
        while let Some(digest) = pending.pop() {
            if !seen.insert(digest) {
                continue;
            }
            let manifest = match self.manifests.get(digest) {
                Some(Ok(manifest)) => manifest,
                Some(Err(why)) => {
                    return Some(Flaw::NotWhole(format!("{digest} cannot be read as a manifest: {why}")));
                }
                // An index may name manifests of platforms that nobody has copied.
                None => continue,
            };
            for named in manifest.blobs().filter(|named| !named.is_elsewhere()) {
                let blob = self.meant(&named.descriptor.digest);
                if !self.blobs.contains_key(blob) {
                    return Some(Flaw::NotWhole(format!("{blob} is not there")));
                }
                if self.problems.contains(&Problem::EmptyBlob { digest: blob.clone() }) {
                    return Some(Flaw::NotWhole(format!("{blob} has no bytes")));
                }
            }
            for (part, said, size) in self.other_sizes(manifest) {
                if self.compared.get(part) != Some(&true) {
                    return Some(Flaw::NotWhole(format!("{part} has {size} bytes and not {said}")));
                }
                wrong_size = Some(Flaw::WrongSize { digest: part.clone(), said, size });
            }
            pending.extend(manifest.children().map(|child| self.meant(&child.digest)));
        }
        wrong_size
    }

    async fn verify(&mut self, blobs: &SharedBlobs, percent: u8) -> Result<()> {
        // The first two digits of a digest are as good as chance, and choose the same blobs each time.
        let chosen =
            |digest: &Digest| u32::from_str_radix(&digest.hex()[..2], 16).unwrap_or(0) * 100 < 256 * u32::from(percent);
        let unread = |digest: &&Digest| chosen(digest) && !self.compared.contains_key(*digest);
        let digests: Vec<Digest> = self.blobs.keys().filter(unread).cloned().collect();
        for digest in digests {
            self.compare(blobs, &digest).await?;
        }
        Ok(())
    }

    /// Reads a blob, and compares its bytes with its digest. Gives whether they are those, or nothing where it cannot be read or is gone.
    async fn compare(&mut self, blobs: &SharedBlobs, digest: &Digest) -> Result<Option<bool>> {
        let read = digest_of_bytes(blobs, digest).await;
        let found = match of_one(blobs, read).await? {
            Ok(found) => found,
            Err(why) => {
                self.problems.insert(Problem::Unreadable { path: layout::blob(digest), why });
                return Ok(None);
            }
        };
        self.verified += 1;
        let Some(found) = found else { return Ok(None) };
        let is_right = found == *digest;
        if !is_right && !self.problems.contains(&Problem::EmptyBlob { digest: digest.clone() }) {
            self.problems.insert(Problem::WrongBytes { digest: digest.clone(), found });
        }
        Ok(Some(is_right))
    }

    /// Manifests of repositories that cannot be read as such.
    pub(crate) fn unknown_manifests(&self) -> BTreeSet<Digest> {
        let revisions = self.repositories.values().flat_map(|held| held.revisions.keys());
        revisions
            .filter(|digest| self.manifests.get(*digest).is_some_and(std::result::Result::is_err))
            .cloned()
            .collect()
    }

    pub(crate) fn inspection(&self) -> Inspection {
        let canonical = |digest: &Digest| digest.algorithm() == Algorithm::Sha256;
        let revisions = || self.repositories.values().flat_map(|held| held.revisions.keys());
        let unreferenced: Vec<u64> = self
            .blobs
            .iter()
            .filter(|(digest, _)| canonical(digest) && !self.referenced.contains(*digest))
            .map(|(_, size)| *size)
            .collect();
        let tags = || self.repositories.values().flat_map(|held| &held.tags);
        let is_schema1 = |manifest: &&std::result::Result<Manifest, String>| {
            manifest.as_ref().is_ok_and(|manifest| manifest.kind() == Kind::Schema1)
        };
        Inspection {
            repositories: self.repositories.len() as u64,
            tags: tags().count() as u64,
            manifests: revisions().filter(|digest| canonical(digest)).count() as u64,
            schema1: self.manifests.values().filter(is_schema1).count() as u64,
            fallback_tags: tags().filter(|tag| referrers::fallback_subject(tag).is_some()).count() as u64,
            blobs: self.blobs.len() as u64,
            bytes: self.blobs.values().sum(),
            unreferenced: unreferenced.len() as u64,
            unreferenced_bytes: unreferenced.iter().sum(),
            uploads: self.sessions + self.foreign_uploads.len() as u64,
            leftovers: self.strays.len() as u64,
            leftover_bytes: self.strays.values().sum(),
            hidden_segments: false,
            verified: self.verified,
            problems: self.problems.iter().cloned().collect(),
        }
    }
}

/// What is known of a link.
enum Link {
    /// It says what its path says.
    Sound,
    /// Its path is another digest's, and it says which blob is meant.
    To(Digest),
    Torn(String),
    /// Where, and why.
    Unreadable(String, String),
}

/// Looks into a link whose length does not tell that it is sound.
async fn look_at_link(blobs: &SharedBlobs, path: String, digest: &Digest, size: u64) -> Result<Link> {
    // A link under the store's own algorithm says what its path says.
    let right = digest.algorithm().name().len() as u64 + 1 + digest.algorithm().hex_length() as u64;
    if digest.algorithm() == Algorithm::Sha256 && size == right {
        return Ok(Link::Sound);
    }
    let read = read_bytes(blobs, &path, Freshness::Newest).await;
    Ok(match of_one(blobs, read).await? {
        Ok(None) => Link::Sound,
        Ok(Some(bytes)) => match link::parse(&bytes) {
            Ok(canonical) if canonical == *digest => Link::Sound,
            Ok(canonical) => Link::To(canonical),
            Err(why) => Link::Torn(why.to_string()),
        },
        Err(why) => Link::Unreadable(path, why),
    })
}

/// The digest of a blob's bytes; `None` where it is not there any more.
pub(crate) async fn digest_of_bytes(blobs: &SharedBlobs, digest: &Digest) -> Result<Option<Digest>> {
    let Some(mut object) = blobs.read(&layout::blob(digest), None, Freshness::Any).await? else { return Ok(None) };
    let mut hasher = Hasher::new(digest.algorithm());
    while let Some(piece) = object.body.next().await {
        hasher.update(&piece?);
    }
    Ok(Some(hasher.finish()))
}
