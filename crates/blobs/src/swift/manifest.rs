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
}

impl Choice {
    /// A static manifest names its segments; a dynamic one takes all that a listing shows, now and later.
    fn is_static(self) -> bool {
        let possible = self.facts.static_objects && self.segments <= self.facts.max_segments;
        let wanted = match self.asked {
            LargeObject::Static => true,
            LargeObject::Dynamic => false,
            LargeObject::Auto => self.exclusive,
        };
        possible && wanted
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
    };
    if !noted {
        note_path(inner, path, segments).await?;
    }
    let name = inner.names.file(path);
    inner.plain.saw(&name, false);
    if choice.is_static() {
        return put_static(inner, path, segments).await;
    }
    put_dynamic(inner, path, segments, None).await?;
    if has_size(inner, path, segments.total).await? {
        return Ok(());
    }
    // The listing is behind, or somebody's segments came in between: where each segment can be named, it does not matter.
    let possible = facts.static_objects && segments.done.len() <= facts.max_segments;
    if possible && inner.config.large_object != LargeObject::Dynamic {
        warn!(blob.path = path, "the listing of segments is behind: the object becomes a static one");
        let written = put_static(inner, path, segments).await;
        if written.is_ok() {
            return written;
        }
        remove_if_ours(inner, path, &segments.directory).await?;
        return written;
    }
    remove_if_ours(inner, path, &segments.directory).await?;
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

/// Writes a dynamic manifest; `from` is where the object was before.
pub(crate) async fn put_dynamic(inner: &Inner, path: &str, segments: &Segments, from: Option<&str>) -> Result<()> {
    put_dynamic_to(inner, path, &segments.directory, from).await
}

/// The same for segments of which only the beginning of their names is known.
pub(crate) async fn put_dynamic_to(inner: &Inner, path: &str, prefix: &str, from: Option<&str>) -> Result<()> {
    let notes = from.map(|from| (super::MOVED_NOTE, from.to_owned())).into_iter().collect();
    let options = PutOptions { manifest: Some(prefix.to_owned()), notes, ..PutOptions::default() };
    let written = inner.store.put(&inner.names.file(path), Bytes::new(), &options).await;
    written.map(|_| ()).map_err(|error| failed(format!("write the manifest of {path} to swift"), error))
}

/// Whether the object is as long as what was written; waits for listings that are behind.
pub(crate) async fn has_size(inner: &Inner, path: &str, total: u64) -> Result<bool> {
    let name = inner.names.file(path);
    let (mut pause, mut waited) = (PAUSE, Duration::ZERO);
    loop {
        let head = inner.store.head(&name, Newest::Yes).await;
        let head = head.map_err(|error| failed(format!("look at {path} in swift"), error))?;
        let size = head.as_ref().and_then(ObjectHead::size);
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
        let swift = Facts { create_if_absent: true, static_objects: true, max_segments: 1000 };
        let gateway = Facts { create_if_absent: false, static_objects: false, max_segments: 1000 };
        for (asked, exclusive, facts, segments, wanted) in [
            (Auto, false, swift, 3, false),
            (Auto, true, swift, 3, true),
            (Auto, true, gateway, 3, false),
            (Auto, true, swift, 1001, false),
            (Dynamic, true, swift, 3, false),
            (Static, false, swift, 3, true),
            (Static, false, gateway, 3, false),
        ] {
            let choice = Choice { asked, exclusive, facts, segments };
            assert_eq!(choice.is_static(), wanted, "{choice:?}");
        }
    }
}
