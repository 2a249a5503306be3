//! Finds segments that no object has.
//!
//! A directory of segments is garbage only if all of it is old, no upload that goes on has it, and no manifest of the whole container names it: of any
//! prefix, the trash included. Whatever cannot be read ends the search before anything is removed; so does a static large object of a Ceph gateway, which shows no
//! segments.

use std::collections::{BTreeMap, HashSet};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jeroboam_model::Timestamp;
use jeroboam_openstack::object_store::{ListedObject, ListingEntry, ListingQuery, Newest};
use tracing::warn;

use super::failure::failed;
use super::list::LAST;
use super::names::mark;
use super::upload::belongs_to_an_object;
use super::{Inner, PAGE};
use crate::{Result, Sweep, Swept};

/// So many manifests are looked at at once.
const AT_ONCE: usize = 8;

/// A directory that may be garbage.
#[derive(Debug)]
struct Candidate {
    first: String,
    objects: u64,
    bytes: u64,
    is_old: bool,
}

/// Directories that may be garbage, by their names.
#[derive(Debug, Default)]
struct Candidates(BTreeMap<String, Candidate>);

impl Candidates {
    fn add(&mut self, directory: &str, object: &ListedObject, older_than: Timestamp) {
        let fresh = || Candidate { first: object.name.clone(), objects: 0, bytes: 0, is_old: true };
        let candidate = self.0.entry(directory.to_owned()).or_insert_with(fresh);
        candidate.objects += 1;
        candidate.bytes += object.bytes;
        candidate.is_old &= object.modified.is_some_and(|modified| modified < older_than);
    }

    /// Forgets those that something whose names begin so may need, and those within it.
    fn spare(&mut self, prefix: &str) {
        let begin = prefix.trim_end_matches('/');
        let within = |directory: &str| directory.starts_with(begin) || begin.starts_with(&format!("{directory}/"));
        self.0.retain(|directory, _| !within(directory));
    }

    fn retain(&mut self, keep: impl Fn(&str, &Candidate) -> bool) {
        self.0.retain(|directory, candidate| keep(directory, candidate));
    }
}

pub(crate) async fn sweep(inner: &Inner, sweep: &Sweep<'_>) -> Result<Swept> {
    let mut candidates = old_directories(inner, sweep).await?;
    // Distribution finishes an upload by giving its segments to an object of another name, which may be on a page that was seen already: it is seen then
    // when all are looked at once more.
    for _ in 0..2 {
        if let Some(name) = spare_what_is_needed(inner, &mut candidates).await? {
            warn!(
                object = name,
                "the store does not show the segments of a static large object: no segments are looked for that no object has"
            );
            return Ok(Swept { hidden: true, ..Swept::default() });
        }
    }
    let mut swept = Swept::default();
    for (directory, candidate) in &candidates.0 {
        // Somebody may have made an object of it a moment ago.
        if belongs_to_an_object(inner, &candidate.first, directory).await? {
            continue;
        }
        swept.objects += candidate.objects;
        swept.bytes += candidate.bytes;
        if sweep.dry_run {
            continue;
        }
        let names: Vec<String> =
            inner.names_below(&format!("{directory}/")).await?.into_iter().map(|(name, _)| name).collect();
        let removed = inner.store.remove_all(&names).await;
        removed.map_err(|error| failed(format!("remove the segments below {directory} from swift"), error))?;
    }
    Ok(swept)
}

/// All directories whose every segment is old, but those of uploads that go on.
async fn old_directories(inner: &Inner, sweep: &Sweep<'_>) -> Result<Candidates> {
    let live: HashSet<String> = sweep.live.iter().map(|owner| mark(owner)).collect();
    let mut candidates = Candidates::default();
    let segments = inner.names.segments();
    let mut marker: Option<String> = None;
    loop {
        let (page, next) = page(inner, &segments, marker.as_deref(), None).await?;
        for object in &page {
            if let Some(directory) = inner.names.directory_of(&object.name) {
                candidates.add(directory, object, sweep.older_than);
            }
        }
        // The last directory may go on with the next page.
        let open = next.as_deref().and_then(|name| inner.names.directory_of(name));
        candidates.retain(|directory, candidate| {
            let lives = inner.names.mark_of(directory).is_some_and(|mark| live.contains(&mark));
            open == Some(directory) || (candidate.is_old && !lives)
        });
        marker = next;
        if marker.is_none() {
            return Ok(candidates);
        }
    }
}

/// Looks at every manifest of the container. Gives one that does not show what it needs, if there is any.
async fn spare_what_is_needed(inner: &Inner, candidates: &mut Candidates) -> Result<Option<String>> {
    let segments = inner.names.segments();
    // Nothing within the segments themselves is a manifest.
    let behind = format!("{segments}{LAST}");
    for (mut marker, end) in [(None, Some(segments.as_str())), (Some(behind), None)] {
        loop {
            if candidates.0.is_empty() {
                return Ok(None);
            }
            let (page, next) = page(inner, "", marker.as_deref(), end).await?;
            let mut large: Vec<BoxFuture<'_, Result<Needed>>> = Vec::new();
            for object in page.iter().filter(|object| object.may_be_large()) {
                large.push(needed_by(inner, &object.name).boxed());
            }
            let needed: Vec<Needed> = stream::iter(large).buffer_unordered(AT_ONCE).try_collect().await?;
            for needed in needed {
                match needed {
                    Needed::Below(prefixes) => prefixes.iter().for_each(|prefix| candidates.spare(prefix)),
                    Needed::Hidden(name) => return Ok(Some(name)),
                }
            }
            marker = next;
            if marker.is_none() {
                break;
            }
        }
    }
    Ok(None)
}

/// The segments that an object needs.
enum Needed {
    /// Those whose names begin so.
    Below(Vec<String>),
    /// Those of the object with this name are not shown.
    Hidden(String),
}

async fn needed_by(inner: &Inner, name: &str) -> Result<Needed> {
    let trouble = |error| failed(format!("look at {name} in swift"), error);
    let head = inner.store.head(name, Newest::Yes).await.map_err(trouble)?;
    let Some(head) = head else { return Ok(Needed::Below(Vec::new())) };
    if let Some((container, prefix)) = head.manifest {
        let is_here = container == inner.store.container();
        return Ok(Needed::Below(is_here.then_some(prefix).into_iter().collect()));
    }
    if !head.is_static {
        return Ok(Needed::Below(Vec::new()));
    }
    let Some(segments) = inner.store.static_segments(name).await.map_err(trouble)? else {
        return Ok(Needed::Hidden(name.to_owned()));
    };
    let here = segments.into_iter().filter(|segment| segment.container == inner.store.container());
    let directories =
        here.filter_map(|segment| segment.name.rsplit_once('/').map(|(directory, _)| directory.to_owned()));
    Ok(Needed::Below(directories.collect()))
}

/// Objects of a page, and where the next one begins.
async fn page(
    inner: &Inner,
    prefix: &str,
    marker: Option<&str>,
    end: Option<&str>,
) -> Result<(Vec<ListedObject>, Option<String>)> {
    let query = ListingQuery { prefix, marker, end, folders: false, limit: PAGE };
    let (page, next) = inner.list(&query).await?;
    let objects = page.into_iter().filter_map(|entry| match entry {
        ListingEntry::Object(object) => Some(object),
        ListingEntry::Folder(_) => None,
    });
    Ok((objects.collect(), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(directories: &[&str]) -> Candidates {
        let mut all = Candidates::default();
        for directory in directories {
            let object = ListedObject {
                name: format!("{directory}/0000000000000001"),
                bytes: 1,
                hash: String::new(),
                modified: Some(Timestamp::UNIX_EPOCH),
                is_static: false,
            };
            all.add(directory, &object, Timestamp::MAX);
        }
        all
    }

    #[test]
    fn whatever_a_manifest_may_reach_is_spared() {
        let all = ["segments/abc/def", "segments/abc/defa", "segments/abd/1"];
        for (prefix, left) in [
            ("segments/abc/def", vec!["segments/abd/1"]),
            ("segments/abc/defa/", vec!["segments/abc/def", "segments/abd/1"]),
            ("segments/a", vec![]),
            ("segments/abd/1/000", vec!["segments/abc/def", "segments/abc/defa"]),
            ("other", all.to_vec()),
        ] {
            let mut candidates = candidates(&all);
            candidates.spare(prefix);
            assert_eq!(candidates.0.keys().collect::<Vec<_>>(), left, "{prefix}");
        }
    }
}
