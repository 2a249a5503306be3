//! A blob on its way from the place to whoever asked, which is written to the disk of the node beside.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use jeroboam_blobs::{ByteStream, Error, Kind};
use jeroboam_oci::{Digest, Hasher};
use tracing::warn;

use super::disk::{Disk, Room};

/// A blob that is being kept.
pub(super) struct Keeping {
    disk: Arc<Disk>,
    room: Room,
    digest: Digest,
    size: u64,
    file: Arc<File>,
    temporary: Temporary,
    hasher: Hasher,
    offset: u64,
}

/// A file that is removed unless it gets a name.
struct Temporary(Option<PathBuf>);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // Whoever reads along goes on: the file lives as long as somebody has it open.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Gives the bytes of a blob and keeps them, if they turn out to be what the digest says. Else the last of them are not given.
pub(super) fn keep(keeping: Keeping, body: ByteStream) -> ByteStream {
    let pieces = futures::stream::unfold((Some(keeping), body), |(mut keeping, mut body)| async move {
        let mut piece = body.next().await;
        match &piece {
            Some(Ok(bytes)) => {
                if let Some(file) = keeping.take() {
                    keeping = file.write(bytes.clone()).await;
                }
            }
            Some(Err(_)) => keeping = None,
            None => {}
        }
        // Nobody may ask for more once all bytes are there.
        if keeping.as_ref().is_some_and(|file| file.offset >= file.size)
            && let Some(file) = keeping.take()
            && !file.finish().await
        {
            piece = Some(Err(Error::new(
                Kind::Broken,
                "read a blob from the store: its bytes are not those of its digest",
            )));
        }
        piece.map(|piece| (piece, (keeping, body)))
    });
    pieces.boxed()
}

impl Keeping {
    /// Begins to keep a blob; `None` where there is no room, or where somebody else keeps it at this moment.
    pub(super) async fn begin(disk: &Arc<Disk>, digest: &Digest, size: u64) -> Option<Self> {
        let (disk, digest) = (disk.clone(), digest.clone());
        let begun = tokio::task::spawn_blocking(move || {
            let room = disk.reserve(&digest, size)?;
            let path = disk.temporary();
            match File::options().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let hasher = Hasher::new(digest.algorithm());
                    let (file, temporary) = (Arc::new(file), Temporary(Some(path)));
                    Some(Self { disk, room, digest, size, file, temporary, hasher, offset: 0 })
                }
                Err(error) => {
                    warn!(%error, "a blob cannot be kept on this node");
                    None
                }
            }
        });
        begun.await.expect("opening does not panic")
    }

    async fn write(mut self, bytes: Bytes) -> Option<Self> {
        let (file, offset) = (self.file.clone(), self.offset);
        self.offset += bytes.len() as u64;
        let work = tokio::task::spawn_blocking(move || {
            self.hasher.update(&bytes);
            file.write_all_at(&bytes, offset).map(|()| self)
        });
        match work.await.expect("writing does not panic") {
            Ok(keeping) => Some(keeping),
            Err(error) => {
                warn!(%error, "a blob cannot be kept on this node");
                None
            }
        }
    }

    /// Gives the blob its name. `false`: the bytes are not those of the digest.
    async fn finish(self) -> bool {
        let done = tokio::task::spawn_blocking(move || {
            let Self { disk, room, digest, size, hasher, offset, mut temporary, file: _ } = self;
            let found = hasher.finish();
            if found != digest || offset != size {
                warn!(%digest, %found, "the store gave bytes that are not those of the digest: they are not kept");
                return false;
            }
            let path = disk.blob_path(&digest);
            let parent = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            let Some(from) = temporary.0.clone() else { return true };
            match parent.and_then(|()| std::fs::rename(&from, &path)) {
                Ok(()) => {
                    temporary.0.take();
                    disk.keep(room);
                }
                Err(error) => warn!(%error, "a blob cannot be kept on this node"),
            }
            true
        });
        done.await.expect("renaming does not panic")
    }
}
