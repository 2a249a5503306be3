//! What the store keeps of an upload that has bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jeroboam_blobs::UploadState;
use jeroboam_model::Timestamp;
use jeroboam_oci::layout::{self, Area};
use jeroboam_oci::{Algorithm, Hasher, RepositoryName, UploadId, hash_state};
use serde::{Deserialize, Serialize};

use crate::store::hashing::Hashes;

/// What the store keeps of an upload that has bytes: enough for any process to go on with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Where the blob is to be.
    pub repository: RepositoryName,
    /// When it began.
    pub started: Timestamp,
    /// Whose upload it is, where somebody is counted.
    pub account: Option<String>,
    /// The process that wrote this.
    pub writer: String,
    /// Whether more than one process has written it.
    pub handed_over: bool,
    /// Whether distribution began it, so that its files have to go with it.
    pub foreign: bool,
    /// Where its bytes are meanwhile, as `Blobs::upload` is told. Another path for each process that begins to write, so that one that was given up
    /// for dead and is not writes into nobody else's bytes.
    pub data: String,
    /// How far the place of objects is.
    pub upload: UploadState,
    /// How the digests stand at that offset: the form that distribution keeps, in base64.
    pub sha256: String,
    /// That of the other algorithm, where the client asked for it.
    pub sha512: Option<String>,
}

impl SessionRecord {
    /// Where the record of an upload is.
    #[must_use]
    pub fn path(id: &UploadId) -> String {
        layout::own(Area::Sessions, &[id.as_str(), "state"])
    }

    /// Where a process begins to write the bytes of an upload.
    pub(super) fn new_data(id: &UploadId) -> String {
        let mark: u64 = rand::random();
        layout::own(Area::Sessions, &[id.as_str(), &format!("data-{mark:016x}")])
    }

    /// So many bytes are safe.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.upload.offset
    }

    /// How the digests stood; `None` where the record makes no sense.
    pub(super) fn hashes(&self) -> Option<Hashes> {
        let read = |algorithm, text: &str| -> Option<Hasher> {
            hash_state::read(algorithm, &STANDARD.decode(text).ok()?).ok().map(|(hasher, _)| hasher)
        };
        let sha512 = match &self.sha512 {
            Some(text) => Some(read(Algorithm::Sha512, text)?),
            None => None,
        };
        Some(Hashes { sha256: read(Algorithm::Sha256, &self.sha256)?, sha512 })
    }
}

pub(super) fn hash_text(hasher: &Hasher) -> String {
    STANDARD.encode(hash_state::write(hasher))
}
