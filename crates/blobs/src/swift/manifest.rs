//! Makes an object of segments: one manifest at its name, and a look at whether it is as long as it has to be.

use std::time::Duration;

use bytes::Bytes;
use jeroboam_openstack::object_store::{Newest, ObjectHead, PutOptions, Segment};
use tracing::{debug, warn};

use super::config::LargeObject;
use super::facts::Facts;
use super::failure::failed;
use super::names::segment;
use super::segments::{Done, Segments};
use super::{Inner, PATH_NOTE};
use crate::{Error, Kind, Result};

/// The first pause between looks at a dynamic object whose segments are not all listed yet; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(100);

/// What is to be known to choose a kind of manifest.
#[derive(Clone, Copy, Debug)]
struct Choice {
    asked: LargeObject,
    exclusive: bool,
    facts: Facts,
    segments: usize,
    /// The store takes no more of them.
    most: usize,
}

impl Choice {
    /// A static manifest names its segments; a dynamic one takes all that a listing shows, now and later.
    fn is_static(self) -> bool {
        let wanted = match self.asked {
            LargeObject::Static => true,
            LargeObject::Dynamic => false,
            LargeObject::Auto => self.exclusive,
        };
        self.is_possible() && wanted
    }

    fn is_possible(self) -> bool {
        self.facts.static_objects && self.segments <= self.most
    }
}

/// Writes the manifest of closed segments.
pub(crate) async fn write(inner: &Inner, path: &str, segments: &Segments, noted: bool) -> Result<()> {
    let facts = inner.facts().await?;
    let choice = Choice {
        asked: inner.config.large_object,
        exclusive: inner.config.exclusive,
        facts,
        segments: segments.done.len(),
        most: inner.most_segments().await,
    };
    if !noted {
        note_path(inner, path, segments).await?;
    }
    let name = inner.names.file(path);
    inner.plain.saw(&name, false);
    if choice.is_static() {
        return put_static(inner, path, segments).await;
    }
    let directory = &segments.directory;
    let is_free = put_where_nothing_is(inner, path, directory, facts).await?;
    // Somebody may have been told of what is there: it stays until all is listed that takes its place.
    if is_free || has_listed(inner, path, directory, segments.total).await? {
        if !is_free {
            put_dynamic_to(inner, path, directory, None).await?;
        }
        if has_size(inner, path, segments.total).await? {
            return Ok(());
        }
    }
    // The listing is behind, or somebody's segments came in between: where each segment can be named, it does not matter.
    // What took the place of something stays, whatever one replica says: all that it needs was listed.
    if choice.is_possible() && inner.config.large_object != LargeObject::Dynamic {
        warn!(blob.path = path, "the listing of segments is behind: the object becomes a static one");
        let written = put_static(inner, path, segments).await;
        if written.is_err() && is_free {
            remove_if_ours(inner, path, directory).await?;
        }
        return written;
    }
    if is_free {
        remove_if_ours(inner, path, directory).await?;
    }
    let what = format!("write {path} to swift: the store does not show all of its segments yet");
    Err(Error::new(Kind::Unavailable, what))
}

/// Says at the first segment what it is a part of: whoever wants to forget the upload looks there before.
async fn note_path(inner: &Inner, path: &str, segments: &Segments) -> Result<()> {
    let Some(first) = segments.done.keys().next() else { return Ok(()) };
    let name = segment(&segments.directory, *first);
    let noted = inner.store.note(&name, PATH_NOTE, path).await;
    noted.map_err(|error| match error.status() {
        Some(404) => {
            Error::new(Kind::Broken, format!("write {path} to swift: its first segment is gone")).because(error)
        }
        _ => failed(format!("note at {name} that it belongs to {path}"), error),
    })
}

async fn put_static(inner: &Inner, path: &str, segments: &Segments) -> Result<()> {
    let list: Vec<Segment> = segments
        .done
        .iter()
        .map(|(number, Done(size, etag))| Segment {
            container: inner.store.container().to_owned(),
            name: segment(&segments.directory, *number),
            size: *size,
            etag: etag.clone(),
        })
        .collect();
    put_segments(inner, path, &list).await
}

/// Writes a static manifest of these segments.
pub(crate) async fn put_segments(inner: &Inner, path: &str, list: &[Segment]) -> Result<()> {
    let written = inner.store.put_static(&inner.names.file(path), list).await;
    written.map_err(|error| failed(format!("write the static manifest of {path} to swift"), error))
}

/// Writes a dynamic manifest where there is no object yet. `false`: there is one.
async fn put_where_nothing_is(inner: &Inner, path: &str, prefix: &str, facts: Facts) -> Result<bool> {
    if !facts.create_if_absent {
        let head = inner.store.head(&inner.names.file(path), Newest::Yes).await;
        if head.map_err(|error| failed(format!("look at {path} in swift"), error))?.is_some() {
            return Ok(false);
        }
    }
    // Also where nobody knows yet whether the store heeds it.
    if put_manifest(inner, path, prefix, None, true).await? {
        return Ok(true);
    }
    // An answer may have been lost, and what is there be what we wrote.
    inner.refers(&inner.names.file(path), prefix).await
}

/// Writes a dynamic manifest of the segments whose names begin so; `from` is where the object was before.
pub(crate) async fn put_dynamic_to(inner: &Inner, path: &str, prefix: &str, from: Option<&str>) -> Result<()> {
    put_manifest(inner, path, prefix, from, false).await.map(drop)
}

async fn put_manifest(inner: &Inner, path: &str, prefix: &str, from: Option<&str>, if_absent: bool) -> Result<bool> {
    let notes = from.map(|from| (super::MOVED_NOTE, from.to_owned())).into_iter().collect();
    let options = PutOptions { if_absent, manifest: Some(prefix.to_owned()), notes, ..PutOptions::default() };
    let written = inner.store.put(&inner.names.file(path), Bytes::new(), &options).await;
    written.map_err(|error| failed(format!("write the manifest of {path} to swift"), error))
}

/// Whether the object is as long as what was written; waits for listings that are behind.
pub(crate) async fn has_size(inner: &Inner, path: &str, total: u64) -> Result<bool> {
    comes_to(inner, path, None, total).await
}

/// Whether all that was written into a directory is listed, and nothing else; waits for it as well.
async fn has_listed(inner: &Inner, path: &str, directory: &str, total: u64) -> Result<bool> {
    comes_to(inner, path, Some(directory), total).await
}

/// Whether the object, or all in a directory that is to become it, has so many bytes before patience ends.
async fn comes_to(inner: &Inner, path: &str, directory: Option<&str>, total: u64) -> Result<bool> {
    let (mut pause, mut waited) = (PAUSE, Duration::ZERO);
    loop {
        let size = match directory {
            Some(directory) => Some(size_of_all(inner, directory).await?),
            None => size_of(inner, path).await?,
        };
        if size == Some(total) {
            return Ok(true);
        }
        if waited >= inner.config.patience {
            return Ok(false);
        }
        debug!(blob.path = path, "the object has {size:?} bytes instead of {total}, looking again");
        tokio::time::sleep(pause).await;
        waited += pause;
        pause *= 2;
    }
}

async fn size_of(inner: &Inner, path: &str) -> Result<Option<u64>> {
    let head = inner.store.head(&inner.names.file(path), Newest::Yes).await;
    let head = head.map_err(|error| failed(format!("look at {path} in swift"), error))?;
    Ok(head.as_ref().and_then(ObjectHead::size))
}

async fn size_of_all(inner: &Inner, directory: &str) -> Result<u64> {
    let listed = inner.names_below(&format!("{directory}/")).await?;
    Ok(listed.iter().map(|(_, size)| size).sum())
}

async fn remove_if_ours(inner: &Inner, path: &str, directory: &str) -> Result<()> {
    let name = inner.names.file(path);
    let look = |error| failed(format!("look at {path} in swift"), error);
    let head = inner.store.head(&name, Newest::Yes).await.map_err(look)?;
    let ours = head.and_then(|head| head.manifest).is_some_and(|(_, prefix)| prefix == directory);
    if ours {
        inner.store.remove(&name).await.map_err(|error| failed(format!("remove {path} from swift"), error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_static_manifest_is_for_those_who_are_alone() {
        use LargeObject::{Auto, Dynamic, Static};
        let swift = Facts { create_if_absent: true, static_objects: true };
        let gateway = Facts { create_if_absent: false, static_objects: false };
        for (asked, exclusive, facts, segments, wanted) in [
            (Auto, false, swift, 3, false),
            (Auto, true, swift, 3, true),
            (Auto, true, gateway, 3, false),
            (Auto, true, swift, 1001, false),
            (Dynamic, true, swift, 3, false),
            (Static, false, swift, 3, true),
            (Static, false, gateway, 3, false),
        ] {
            let choice = Choice { asked, exclusive, facts, segments, most: 1000 };
            assert_eq!(choice.is_static(), wanted, "{choice:?}");
        }
    }
}
