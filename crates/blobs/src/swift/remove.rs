//! Removing objects with all that belongs to them, and giving one another path.
//!
//! The manifest goes first: what is left of a removal that was interrupted is garbage, never an object without its bytes.

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jeroboam_openstack::object_store::{Newest, ObjectHead};
use tracing::warn;

use super::failure::failed;
use super::{Inner, MOVED_NOTE, manifest};
use crate::path::check;
use crate::{Error, Kind, Result};

/// A path and what is there, if anything is.
type Look<'a> = Option<(&'a str, ObjectHead)>;

/// So many objects are looked at at once.
const AT_ONCE: usize = 8;

pub(crate) async fn delete(inner: &Inner, paths: &[String]) -> Result<()> {
    let looks: Vec<BoxFuture<'_, Result<Look<'_>>>> = paths.iter().map(|path| look(inner, path).boxed()).collect();
    let seen: Vec<Look<'_>> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    let (mut plain, mut large) = (Vec::new(), Vec::new());
    for (path, head) in seen.into_iter().flatten() {
        if head.is_large() {
            large.push((path, head));
        } else {
            plain.push(inner.names.file(path));
        }
    }
    for name in &plain {
        inner.plain.saw(name, false);
    }
    let removed = inner.store.remove_all(&plain).await;
    removed.map_err(|error| failed(format!("remove {} objects from swift", plain.len()), error))?;
    for (path, head) in large {
        delete_large(inner, path, &head).await?;
    }
    Ok(())
}

/// What an object is; one that was just seen to be plain is not looked at again.
async fn look<'a>(inner: &Inner, path: &'a str) -> Result<Look<'a>> {
    check(path)?;
    let name = inner.names.file(path);
    if inner.plain.knows(&name) {
        return Ok(Some((path, ObjectHead::default())));
    }
    let head = inner.store.head(&name, Newest::Yes).await;
    let head = head.map_err(|error| failed(format!("look at {path} in swift"), error))?;
    Ok(head.map(|head| (path, head)))
}

async fn delete_large(inner: &Inner, path: &str, head: &ObjectHead) -> Result<()> {
    let name = inner.names.file(path);
    let trouble = |error| failed(format!("remove {path} from swift"), error);
    let Some((container, prefix)) = &head.manifest else { return delete_static(inner, path, head).await };
    inner.store.remove(&name).await.map_err(trouble)?;
    let directory = prefix.trim_end_matches('/');
    let is_segments = inner.names.directory_of(&super::names::segment(directory, 1)).is_some();
    if container != inner.store.container() || !is_segments {
        warn!(blob.path = path, "the segments of a large object are not where registries keep them, and stay");
        return Ok(());
    }
    // What distribution began as an upload may be an object by now, under a name that nobody noted: only a sweep, which looks at all, can tell.
    if path.contains("/_uploads/") && inner.names.mark_of(directory).is_none() {
        return Ok(());
    }
    if is_shared(inner, &name, head, directory).await? {
        return Ok(());
    }
    let names = inner.names_below(&format!("{directory}/")).await?.into_iter().map(|(name, _)| name);
    inner.store.remove_all(&names.collect::<Vec<_>>()).await.map_err(trouble)
}

async fn delete_static(inner: &Inner, path: &str, head: &ObjectHead) -> Result<()> {
    let name = inner.names.file(path);
    let trouble = |error| failed(format!("remove {path} from swift"), error);
    let Some(segments) = inner.store.static_segments(&name).await.map_err(trouble)? else {
        // A Ceph gateway shows no segments, and can remove them.
        return inner.store.remove_with_segments(&name).await.map_err(trouble);
    };
    inner.store.remove(&name).await.map_err(trouble)?;
    let here = |container: &str| container == inner.store.container();
    let directories: std::collections::BTreeSet<&str> = segments
        .iter()
        .filter(|segment| here(&segment.container))
        .filter_map(|segment| segment.name.rsplit_once('/').map(|(directory, _)| directory))
        .collect();
    for directory in directories {
        if is_shared(inner, &name, head, directory).await? {
            return Ok(());
        }
    }
    let files = inner.names.files();
    let (ours, others): (Vec<_>, Vec<_>) =
        segments.into_iter().partition(|segment| here(&segment.container) && !segment.name.starts_with(&files));
    if !others.is_empty() {
        warn!(
            blob.path = path,
            "{} segments of a static large object are not where registries keep them, and stay",
            others.len()
        );
    }
    let names: Vec<String> = ours.into_iter().map(|segment| segment.name).collect();
    inner.store.remove_all(&names).await.map_err(trouble)
}

/// Whether another object has the same segments: one that was written at this name meanwhile, one that was to be moved here, an upload of
/// distribution's that was to become this object.
async fn is_shared(inner: &Inner, name: &str, head: &ObjectHead, directory: &str) -> Result<bool> {
    let moved = head.note(MOVED_NOTE).map(|from| inner.names.file(from));
    let upload = inner.names.upload_of(directory);
    for other in [Some(name.to_owned()), moved, upload].into_iter().flatten() {
        if inner.refers(&other, directory).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) async fn relocate(inner: &Inner, from: &str, to: &str) -> Result<()> {
    check(from)?;
    check(to)?;
    let (source, target) = (inner.names.file(from), inner.names.file(to));
    let trouble = |error| failed(format!("move {from} to {to} in swift"), error);
    let Some(head) = inner.store.head(&source, Newest::Yes).await.map_err(trouble)? else {
        return Err(Error::new(Kind::Misuse, format!("move {from}, which is not there")));
    };
    if from == to {
        return Ok(());
    }
    inner.plain.saw(&target, !head.is_large());
    match &head.manifest {
        Some((container, prefix)) if container == inner.store.container() => {
            manifest::put_dynamic_to(inner, to, prefix, Some(from)).await?;
        }
        Some((container, _)) => {
            let what = format!("move {from}, whose segments are in the container {container}");
            return Err(Error::new(Kind::Refused, what));
        }
        None => {
            let notes = [(MOVED_NOTE, from.to_owned())];
            let notes = if head.is_static { &notes[..] } else { &[] };
            inner.store.copy(&source, &target, head.is_static, notes).await.map_err(trouble)?;
        }
    }
    inner.store.remove(&source).await.map(|_| ()).map_err(trouble)
}
