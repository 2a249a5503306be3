//! Bytes on their way into a file: one piece is written while the next is collected.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::disk::{Disk, failure, stopped};
use super::replace::SMALL;
use crate::{Error, Kind, Result};

/// From this length on a piece is written. Two of them are in memory for each writer.
const PIECE: usize = 1024 * 1024;

/// So many slices are kept at most before they are written, and of what may be a small object.
const MANY: usize = 64;

/// The end of a file, and what is still to be written there.
pub(super) struct Pieces {
    disk: Arc<Disk>,
    path: String,
    file: Arc<File>,
    collected: Vec<Bytes>,
    length: usize,
    offset: u64,
    writing: Option<JoinHandle<io::Result<()>>>,
    failed: bool,
}

impl Pieces {
    /// Goes on at `offset`, where the file ends and its cursor stands.
    pub(super) fn new(disk: Arc<Disk>, path: &str, file: File, offset: u64) -> Self {
        Self {
            disk,
            path: path.to_owned(),
            file: Arc::new(file),
            collected: Vec::new(),
            length: 0,
            offset,
            writing: None,
            failed: false,
        }
    }

    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The length of the file once everything is written.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.length += bytes.len();
        self.offset += bytes.len() as u64;
        self.collected.push(bytes);
        // Each slice holds the whole buffer that it came in.
        let is_little = self.length < PIECE && self.collected.len() < MANY;
        if is_little { Ok(()) } else { self.start().await }
    }

    /// Waits until everything has been written, though it is not synced.
    pub(super) async fn flush(&mut self) -> Result<()> {
        if self.length > 0 {
            self.start().await?;
        }
        self.wait().await
    }

    async fn start(&mut self) -> Result<()> {
        self.wait().await?;
        let turn = self.disk.turn().await?;
        let file = Arc::clone(&self.file);
        let pieces = std::mem::take(&mut self.collected);
        let written = self.offset - self.length as u64..self.offset;
        self.length = 0;
        self.writing = Some(tokio::task::spawn_blocking(move || {
            let _turn = turn;
            write_all(&file, &pieces)?;
            begin_to_store(&file, written);
            Ok(())
        }));
        Ok(())
    }

    async fn wait(&mut self) -> Result<()> {
        if self.failed {
            return Err(Error::new(Kind::Misuse, format!("write more of {} after it failed", self.path)));
        }
        let Some(writing) = &mut self.writing else { return Ok(()) };
        let outcome = writing.await;
        self.writing = None;
        self.failed = !matches!(outcome, Ok(Ok(())));
        outcome.map_err(|error| stopped().because(error))?.map_err(|error| failure("write", &self.path, error))
    }
}

/// Sends what was just written on its way to the disk, so that the sync in the end does not have all of it before it. That is how Linux takes this advice
/// of pages that are not written yet; they stay in the cache for whoever pulls next, unless they were on the disk at once. Where it is not taken nothing
/// is lost but time.
fn begin_to_store(file: &File, written: Range<u64>) {
    let length = NonZeroU64::new(written.end - written.start);
    let _ = rustix::fs::fadvise(file, written.start, length, rustix::fs::Advice::DontNeed);
}

fn write_all(mut file: &File, pieces: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut rest = slices.as_mut_slice();
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Bytes that may turn out to be all there are.
#[derive(Default)]
pub(super) struct Small {
    collected: Vec<Bytes>,
    length: usize,
}

impl Small {
    /// Keeps more bytes; gives all of them back as soon as they are too many.
    pub(super) fn push(&mut self, bytes: Bytes) -> Option<Vec<Bytes>> {
        self.length += bytes.len();
        self.collected.push(bytes);
        // Many tiny pieces are no small object either: what they lie in is larger than they are.
        let is_small = self.length <= SMALL && self.collected.len() <= MANY;
        if is_small { None } else { Some(self.take()) }
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// All bytes, piece by piece; none are kept.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.length = 0;
        std::mem::take(&mut self.collected)
    }

    /// All bytes, which are kept.
    pub(super) fn copy(&self) -> Bytes {
        self.collected.concat().into()
    }

    /// All bytes in one piece.
    pub(super) fn whole(self) -> Bytes {
        match <[Bytes; 1]>::try_from(self.collected) {
            Ok([only]) => only,
            Err(collected) => collected.concat().into(),
        }
    }
}
