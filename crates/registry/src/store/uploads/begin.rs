//! The beginning of an upload, which costs no request to the place of objects.

use jeroboam_oci::{Algorithm, RepositoryName, UploadId};
use rand::RngExt as _;

use super::sessions::Limits;
use super::{Result, Session, State, Store, UploadView};

impl Store {
    /// Begins an upload. `algorithm` is what the client will name the digest in, where it says so.
    pub async fn begin_upload(
        &self,
        repository: &RepositoryName,
        account: Option<&str>,
        algorithm: Option<Algorithm>,
    ) -> Result<UploadView> {
        self.may_write()?;
        self.quotas.room(repository).await?.any().await?;
        let now = self.clock.now();
        let id = UploadId::of_random(rand::rng().random());
        let account = account.map(str::to_owned);
        let state = State::empty(&id, algorithm);
        let session = Session::new(repository.clone(), id, account, now, now, state);
        let session = self.sessions.admit(session, Some(self.upload_limits()), now)?;
        self.view(&session, 0).await
    }

    pub(super) fn upload_limits(&self) -> Limits {
        Limits { per_account: self.config.uploads_per_account, per_repository: self.config.uploads_per_repository }
    }
}
