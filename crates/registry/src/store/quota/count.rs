//! Counting what a namespace has: by a listing of its links, and the sizes of the blobs that they lead to; and by what is written down of unfinished uploads.
//!
//! A blob never changes its size, so each is asked for once: sizes are kept in the store from one process to the next.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use jeroboam_blobs::{Freshness, Result, SharedBlobs};
use jeroboam_oci::layout::{self, Area, InRepository, Meaning};
use jeroboam_oci::{RepositoryName, UploadId};
use moka::sync::Cache;
use tracing::{debug, warn};

use super::tally::{Key, Link, Tally, digest, key};
use crate::gc::documents::{self, ReadDocument};
use crate::gc::pages::each_object;
use crate::http::failure::chain;
use crate::store::SessionRecord;
use crate::store::blobs::{is_canonical, is_whole};

/// How many blobs are asked for at once.
const AT_ONCE: usize = 16;

/// What a file of sizes begins with.
const HEAD: &[u8] = b"jeroboam sizes 1\n";

/// Bytes of a line of it: a key and a size.
const LINE: usize = 40;

/// Lines of a piece of it.
const LINES: usize = 1600;

/// Sizes that are known.
pub(super) type Sizes = HashMap<Key, u64>;

/// Into which repositories uploads go that were seen once. That never changes, so nobody reads those of other namespaces again and again.
pub(super) type Homes = Cache<UploadId, RepositoryName>;

/// Uploads of which it is remembered.
pub(super) const HOMES: u64 = 100_000;

/// Counts what is below a prefix. What is in `known` is not asked for. Told with it is whether there is something that was not known.
pub(super) async fn count(blobs: &SharedBlobs, prefix: &str, known: &Sizes, homes: &Homes) -> Result<(Tally, bool)> {
    let mut tally = Tally::default();
    each_object(blobs, prefix, |entry| {
        let Meaning::Repository(repository, what) = layout::meaning(&entry.path) else { return };
        match what {
            InRepository::Layer(digest) if is_canonical(&digest) => {
                tally.link(&repository, Link::Layer, key(&digest), 0);
            }
            InRepository::Revision(digest) if is_canonical(&digest) => {
                tally.link(&repository, Link::Revision, key(&digest), 0);
            }
            InRepository::TagCurrent(tag) => tally.tag(&repository, tag),
            _ => {}
        }
    })
    .await?;
    let all: Vec<Key> = tally.sizes().map(|(key, _)| *key).collect();
    let mut unknown = Vec::new();
    for key in all {
        match known.get(&key) {
            Some(size) => tally.resize(&key, *size),
            None => unknown.push(key),
        }
    }
    let looked = stream::iter(unknown).map(|key| async move {
        let digest = digest(&key);
        let meta = blobs.head(&layout::blob(&digest), Freshness::Any).await?;
        // A link to nothing takes no room.
        let size = meta.map(|meta| meta.size).filter(|size| is_whole(&digest, *size)).unwrap_or(0);
        Ok::<_, jeroboam_blobs::Error>((key, size))
    });
    let mut looked = std::pin::pin!(looked.buffer_unordered(AT_ONCE));
    let mut learned = false;
    while let Some((key, size)) = looked.try_next().await? {
        tally.resize(&key, size);
        learned |= size > 0;
    }
    count_uploads(blobs, prefix, homes, &mut tally).await?;
    Ok((tally, learned))
}

/// Counts what is written down of unfinished uploads into repositories below a prefix.
async fn count_uploads(blobs: &SharedBlobs, prefix: &str, homes: &Homes, tally: &mut Tally) -> Result<()> {
    let mut ids = Vec::new();
    each_object(blobs, &layout::area(Area::Sessions), |entry| {
        let id = upload_of(&entry.path);
        ids.extend(id.filter(|id| homes.get(id).is_none_or(|home| is_below(prefix, &home))));
    })
    .await?;
    let looked = stream::iter(ids).map(|id| async move {
        let record = documents::read::<SessionRecord>(blobs, &SessionRecord::path(&id)).await?;
        Ok::<_, jeroboam_blobs::Error>((id, record))
    });
    let mut looked = std::pin::pin!(looked.buffer_unordered(AT_ONCE));
    while let Some((id, record)) = looked.try_next().await? {
        // One that ended meanwhile holds nothing, and of one that is damaged nobody knows what it holds.
        let ReadDocument::Is(record) = record else { continue };
        if is_below(prefix, &record.repository) {
            tally.upload(&id, record.offset());
        }
        homes.insert(id, record.repository);
    }
    Ok(())
}

/// The upload that is written down at this path.
fn upload_of(path: &str) -> Option<UploadId> {
    let Meaning::Own(Area::Sessions, rest) = layout::meaning(path) else { return None };
    rest.strip_suffix("/state")?.parse().ok()
}

fn is_below(prefix: &str, repository: &RepositoryName) -> bool {
    layout::repository(repository).starts_with(prefix)
}

/// The sizes of blobs that are there. What is not may come yet.
pub(super) fn sizes(tally: &Tally) -> Sizes {
    tally.sizes().filter(|(_, size)| *size > 0).map(|(key, size)| (*key, size)).collect()
}

/// The sizes that a process before this one has kept. Without them, all are asked for.
pub(super) async fn read_sizes(blobs: &SharedBlobs, path: &str) -> Sizes {
    match read(blobs, path).await {
        Ok(sizes) => sizes,
        Err(error) => {
            warn!(%path, error = chain(&error), "the sizes of blobs could not be read, and are asked for one by one");
            Sizes::new()
        }
    }
}

async fn read(blobs: &SharedBlobs, path: &str) -> Result<Sizes> {
    let mut sizes = Sizes::new();
    let Some(mut object) = blobs.read(path, None, Freshness::Newest).await? else { return Ok(sizes) };
    let mut rest = BytesMut::new();
    let mut begun = false;
    while let Some(piece) = object.body.next().await {
        rest.extend_from_slice(&piece?);
        if !begun {
            if rest.len() < HEAD.len() {
                continue;
            }
            if rest.split_to(HEAD.len()) != HEAD {
                debug!(%path, "the sizes are in a form of another version");
                return Ok(sizes);
            }
            begun = true;
        }
        while rest.len() >= LINE {
            let line = rest.split_to(LINE);
            let (key, size) = line.split_first_chunk::<32>().expect("a line is longer");
            let size = size.try_into().expect("a line has eight bytes behind the key");
            sizes.insert(*key, u64::from_be_bytes(size));
        }
    }
    Ok(sizes)
}

/// Keeps sizes for the next process.
pub(super) async fn write_sizes(blobs: &SharedBlobs, path: &str, sizes: Sizes) {
    let sizes: Vec<(Key, u64)> = sizes.into_iter().collect();
    let written = async {
        let mut writer = blobs.create(path, None).await?;
        writer.write(Bytes::from_static(HEAD)).await?;
        for lines in sizes.chunks(LINES) {
            let mut piece = BytesMut::with_capacity(lines.len() * LINE);
            for (key, size) in lines {
                piece.extend_from_slice(key);
                piece.put_u64(*size);
            }
            writer.write(piece.freeze()).await?;
        }
        writer.commit().await
    };
    if let Err(error) = written.await {
        warn!(%path, error = chain(&error), "the sizes of blobs were not kept; the next process asks for them again");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jeroboam_blobs::{Condition, Memory, UploadState};
    use jeroboam_oci::{Algorithm, Digest, Tag, link};

    use super::*;

    async fn put(blobs: &SharedBlobs, path: String, bytes: impl Into<Bytes>) {
        blobs.put(&path, bytes.into(), Condition::Always).await.expect("written");
    }

    #[tokio::test]
    async fn what_the_links_lead_to_is_counted() {
        let blobs: SharedBlobs = Arc::new(Memory::default());
        let [a, b, other]: [RepositoryName; 3] =
            ["team/a", "team/b", "others"].map(|name| name.parse().expect("a name"));
        let layer = Digest::sha256(b"twelve bytes");
        let alias = Digest::of(Algorithm::Sha512, b"twelve bytes");
        let gone = Digest::sha256(b"gone");
        put(&blobs, layout::blob(&layer), "twelve bytes").await;
        for path in [
            layout::layer(&a, &layer),
            layout::layer(&a, &alias),
            layout::layer(&b, &layer),
            layout::revision(&b, &layer),
            layout::layer(&other, &layer),
        ] {
            put(&blobs, path, link::content(&layer)).await;
        }
        put(&blobs, layout::layer(&a, &gone), link::content(&gone)).await;
        let tag: Tag = "v1".parse().expect("a tag");
        put(&blobs, layout::tag_once(&a, &tag, &layer), link::content(&layer)).await;
        put(&blobs, layout::tag_current(&a, &tag), link::content(&layer)).await;

        let below = layout::repository(&"team".parse().expect("a name"));
        let (tally, learned) = count(&blobs, &below, &Sizes::new(), &Cache::new(HOMES)).await.expect("counted");
        assert_eq!((tally.bytes(), tally.tags(), learned), (12, 1, true));

        let path = "docker/registry/v2/_x/quota/sizes";
        write_sizes(&blobs, path, sizes(&tally)).await;
        let known = read_sizes(&blobs, path).await;
        assert_eq!(known.into_iter().collect::<Vec<_>>(), [(key(&layer), 12)]);
        let known = read_sizes(&blobs, path).await;
        let (again, learned) = count(&blobs, &below, &known, &Cache::new(HOMES)).await.expect("counted");
        assert_eq!((again.bytes(), learned), (12, false));
    }

    fn record(repository: &str, offset: u64) -> Bytes {
        let record = SessionRecord {
            repository: repository.parse().expect("a name"),
            started: "2026-11-21T00:27:32Z".parse().expect("a time"),
            account: None,
            writer: "one".to_owned(),
            handed_over: false,
            foreign: false,
            data: "docker/registry/v2/_x/sessions/data".to_owned(),
            upload: UploadState { offset, detail: serde_json::Value::Null },
            sha256: String::new(),
            sha512: None,
        };
        serde_json::to_vec(&record).expect("it has string keys only").into()
    }

    #[tokio::test]
    async fn what_unfinished_uploads_hold_is_counted() {
        let blobs: SharedBlobs = Arc::new(Memory::default());
        let [a, b, other, torn] = [1, 2, 3, 4].map(|seed| UploadId::of_random([seed; 16]));
        for (id, repository, offset) in [(&a, "team/a", 10), (&b, "team", 20), (&other, "teams/a", 40)] {
            put(&blobs, SessionRecord::path(id), record(repository, offset)).await;
        }
        put(&blobs, SessionRecord::path(&torn), "{").await;
        put(&blobs, layout::own(Area::Sessions, &["secret"]), "of the registry").await;
        let homes = Homes::new(HOMES);
        let counted = |prefix: String| {
            let (blobs, homes) = (blobs.clone(), homes.clone());
            async move { count(&blobs, &prefix, &Sizes::new(), &homes).await.expect("counted").0.bytes() }
        };
        let below = layout::repository(&"team".parse().expect("a name"));
        assert_eq!(counted(below.clone()).await, 30);
        assert_eq!(counted(layout::REPOSITORIES.to_owned()).await, 70);
        put(&blobs, SessionRecord::path(&a), record("team/a", 15)).await;
        blobs.delete(&[SessionRecord::path(&b)]).await.expect("removed");
        assert_eq!(counted(below).await, 15, "also where it is known whose they are");
    }
}
