//! One file takes the place of another, at once and for good; and files go.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, OFlags, RenameFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use super::disk::{Disk, is_absent};
use super::place;
use crate::{Condition, Written};

/// An empty folder may be removed by another between its making and its use; so often we make it again.
const TRIES: usize = 16;

/// Up to this length a file is written around the cache, and one sync is enough for all of it.
pub(super) const SMALL: usize = 64 * 1024;

/// What writes around the cache has to begin and end at a multiple of this, in memory and in the file.
const BLOCK: usize = 4096;

/// When a change survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durable {
    /// When it is done.
    Now,
    /// When one that [`put`] makes after it does, where the file system keeps the order of changes.
    WithNext,
}

/// A file that nobody sees yet. Dropping it removes it.
pub(super) struct Temporary {
    disk: Arc<Disk>,
    path: PathBuf,
    target: PathBuf,
    file: File,
    changed: Vec<PathBuf>,
    kept: bool,
}

impl Temporary {
    /// A new file beside `target`.
    pub(super) fn create(disk: &Arc<Disk>, target: &Path) -> io::Result<Self> {
        Self::open(disk, target, OpenOptions::new().write(true).create_new(true))
    }

    fn open(disk: &Arc<Disk>, target: &Path, how: &OpenOptions) -> io::Result<Self> {
        let path = place::temporary(target);
        let (file, changed) = open_below(disk, &path, how)?;
        Ok(Self { disk: Arc::clone(disk), path, target: target.to_owned(), file, changed, kept: false })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Makes it appear. It is synced before and its directories after.
    pub(super) fn commit(mut self, condition: Condition) -> io::Result<Written> {
        let ordered = self.disk.is_ordered(&self.file)?;
        self.disk.syncs().file(&self.file)?;
        if self.appear(condition)? == Written::Refused {
            return Ok(Written::Refused);
        }
        self.disk.syncs().settle(folder_of(&self.target), &self.changed, ordered)?;
        Ok(Written::Yes)
    }

    /// Makes it appear where its bytes are on the disk already and changes are ordered: one sync brings the file, its name and its folders, be it that
    /// of a later change.
    fn commit_at_once(mut self, condition: Condition, durable: Durable) -> io::Result<Written> {
        if self.appear(condition)? == Written::Refused {
            return Ok(Written::Refused);
        }
        match durable {
            Durable::WithNext if is_on_the_disk(&self.file)? => self.disk.is_ahead(),
            Durable::Now | Durable::WithNext => self.disk.syncs().file(&self.file)?,
        }
        self.disk.syncs().settled(folder_of(&self.target), &self.changed);
        Ok(Written::Yes)
    }

    fn appear(&mut self, condition: Condition) -> io::Result<Written> {
        match condition {
            Condition::Always => std::fs::rename(&self.path, &self.target)?,
            Condition::Absent if !rename_if_absent(&self.path, &self.target)? => return Ok(Written::Refused),
            Condition::Absent => {}
        }
        self.kept = true;
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
        let folder = folder_of(&self.path);
        prune(&self.disk, folder);
        self.disk.syncs().abandon(folder, &self.changed);
    }
}

/// Opens a file and makes the folders above it; tells which directories have to be synced for those.
pub(super) fn open_below(disk: &Disk, file: &Path, how: &OpenOptions) -> io::Result<(File, Vec<PathBuf>)> {
    let mut tries = 0;
    loop {
        tries += 1;
        let folder = folder_of(file);
        let changed = disk.syncs().make(folder)?;
        match how.open(file) {
            Ok(file) => return Ok((file, changed)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => {}
            Err(error) => {
                prune(disk, folder);
                disk.syncs().abandon(folder, &changed);
                return Err(error);
            }
        }
    }
}

/// Writes a whole file.
pub(super) fn put(
    disk: &Arc<Disk>,
    target: &Path,
    bytes: &[u8],
    condition: Condition,
    durable: Durable,
) -> io::Result<Written> {
    if condition == Condition::Absent && target.try_exists()? {
        return Ok(Written::Refused);
    }
    if bytes.len() <= SMALL
        && let Some(temporary) = write_around_cache(disk, target, bytes)?
    {
        return temporary.commit_at_once(condition, durable);
    }
    let temporary = Temporary::create(disk, target)?;
    temporary.file().write_all(bytes)?;
    if durable == Durable::Now && !disk.is_ordered(temporary.file())? {
        disk.bring()?;
    }
    temporary.commit(condition)
}

/// Writes a file whose bytes are on the disk when this returns, though not how they are found: that is up to the next sync, and comes in
/// order. `None` where the file system does not do it.
fn write_around_cache(disk: &Arc<Disk>, target: &Path, bytes: &[u8]) -> io::Result<Option<Temporary>> {
    if !disk.may_be_ordered() {
        return Ok(None);
    }
    let direct = OFlags::DIRECT.bits().cast_signed();
    let opened = Temporary::open(disk, target, OpenOptions::new().write(true).create_new(true).custom_flags(direct));
    let temporary = match opened {
        Err(error) if is_unsupported(&error) => return Ok(None),
        opened => opened?,
    };
    if !disk.is_ordered(temporary.file())? {
        return Ok(None);
    }
    let length = bytes.len().next_multiple_of(BLOCK);
    let mut buffer = vec![0; length + BLOCK];
    let begin = buffer.as_ptr().align_offset(BLOCK);
    buffer[begin..begin + bytes.len()].copy_from_slice(bytes);
    match temporary.file().write_all(&buffer[begin..begin + length]) {
        Err(error) if is_unsupported(&error) => return Ok(None),
        written => written?,
    }
    if length != bytes.len() {
        temporary.file().set_len(bytes.len() as u64)?;
    }
    Ok(Some(temporary))
}

/// Whether what was written around the cache really was: of an encrypted file it may be in the cache nonetheless.
fn is_on_the_disk(file: &File) -> io::Result<bool> {
    let known = rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::empty())?;
    Ok(!known.stx_attributes.contains(StatxAttributes::ENCRYPTED))
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::OPNOTSUPP))
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

/// Puts a copy of the first bytes of a file in its place, and gives that, with its cursor at the end. The copy is durable.
pub(super) fn own_copy(disk: &Arc<Disk>, target: &Path, from: File, length: u64) -> io::Result<File> {
    let temporary = Temporary::open(disk, target, OpenOptions::new().read(true).write(true).create_new(true))?;
    let mut file = temporary.file().try_clone()?;
    if io::copy(&mut from.take(length), &mut file)? != length {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "there is less of it than there was"));
    }
    temporary.commit(Condition::Always)?;
    Ok(file)
}

/// Gives a file another path.
pub(super) fn relocate(disk: &Arc<Disk>, source: &Path, target: &Path) -> io::Result<()> {
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
pub(super) fn move_to(disk: &Arc<Disk>, source: &Path, target: &Path) -> io::Result<()> {
    let mut tries = 0;
    loop {
        tries += 1;
        let changed = disk.syncs().make(folder_of(target))?;
        match std::fs::rename(source, target) {
            Ok(()) => {
                let ordered = disk.is_ordered(&File::open(folder_of(target))?)?;
                return disk.syncs().settle(folder_of(target), &changed, ordered);
            }
            Err(error) if Errno::from_io_error(&error) == Some(Errno::XDEV) => return copy_to(disk, source, target),
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES && source.exists() => {}
            Err(error) => return Err(error),
        }
    }
}

fn copy_to(disk: &Arc<Disk>, source: &Path, target: &Path) -> io::Result<()> {
    let temporary = Temporary::create(disk, target)?;
    io::copy(&mut File::open(source)?, &mut temporary.file())?;
    temporary.commit(Condition::Always)?;
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::super::order::SyncPolicy;
    use super::*;

    #[tokio::test]
    async fn every_directory_is_synced_unless_the_file_system_keeps_order() {
        for (policy, small, large) in [(SyncPolicy::All, 3, 2), (SyncPolicy::Ordered, 0, 1)] {
            let root = tempfile::tempdir().expect("a directory");
            let disk = Disk::open(root.path(), policy).await.expect("opened");
            let syncs = |disk: &Disk| disk.syncs().made.swap(0, Ordering::SeqCst);
            let small_file = |name: &str, durable| {
                put(&disk, &disk.root().join("a/b").join(name), b"1", Condition::Always, durable).expect("written");
            };
            small_file("link", Durable::Now);
            // A temporary directory that cannot be written around the cache needs one for the name.
            let direct = OpenOptions::new()
                .write(true)
                .create_new(true)
                .custom_flags(OFlags::DIRECT.bits().cast_signed())
                .open(disk.root().join("direct"))
                .is_ok();
            let expected = if direct || policy == SyncPolicy::All { small } else { 1 };
            assert_eq!(syncs(&disk), expected, "a, a/b and the root have new entries: {policy:?}");
            let files = || disk.syncs().count() - disk.syncs().made.load(Ordering::SeqCst);
            let before = files();
            small_file("ahead", Durable::WithNext);
            let waits = !direct || policy == SyncPolicy::All;
            assert_eq!((syncs(&disk), files() - before), if waits { (1, 1) } else { (0, 0) }, "{policy:?}");
            let data = disk.root().join("a/c/data");
            put(&disk, &data, &vec![7; SMALL + 1], Condition::Always, Durable::WithNext).expect("written");
            assert_eq!(syncs(&disk), large, "a and a/c have: {policy:?}");
            remove(&disk, &[disk.root().join("a/b/link")]).expect("removed");
            assert_eq!(syncs(&disk), 1, "{policy:?}");
        }
    }

    #[tokio::test]
    async fn who_writes_on_another_file_system_brings_what_was_written_ahead() {
        let root = tempfile::tempdir().expect("a directory");
        let elsewhere = tempfile::tempdir_in("/dev/shm").expect("a directory in memory");
        let disk = Disk::open(root.path(), SyncPolicy::Ordered).await.expect("opened");
        std::os::unix::fs::symlink(elsewhere.path(), disk.root().join("other")).expect("linked");
        let write = |name: &str, durable| {
            put(&disk, &disk.root().join(name), b"1", Condition::Always, durable).expect("written");
        };
        write("blob", Durable::WithNext);
        // Where nothing can be written around the cache nothing is ahead.
        let was_ahead = disk.owes();
        write("other/ahead", Durable::WithNext);
        assert_eq!(disk.owes(), was_ahead, "which is durable by itself, and brings nothing");
        write("other/link", Durable::Now);
        assert!(!disk.owes());
    }
}
