//! The small objects on the disk of a node: links and where tags point, for the time in which the place is away.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use jeroboam_blobs::ObjectMeta;
use jeroboam_oci::Digest;
use tokio::time::Instant;
use tracing::warn;

use super::disk::Disk;

/// Links on the disk. The oldest go when there are more.
const MOST: usize = 100_000;

/// What is known of a small object.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) bytes: Bytes,
    pub(super) meta: ObjectMeta,
    /// When the place said so.
    pub(super) asked: Instant,
}

/// The links on the disk.
pub(super) struct Links {
    disk: Arc<Disk>,
    folder: PathBuf,
    most: usize,
    count: AtomicUsize,
}

impl Links {
    /// Finds what is on the disk already.
    pub(super) fn open(disk: Arc<Disk>) -> io::Result<Self> {
        Self::of_at_most(disk, MOST)
    }

    fn of_at_most(disk: Arc<Disk>, most: usize) -> io::Result<Self> {
        let folder = disk.folder.join("links");
        std::fs::create_dir_all(&folder)?;
        let count = std::fs::read_dir(&folder)?.count();
        Ok(Self { disk, folder, most, count: AtomicUsize::new(count) })
    }

    /// Names of links are longer than names of files may be, so their digests are.
    fn file(&self, path: &str) -> PathBuf {
        self.folder.join(Digest::sha256(path.as_bytes()).hex())
    }

    pub(super) async fn read(&self, path: &str) -> Option<Link> {
        let file = self.file(path);
        let bytes =
            tokio::task::spawn_blocking(move || std::fs::read(file)).await.expect("reading does not panic").ok()?;
        let meta = ObjectMeta { size: bytes.len() as u64, modified: None };
        // It was asked for some time ago, nobody knows when.
        let asked = Instant::now().checked_sub(Duration::from_secs(3600)).unwrap_or_else(Instant::now);
        Some(Link { bytes: bytes.into(), meta, asked })
    }

    pub(super) async fn write(&self, path: &str, bytes: Bytes) {
        let (to, temporary) = (self.file(path), self.disk.temporary());
        let full = self.count.fetch_add(1, Ordering::Relaxed) >= self.most;
        let (folder, most) = (self.folder.clone(), self.most);
        let written = tokio::task::spawn_blocking(move || {
            std::fs::write(&temporary, &bytes)?;
            std::fs::rename(&temporary, &to)?;
            // Links that were written anew are counted twice, so there may be room yet.
            if full { thin_out(&folder, most).map(Some) } else { Ok(None) }
        });
        match written.await.expect("writing does not panic") {
            Ok(Some(left)) => self.count.store(left, Ordering::Relaxed),
            Ok(None) => {}
            Err(error) => warn!(%error, "a link cannot be kept on this node"),
        }
    }

    pub(super) async fn remove(&self, path: &str) {
        let file = self.file(path);
        let _ = tokio::task::spawn_blocking(move || std::fs::remove_file(file)).await;
    }
}

/// Removes the oldest files of a folder until nine tenths of `most` are left. Gives how many are.
fn thin_out(folder: &Path, most: usize) -> io::Result<usize> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    let wanted = most - most / 10;
    if files.len() <= wanted {
        return Ok(files.len());
    }
    files.sort();
    let gone = files.len() - wanted;
    for (_, path) in files.iter().take(gone) {
        std::fs::remove_file(path)?;
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_are_never_many_more_links_than_may_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Arc::new(Disk::open(folder.path().join("cache"), 1000).expect("a disk"));
        let links = Links::of_at_most(disk.clone(), 20).expect("links");
        for n in 0..100 {
            links.write(&format!("link-{n}"), Bytes::from_static(b"sha256:x")).await;
        }
        let count = std::fs::read_dir(disk.folder.join("links")).expect("a folder").count();
        assert!((18..=21).contains(&count), "{count}");
        assert!(links.read("link-99").await.is_some() && links.read("link-0").await.is_none());
        // One that says something else every time stays one.
        for _ in 0..100 {
            links.write("link-99", Bytes::from_static(b"sha256:y")).await;
        }
        assert!(links.read("link-98").await.is_some());
    }
}
