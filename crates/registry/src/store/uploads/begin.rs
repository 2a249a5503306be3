//! The beginning of an upload, which costs no request to the place of objects.

use jeroboam_oci::{Algorithm, RepositoryName, UploadId};
use rand::RngExt as _;
use tracing::{info, warn};

use super::sessions::Limits;
use super::{Result, Session, State, Store, StoreError, UploadView};

impl Store {
    /// Begins an upload. `algorithm` is what the client will name the digest in, where it says so.
    pub async fn begin_upload(
        &self,
        repository: &RepositoryName,
        account: Option<&str>,
        algorithm: Option<Algorithm>,
    ) -> Result<UploadView> {
        self.may_write()?;
        if let Some(account) = account {
            self.make_way(account).await;
        }
        self.quotas.room(repository).await?.any().await?;
        let now = self.clock.now();
        let id = UploadId::of_random(rand::rng().random());
        let account = account.map(str::to_owned);
        let state = State::empty(&id, algorithm);
        let session = Session::new(repository.clone(), id, account, now, now, state);
        let session = self.sessions.admit(session, Some(self.upload_limits()), now)?;
        self.view(&session, 0).await
    }

    /// Gives up what an account began long ago and does not go on with, where another upload would be too many. Most of that was lost on its way, and nobody
    /// knows how to end it: it must neither keep the account from pushing for days, nor become more and more.
    async fn make_way(&self, account: &str) {
        let most = self.config.uploads_per_account;
        while let Some(upload) = self.sessions.one_too_many(account, most, self.clock.now()) {
            match self.cancel(&upload).await {
                Ok(()) => {
                    info!(repository = %upload.repository, upload = %upload.id, "an upload that nobody went on with goes: its account begins too many");
                }
                // Somebody goes on with it after all.
                Err(StoreError::TooMany { .. }) => return,
                Err(error) => {
                    // Another process may have ended it, or it was purged; and what cannot be given up now is purged later.
                    if !matches!(error, StoreError::UploadUnknown) {
                        warn!(upload = %upload.id, %error, "an upload that nobody went on with could not be given up");
                    }
                    self.sessions.end(&upload.id);
                }
            }
        }
    }

    pub(super) fn upload_limits(&self) -> Limits {
        Limits { per_account: self.config.uploads_per_account, per_repository: self.config.uploads_per_repository }
    }
}
