//! The application credential with which a cluster's controllers speak to OpenStack.
//!
//! Only the caller's own login can make it, so it is made before the cluster is committed. Its intent is noted first:
//! whatever happens in between, somebody finds what is left over and takes it back.

use jeroboam_model::{Caller, ClusterId, ProjectId};
use jeroboam_openstack::{Kind, NewApplicationCredential};
use jeroboam_store::PendingCredential;
use secrecy::SecretString;
use tracing::{info, warn};

use crate::cloud::{Cloud, refusal};
use crate::error::{Looking, from_store};
use crate::{Error, Service};

/// An application credential that was made and belongs to nobody yet.
pub(crate) struct Credential {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) secret: SecretString,
}

impl Service {
    pub(crate) async fn make_credential(
        &self,
        caller: &Caller,
        cloud: &Cloud,
        project: &ProjectId,
        cluster: ClusterId,
        name: String,
    ) -> Result<Credential, Error> {
        let parts = &self.inner;
        let needed = &parts.settings.credential_roles;
        let Some(roles) = roles(&caller.roles, needed) else {
            return Err(Error::NoCredentialRole { needed: needed.join(", ") });
        };
        let mut pending = PendingCredential {
            name: name.clone(),
            cluster,
            project: project.clone(),
            user: caller.user.clone(),
            id: None,
            secret: None,
            noted: parts.clock.now(),
        };
        parts.store.note_credential(&pending).await.map_err(|error| from_store(Looking::Clusters, error))?;
        let new = NewApplicationCredential {
            name: name.clone(),
            description: format!("Kubernetes cluster {cluster}"),
            roles: Some(roles),
            ..NewApplicationCredential::default()
        };
        let made = match cloud.session().identity().create_application_credential(&new).await {
            Ok(made) => made,
            Err(error) => {
                // A refusal made nothing. After anything else nobody knows, and the note stays for whoever looks later.
                let refused = matches!(error.kind(), Kind::Forbidden | Kind::Unauthorized | Kind::NotFound | Kind::Bad);
                if refused {
                    self.forget(&name).await;
                }
                return Err(match error.kind() {
                    Kind::Forbidden | Kind::Unauthorized if caller.application_credential => {
                        Error::ApplicationCredentialCaller
                    }
                    _ => refusal("application credential", &name, error),
                });
            }
        };
        let secret = made.secret.unwrap_or_default();
        pending.id = Some(made.id.clone());
        pending.secret = Some(secret.clone());
        let credential = Credential { name, id: made.id, secret };
        match parts.store.complete_credential(&pending).await {
            Ok(true) => {}
            Ok(false) => {
                // Whoever revokes left credentials may have come before this one was made: it has to be noted once more.
                if let Err(error) = parts.store.note_credential(&pending).await {
                    warn!(credential.id = %credential.id, %error, "could not note a left application credential");
                }
                self.take_back(caller, cloud, &credential).await;
                return Err(Error::TooSlow);
            }
            Err(error) => {
                self.take_back(caller, cloud, &credential).await;
                return Err(from_store(Looking::Clusters, error));
            }
        }
        info!(cluster.id = %cluster, credential.id = %credential.id, "made an application credential");
        Ok(credential)
    }

    /// Takes back a credential whose cluster was not made. What can't be taken back stays noted.
    pub(crate) async fn take_back(&self, caller: &Caller, cloud: &Cloud, credential: &Credential) {
        match cloud.session().identity().delete_application_credential(&caller.user, &credential.id).await {
            Ok(_) => self.forget(&credential.name).await,
            Err(error) => {
                warn!(credential.id = %credential.id, %error, "could not take an application credential back");
            }
        }
    }

    async fn forget(&self, name: &str) {
        if let Err(error) = self.inner.store.forget_credential(name).await {
            warn!(credential.name = name, %error, "could not forget an application credential");
        }
    }
}

/// Of the roles that a cluster needs those that the caller has; `None` where that leaves none. An operator who names no roles
/// gives a cluster all of its owner's.
fn roles(held: &[String], needed: &[String]) -> Option<Vec<String>> {
    let wanted = |role: &&String| needed.is_empty() || needed.iter().any(|needed| needed.eq_ignore_ascii_case(role));
    let least: Vec<String> = held.iter().filter(wanted).cloned().collect();
    (!least.is_empty()).then_some(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_gets_no_more_roles_than_it_needs_and_the_caller_has() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let needed = ["member", "load-balancer_member"];
        for (held, needed, want) in [
            (&["reader", "Member", "admin"][..], &needed[..], Some(&["Member"][..])),
            (&["member", "load-balancer_member"], &needed, Some(&["member", "load-balancer_member"])),
            (&["reader", "admin"], &needed, None),
            (&[], &needed, None),
            (&["reader", "admin"], &[], Some(&["reader", "admin"])),
        ] {
            assert_eq!(roles(&list(held), &list(needed)), want.map(list), "{held:?} {needed:?}");
        }
    }
}
