//! A page out of lines that are in order already.

use jeroboam_model::Timestamp;

use crate::{Error, Kind, List, ListPage, Listed, Result};

/// An object as a listing knows it: its path, its length, and when it was written.
pub(crate) type Line<'a> = (&'a str, u64, Option<Timestamp>);

/// The page of `lines`, which are sorted by the bytes of their paths and begin with the prefix at the latest.
pub(crate) fn page<'a>(lines: impl Iterator<Item = Line<'a>>, what: &List<'_>) -> Result<ListPage> {
    if what.limit == 0 {
        return Err(Error::new(Kind::Misuse, format!("list nothing below {:?}", what.prefix)));
    }
    let mut items: Vec<Listed> = Vec::new();
    let mut last = String::new();
    for (path, size, modified) in lines {
        let Some(below) = path.strip_prefix(what.prefix) else { break };
        let folder = below.find('/').filter(|_| what.folders).map(|slash| &path[..=what.prefix.len() + slash]);
        let shown = folder.unwrap_or(path);
        if shown == last || what.after.is_some_and(|after| shown <= after) {
            continue;
        }
        if items.len() == what.limit {
            return Ok(ListPage { items, next: Some(last) });
        }
        shown.clone_into(&mut last);
        items.push(match folder {
            Some(folder) => Listed::Folder { path: folder.to_owned() },
            None => Listed::Object { path: path.to_owned(), size, modified },
        });
    }
    Ok(ListPage { items, next: None })
}
