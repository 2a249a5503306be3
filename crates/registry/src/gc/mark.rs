//! Finds what nothing refers to.
//!
//! Blobs are listed first, then what is in repositories, and manifests are read last: what is pushed meanwhile is either not listed or found to be
//! referenced. A listing that fails ends the mark; a manifest that cannot be read keeps all blobs that its repositories link.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures::{StreamExt, stream};
use jeroboam_blobs::{Freshness, Result, SharedBlobs};
use jeroboam_oci::gc::{Key, Mark, Unreferenced};
use jeroboam_oci::layout::{self, InRepository, Meaning};
use jeroboam_oci::{Algorithm, Digest, RepositoryName, Tag, link};
use tracing::warn;

use super::documents::read_bytes;
use super::pages::each_object;
use super::references::{References, Shard, digest_of};
use super::{GcConfig, Unreadable};
use crate::http::failure::chain;

/// So many damages are told one by one.
const TOLD: usize = 1_000;

/// So many links are read at once, and so many blobs are looked at.
const AT_ONCE: usize = 16;

/// What a mark is made for.
pub(super) enum Wanted {
    /// To find what nothing refers to.
    Unreferenced,
    /// To find what of these nothing refers to, and where it is linked. Sorted.
    Of(Vec<Key>),
}

/// What a mark found.
#[derive(Debug, Default)]
pub(super) struct Marking {
    pub(super) mark: Measured,
    /// Repositories, by the number that links have.
    pub(super) repositories: Vec<RepositoryName>,
    /// So many manifests are referred to by a repository.
    pub(super) manifests: u64,
    /// Where the wanted ones are linked.
    pub(super) links: HashMap<Key, Vec<u32>>,
    /// The links to the wanted ones under another digest than the store's own.
    pub(super) alias_links: HashMap<Key, Vec<String>>,
    pub(super) unreadable: Vec<Unreadable>,
}

/// A mark, and how long blobs are that nothing refers to and that have no length in a listing, as Swift's dynamic large objects.
#[derive(Debug, Default)]
pub(super) struct Measured {
    mark: Mark,
    lengths: HashMap<Key, u64>,
}

impl Measured {
    fn of(mark: Mark) -> Self {
        Self { mark, lengths: HashMap::new() }
    }

    /// What nothing refers to.
    pub(super) fn unreferenced(&self) -> impl Iterator<Item = Unreferenced> + '_ {
        self.mark.unreferenced().map(|blob| {
            let size = self.lengths.get(&blob.key).copied().unwrap_or(blob.size);
            Unreferenced { size, ..blob }
        })
    }

    /// How many blobs there were, and how many bytes they had.
    pub(super) fn all(&self) -> (u64, u64) {
        let (blobs, bytes) = self.mark.all();
        (blobs, bytes + self.lengths.values().sum::<u64>())
    }

    /// Of how many blobs, with how many bytes, it is not known whether anything refers to them.
    pub(super) fn kept(&self) -> (u64, u64) {
        self.mark.kept()
    }

    /// Looks at what has no length in a listing. These are figures for people: where the place does not answer, they stay what they are.
    async fn measure(&mut self, blobs: &SharedBlobs) {
        let empty = Key::blob(&Digest::sha256(b""));
        let unknown = self.mark.unreferenced().filter(|blob| blob.size == 0 && blob.key != empty);
        let unknown: Vec<Key> = unknown.map(|blob| blob.key).collect();
        let mut looked = stream::iter(unknown)
            .map(|key| async move { (key, blobs.head(&layout::blob(&digest_of(&key)), Freshness::Any).await) })
            .buffer_unordered(AT_ONCE);
        while let Some((key, meta)) = looked.next().await {
            match meta {
                Ok(meta) => _ = self.lengths.insert(key, meta.map_or(0, |meta| meta.size)),
                Err(error) => {
                    warn!(error = chain(&error), "how long unreferenced blobs are is not known of all");
                    return;
                }
            }
        }
    }
}

/// A manifest, and a repository that has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Revision {
    key: Key,
    repository: u32,
    /// Whether a tag only pointed to it once, or an index names it: then it need not be there.
    by_the_way: bool,
}

struct Marker<'a> {
    blobs: &'a SharedBlobs,
    config: &'a GcConfig,
    wanted: &'a Wanted,
    found: Marking,
    numbers: HashMap<RepositoryName, u32>,
    revisions: Vec<Revision>,
    /// Links to manifests under another digest than the store's own.
    aliases: Vec<(u32, Digest)>,
    /// Links to blobs likewise.
    layer_aliases: Vec<(u32, Digest)>,
    /// What is meant by another digest than the store's own, whichever repository says so.
    meant: HashMap<Key, BTreeSet<Key>>,
    /// Tags whose history does not say where they point.
    currents: Vec<(u32, Tag)>,
    /// Repositories of which something could not be read.
    doubtful: HashSet<u32>,
}

/// Makes a mark.
pub(super) async fn mark(blobs: &SharedBlobs, config: &GcConfig, wanted: &Wanted) -> Result<Marking> {
    let found = Marking { mark: Measured::of(list_blobs(blobs, wanted).await?), ..Marking::default() };
    let mut marker = Marker {
        blobs,
        config,
        wanted,
        found,
        numbers: HashMap::new(),
        revisions: Vec::new(),
        aliases: Vec::new(),
        layer_aliases: Vec::new(),
        meant: HashMap::new(),
        currents: Vec::new(),
        doubtful: HashSet::new(),
    };
    marker.list_repositories().await?;
    marker.read_aliases().await;
    marker.read_currents().await;
    marker.read_manifests().await?;
    marker.keep_doubtful().await?;
    marker.found.mark.measure(blobs).await;
    Ok(marker.found)
}

/// Where unreferenced blobs are linked, for a report: another listing, so that no mark has to remember all links.
pub(super) async fn links_of(blobs: &SharedBlobs, marking: &Marking) -> Result<BTreeMap<RepositoryName, (u64, u64)>> {
    let sizes: HashMap<Key, u64> = marking.mark.unreferenced().map(|blob| (blob.key, blob.size)).collect();
    let mut shares: BTreeMap<RepositoryName, (u64, u64)> = BTreeMap::new();
    each_object(blobs, layout::REPOSITORIES, |entry| {
        if let Meaning::Repository(name, InRepository::Layer(digest)) = layout::meaning(&entry.path)
            && let Some(size) = sizes.get(&Key::blob(&digest))
        {
            let share = shares.entry(name).or_default();
            *share = (share.0 + 1, share.1 + size);
        }
    })
    .await?;
    Ok(shares)
}

async fn list_blobs(blobs: &SharedBlobs, wanted: &Wanted) -> Result<Mark> {
    let mut all = Vec::new();
    each_object(blobs, layout::BLOBS, |entry| {
        // What the store sorts by another algorithm, nobody has put there, and it stays.
        if let Meaning::Blob(digest) = layout::meaning(&entry.path)
            && digest.algorithm() == Algorithm::Sha256
        {
            let key = Key::blob(&digest);
            let counts = match wanted {
                Wanted::Unreferenced => true,
                Wanted::Of(keys) => keys.binary_search(&key).is_ok(),
            };
            if counts {
                all.push((key, entry.size));
            }
        }
    })
    .await?;
    Ok(Mark::of(all))
}

impl Marker<'_> {
    async fn list_repositories(&mut self) -> Result<()> {
        let blobs = self.blobs.clone();
        each_object(&blobs, layout::REPOSITORIES, |entry| {
            let Meaning::Repository(name, what) = layout::meaning(&entry.path) else { return };
            match what {
                InRepository::Revision(digest) => self.revision(name, digest, false),
                InRepository::TagCurrent(tag) => {
                    let repository = self.number(name);
                    self.currents.push((repository, tag));
                }
                InRepository::TagOnce(tag, digest) if self.config.tag_history => {
                    // Where it points now is part of it, and stands right before it in a listing.
                    if self.currents.last().is_some_and(|(number, current)| {
                        *current == tag && self.found.repositories.get(*number as usize) == Some(&name)
                    }) {
                        self.currents.pop();
                    }
                    self.revision(name, digest, true);
                }
                InRepository::Layer(digest) if digest.algorithm() != Algorithm::Sha256 => {
                    let repository = self.number(name);
                    self.layer_aliases.push((repository, digest));
                }
                InRepository::Layer(digest) => {
                    let repository = self.number(name);
                    if let Wanted::Of(keys) = self.wanted {
                        let key = Key::blob(&digest);
                        if keys.binary_search(&key).is_ok() {
                            self.found.links.entry(key).or_default().push(repository);
                        }
                    }
                }
                _ => {}
            }
        })
        .await
    }

    fn number(&mut self, name: RepositoryName) -> u32 {
        let next = u32::try_from(self.numbers.len()).expect("a store has fewer repositories than objects");
        let repositories = &mut self.found.repositories;
        *self.numbers.entry(name).or_insert_with_key(|name| {
            repositories.push(name.clone());
            next
        })
    }

    fn revision(&mut self, name: RepositoryName, digest: Digest, by_the_way: bool) {
        let repository = self.number(name);
        match digest.algorithm() {
            Algorithm::Sha256 => self.revisions.push(Revision { key: Key::blob(&digest), repository, by_the_way }),
            Algorithm::Sha512 => self.aliases.push((repository, digest)),
        }
    }

    /// What is meant by other digests than the store's own. An alias that is torn leads nowhere, as for everybody who reads it; one that cannot be read
    /// may lead anywhere.
    async fn read_aliases(&mut self) {
        let own: HashSet<(u32, Key)> = match self.aliases.is_empty() {
            true => HashSet::new(),
            false => self.revisions.iter().map(|revision| (revision.repository, revision.key)).collect(),
        };
        let revisions = std::mem::take(&mut self.aliases);
        for (repository, alias, canonical) in self.read_links(revisions, layout::revision).await {
            let key = Key::blob(&canonical);
            self.meant.entry(Key::blob(&alias)).or_default().insert(key);
            // Where the repository has let go of the manifest under its own digest, nobody is given it.
            if own.contains(&(repository, key)) {
                self.revisions.push(Revision { key, repository, by_the_way: true });
            }
        }
        let layers = std::mem::take(&mut self.layer_aliases);
        for (repository, alias, canonical) in self.read_links(layers, layout::layer).await {
            let key = Key::blob(&canonical);
            self.meant.entry(Key::blob(&alias)).or_default().insert(key);
            if let (Wanted::Of(keys), Some(name)) = (self.wanted, self.found.repositories.get(repository as usize))
                && keys.binary_search(&key).is_ok()
            {
                self.found.alias_links.entry(key).or_default().push(layout::layer(name, &alias));
            }
        }
    }

    /// Where links lead, of those that lead anywhere.
    async fn read_links(
        &mut self,
        links: Vec<(u32, Digest)>,
        path: fn(&RepositoryName, &Digest) -> String,
    ) -> Vec<(u32, Digest, Digest)> {
        let named = links.into_iter().filter_map(|(repository, digest)| {
            let name = self.found.repositories.get(repository as usize)?;
            Some((repository, path(name, &digest), digest))
        });
        let named: Vec<_> = named.collect();
        let blobs = self.blobs;
        let mut read = stream::iter(named)
            .map(|(repository, path, digest)| async move {
                (repository, digest, read_bytes(blobs, &path, Freshness::Any).await)
            })
            .buffer_unordered(AT_ONCE);
        let (mut found, mut failed) = (Vec::new(), Vec::new());
        while let Some((repository, digest, bytes)) = read.next().await {
            match bytes {
                Ok(bytes) => {
                    let canonical = bytes.and_then(|bytes| link::parse(&bytes).ok());
                    found.extend(canonical.map(|canonical| (repository, digest, canonical)));
                }
                Err(error) => failed.push((repository, digest, error.to_string())),
            }
        }
        drop(read);
        for (repository, digest, why) in failed {
            self.doubt(&BTreeSet::from([repository]), &digest, &why);
        }
        found
    }

    /// Where tags point whose history does not say it. A tag that is torn, or cannot be read, may have pointed anywhere.
    async fn read_currents(&mut self) {
        let named = std::mem::take(&mut self.currents).into_iter().filter_map(|(repository, tag)| {
            let name = self.found.repositories.get(repository as usize)?;
            Some((repository, layout::tag_current(name, &tag)))
        });
        let named: Vec<_> = named.collect();
        let blobs = self.blobs;
        let mut read = stream::iter(named)
            .map(|(repository, path)| async move {
                let bytes = read_bytes(blobs, &path, Freshness::Newest).await;
                (repository, path, bytes)
            })
            .buffer_unordered(AT_ONCE);
        let mut torn = Vec::new();
        while let Some((repository, path, bytes)) = read.next().await {
            let target = match bytes {
                Ok(None) => continue,
                Ok(Some(bytes)) => link::parse(&bytes).map_err(|why| why.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match target {
                Ok(digest) if digest.algorithm() == Algorithm::Sha256 => {
                    self.revisions.push(Revision { key: Key::blob(&digest), repository, by_the_way: true });
                }
                // It leads to what its link as a manifest leads to, which was read before, unless it has just been pushed.
                Ok(digest) => match self.meant.get(&Key::blob(&digest)) {
                    Some(meant) => {
                        let found = meant.iter().map(|key| Revision { key: *key, repository, by_the_way: true });
                        self.revisions.extend(found);
                    }
                    None => torn.push((repository, path, format!("nothing says what {digest} is"))),
                },
                Err(why) => torn.push((repository, path, why)),
            }
        }
        drop(read);
        for (repository, path, why) in torn {
            warn!(%path, %why, "nobody knows where a tag points: all that its repository links is kept");
            self.doubtful.insert(repository);
        }
    }

    async fn read_manifests(&mut self) -> Result<()> {
        self.revisions.sort_unstable();
        self.revisions.dedup();
        let mut done: HashSet<Key> = HashSet::new();
        let mut pending = std::mem::take(&mut self.revisions);
        self.found.manifests = count_manifests(&pending);
        // Manifests that an index names, and that no link leads to, are read in further rounds.
        while !pending.is_empty() {
            let mut named = Vec::new();
            for byte in 0..=u8::MAX {
                let of_shard: Vec<Revision> =
                    pending.iter().filter(|revision| revision.key.bytes()[0] == byte).copied().collect();
                if !of_shard.is_empty() {
                    self.read_shard(byte, pending.len(), &of_shard, &mut done, &mut named).await?;
                }
            }
            named.retain(|revision: &Revision| !done.contains(&revision.key));
            named.sort_unstable();
            named.dedup();
            pending = named;
        }
        Ok(())
    }

    async fn read_shard(
        &mut self,
        byte: u8,
        all: usize,
        of_shard: &[Revision],
        done: &mut HashSet<Key>,
        named: &mut Vec<Revision>,
    ) -> Result<()> {
        let mut who: HashMap<Key, Vec<Revision>> = HashMap::new();
        for revision in of_shard {
            who.entry(revision.key).or_default().push(*revision);
        }
        let keys: Vec<Key> = who.keys().copied().collect();
        done.extend(&keys);
        let mut doubts = Vec::new();
        let mut shard = Shard::read(self.blobs, byte, all).await?;
        let (mark, meant) = (&mut self.found.mark.mark, &self.meant);
        shard
            .of(self.blobs, keys, |key, references| {
                mark.reference(&key);
                let revisions = who.get(&key).map(Vec::as_slice).unwrap_or_default();
                match references {
                    References::Are(names) => {
                        for key in names.blobs.iter().chain(&names.children) {
                            mark.reference(key);
                            for key in meant.get(key).into_iter().flatten() {
                                mark.reference(key);
                            }
                        }
                        for child in names.children {
                            let canonical = meant.get(&child).into_iter().flatten().copied();
                            for key in std::iter::once(child).chain(canonical) {
                                named.extend(revisions.iter().map(|of| Revision { key, by_the_way: true, ..*of }));
                            }
                        }
                    }
                    References::Missing => {
                        let needed = revisions.iter().filter(|revision| !revision.by_the_way);
                        let repositories: BTreeSet<u32> = needed.map(|revision| revision.repository).collect();
                        doubts.push((key, repositories, "the manifest is not there".to_owned()));
                    }
                    References::Unreadable(why) => {
                        let repositories: BTreeSet<u32> =
                            revisions.iter().map(|revision| revision.repository).collect();
                        doubts.push((key, repositories, why));
                    }
                }
            })
            .await;
        for (key, repositories, why) in doubts {
            self.doubt(&repositories, &digest_of(&key), &why);
        }
        shard.keep(self.blobs, byte).await
    }

    fn doubt(&mut self, repositories: &BTreeSet<u32>, digest: &Digest, why: &str) {
        for repository in repositories {
            self.doubtful.insert(*repository);
            if let Some(name) = self.found.repositories.get(*repository as usize)
                && self.found.unreadable.len() < TOLD
            {
                let told = Unreadable { repository: name.clone(), manifest: digest.clone(), why: why.to_owned() };
                self.found.unreadable.push(told);
            }
        }
    }

    /// What could not be read may refer to anything that its repository links.
    async fn keep_doubtful(&mut self) -> Result<()> {
        for repository in std::mem::take(&mut self.doubtful) {
            let Some(name) = self.found.repositories.get(repository as usize).cloned() else { continue };
            let mark = &mut self.found.mark.mark;
            each_object(self.blobs, &layout::layers(&name), |entry| {
                if let Meaning::Repository(_, InRepository::Layer(digest)) = layout::meaning(&entry.path) {
                    mark.keep(&Key::blob(&digest));
                }
            })
            .await?;
        }
        Ok(())
    }
}

fn count_manifests(revisions: &[Revision]) -> u64 {
    let linked = revisions.iter().filter(|revision| !revision.by_the_way);
    linked.count() as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use jeroboam_blobs::{Condition, Fault, Faults, Memory, Operation, Told};

    use super::*;

    #[tokio::test]
    async fn a_length_that_a_listing_does_not_have_is_looked_for_where_nothing_refers_to_the_blob() {
        let faults = Faults::new(Arc::new(Memory::default()));
        let blobs: SharedBlobs = Arc::new(faults.clone());
        let mut listed = Vec::new();
        // A listing has no length of the first three, one of which something refers to.
        for (bytes, size) in [(&b"five!"[..], 0), (b"named", 0), (b"", 0), (b"listed", 6)] {
            let digest = Digest::sha256(bytes);
            blobs.put(&layout::blob(&digest), Bytes::from_static(bytes), Condition::Always).await.unwrap();
            listed.push((Key::blob(&digest), size));
        }
        let measured = || {
            let mut mark = Mark::of(listed.clone());
            mark.reference(&Key::blob(&Digest::sha256(b"named")));
            Measured::of(mark)
        };
        let sizes = |measured: &Measured| {
            let mut sizes: Vec<u64> = measured.unreferenced().map(|blob| blob.size).collect();
            sizes.sort_unstable();
            sizes
        };
        let mut first = measured();
        first.measure(&blobs).await;
        assert_eq!((sizes(&first), first.all()), (vec![0, 5, 6], (4, 11)));
        assert_eq!(faults.counts().get(&Operation::Head), Some(&1), "no others are looked at");
        // Nobody waits for figures.
        faults.plan(Some(Fault { call: 1, told: Told::Before, dies: true }));
        let mut second = measured();
        second.measure(&blobs).await;
        assert_eq!(sizes(&second), [0, 0, 6]);
    }
}
