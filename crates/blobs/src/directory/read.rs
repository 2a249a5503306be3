//! Reading a file in pieces, the next one while the client takes the one before.

use std::fs::{File, Metadata};
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use jeroboam_model::Timestamp;
use rustix::io::ReadWriteFlags;

use super::disk::{Disk, is_absent};
use super::pool::{PIECE, Pool};
use super::replace;
use crate::{ByteStream, Object, ObjectMeta, Result, misuse};

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

/// Opens a file and gives the bytes of `range`. The first piece is read along the way: of a small file it is all there is.
pub(super) async fn open(
    disk: &Arc<Disk>,
    path: &str,
    file: PathBuf,
    range: Option<Range<u64>>,
) -> Result<Option<Object>> {
    let named = path.to_owned();
    let open = move |disk: &Arc<Disk>| {
        let file = match File::open(&file) {
            Err(error) if is_absent(&error) => return Ok(None),
            opened => opened?,
        };
        let Some(meta) = known(&file.metadata()?) else { return Ok(None) };
        let range = match misuse::within(&named, range, meta.size) {
            Ok(range) => range,
            Err(refused) => return Ok(Some((file, meta, Err(refused)))),
        };
        let first = range.start..range.end.min(range.start + PIECE as u64);
        let piece = if first.is_empty() { Bytes::new() } else { read(disk.pool(), &file, first.clone())? };
        Ok(Some((file, meta, Ok((piece, first.end..range.end)))))
    };
    let Some((file, meta, begun)) = disk.run("open", path, open).await? else { return Ok(None) };
    let (piece, rest) = begun?;
    let first = stream::iter((!piece.is_empty()).then_some(Ok(piece)));
    if rest.is_empty() {
        return Ok(Some(Object { meta, note: None, body: first.boxed() }));
    }
    let reader = Reader { disk: Arc::clone(disk), path: path.to_owned(), file: Arc::new(file) };
    Ok(Some(Object { meta, note: None, body: first.chain(pieces(reader, rest)).boxed() }))
}

/// The first bytes of an open file, piece by piece.
pub(super) fn of_open(disk: &Arc<Disk>, path: &str, file: Arc<File>, length: u64) -> ByteStream {
    pieces(Reader { disk: Arc::clone(disk), path: path.to_owned(), file }, 0..length)
}

struct Reader {
    disk: Arc<Disk>,
    path: String,
    file: Arc<File>,
}

impl Reader {
    /// What is in the kernel's cache is copied here and now; what is not is waited for by a thread that may wait.
    async fn piece(self: Arc<Self>, range: Range<u64>) -> Result<Bytes> {
        if let Some(piece) = read_if_cached(self.disk.pool(), &self.file, range.clone()) {
            return Ok(piece);
        }
        let file = Arc::clone(&self.file);
        self.disk.run("read", &self.path, move |disk| read(disk.pool(), &file, range)).await
    }
}

fn read(pool: &Arc<Pool>, file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let length = length(&range);
    if length <= replace::SMALL {
        // It may be kept for long, and shall not keep a large buffer with it.
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, range.start)?;
        return Ok(bytes.into());
    }
    let mut buffer = pool.get(length);
    file.read_exact_at(buffer.as_mut(), range.start)?;
    Ok(buffer.freeze())
}

fn read_if_cached(pool: &Arc<Pool>, file: &File, range: Range<u64>) -> Option<Bytes> {
    let mut buffer = pool.get(length(&range));
    let wanted = buffer.as_mut().len();
    let mut slices = [IoSliceMut::new(buffer.as_mut())];
    let read = rustix::io::preadv2(file, &mut slices, range.start, ReadWriteFlags::NOWAIT).ok()?;
    (read == wanted).then(|| buffer.freeze())
}

/// A piece is no longer than a buffer.
fn length(range: &Range<u64>) -> usize {
    (range.end - range.start).min(PIECE as u64) as usize
}

/// Pieces, the next one begun while the one before is on its way.
fn pieces(reader: Reader, range: Range<u64>) -> ByteStream {
    let reader = Arc::new(reader);
    let starts = (range.start..range.end).step_by(PIECE);
    let ranges = starts.map(move |start| start..range.end.min(start + PIECE as u64));
    stream::iter(ranges).map(move |range| Arc::clone(&reader).piece(range)).buffered(2).boxed()
}
