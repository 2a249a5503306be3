//! Taking a cluster away, part by part. Each part may have been done before, and may have had nothing to do.

use jeroboam_capi::Observed;
use jeroboam_openstack::Kind;
use tracing::{error, info, warn};

use crate::dereference;
use crate::floating_ip;
use crate::keys;
use crate::next::Trouble;
use crate::pass::{End, Pass, Stopped, refusal};
use crate::run::{Shared, chain};
use crate::worker::Interrupted;

/// What a step came to.
pub(crate) enum Step {
    /// Something is still there.
    Left(Box<Observed>),
    /// Nothing is left outside the database.
    Gone,
}

/// Does what can be done now.
pub(crate) async fn step(pass: &Pass<'_>) -> Result<Step, Stopped> {
    let management = &pass.shared.management;
    pass.management_is_up()?;
    // The caches may lag behind: that nothing is left is asked of the API server itself.
    pass.guard.may("observe")?;
    let observed = management.fresh_observe(&pass.key).await.map_err(|error| refusal(&error))?;
    if !observed.is_gone() {
        if observed.cluster.as_ref().is_some_and(|cluster| !cluster.meta.deleting) {
            pass.guard.may("delete cluster")?;
            management.delete_cluster(&pass.key).await.map_err(|error| refusal(&error))?;
        } else if observed.deployments.is_empty() && observed.machines.is_empty() {
            // A cluster that is removed while it is made may be held by a machine set that lost its deployment.
            pass.guard.may("release orphans")?;
            management.release_orphans(&pass.key).await.map_err(|error| refusal(&error))?;
        }
        return Ok(Step::Left(Box::new(observed)));
    }
    pass.guard.may("delete leftovers")?;
    let remaining = management.delete_leftovers(&pass.key).await.map_err(|error| refusal(&error))?;
    if !remaining.is_empty() {
        return Err(Trouble::Waiting(format!("the last objects to go: {remaining}")).into());
    }
    // Last of all: everything before it may need the credential.
    release_address(pass).await?;
    revoke(pass).await?;
    Ok(Step::Gone)
}

/// Gives the API's floating IP back, in the name of the cluster: nobody else may see it.
async fn release_address(pass: &Pass<'_>) -> Result<(), Stopped> {
    let Shared { store, session, settings, .. } = pass.shared;
    let cluster = &pass.loaded.view.cluster;
    // What stands in the way of reading the credential is said where the credential itself is to go.
    let Ok(Some(stored)) = keys::credential(store, cluster.id).await else { return Ok(()) };
    pass.guard.may("give floating ip back")?;
    let own = dereference::session_of(session, &stored.credential(&settings.cloud));
    match floating_ip::give_back(&own, cluster.id).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == Kind::Unauthorized => {
            warn!(
                cluster.id = %cluster.id, error = %chain(&error),
                "the floating IP of a cluster that goes can't be looked for: its application credential is no longer accepted",
            );
            Ok(())
        }
        Err(error) => Err(dereference::trouble(&error).into()),
    }
}

/// Deletes the cluster's application credential: with the service's rights, else with the credential's own.
async fn revoke(pass: &Pass<'_>) -> Result<(), Stopped> {
    let Shared { store, session, settings, .. } = pass.shared;
    let cluster = &pass.loaded.view.cluster;
    let stored = match keys::credential(store, cluster.id).await {
        Ok(Some(stored)) => stored,
        Ok(None) => return Ok(()),
        Err(problem) => {
            warn!(cluster.id = %cluster.id, error = %chain(&problem), "failed to read the application credential of a cluster that goes");
            return Err(problem.trouble().into());
        }
    };
    pass.guard.may("revoke credential")?;
    let refused = match session.identity().delete_application_credential(&cluster.user, &stored.id).await {
        Ok(_) => return Ok(()),
        // The user is gone, and took the credential along.
        Err(error) if error.kind() == Kind::NotFound => return Ok(()),
        Err(error) if error.is_temporary() => return Err(dereference::trouble(&error).into()),
        Err(error) => error,
    };
    let own = dereference::session_of(session, &stored.clone().credential(&settings.cloud));
    pass.guard.may("revoke credential with itself")?;
    match own.identity().delete_application_credential(&cluster.user, &stored.id).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == Kind::NotFound => Ok(()),
        // What opens no door any more was revoked before, or fell with its user or project.
        Err(error) if error.kind() == Kind::Unauthorized => {
            info!(cluster.id = %cluster.id, "the application credential of a cluster that goes is no longer accepted");
            Ok(())
        }
        Err(error) if error.is_temporary() => Err(dereference::trouble(&error).into()),
        Err(_) => {
            error!(
                cluster.id = %cluster.id, error = %chain(&refused),
                "the service may not delete application credentials: give its user the role admin",
            );
            let asked = format!("the right to delete the application credential {}", stored.id);
            Err(Trouble::Waiting(asked).into())
        }
    }
}

impl Pass<'_> {
    /// Removes the rows: the very last thing that is done for a cluster.
    pub(crate) async fn forget(&self) -> Result<End, Interrupted> {
        let cluster = self.loaded.view.cluster.id;
        self.guard.may("forget")?;
        if self.shared.store.forget(&self.guard.lease()).await? {
            info!(cluster.id = %cluster, "cluster is deleted, nothing of it is left");
            return Ok(End::Forgotten);
        }
        Ok(End::Superseded)
    }
}
