//! The file system's calls, which block: how many run at once, and what their errors mean.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::Access;
use rustix::io::Errno;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::order::{self, SyncPolicy};
use super::pool::Pool;
use super::sync::Syncs;
use crate::{Error, Kind, Result};

/// So many calls may block at once; others wait. A sync of many ends early because they share it, so it pays to let many in.
const BLOCKED: usize = 128;

/// A root and who may call below it.
pub(super) struct Disk {
    root: PathBuf,
    /// The root's device, if changes on it are ordered.
    ordered: Option<u64>,
    syncs: Syncs,
    /// So many files were written ahead of others.
    ahead: AtomicU64,
    /// Those of them that a sync of the whole file system has brought.
    brought: Mutex<u64>,
    pool: Arc<Pool>,
    turns: Arc<Semaphore>,
}

impl Disk {
    /// The tree below `root`, which is made if it is not there.
    pub(super) async fn open(root: &Path, policy: SyncPolicy) -> Result<Arc<Self>> {
        let named = root.to_owned();
        let open = move || {
            std::fs::create_dir_all(&named)?;
            let root = named.canonicalize()?;
            let ordered = match policy {
                SyncPolicy::Auto => order::keeps_order(&root)?,
                SyncPolicy::Ordered => true,
                SyncPolicy::All => false,
            };
            let device = std::fs::metadata(&root)?.dev();
            Ok((root, ordered.then_some(device)))
        };
        let opened = blocking(open).await?;
        let (root, ordered) = opened.map_err(|error| failure("open", &root.display().to_string(), error))?;
        Ok(Arc::new(Self {
            root,
            ordered,
            syncs: Syncs::default(),
            ahead: AtomicU64::new(0),
            brought: Mutex::default(),
            pool: Arc::default(),
            turns: Arc::new(Semaphore::new(BLOCKED)),
        }))
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether a sync of this file or directory brings every change that was made below the root before.
    pub(super) fn is_ordered(&self, file: &File) -> io::Result<bool> {
        Ok(self.ordered.is_some() && self.ordered == Some(file.metadata()?.dev()))
    }

    /// Whether that may be so at all.
    pub(super) fn may_be_ordered(&self) -> bool {
        self.ordered.is_some()
    }

    /// Takes note of a file that waits for the sync of another one.
    pub(super) fn is_ahead(&self) {
        self.ahead.fetch_add(1, Ordering::SeqCst);
    }

    /// Brings all that was written ahead, for somebody whose own sync does not: what he writes is on another file system.
    pub(super) fn bring(&self) -> io::Result<()> {
        let wanted = self.ahead.load(Ordering::SeqCst);
        let mut brought = self.brought.lock().unwrap_or_else(PoisonError::into_inner);
        if *brought < wanted {
            let covered = self.ahead.load(Ordering::SeqCst);
            rustix::fs::syncfs(File::open(&self.root)?)?;
            *brought = covered;
        }
        Ok(())
    }

    /// Whether something that was written ahead may still be lost, unless an own file was synced after it.
    #[cfg(test)]
    pub(super) fn owes(&self) -> bool {
        *self.brought.lock().expect("nobody panicked") < self.ahead.load(Ordering::SeqCst)
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    pub(super) fn syncs(&self) -> &Syncs {
        &self.syncs
    }

    /// Runs what blocks. It goes on to its end also when nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        verb: &str,
        path: &str,
        work: impl FnOnce(&Arc<Self>) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = self.turn().await?;
        let disk = Arc::clone(self);
        let work = move || {
            let _turn = turn;
            work(&disk)
        };
        blocking(work).await?.map_err(|error| failure(verb, path, error))
    }

    /// The right to block a thread, to be given back when it is free again.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).acquire_owned().await.map_err(|error| stopped().because(error))
    }

    /// Whether the root is there and may be written to.
    pub(super) async fn probe(self: &Arc<Self>) -> Result<()> {
        let look = |disk: &Arc<Self>| {
            if !std::fs::metadata(&disk.root)?.is_dir() {
                return Err(io::Error::from(io::ErrorKind::NotADirectory));
            }
            Ok(rustix::fs::access(&disk.root, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?)
        };
        self.run("use", &self.root.display().to_string(), look).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| stopped().because(error))
}

/// The threads end only with the runtime.
pub(super) fn stopped() -> Error {
    Error::new(Kind::Unavailable, "wait for the file system: its threads have stopped")
}

/// What an error of the file system means to whoever asked.
pub(super) fn failure(verb: &str, path: &str, error: io::Error) -> Error {
    let kind = match Errno::from_io_error(&error) {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Kind::NoRoom,
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Kind::Refused,
        Some(Errno::IO | Errno::NOENT | Errno::NOTDIR | Errno::ISDIR | Errno::LOOP) => Kind::Broken,
        Some(Errno::NAMETOOLONG | Errno::INVAL) => Kind::Misuse,
        Some(_) => Kind::Unavailable,
        None if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => Kind::Misuse,
        None => Kind::Broken,
    };
    Error::new(kind, format!("{verb} {path} in the directory")).because(error)
}

/// Whether this says that there is nothing at a path.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_room_and_a_read_only_one_refuses() {
        for (errno, kind) in [
            (Errno::NOSPC, Kind::NoRoom),
            (Errno::DQUOT, Kind::NoRoom),
            (Errno::ROFS, Kind::Refused),
            (Errno::ACCESS, Kind::Refused),
            (Errno::IO, Kind::Broken),
            (Errno::MFILE, Kind::Unavailable),
        ] {
            assert_eq!(failure("write", "a", io::Error::from(errno)).kind(), kind, "{errno}");
        }
    }
}
