//! The blobs on the disk of a node: which are here, room for those that come, and which go when there is none.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use jeroboam_blobs::{ByteStream, Error, Kind};
use jeroboam_oci::{Digest, Hasher};
use tokio::time::Instant;
use tracing::warn;

/// Bytes that are read from the disk at once.
const PIECE: usize = 256 << 10;

/// The blobs on the disk.
pub(super) struct Disk {
    pub(super) folder: PathBuf,
    size: u64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    files: HashMap<Digest, Entry>,
    bytes: u64,
    /// Blobs that are on their way here, with the room that they need.
    coming: HashMap<Digest, u64>,
    expected: u64,
    tick: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    size: u64,
    used: u64,
    /// Whether this process has seen that the bytes are those of the digest.
    checked: bool,
    /// When the place last said that it has the blob.
    confirmed: Option<Instant>,
}

/// Room for a blob that is on its way. Nobody else keeps the same one meanwhile.
pub(super) struct Room {
    disk: Arc<Disk>,
    digest: Digest,
    size: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut kept = self.disk.kept();
        kept.coming.remove(&self.digest);
        kept.expected -= self.size;
    }
}

impl Disk {
    /// Finds what is on the disk already.
    pub(super) fn open(folder: PathBuf, size: u64) -> std::io::Result<Self> {
        if !is_ours(&folder) {
            let what = format!("{} has files that are no cache's: choose an empty folder", folder.display());
            return Err(std::io::Error::other(what));
        }
        let temporary = folder.join("tmp");
        if temporary.exists() {
            std::fs::remove_dir_all(&temporary)?;
        }
        std::fs::create_dir_all(&temporary)?;
        let disk = Self { folder, size, kept: Mutex::default() };
        let mut found = Vec::new();
        for algorithm in ["sha256", "sha512"] {
            let Ok(shards) = std::fs::read_dir(disk.folder.join("blobs").join(algorithm)) else { continue };
            for shard in shards {
                for entry in std::fs::read_dir(shard?.path())? {
                    let entry = entry?;
                    let name = entry.file_name().into_string().unwrap_or_default();
                    let Ok(digest) = format!("{algorithm}:{name}").parse::<Digest>() else { continue };
                    let meta = entry.metadata()?;
                    found.push((meta.modified()?, digest, meta.len()));
                }
            }
        }
        found.sort();
        found.into_iter().for_each(|(_, digest, size)| disk.note(&digest, size, None));
        Ok(disk)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of blobs.
    pub(super) fn bytes(&self) -> u64 {
        self.kept().bytes
    }

    /// Where new files are until they have a name.
    pub(super) fn temporary(&self) -> PathBuf {
        self.folder.join("tmp").join(uuid::Uuid::new_v4().simple().to_string())
    }

    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join("blobs").join(digest.algorithm().name()).join(&digest.hex()[..2]).join(digest.hex())
    }

    /// Room for a blob, for which others go; `None` where there can be none, or where somebody else keeps this one at this moment.
    pub(super) fn reserve(self: &Arc<Self>, digest: &Digest, size: u64) -> Option<Room> {
        let gone = {
            let mut kept = self.kept();
            if kept.coming.contains_key(digest) || kept.expected.saturating_add(size) > self.size {
                return None;
            }
            kept.coming.insert(digest.clone(), size);
            kept.expected += size;
            kept.let_go(self.size)
        };
        self.remove(gone);
        Some(Room { disk: self.clone(), digest: digest.clone(), size })
    }

    /// Notes a blob whose bytes were compared with its digest.
    pub(super) fn keep(&self, room: Room) {
        let (digest, size) = (room.digest.clone(), room.size);
        drop(room);
        self.note(&digest, size, Some(Instant::now()));
    }

    /// Notes a blob, and lets go of those that were not used for longest until there is room.
    fn note(&self, digest: &Digest, size: u64, checked: Option<Instant>) {
        let gone = {
            let mut kept = self.kept();
            kept.tick += 1;
            let entry = Entry { size, used: kept.tick, checked: checked.is_some(), confirmed: checked };
            if let Some(before) = kept.files.insert(digest.clone(), entry) {
                kept.bytes -= before.size;
            }
            kept.bytes += size;
            kept.let_go(self.size)
        };
        self.remove(gone);
    }

    fn remove(&self, digests: Vec<Digest>) {
        for digest in digests {
            let _ = std::fs::remove_file(self.blob_path(&digest));
        }
    }

    pub(super) fn drop_blob(&self, digest: &Digest) {
        let mut kept = self.kept();
        if let Some(entry) = kept.files.remove(digest) {
            kept.bytes -= entry.size;
        }
        drop(kept);
        let _ = std::fs::remove_file(self.blob_path(digest));
    }

    /// The size of a blob that is here, and whether the place said so that recently that it has it, too.
    pub(super) fn size_of(&self, digest: &Digest, believed: Duration) -> Option<(u64, bool)> {
        let kept = self.kept();
        let entry = kept.files.get(digest)?;
        Some((entry.size, entry.confirmed.is_some_and(|at| at.elapsed() < believed)))
    }

    /// Notes that the place has a blob that is here.
    pub(super) fn confirm(&self, digest: &Digest) {
        if let Some(entry) = self.kept().files.get_mut(digest) {
            entry.confirmed = Some(Instant::now());
        }
    }

    /// Opens a blob that is here, and is what its digest says.
    pub(super) async fn open_blob(self: &Arc<Self>, digest: &Digest) -> Option<(File, u64)> {
        let entry = {
            let mut kept = self.kept();
            kept.tick += 1;
            let tick = kept.tick;
            let entry = kept.files.get_mut(digest)?;
            entry.used = tick;
            *entry
        };
        let (disk, digest) = (self.clone(), digest.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let path = disk.blob_path(&digest);
            let opened = File::open(&path).and_then(|file| {
                let whole =
                    file.metadata()?.len() == entry.size && (entry.checked || digest_of(&file, &digest)? == digest);
                if whole { Ok(file) } else { Err(std::io::ErrorKind::InvalidData.into()) }
            });
            match opened {
                Ok(file) => {
                    if let Some(entry) = disk.kept().files.get_mut(&digest) {
                        entry.checked = true;
                    }
                    Some((file, entry.size))
                }
                Err(error) => {
                    warn!(%digest, %error, "a blob on this node is damaged, and is fetched again");
                    disk.drop_blob(&digest);
                    None
                }
            }
        });
        opened.await.expect("reading does not panic")
    }
}

impl Kept {
    /// Takes those out that were not used for longest, until there is room for all that is here and comes.
    fn let_go(&mut self, size: u64) -> Vec<Digest> {
        let mut gone = Vec::new();
        if self.bytes + self.expected <= size {
            return gone;
        }
        let mut by_use: Vec<_> = self.files.iter().map(|(digest, entry)| (entry.used, digest.clone())).collect();
        by_use.sort();
        for (_, digest) in by_use {
            if self.bytes + self.expected <= size {
                break;
            }
            if let Some(entry) = self.files.remove(&digest) {
                self.bytes -= entry.size;
                gone.push(digest);
            }
        }
        gone
    }
}

/// The bytes of a file, piece by piece.
pub(super) fn read_file(file: Arc<File>, range: Range<u64>) -> ByteStream {
    let pieces = futures::stream::try_unfold(range, move |mut range| {
        let file = file.clone();
        async move {
            if range.is_empty() {
                return Ok(None);
            }
            let (at, length) = (range.start, (range.end - range.start).min(PIECE as u64) as usize);
            let read = tokio::task::spawn_blocking(move || {
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, at).map(|()| Bytes::from(bytes))
            });
            let bytes = read.await.expect("reading does not panic");
            let bytes =
                bytes.map_err(|error| Error::new(Kind::Broken, "read what is kept on this node").because(error))?;
            range.start += bytes.len() as u64;
            Ok(Some((bytes, range)))
        }
    });
    pieces.boxed()
}

fn digest_of(file: &File, like: &Digest) -> std::io::Result<Digest> {
    let (mut hasher, mut offset, mut buffer) = (Hasher::new(like.algorithm()), 0, vec![0; PIECE]);
    loop {
        let read = file.read_at(&mut buffer, offset)?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..read]);
        offset += read as u64;
    }
}

/// Whether a folder can be a cache: it is empty, or was one.
fn is_ours(folder: &Path) -> bool {
    let known = |name: &std::ffi::OsStr| matches!(name.to_str(), Some("blobs" | "links" | "tmp" | "lost+found"));
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.all(|entry| entry.is_ok_and(|entry| known(&entry.file_name()))),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
