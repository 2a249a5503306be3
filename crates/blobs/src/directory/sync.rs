//! Syncs: those of files, and those of directories, which are shared by all who changed one at the same time.
//!
//! A rename or a new directory survives a power cut once the directory above is synced. Whoever changed one takes a number and
//! then the directory's lock: the first syncs for all who had a number by then, and they find their numbers covered.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The directories of one tree.
#[derive(Default)]
pub(super) struct Syncs {
    waiting: Mutex<HashMap<PathBuf, Arc<Turns>>>,
    /// Directories that were made and whose entry above is not yet known to be safe.
    fresh: Mutex<HashSet<PathBuf>>,
    /// So many directories were synced.
    #[cfg(any(test, feature = "testing"))]
    pub(super) made: AtomicU64,
    /// So many files were.
    #[cfg(any(test, feature = "testing"))]
    files: AtomicU64,
}

/// Who waits for one directory.
#[derive(Default)]
struct Turns {
    numbers: AtomicU64,
    done: Mutex<Done>,
}

#[derive(Clone, Copy, Default)]
struct Done {
    /// Numbers up to this are safe.
    safe: u64,
    /// Numbers behind `safe` and up to this were in a sync that failed: a second one would not tell.
    failed: u64,
}

impl Syncs {
    /// Makes a file survive a power cut, with all that there is to it.
    pub(super) fn file(&self, file: &File) -> io::Result<()> {
        #[cfg(any(test, feature = "testing"))]
        self.files.fetch_add(1, Ordering::SeqCst);
        file.sync_all()
    }

    /// Makes the bytes of a file survive a power cut.
    pub(super) fn data(&self, file: &File) -> io::Result<()> {
        #[cfg(any(test, feature = "testing"))]
        self.files.fetch_add(1, Ordering::SeqCst);
        file.sync_data()
    }

    /// So often a file or a directory was synced.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn count(&self) -> u64 {
        self.files.load(Ordering::SeqCst) + self.made.load(Ordering::SeqCst)
    }

    /// Makes what was changed in `directory` before this call survive a power cut.
    pub(super) fn sync(&self, directory: &Path) -> io::Result<()> {
        let turns = Arc::clone(lock(&self.waiting).entry(directory.to_owned()).or_default());
        let number = turns.numbers.fetch_add(1, Ordering::SeqCst) + 1;
        let outcome = turns.wait(number, || {
            #[cfg(any(test, feature = "testing"))]
            self.made.fetch_add(1, Ordering::SeqCst);
            File::open(directory)?.sync_all()
        });
        let mut waiting = lock(&self.waiting);
        drop(turns);
        if waiting.get(directory).is_some_and(|turns| Arc::strong_count(turns) == 1) {
            waiting.remove(directory);
        }
        outcome
    }

    /// Makes `directory` and all above it that are not there, and tells which directories have to be synced for it.
    pub(super) fn make(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut changed = Vec::new();
        let mut missing = Vec::new();
        let mut next = Some(directory);
        while let Some(folder) = next {
            let fresh = lock(&self.fresh).contains(folder);
            if folder.is_dir() && !fresh {
                break;
            }
            missing.push(folder);
            next = folder.parent();
        }
        for folder in missing.into_iter().rev() {
            lock(&self.fresh).insert(folder.to_owned());
            match std::fs::create_dir(folder) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    lock(&self.fresh).remove(folder);
                    return Err(error);
                }
            }
            changed.extend(folder.parent().map(Path::to_owned));
        }
        Ok(changed)
    }

    /// Syncs `directory`, which got an entry, and, unless the file system keeps the order of changes, those that [`Syncs::make`] told of.
    pub(super) fn settle(&self, directory: &Path, changed: &[PathBuf], ordered: bool) -> io::Result<()> {
        self.sync(directory)?;
        if !ordered {
            for above in changed.iter().rev() {
                self.sync(above)?;
            }
        }
        self.settled(directory, changed);
        Ok(())
    }

    /// What was made for `directory` is known to be safe.
    pub(super) fn settled(&self, directory: &Path, changed: &[PathBuf]) {
        let mut fresh = lock(&self.fresh);
        for folder in made(directory, changed) {
            fresh.remove(folder);
        }
    }

    /// What was made for `directory` is not used. What is still there is somebody else's by now.
    pub(super) fn abandon(&self, directory: &Path, changed: &[PathBuf]) {
        let mut fresh = lock(&self.fresh);
        for folder in made(directory, changed).filter(|folder| !folder.exists()) {
            fresh.remove(folder);
        }
    }
}

impl Turns {
    fn wait(&self, number: u64, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut done = lock(&self.done);
        if number <= done.safe {
            return Ok(());
        }
        if number <= done.failed {
            return Err(io::Error::other("a sync of this directory that others waited for has failed"));
        }
        let covered = self.numbers.load(Ordering::SeqCst);
        let outcome = sync();
        match outcome {
            Ok(()) => done.safe = covered,
            Err(_) => done.failed = covered,
        }
        outcome
    }
}

/// The directories that were made, from the innermost on, when these above them were changed for it.
fn made<'a>(directory: &'a Path, changed: &'a [PathBuf]) -> impl Iterator<Item = &'a Path> {
    std::iter::once(directory).chain(changed.iter().rev().map(PathBuf::as_path)).take(changed.len())
}

/// What the lock guards is right after each step, so a panic of another does not matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_before_the_sync_began_shares_it() {
        let turns = Turns::default();
        let numbers: Vec<_> = (0..3).map(|_| turns.numbers.fetch_add(1, Ordering::SeqCst) + 1).collect();
        let mut syncs = 0;
        for number in numbers {
            turns
                .wait(number, || {
                    syncs += 1;
                    Ok(())
                })
                .expect("a sync");
        }
        assert_eq!(syncs, 1);
        let late = turns.numbers.fetch_add(1, Ordering::SeqCst) + 1;
        turns
            .wait(late, || {
                syncs += 1;
                Ok(())
            })
            .expect("a sync");
        assert_eq!(syncs, 2, "who came after it began needs one of its own");
    }

    #[test]
    fn a_failed_sync_fails_all_who_shared_it() {
        let turns = Turns::default();
        let first = turns.numbers.fetch_add(1, Ordering::SeqCst) + 1;
        let second = turns.numbers.fetch_add(1, Ordering::SeqCst) + 1;
        turns.wait(first, || Err(io::Error::other("the disk is gone"))).expect_err("it failed");
        turns.wait(second, || Ok(())).expect_err("the kernel tells of a failure once only");
    }

    #[test]
    fn a_made_directory_stays_fresh_until_it_is_settled() {
        let root = tempfile::tempdir().expect("a directory");
        let syncs = Syncs::default();
        let deep = root.path().join("a/b");
        assert_eq!(syncs.make(&deep).expect("made"), [root.path().to_owned(), root.path().join("a")]);
        assert_eq!(syncs.make(&deep).expect("made").len(), 2, "another may not rely on it yet");
        let changed = syncs.make(&deep).expect("made");
        syncs.settle(&deep, &changed, false).expect("synced");
        assert!(syncs.make(&deep).expect("made").is_empty());
        assert!(lock(&syncs.waiting).is_empty());

        let other = root.path().join("a/c/d");
        let changed = syncs.make(&other).expect("made");
        assert_eq!(changed, [root.path().join("a"), root.path().join("a/c")]);
        std::fs::remove_dir_all(root.path().join("a/c")).expect("removed");
        syncs.abandon(&other, &changed);
        assert!(lock(&syncs.fresh).is_empty());
    }
}
