//! `DELETE /v1/clusters/{ident}`: taken at any time, and as often as one likes.
//!
//! What a cluster has in the cloud is taken away in the name of its application credential. One that opens no door any more
//! is replaced here, while the caller's token is at hand: nobody else can make another.

use std::time::Duration;

use jeroboam_model::{Caller, Cluster, Operation, Status, secrets};
use jeroboam_notify::{Action, Outcome};
use jeroboam_openstack::{Auth, Kind as CloudKind};
use jeroboam_store::{Acceptance, PendingCredential, StoreErrorKind};
use secrecy::{ExposeSecret as _, SecretString};
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::{ATTEMPTS, Clusters};
use crate::credential::Credential;
use crate::error::Kind;
use crate::policy::Target;
use crate::{Error, Service};

/// A deletion waits no longer for Keystone's opinion of a credential: it is accepted without.
const PATIENCE: Duration = Duration::from_secs(10);

/// Another application credential for a cluster, and the one that it takes the place of.
struct Replacement {
    credential: Credential,
    given_up: Option<PendingCredential>,
}

/// What the database holds of a cluster's application credential.
enum Stored {
    Whole {
        id: String,
        secret: SecretString,
    },
    /// Lost, or sealed with a key that is gone.
    Unusable {
        id: Option<String>,
    },
    /// The database can't say now.
    Unknown,
}

impl Clusters<'_> {
    /// `DELETE /v1/clusters/{ident}`.
    pub async fn delete(&self, caller: &Caller, ident: &str) -> Result<(), Error> {
        self.0.enforce_wider_view(caller, "cluster:delete_all_projects")?;
        let mut replacement = None;
        let answer = self.accept_deletion(caller, ident, &mut replacement).await;
        if let (Err(error), Some(unused)) = (&answer, &replacement) {
            // After anything else nobody knows what was written: the note of the credential stays for whoever looks later.
            if matches!(error.kind(), Kind::NotFound | Kind::Conflict) {
                self.0.take_back(caller, &self.0.cloud(caller), &unused.credential).await;
            }
        }
        answer
    }

    async fn accept_deletion(
        &self,
        caller: &Caller,
        ident: &str,
        replacement: &mut Option<Replacement>,
    ) -> Result<(), Error> {
        let mut untried = true;
        for _ in 0..ATTEMPTS {
            let was = self.0.find_cluster(caller, ident).await?;
            self.0.enforce(caller, "cluster:delete", &Target::cluster(&was.cluster))?;
            if self.0.delete_record(&was).await? {
                self.0.told(caller, Action::Delete, &was);
                self.0.forget_certificates(&was.cluster).await;
                self.0.inner.notifier.request(caller, Action::Delete, Outcome::Success, &was);
                return Ok(());
            }
            if std::mem::take(&mut untried) {
                *replacement = self.0.replace_broken_credential(caller, &was.cluster).await;
            }
            if was.cluster.status == Status::DELETE_IN_PROGRESS && replacement.is_none() {
                return Ok(());
            }
            let mut change = Acceptance::of(Operation::Delete, Status::DELETE_IN_PROGRESS, self.0.now());
            change.deadline = Some(self.0.now() + self.0.inner.settings.delete_timeout);
            if let Some(Replacement { credential, given_up }) = replacement {
                let named = |name: &str, value: SecretString| (name.to_owned(), value);
                change.secrets = vec![
                    named(secrets::APPLICATION_CREDENTIAL_ID, credential.id.clone().into()),
                    named(secrets::APPLICATION_CREDENTIAL_SECRET, credential.secret.clone()),
                    named(secrets::APPLICATION_CREDENTIAL_USER, caller.user.to_string().into()),
                ];
                change.credential = Some(credential.name.clone());
                change.given_up.clone_from(given_up);
            }
            if self.0.accept(&was, change).await?.is_some() {
                self.0.told(caller, Action::Delete, &was);
                return Ok(());
            }
            // The other credential may be why: one that was held up for too long is revoked again.
            if let Some(unused) = replacement.take() {
                self.0.take_back(caller, &self.0.cloud(caller), &unused.credential).await;
                untried = true;
            }
        }
        Err(Error::Contended(format!("Cluster {ident}")))
    }
}

impl Service {
    /// Makes another application credential where the cluster's own no longer works and the caller may make one. Nothing that
    /// goes wrong here keeps a deletion from being accepted.
    async fn replace_broken_credential(&self, caller: &Caller, cluster: &Cluster) -> Option<Replacement> {
        if caller.project.as_ref() != Some(&cluster.project) {
            return None;
        }
        let broken = match self.stored_credential(cluster).await {
            Stored::Whole { id, secret } => {
                if !self.is_refused(cluster, &id, secret).await {
                    return None;
                }
                Some(id)
            }
            Stored::Unusable { id } => id,
            Stored::Unknown => return None,
        };
        let name = format!("jeroboam-{}-{}", cluster.id, Uuid::new_v4().simple());
        let cloud = self.cloud(caller);
        match self.make_credential(caller, &cloud, &cluster.project, cluster.id, name).await {
            Ok(credential) => {
                info!(cluster.id = %cluster.id, "replaced the application credential of a cluster that goes");
                let given_up = self.given_up(cluster, broken).await;
                Some(Replacement { credential, given_up: Some(given_up) })
            }
            Err(error) => {
                warn!(cluster.id = %cluster.id, %error, "could not replace the application credential of a cluster that goes");
                None
            }
        }
    }

    async fn stored_credential(&self, cluster: &Cluster) -> Stored {
        let read = async |name: &str| match self.inner.store.secret(cluster.id, name).await {
            Ok(found) => Ok(found),
            Err(error) if error.kind() == StoreErrorKind::Unavailable => Err(error),
            Err(error) => {
                warn!(cluster.id = %cluster.id, %error, "a cluster's application credential is unreadable");
                Ok(None)
            }
        };
        let both = (read(secrets::APPLICATION_CREDENTIAL_ID).await, read(secrets::APPLICATION_CREDENTIAL_SECRET).await);
        match both {
            (Ok(Some(id)), Ok(Some(secret))) => Stored::Whole { id: id.expose_secret().to_owned(), secret },
            (Ok(id), Ok(_)) => Stored::Unusable { id: id.map(|id| id.expose_secret().to_owned()) },
            _ => Stored::Unknown,
        }
    }

    /// Whether Keystone says that it does not know the credential. While it says nothing, the credential is taken to work.
    async fn is_refused(&self, cluster: &Cluster, id: &str, secret: SecretString) -> bool {
        let auth = Auth::ApplicationCredential { id: id.to_owned(), secret };
        let own = self.inner.session.for_auth(auth);
        match tokio::time::timeout(PATIENCE, own.authenticate()).await {
            Ok(Ok(_)) => false,
            Ok(Err(error)) => {
                debug!(cluster.id = %cluster.id, %error, "a cluster's application credential was not accepted");
                error.kind() == CloudKind::Unauthorized
            }
            Err(_) => false,
        }
    }

    /// What whoever looks for left credentials is told of the old one. Without its id only the name is left that it was made
    /// under.
    async fn given_up(&self, cluster: &Cluster, id: Option<String>) -> PendingCredential {
        let owner = self.inner.store.secret(cluster.id, secrets::APPLICATION_CREDENTIAL_USER).await.ok().flatten();
        let made_as = format!("jeroboam-{}", cluster.id);
        PendingCredential {
            name: id.as_ref().map_or(made_as.clone(), |id| format!("{made_as}-{id}")),
            cluster: cluster.id,
            project: cluster.project.clone(),
            user: owner.map_or_else(|| cluster.user.clone(), |owner| owner.expose_secret().into()),
            id,
            secret: None,
            noted: self.now(),
        }
    }
}
