//! A bundle that is read: what is in it, and the bytes of each file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use jeroboam_oci::{Algorithm, Digest, Hasher};

use super::layout::{ASSUMED_LIMIT, Assumed, digest_of};
use super::sink::{failed, sums_path};
use super::{ASSUMED, BundleError, Result};
use crate::client::{BlobStream, ClientError};

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// Files that a bundle may have.
const MOST: usize = 1_000_000;

/// A bundle that is read.
#[derive(Clone, Debug)]
pub struct Bundle {
    path: PathBuf,
    files: Arc<BTreeMap<String, Place>>,
}

/// Where a file of a bundle is.
#[derive(Clone, Debug)]
struct Place {
    pieces: Arc<Pieces>,
    offset: u64,
    length: u64,
}

/// Files one after the other, read as one. They are opened for each read: a folder may have more of them than a process may hold open.
#[derive(Debug)]
struct Pieces {
    /// Each with the offset at which it begins.
    files: Vec<(u64, PathBuf)>,
    length: u64,
}

impl Bundle {
    /// Opens a folder, an archive, or an archive in pieces, which is named without their numbers. Sums beside it are checked.
    pub async fn open(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let files = if path.is_dir() { folder(&path)? } else { archive(&path)? };
            Ok(Self { path, files: Arc::new(files) })
        });
        opened.await.expect("reading does not panic")
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All blobs that it has, and their lengths.
    pub(super) fn blobs(&self) -> impl Iterator<Item = (Digest, u64)> {
        self.files.iter().filter_map(|(name, place)| Some((digest_of(name)?, place.length)))
    }

    /// Blobs that are in it or in those that it goes on from.
    pub(super) async fn knows(&self) -> Result<Vec<Digest>> {
        let mut all = self.assumed().await?;
        all.extend(self.blobs().map(|(digest, _)| digest));
        Ok(all)
    }

    pub(super) async fn assumed(&self) -> Result<Vec<Digest>> {
        let Some(bytes) = self.read(ASSUMED, ASSUMED_LIMIT).await? else { return Ok(Vec::new()) };
        let assumed: Assumed =
            serde_json::from_slice(&bytes).map_err(|error| self.no_bundle(format!("{ASSUMED}: {error}")))?;
        Ok(assumed.blobs)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    pub(super) fn length(&self, name: &str) -> Option<u64> {
        self.files.get(name).map(|place| place.length)
    }

    /// A small file whole.
    pub(super) async fn read(&self, name: &str, most: u64) -> Result<Option<Bytes>> {
        let Some(place) = self.files.get(name).cloned() else { return Ok(None) };
        if place.length > most {
            return Err(self.no_bundle(format!("{name} has more than {most} bytes")));
        }
        let read =
            tokio::task::spawn_blocking(move || place.read(0, usize::try_from(place.length).unwrap_or(usize::MAX)));
        let bytes = read.await.expect("reading does not panic").map_err(failed(&self.path))?;
        Ok(Some(bytes))
    }

    /// The bytes of a file from an offset on.
    pub(super) fn stream(&self, name: &str, from: u64) -> Option<BlobStream> {
        let place = self.files.get(name).cloned()?;
        let path = self.path.clone();
        let pieces = futures::stream::try_unfold(from, move |offset| {
            let (place, path) = (place.clone(), path.clone());
            async move {
                if offset >= place.length {
                    return Ok(None);
                }
                let read = tokio::task::spawn_blocking(move || place.read(offset, PIECE))
                    .await
                    .expect("reading does not panic");
                let bytes = read.map_err(|error| ClientError::Source(format!("{}: {error}", path.display())))?;
                let next = offset + bytes.len() as u64;
                Ok(Some((bytes, next)))
            }
        });
        Some(pieces.boxed())
    }

    /// Whether a blob is what its name says.
    pub(super) async fn check(&self, digest: &Digest) -> Result<()> {
        let name = super::layout::blob_path(digest);
        let found = self.digest(&name, digest.algorithm()).await?;
        if found.as_ref() == Some(digest) {
            return Ok(());
        }
        let why = match found {
            Some(found) => format!("what is called {digest} has the digest {found}"),
            None => format!("it has no {digest}"),
        };
        Err(BundleError::Damaged { path: self.path.clone(), why })
    }

    /// The digest of a file.
    pub(super) async fn digest(&self, name: &str, algorithm: Algorithm) -> Result<Option<Digest>> {
        let Some(place) = self.files.get(name).cloned() else { return Ok(None) };
        let digested = tokio::task::spawn_blocking(move || {
            let (mut hasher, mut offset) = (Hasher::new(algorithm), 0);
            while offset < place.length {
                let bytes = place.read(offset, PIECE)?;
                hasher.update(&bytes);
                offset += bytes.len() as u64;
            }
            Ok(hasher.finish())
        });
        digested.await.expect("reading does not panic").map(Some).map_err(failed(&self.path))
    }

    pub(super) fn no_bundle(&self, why: String) -> BundleError {
        BundleError::NoBundle { path: self.path.clone(), why }
    }
}

impl Place {
    fn read(&self, offset: u64, most: usize) -> std::io::Result<Bytes> {
        let length = (self.length - offset).min(most as u64);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(most)];
        self.pieces.read_at(&mut bytes, self.offset + offset)?;
        Ok(bytes.into())
    }
}

impl Pieces {
    fn open(paths: &[PathBuf]) -> Result<Self> {
        let (mut files, mut length) = (Vec::new(), 0);
        for path in paths {
            files.push((length, path.clone()));
            length += path.metadata().map_err(failed(path))?.len();
        }
        Ok(Self { files, length })
    }

    fn read_at(&self, mut bytes: &mut [u8], mut offset: u64) -> std::io::Result<()> {
        while !bytes.is_empty() {
            let at = self.files.partition_point(|(begin, _)| *begin <= offset);
            let (begin, path) =
                at.checked_sub(1).and_then(|at| self.files.get(at)).ok_or(std::io::ErrorKind::UnexpectedEof)?;
            let read = File::open(path)?.read_at(bytes, offset - begin)?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            bytes = &mut bytes[read..];
            offset += read as u64;
        }
        Ok(())
    }
}

/// Reads pieces as one file.
struct Cursor {
    pieces: Arc<Pieces>,
    offset: u64,
}

impl Read for Cursor {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let length =
            bytes.len().min(usize::try_from(self.pieces.length.saturating_sub(self.offset)).unwrap_or(usize::MAX));
        self.pieces.read_at(&mut bytes[..length], self.offset)?;
        self.offset += length as u64;
        Ok(length)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::Current(by) => self.offset.checked_add_signed(by),
            SeekFrom::End(by) => self.pieces.length.checked_add_signed(by),
        };
        self.offset = to.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.offset)
    }
}

/// The files of a folder, two levels below `blobs` and those beside it.
fn folder(path: &Path) -> Result<BTreeMap<String, Place>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![(String::new(), path.to_owned(), 0)];
    while let Some((prefix, folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(failed(&folder))? {
            let entry = entry.map_err(failed(&folder))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let (name, kind) = (format!("{prefix}{name}"), entry.file_type().map_err(failed(&folder))?);
            if kind.is_dir() && depth < 3 {
                folders.push((format!("{name}/"), entry.path(), depth + 1));
            } else if kind.is_file() && files.len() < MOST {
                let pieces = Arc::new(Pieces::open(&[entry.path()])?);
                let length = pieces.length;
                files.insert(name, Place { pieces, offset: 0, length });
            }
        }
    }
    Ok(files)
}

fn archive(path: &Path) -> Result<BTreeMap<String, Place>> {
    let paths = pieces_of(path);
    check_sums(path, &paths)?;
    let pieces = Arc::new(Pieces::open(&paths)?);
    let no_bundle = |error: std::io::Error| BundleError::NoBundle { path: path.to_owned(), why: error.to_string() };
    let mut archive = tar::Archive::new(Cursor { pieces: pieces.clone(), offset: 0 });
    let mut files = BTreeMap::new();
    for entry in archive.entries_with_seek().map_err(no_bundle)? {
        let entry = entry.map_err(no_bundle)?;
        let Ok(Some(name)) =
            entry.path().map(|path| path.to_str().map(|name| name.trim_start_matches("./").to_owned()))
        else {
            continue;
        };
        if entry.header().entry_type().is_file() && files.len() < MOST {
            let (offset, length) = (entry.raw_file_position(), entry.size());
            files.insert(name, Place { pieces: pieces.clone(), offset, length });
        }
    }
    Ok(files)
}

/// The archive itself, or else its pieces in order.
fn pieces_of(path: &Path) -> Vec<PathBuf> {
    if path.exists() {
        return vec![path.to_owned()];
    }
    let numbered = (0..).map(|number| {
        let mut piece = path.to_owned().into_os_string();
        piece.push(format!(".{number:03}"));
        PathBuf::from(piece)
    });
    let pieces: Vec<_> = numbered.take_while(|piece| piece.exists()).collect();
    if pieces.is_empty() { vec![path.to_owned()] } else { pieces }
}

/// Compares files with the sums beside them, where there are any.
fn check_sums(path: &Path, pieces: &[PathBuf]) -> Result<()> {
    let Ok(text) = std::fs::read_to_string(sums_path(path)) else { return Ok(()) };
    let damaged = |why: String| BundleError::Damaged { path: path.to_owned(), why };
    let sums: Vec<_> = text.lines().filter_map(|line| line.split_once("  ")).collect();
    if sums.len() != pieces.len() {
        return Err(damaged(format!("there are sums of {} pieces, and {} pieces", sums.len(), pieces.len())));
    }
    for ((sum, name), piece) in sums.into_iter().zip(pieces) {
        let mut file = File::open(piece).map_err(failed(piece))?;
        let (mut hasher, mut buffer) = (Hasher::new(Algorithm::Sha256), vec![0; PIECE]);
        loop {
            let read = file.read(&mut buffer).map_err(failed(piece))?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
        }
        if hasher.finish().hex() != sum {
            return Err(damaged(format!("{name} is not what its sum says")));
        }
    }
    Ok(())
}
