//! Small documents of the garbage collection: written and read as JSON, keys as their bytes.

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use jeroboam_blobs::{Condition, Error, Freshness, Kind, Result, SharedBlobs, Written};
use jeroboam_oci::gc::Key;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::warn;

/// Longest object that is read into memory: a part of the candidates.
const LONGEST: u64 = 16 << 20;

/// Longest list of what is collected. A part ends where it has enough, but one line may be long: it names all links to a blob.
const LONGEST_LIST: u64 = 256 << 20;

/// A document, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReadDocument<T> {
    /// There is none.
    Absent,
    /// There is something else.
    Broken,
    /// This.
    Is(T),
}

impl<T> ReadDocument<T> {
    /// The document; one that is broken is an error.
    pub(crate) fn sound(self, path: &str) -> Result<Option<T>> {
        match self {
            Self::Is(document) => Ok(Some(document)),
            Self::Absent => Ok(None),
            Self::Broken => Err(Error::new(Kind::Broken, format!("read {path}: it is not as we write it"))),
        }
    }
}

/// Reads a document, the newest there is.
pub(crate) async fn read<T: DeserializeOwned>(blobs: &SharedBlobs, path: &str) -> Result<ReadDocument<T>> {
    let Some(bytes) = read_bytes(blobs, path, Freshness::Newest).await? else { return Ok(ReadDocument::Absent) };
    Ok(match serde_json::from_slice(&bytes) {
        Ok(document) => ReadDocument::Is(document),
        Err(error) => {
            warn!(%path, %error, "a document is not as we write it");
            ReadDocument::Broken
        }
    })
}

/// Writes a document, whatever was there.
pub(crate) async fn write<T: Serialize + Sync>(blobs: &SharedBlobs, path: &str, document: &T) -> Result<()> {
    blobs.put(path, json(path, document)?, Condition::Always).await.map(|_| ())
}

/// Writes a document where there is none.
pub(crate) async fn claim<T: Serialize + Sync>(blobs: &SharedBlobs, path: &str, document: &T) -> Result<Written> {
    blobs.put(path, json(path, document)?, Condition::Absent).await
}

/// All bytes of an object that is not large.
pub(crate) async fn read_bytes(blobs: &SharedBlobs, path: &str, freshness: Freshness) -> Result<Option<Bytes>> {
    read_up_to(LONGEST, blobs, path, freshness).await
}

/// All bytes of a part of what is collected.
pub(crate) async fn read_list(blobs: &SharedBlobs, path: &str) -> Result<Option<Bytes>> {
    read_up_to(LONGEST_LIST, blobs, path, Freshness::Newest).await
}

async fn read_up_to(longest: u64, blobs: &SharedBlobs, path: &str, freshness: Freshness) -> Result<Option<Bytes>> {
    let Some(mut object) = blobs.read(path, None, freshness).await? else { return Ok(None) };
    if object.meta.size > longest {
        return Err(Error::new(Kind::Broken, format!("read {path}: it has {} bytes", object.meta.size)));
    }
    let mut bytes = BytesMut::new();
    while let Some(piece) = object.body.next().await {
        bytes.extend_from_slice(&piece?);
    }
    if bytes.len() as u64 != object.meta.size {
        let what = format!("read {path}: {} of {} bytes came", bytes.len(), object.meta.size);
        return Err(Error::new(Kind::Unavailable, what));
    }
    Ok(Some(bytes.freeze()))
}

/// Reads keys that stand one after the other. A file that is not there is an error.
pub(crate) async fn read_keys(blobs: &SharedBlobs, files: &[String]) -> Result<Vec<Key>> {
    let mut keys = Vec::new();
    for path in files {
        let bytes = read_bytes(blobs, path, Freshness::Newest).await?;
        let bytes = bytes.ok_or_else(|| Error::new(Kind::Broken, format!("read {path}: it is not there")))?;
        let (whole, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(Error::new(Kind::Broken, format!("read {path}: it is cut off")));
        }
        keys.extend(whole.iter().map(|bytes| Key::from(*bytes)));
    }
    Ok(keys)
}

/// Keys one after the other.
pub(crate) fn keys(keys: &[Key]) -> Bytes {
    keys.iter().flat_map(|key| *key.bytes()).collect::<Vec<u8>>().into()
}

fn json<T: Serialize>(path: &str, document: &T) -> Result<Bytes> {
    let written = serde_json::to_vec(document);
    written.map(Bytes::from).map_err(|error| Error::new(Kind::Misuse, format!("write {path}")).because(error))
}
