//! Pages of paths in the order of their bytes, reading no more directories than a page needs.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::{disk, place, read};
use crate::{Error, Kind, List, ListPage, Listed, Result, path};

/// Deeper than any name of a repository goes; a symbolic link that points upwards ends here.
const DEPTH: usize = 256;

/// What to list, owned.
pub(super) struct Wanted {
    prefix: String,
    after: Option<String>,
    folders: bool,
    limit: usize,
}

impl Wanted {
    pub(super) fn new(what: &List<'_>) -> Result<Self> {
        path::check_prefix(what.prefix)?;
        if what.limit == 0 {
            return Err(Error::new(Kind::Misuse, format!("list nothing below {:?}", what.prefix)));
        }
        Ok(Self {
            prefix: what.prefix.to_owned(),
            after: what.after.map(str::to_owned),
            folders: what.folders,
            limit: what.limit,
        })
    }

    /// Whether something at or below `path`, which ends with a slash, may come after the mark.
    fn reaches_below(&self, path: &str) -> bool {
        self.after.as_deref().is_none_or(|after| path > after || after.starts_with(path))
    }

    fn is_after(&self, path: &str) -> bool {
        self.after.as_deref().is_none_or(|after| path > after)
    }
}

/// One page of what lies below `root`.
pub(super) fn page(root: &Path, wanted: &Wanted) -> io::Result<ListPage> {
    let mut walk = Walk { root, wanted, items: Vec::new() };
    walk.folder(&wanted.prefix, 0)?;
    let mut items = walk.items;
    let more = items.len() > wanted.limit;
    items.truncate(wanted.limit);
    let next = more.then(|| items.last().map(|item| path_of(item).to_owned())).flatten();
    Ok(ListPage { items, next })
}

struct Walk<'a> {
    root: &'a Path,
    wanted: &'a Wanted,
    items: Vec<Listed>,
}

impl Walk<'_> {
    fn is_full(&self) -> bool {
        self.items.len() > self.wanted.limit
    }

    fn folder(&mut self, prefix: &str, depth: usize) -> io::Result<()> {
        for name in names(&self.root.join(prefix), depth)? {
            if self.is_full() {
                break;
            }
            let path = format!("{prefix}{name}");
            if !path.ends_with('/') {
                self.file(path)?;
            } else if self.wanted.folders {
                self.line_of_folder(path, depth + 1)?;
            } else if self.wanted.reaches_below(&path) {
                self.folder(&path, depth + 1)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: String) -> io::Result<()> {
        if !self.wanted.is_after(&path) {
            return Ok(());
        }
        if let Some(meta) = read::meta(&self.root.join(&path))? {
            self.items.push(Listed::Object { path, size: meta.size, modified: meta.modified });
        }
        Ok(())
    }

    fn line_of_folder(&mut self, path: String, depth: usize) -> io::Result<()> {
        if self.wanted.is_after(&path) && has_objects(&self.root.join(&path), depth)? {
            self.items.push(Listed::Folder { path });
        }
        Ok(())
    }
}

/// The names in a directory, those of directories with a slash: so sorted, what is below them is in order too (`a.b` < `a/`).
fn names(directory: &Path, depth: usize) -> io::Result<Vec<String>> {
    if depth > DEPTH {
        return Err(Errno::LOOP.into());
    }
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if disk::is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        // Names that are no UTF-8 are not ours.
        let Ok(mut name) = entry.file_name().into_string() else { continue };
        let Some(is_folder) = is_folder(&entry)? else { continue };
        if is_folder {
            name.push('/');
        } else if name.ends_with(place::TEMPORARY) {
            continue;
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}

/// Links are followed; one that leads nowhere is nothing, and so is what is neither file nor directory.
fn is_folder(entry: &std::fs::DirEntry) -> io::Result<Option<bool>> {
    let mut kind = entry.file_type()?;
    if kind.is_symlink() {
        match std::fs::metadata(entry.path()) {
            Ok(metadata) => kind = metadata.file_type(),
            Err(error) if disk::is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok((kind.is_dir() || kind.is_file()).then(|| kind.is_dir()))
}

/// Empty directories are left by others, and by what was aborted: in an object store they would not be there.
fn has_objects(directory: &Path, depth: usize) -> io::Result<bool> {
    let names = names(directory, depth)?;
    if names.iter().any(|name| !name.ends_with('/')) {
        return Ok(true);
    }
    for name in names {
        if has_objects(&directory.join(name), depth + 1)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn path_of(item: &Listed) -> &str {
    match item {
        Listed::Object { path, .. } | Listed::Folder { path } => path,
    }
}
