//! Makes static large objects dynamic ones, which are all that distribution's driver knows how to remove with their segments.
//!
//! Bytes are not touched: the segments stay, and another manifest takes the place of the first. Where what a listing shows of them is not what the object was made
//! of, it stays as it was.

use jeroboam_openstack::object_store::{Newest, Segment};
use tracing::warn;

use super::failure::failed;
use super::manifest::{has_size, put_dynamic_to, put_segments};
use super::{Inner, MOVED_NOTE};
use crate::{HandedBack, Result};

const REWRITTEN: HandedBack = HandedBack { rewritten: 1, left: 0 };
const LEFT: HandedBack = HandedBack { rewritten: 0, left: 1 };

pub(super) async fn hand_back(inner: &Inner, path: &str, dry_run: bool) -> Result<HandedBack> {
    let name = inner.names.file(path);
    let look = |error| failed(format!("look at {path} in swift"), error);
    let head = inner.store.head(&name, Newest::Yes).await.map_err(look)?;
    let Some(head) = head.filter(|head| head.is_static) else { return Ok(HandedBack::default()) };
    // A Ceph gateway does not show them.
    let Some(segments) = inner.store.static_segments(&name).await.map_err(look)? else { return Ok(LEFT) };
    let Some(directory) = directory_of_all(inner, &segments).await? else {
        warn!(
            blob.path = path,
            "the segments of a static large object are not all there is below one name: it stays one"
        );
        return Ok(LEFT);
    };
    if dry_run {
        return Ok(REWRITTEN);
    }
    put_dynamic_to(inner, path, &directory, head.note(MOVED_NOTE)).await?;
    if has_size(inner, path, segments.iter().map(|segment| segment.size).sum()).await? {
        return Ok(REWRITTEN);
    }
    warn!(blob.path = path, "the listing of segments is behind: the object becomes a static one again");
    put_segments(inner, path, &segments).await?;
    Ok(LEFT)
}

/// The directory that has all of these segments in their order, and nothing else.
async fn directory_of_all(inner: &Inner, segments: &[Segment]) -> Result<Option<String>> {
    let Some(first) = segments.first() else { return Ok(None) };
    let Some(directory) = inner.names.directory_of(&first.name) else { return Ok(None) };
    if segments.iter().any(|segment| segment.container != inner.store.container()) {
        return Ok(None);
    }
    let below = inner.names_below(&format!("{directory}/")).await?;
    let same = below.iter().map(|(name, _)| name).eq(segments.iter().map(|segment| &segment.name));
    Ok(same.then(|| directory.to_owned()))
}
