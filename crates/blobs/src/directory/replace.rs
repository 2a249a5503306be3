//! One file takes the place of another, at once and for good; and files go.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::disk::{Disk, is_absent};
use super::place;
use crate::{Condition, Written};

/// An empty folder may be removed by another between its making and its use; so often we make it again.
const TRIES: usize = 16;

/// A file that nobody sees yet. Dropping it removes it.
pub(super) struct Temporary {
    path: PathBuf,
    target: PathBuf,
    file: File,
    changed: Vec<PathBuf>,
    kept: bool,
}

impl Temporary {
    /// A new file beside `target`.
    pub(super) fn create(disk: &Disk, target: &Path) -> io::Result<Self> {
        let path = place::temporary(target);
        let (file, changed) = open_below(disk, &path, OpenOptions::new().write(true).create_new(true))?;
        Ok(Self { path, target: target.to_owned(), file, changed, kept: false })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Makes it appear. It is synced before and its directories after.
    pub(super) fn commit(mut self, disk: &Disk, condition: Condition) -> io::Result<Written> {
        self.file.sync_all()?;
        match condition {
            Condition::Always => std::fs::rename(&self.path, &self.target)?,
            Condition::Absent if !rename_if_absent(&self.path, &self.target)? => return Ok(Written::Refused),
            Condition::Absent => {}
        }
        self.kept = true;
        disk.syncs().settle(folder_of(&self.target), &self.changed)?;
        Ok(Written::Yes)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(file = %self.path.display(), error = %error, "left a temporary file behind");
        }
    }
}

/// Opens a file and makes the folders above it; tells which directories have to be synced for those.
pub(super) fn open_below(disk: &Disk, file: &Path, how: &OpenOptions) -> io::Result<(File, Vec<PathBuf>)> {
    let mut tries = 0;
    loop {
        tries += 1;
        let opened = disk.syncs().make(folder_of(file)).and_then(|changed| Ok((how.open(file)?, changed)));
        match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => {}
            outcome => return outcome,
        }
    }
}

/// Writes a whole file.
pub(super) fn put(disk: &Disk, target: &Path, bytes: &[u8], condition: Condition) -> io::Result<Written> {
    if condition == Condition::Absent && target.try_exists()? {
        return Ok(Written::Refused);
    }
    let temporary = Temporary::create(disk, target)?;
    temporary.file().write_all(bytes)?;
    temporary.commit(disk, condition)
}

/// Removes files, and the folders above them that are empty then. It survives a power cut.
pub(super) fn remove(disk: &Disk, files: &[PathBuf]) -> io::Result<()> {
    let mut changed = BTreeSet::new();
    for file in files {
        match std::fs::remove_file(file) {
            Ok(()) => {}
            Err(error) if is_absent(&error) => continue,
            Err(error) => return Err(error),
        }
        changed.insert(prune(disk, folder_of(file)).to_owned());
    }
    for directory in changed {
        match disk.syncs().sync(&directory) {
            Err(error) if is_absent(&error) => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

/// Gives a file another path.
pub(super) fn relocate(disk: &Disk, source: &Path, target: &Path) -> io::Result<()> {
    if !source.is_file() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "there is no object to move"));
    }
    if source == target {
        return Ok(());
    }
    move_to(disk, source, target)?;
    disk.syncs().sync(prune(disk, folder_of(source)))
}

/// Renames a synced file, also into a folder that is yet to be made or that is in another file system.
pub(super) fn move_to(disk: &Disk, source: &Path, target: &Path) -> io::Result<()> {
    let mut tries = 0;
    loop {
        tries += 1;
        let changed = disk.syncs().make(folder_of(target))?;
        match std::fs::rename(source, target) {
            Ok(()) => return disk.syncs().settle(folder_of(target), &changed),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::XDEV) => return copy_to(disk, source, target),
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES && source.exists() => {}
            Err(error) => return Err(error),
        }
    }
}

fn copy_to(disk: &Disk, source: &Path, target: &Path) -> io::Result<()> {
    let temporary = Temporary::create(disk, target)?;
    io::copy(&mut File::open(source)?, &mut temporary.file())?;
    temporary.commit(disk, Condition::Always)?;
    std::fs::remove_file(source)
}

/// Removes empty folders from `folder` upwards, and gives the first that stays.
pub(super) fn prune<'a>(disk: &Disk, folder: &'a Path) -> &'a Path {
    let mut folder = folder;
    while folder != disk.root() && std::fs::remove_dir(folder).is_ok() {
        folder = folder_of(folder);
    }
    folder
}

/// A file system without this kind of rename has hard links.
fn rename_if_absent(source: &Path, target: &Path) -> io::Result<bool> {
    match rustix::fs::renameat_with(CWD, source, CWD, target, RenameFlags::NOREPLACE) {
        Ok(()) => return Ok(true),
        Err(Errno::EXIST) => return Ok(false),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        Err(error) => return Err(error.into()),
    }
    match std::fs::hard_link(source, target) {
        Ok(()) => std::fs::remove_file(source).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// All files of ours are below a root, so there is a folder.
pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(file)
}
