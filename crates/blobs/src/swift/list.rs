//! A page of paths.

use jeroboam_openstack::object_store::{ListingEntry, ListingQuery};

use super::{Inner, PAGE};
use crate::{Error, Kind, List, ListPage, Listed, Result};

/// Behind it comes no name that a folder may have in it.
pub(crate) const LAST: char = '\u{10FFFF}';

pub(crate) async fn page(inner: &Inner, what: &List<'_>) -> Result<ListPage> {
    if what.limit == 0 {
        return Err(Error::new(Kind::Misuse, format!("list nothing below {:?}", what.prefix)));
    }
    crate::path::check_prefix(what.prefix)?;
    let prefix = inner.names.file(what.prefix);
    let limit = what.limit.min(PAGE);
    let mut after = what.after.map(str::to_owned);
    loop {
        let marker = after.as_deref().map(|after| marker(inner, after, what));
        let query =
            ListingQuery { prefix: &prefix, marker: marker.as_deref(), end: None, folders: what.folders, limit };
        let (listed, next) = inner.list(&query).await?;
        let is_last = next.is_none();
        let paths: Vec<Listed> = listed.into_iter().filter_map(|entry| line(inner, entry)).collect();
        let last = paths.last().map(|line| path(line).to_owned());
        // Swift shows the folder that the last path was in once more.
        let items: Vec<Listed> =
            paths.into_iter().filter(|line| what.after.is_none_or(|after| path(line) > after)).collect();
        match last {
            Some(last) if !is_last && items.is_empty() => after = Some(last),
            last => return Ok(ListPage { items, next: last.filter(|_| !is_last) }),
        }
    }
}

/// Where to go on: behind a folder, behind all that is in it.
fn marker(inner: &Inner, after: &str, what: &List<'_>) -> String {
    let name = inner.names.file(after);
    let is_line = what.folders && after.ends_with('/') && after.len() > what.prefix.len();
    if is_line { format!("{name}{LAST}") } else { name }
}

fn line(inner: &Inner, entry: ListingEntry) -> Option<Listed> {
    match entry {
        ListingEntry::Object(object) => {
            let path = inner.names.path(&object.name)?.to_owned();
            Some(Listed::Object { path, size: object.bytes, modified: object.modified })
        }
        ListingEntry::Folder(name) => Some(Listed::Folder { path: inner.names.path(&name)?.to_owned() }),
    }
}

fn path(line: &Listed) -> &str {
    match line {
        Listed::Object { path, .. } | Listed::Folder { path } => path,
    }
}
