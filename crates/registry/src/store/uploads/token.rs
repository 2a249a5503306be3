//! The state in the location of an upload, signed as distribution signs it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jeroboam_blobs::{Condition, Freshness};
use jeroboam_model::Timestamp;
use jeroboam_oci::layout::{self, Area};
use jeroboam_oci::{RepositoryName, UploadId, UploadToken};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use tokio::sync::OnceCell;

use super::{Result, Store, StoreError, UploadRef};

/// Bytes of a secret that is made up.
const LENGTH: usize = 32;

/// How long after the first registry another one may write its secret, which had looked before: where a place takes both, the later one counts.
const SETTLED: Duration = Duration::from_secs(2);

/// Longest secret that is read from the store.
const LONGEST: u64 = 4096;

/// What signs. Where none is set, the first registry that needs one makes it up and leaves it in the store, where the others find it: whoever can
/// read that can do more than forge the state of an upload without bytes.
pub(in crate::store) struct Secret(OnceCell<Arc<SecretSlice<u8>>>);

/// What a token says.
pub(super) struct Told {
    pub(super) offset: u64,
    pub(super) started: Timestamp,
}

impl Secret {
    pub(in crate::store) fn new(set: Option<SecretString>) -> Self {
        Self(OnceCell::new_with(set.map(|set| Arc::new(set.expose_secret().as_bytes().to_vec().into()))))
    }
}

impl Store {
    pub(super) async fn token(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
        offset: u64,
        started: Timestamp,
    ) -> Result<String> {
        let secret = self.secret().await?;
        let token =
            UploadToken { name: repository.to_string(), id: id.to_string(), offset, started: started.to_string() };
        Ok(token.sign(secret.expose_secret()))
    }

    /// What a token says of this upload; nothing of one that is of another, or that nobody with our secret signed.
    pub(super) async fn read_token(&self, token: &str, upload: &UploadRef) -> Result<Option<Told>> {
        let secret = self.secret().await?;
        let Ok(token) = UploadToken::read(token, secret.expose_secret()) else { return Ok(None) };
        let of_this = token.name == upload.repository.as_str() && token.id == upload.id.as_str();
        let started = token.started.parse().ok().filter(|_| of_this);
        Ok(started.map(|started| Told { offset: token.offset, started }))
    }

    async fn secret(&self) -> Result<&Arc<SecretSlice<u8>>> {
        self.secret.0.get_or_try_init(|| self.shared_secret()).await
    }

    async fn shared_secret(&self) -> Result<Arc<SecretSlice<u8>>> {
        let path = layout::own(Area::Sessions, &["secret"]);
        if let Some(secret) = self.read_secret(&path).await? {
            return Ok(secret);
        }
        let made_up: [u8; LENGTH] = rand::random();
        self.blobs.put(&path, Bytes::copy_from_slice(&made_up), Condition::Absent).await?;
        // Another one may have been faster, or, where the place does not keep what is there, a moment slower: then that one's counts.
        if !self.blobs.capabilities().one_is_first {
            tokio::time::sleep(SETTLED).await;
        }
        let gone = || StoreError::Unavailable("the secret of uploads was not stored".to_owned());
        self.read_secret(&path).await?.ok_or_else(gone)
    }

    async fn read_secret(&self, path: &str) -> Result<Option<Arc<SecretSlice<u8>>>> {
        let secret = self.read_small(path, Freshness::Newest, LONGEST).await?;
        Ok(secret.filter(|secret| !secret.is_empty()).map(|secret| Arc::new(secret.to_vec().into())))
    }
}
