//! Taking a cluster away, part by part. Each part may have been done before, and may have had nothing to do.

use jeroboam_capi::{Observed, cloud_config};
use jeroboam_management::ErrorKind;
use jeroboam_model::Timestamp;
use jeroboam_openstack::Kind;
use tracing::{debug, error, info, warn};

use crate::certificates;
use crate::dereference;
use crate::floating_ip;
use crate::keys::{self, KeyProblem};
use crate::news;
use crate::next::Trouble;
use crate::pass::{End, Pass, Stopped};
use crate::run::{Shared, chain};
use crate::worker::Interrupted;

/// What a step came to.
pub(crate) enum Step {
    /// Something is still there.
    Left {
        observed: Box<Observed>,
        /// When the provider was last given the credential that it works with.
        handed: Option<Timestamp>,
        /// Why the provider can't go on, where that is known.
        blame: Option<String>,
    },
    /// Nothing is left outside the database but what the project's `others` still use.
    Gone { others: bool },
}

/// What became of giving the provider a credential.
enum Handed {
    At(Timestamp),
    /// There is none that works; what to do about it.
    Broken(String),
    /// Nobody can say now.
    Unknown,
}

/// Does what can be done now.
pub(crate) async fn step(pass: &Pass<'_>) -> Result<Step, Stopped> {
    let management = &pass.shared.management;
    pass.management_is_up()?;
    // The caches may lag behind: that nothing is left is asked of the API server itself.
    pass.guard.may("observe")?;
    let observed = management.fresh_observe(&pass.key).await.map_err(|error| pass.refusal(&error))?;
    if !observed.is_gone() {
        let (handed, blame) = match hand_credential(pass).await? {
            Handed::At(at) => (Some(at), None),
            Handed::Broken(why) => (None, Some(why)),
            Handed::Unknown => (None, None),
        };
        if observed.cluster.as_ref().is_some_and(|cluster| !cluster.meta.deleting) {
            pass.guard.may("delete cluster")?;
            management.delete_cluster(&pass.key).await.map_err(|error| pass.refusal(&error))?;
        } else if observed.deployments.is_empty() && observed.machines.is_empty() {
            // A cluster that is removed while it is made may be held by a machine set that lost its deployment.
            pass.guard.may("release orphans")?;
            management.release_orphans(&pass.key).await.map_err(|error| pass.refusal(&error))?;
        }
        return Ok(Step::Left { observed: Box::new(observed), handed, blame });
    }
    pass.guard.may("delete leftovers")?;
    let remaining = management.delete_leftovers(&pass.key).await.map_err(|error| pass.refusal(&error))?;
    if !remaining.is_empty() {
        return Err(Trouble::Waiting(format!("the last objects to go: {remaining}")).into());
    }
    let others = leave_namespace(pass).await?;
    // Last of all: everything before it may need the credential.
    release_address(pass).await?;
    revoke(pass).await?;
    certificates::discard(pass).await?;
    Ok(Step::Gone { others })
}

/// Sees to it that the provider has the cluster's credential as the database has it: a request to delete the cluster may have
/// brought another one, because the first was revoked. Says so when it is the database's that no longer works.
async fn hand_credential(pass: &Pass<'_>) -> Result<Handed, Stopped> {
    let Shared { store, session, settings, management, .. } = pass.shared;
    let cluster = &pass.loaded.view.cluster;
    if let Some(at) = pass.handed() {
        return Ok(Handed::At(at));
    }
    let broken = |what: &str| {
        let project = &cluster.project;
        Handed::Broken(format!(
            "{what}: delete the cluster again with a token of the project {project}, to make a new one"
        ))
    };
    let stored = match keys::credential(store, cluster.id).await {
        Ok(Some(stored)) => stored.credential(&settings.cloud),
        Ok(None) => return Ok(broken("the cluster has no application credential to be deleted with")),
        Err(problem @ KeyProblem::Away(_)) => return Err(problem.trouble().into()),
        Err(problem) => {
            warn!(cluster.id = %cluster.id, error = %chain(&problem), "failed to read the application credential of a cluster that goes");
            return Ok(broken("the cluster's application credential can not be read"));
        }
    };
    pass.guard.may("try credential")?;
    match dereference::session_of(session, &stored).authenticate().await {
        Ok(_) => {}
        Err(error) if error.kind() == Kind::Unauthorized => {
            info!(cluster.id = %cluster.id, error = %chain(&error), "the application credential of a cluster that goes is not accepted");
            return Ok(broken("OpenStack no longer accepts the cluster's application credential"));
        }
        // What can't be asked now is asked again; what can be done without is.
        Err(error) => {
            debug!(cluster.id = %cluster.id, error = %chain(&error), "failed to try an application credential");
            return Ok(Handed::Unknown);
        }
    }
    pass.guard.may("hand credential")?;
    match management.apply(cloud_config(&pass.key, cluster.id, &cluster.project, &stored)).await {
        Ok(_) => Ok(Handed::At(pass.shared.clock.now())),
        Err(error) if error.kind() == ErrorKind::Unavailable => Err(pass.refusal(&error).into()),
        // A namespace on its way out takes nothing new, and everything else goes on without.
        Err(error) => {
            warn!(cluster.id = %cluster.id, error = %chain(&error), "failed to hand a credential to a cluster that goes");
            Ok(Handed::Unknown)
        }
    }
}

/// Removes the project's namespace with its last cluster; whether there are others that still use it.
///
/// Whoever makes a cluster commits its row before touching the namespace, and changes the namespace by touching it. So the
/// namespace is read first, then the rows, and then it is removed as it was read: nobody slips through in between.
async fn leave_namespace(pass: &Pass<'_>) -> Result<bool, Stopped> {
    let Shared { store, management, .. } = pass.shared;
    pass.guard.may("look at namespace")?;
    let found = management.own_namespace(&pass.key.namespace).await.map_err(|error| pass.refusal(&error))?;
    let Some(found) = found else { return Ok(false) };
    if store.cluster_count(&pass.loaded.view.cluster.project).await? > 1 {
        return Ok(true);
    }
    pass.guard.may("delete namespace")?;
    match management.delete_namespace(&found).await {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == ErrorKind::Conflict => {
            Err(Trouble::Waiting("the project's namespace: somebody else was just at it".to_owned()).into())
        }
        Err(error) => Err(pass.refusal(&error).into()),
    }
}

/// Gives the API's floating IP back, in the name of the cluster: nobody else may see it.
async fn release_address(pass: &Pass<'_>) -> Result<(), Stopped> {
    let Shared { store, session, settings, .. } = pass.shared;
    let cluster = &pass.loaded.view.cluster;
    pass.guard.may("give floating ip back")?;
    let Ok(Some(stored)) = keys::credential(store, cluster.id).await else {
        // What stands in the way of reading it is said where the credential itself is to go.
        release_as_service(pass).await;
        return Ok(());
    };
    let own = dereference::session_of(session, &stored.credential(&settings.cloud));
    match floating_ip::give_back(&own, cluster.id).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == Kind::Unauthorized => {
            release_as_service(pass).await;
            Ok(())
        }
        Err(error) => Err(dereference::trouble(&error).into()),
    }
}

/// Gives the API's floating IP back without the cluster's credential: where the service is an administrator it sees it, too.
async fn release_as_service(pass: &Pass<'_>) {
    let cluster = &pass.loaded.view.cluster;
    if let Err(error) = floating_ip::give_back(&pass.shared.session, cluster.id).await {
        warn!(
            cluster.id = %cluster.id, error = %chain(&error),
            "the floating IP of a cluster that goes can't be looked for: it has no application credential that works",
        );
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
    let owner = keys::owner(store, cluster).await.map_err(|problem| problem.trouble())?;
    pass.guard.may("revoke credential")?;
    let refused = match session.identity().delete_application_credential(&owner, &stored.id).await {
        Ok(_) => return Ok(()),
        // The user is gone, and took the credential along.
        Err(error) if error.kind() == Kind::NotFound => return Ok(()),
        Err(error) if error.is_temporary() => return Err(dereference::trouble(&error).into()),
        Err(error) => error,
    };
    let own = dereference::session_of(session, &stored.clone().credential(&settings.cloud));
    pass.guard.may("revoke credential with itself")?;
    match own.identity().delete_application_credential(&owner, &stored.id).await {
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
    pub(crate) async fn forget(&self, others: bool) -> Result<End, Interrupted> {
        let cluster = self.loaded.view.cluster.id;
        self.guard.may("forget")?;
        if self.shared.store.forget(&self.guard.lease(), self.loaded.work.revision, others).await? {
            info!(cluster.id = %cluster, "cluster is deleted, nothing of it is left");
            self.shared.notifier.ended(&news::deleted(&self.loaded.view));
            return Ok(End::Forgotten);
        }
        Ok(End::Superseded)
    }
}
