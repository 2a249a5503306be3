//! Reading a file in pieces, the next one while the client takes the one before.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use jeroboam_model::Timestamp;

use super::disk::{Disk, is_absent};
use crate::{ByteStream, Error, Kind, Object, ObjectMeta, Result};

/// The length of a piece. Two of them are in memory for each reader.
const PIECE: u64 = 512 * 1024;

/// What is known of a file; `None` where there is none, or a folder.
pub(super) fn meta(file: &Path) -> io::Result<Option<ObjectMeta>> {
    match std::fs::metadata(file) {
        Ok(metadata) => Ok(known(&metadata)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is known of a file, unless it is a folder.
pub(super) fn known(metadata: &Metadata) -> Option<ObjectMeta> {
    metadata.is_file().then(|| ObjectMeta { size: metadata.len(), modified: modified(metadata) })
}

pub(super) fn modified(metadata: &Metadata) -> Option<Timestamp> {
    metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok())
}

/// Opens a file and gives the bytes of `range`.
pub(super) async fn open(
    disk: &Arc<Disk>,
    path: &str,
    file: PathBuf,
    range: Option<Range<u64>>,
) -> Result<Option<Object>> {
    let open = move |_: &Disk| match File::open(&file) {
        Ok(file) => Ok(known(&file.metadata()?).map(|meta| (file, meta))),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    };
    let Some((file, meta)) = disk.run("open", path, open).await? else { return Ok(None) };
    let range = range.unwrap_or(0..meta.size);
    if range.start > range.end || range.end > meta.size {
        let what = format!("read bytes {} to {} of {path}, which has {}", range.start, range.end, meta.size);
        return Err(Error::new(Kind::Misuse, what));
    }
    let body = pieces(Reader { disk: Arc::clone(disk), path: path.to_owned(), file: Arc::new(file) }, range);
    Ok(Some(Object { meta, body }))
}

struct Reader {
    disk: Arc<Disk>,
    path: String,
    file: Arc<File>,
}

impl Reader {
    async fn piece(self: Arc<Self>, range: Range<u64>) -> Result<Bytes> {
        let file = Arc::clone(&self.file);
        let read = move |_: &Disk| {
            let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
            let mut piece = vec![0; length];
            file.read_exact_at(&mut piece, range.start)?;
            Ok(Bytes::from(piece))
        };
        self.disk.run("read", &self.path, read).await
    }
}

fn pieces(reader: Reader, range: Range<u64>) -> ByteStream {
    let reader = Arc::new(reader);
    let starts = (range.start..range.end).step_by(PIECE as usize);
    let ranges = starts.map(move |start| start..range.end.min(start + PIECE));
    futures::stream::iter(ranges).map(move |range| Arc::clone(&reader).piece(range)).buffered(2).boxed()
}
