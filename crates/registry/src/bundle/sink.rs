//! Where a bundle is written: a folder, an archive, or an archive in pieces of a size, with the sums of the pieces.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::StreamExt;
use jeroboam_oci::{Algorithm, Hasher};
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};

use super::{BundleError, Result};
use crate::client::BlobStream;

/// Bytes that are written at once.
const BUFFER: usize = 256 << 10;

/// Blocks of an archive.
const BLOCK: u64 = 512;

/// A bundle that is being written.
pub(super) enum Sink {
    Folder(PathBuf),
    Archive(Box<Archive>),
}

/// An archive, perhaps in pieces.
pub(super) struct Archive {
    path: PathBuf,
    split: Option<u64>,
    pieces: Vec<PathBuf>,
    file: Option<Piece>,
}

struct Piece {
    writer: BufWriter<File>,
    hasher: Hasher,
    length: u64,
    /// Its line of the sums, once it is full.
    path: PathBuf,
}

pub(super) fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> BundleError + use<> {
    let path = path.to_owned();
    move |source| BundleError::File { path, source }
}

impl Sink {
    /// A folder where the path ends with a slash, else an archive.
    pub(super) async fn create(path: &Path, split: Option<u64>) -> Result<Self> {
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            tokio::fs::create_dir_all(path).await.map_err(failed(path))?;
            return Ok(Self::Folder(path.to_owned()));
        }
        Ok(Self::Archive(Box::new(Archive { path: path.to_owned(), split, pieces: Vec::new(), file: None })))
    }

    /// Writes a file of this length.
    pub(super) async fn put(&mut self, name: &str, length: u64, mut body: BlobStream) -> Result<()> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                if let Some(parent) = path.parent() {
                    tokio::fs::create_dir_all(parent).await.map_err(failed(parent))?;
                }
                let mut file = BufWriter::with_capacity(BUFFER, File::create(&path).await.map_err(failed(&path))?);
                while let Some(piece) = body.next().await {
                    file.write_all(&piece?).await.map_err(failed(&path))?;
                }
                file.flush().await.map_err(failed(&path))?;
                file.get_ref().sync_all().await.map_err(failed(&path))
            }
            Self::Archive(archive) => {
                archive.write(&header(name, length)).await?;
                while let Some(piece) = body.next().await {
                    archive.write(&piece?).await?;
                }
                archive.pad(length).await
            }
        }
    }

    pub(super) async fn put_bytes(&mut self, name: &str, bytes: Vec<u8>) -> Result<()> {
        let length = bytes.len() as u64;
        self.put(name, length, futures::stream::iter([Ok(Bytes::from(bytes))]).boxed()).await
    }

    /// Makes it whole, and says which files there are now.
    pub(super) async fn finish(self) -> Result<Vec<PathBuf>> {
        match self {
            Self::Folder(folder) => Ok(vec![folder]),
            Self::Archive(archive) => archive.finish().await,
        }
    }
}

/// The header of a file, with nothing in it that depends on who writes it, or when. A name that is too long for it, as those by SHA-512 are, goes ahead of it
/// in a record of its own (POSIX, pax).
fn header(name: &str, length: u64) -> Vec<u8> {
    let mut header = plain(tar::EntryType::Regular, length);
    if header.set_path(name).is_ok() {
        header.set_cksum();
        return header.as_bytes().to_vec();
    }
    // It has a part of the name already.
    header = plain(tar::EntryType::Regular, length);
    let record = record(name);
    let mut ahead = plain(tar::EntryType::XHeader, record.len() as u64);
    // Who does not know such records sees these names.
    for (header, name) in [(&mut ahead, "pax"), (&mut header, "long")] {
        header.set_path(name).expect("it is short");
        header.set_cksum();
    }
    let padded = record.len().next_multiple_of(BLOCK as usize);
    let mut bytes = [ahead.as_bytes().as_slice(), record.as_bytes()].concat();
    bytes.resize(BLOCK as usize + padded, 0);
    bytes.extend_from_slice(header.as_bytes());
    bytes
}

fn plain(kind: tar::EntryType, length: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_size(length);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(kind);
    header
}

/// A line that says the name of what follows, and first how long it is itself.
fn record(name: &str) -> String {
    let rest = format!(" path={name}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

impl Archive {
    async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let full = self.file.as_ref().is_some_and(|piece| self.split.is_some_and(|split| piece.length >= split));
            if full {
                self.close().await?;
            }
            let piece = match &mut self.file {
                Some(piece) => piece,
                None => self.file.insert(Piece::create(self.next_path()).await?),
            };
            let room = self.split.map_or(u64::MAX, |split| split - piece.length);
            let now = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            let (first, rest) = bytes.split_at(now);
            piece.writer.write_all(first).await.map_err(failed(&piece.path))?;
            piece.hasher.update(first);
            piece.length += first.len() as u64;
            bytes = rest;
        }
        Ok(())
    }

    fn next_path(&self) -> PathBuf {
        match self.split {
            None => self.path.clone(),
            Some(_) => {
                let mut path = self.path.clone().into_os_string();
                path.push(format!(".{:03}", self.pieces.len()));
                path.into()
            }
        }
    }

    async fn pad(&mut self, length: u64) -> Result<()> {
        let rest = length % BLOCK;
        if rest == 0 { Ok(()) } else { self.write(&[0; BLOCK as usize][..(BLOCK - rest) as usize]).await }
    }

    async fn close(&mut self) -> Result<()> {
        let Some(mut piece) = self.file.take() else { return Ok(()) };
        piece.writer.flush().await.map_err(failed(&piece.path))?;
        piece.writer.get_ref().sync_all().await.map_err(failed(&piece.path))?;
        let sum = piece.hasher.finish();
        let name = piece.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let sums = sums_path(&self.path);
        let mut text = if self.pieces.is_empty() {
            String::new()
        } else {
            tokio::fs::read_to_string(&sums).await.map_err(failed(&sums))?
        };
        // As sha256sum writes and checks them.
        text.push_str(&format!("{}  {name}\n", sum.hex()));
        tokio::fs::write(&sums, text).await.map_err(failed(&sums))?;
        self.pieces.push(piece.path);
        Ok(())
    }

    async fn finish(mut self) -> Result<Vec<PathBuf>> {
        self.write(&[0; 2 * BLOCK as usize]).await?;
        self.close().await?;
        self.pieces.push(sums_path(&self.path));
        Ok(self.pieces)
    }
}

/// Where the sums of an archive are.
pub(super) fn sums_path(path: &Path) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(".sha256");
    path.into()
}

impl Piece {
    async fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).await.map_err(failed(&path))?;
        let hasher = Hasher::new(Algorithm::Sha256);
        Ok(Self { writer: BufWriter::with_capacity(BUFFER, file), hasher, length: 0, path })
    }
}
