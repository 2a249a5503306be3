//! `POST …/actions/resize`: another size for one node group, and which of its nodes go first.

use jeroboam_model::{Caller, ClusterId, ClusterWithGroups, MachineView, NodeGroup, Removal, Work};
use jeroboam_notify::Action;
use jeroboam_store::Ident;

use super::{ATTEMPTS, Clusters};
use crate::error::{Looking, from_store};
use crate::policy::Target;
use crate::{Error, Resize, rules};

impl Clusters<'_> {
    /// `POST …/actions/resize`. The size that it has already is applied once more: that is how a failed update is retried.
    pub async fn resize(&self, caller: &Caller, ident: &str, resize: Resize) -> Result<ClusterId, Error> {
        // Magnum: before anything is looked for.
        rules::zero_nodes(resize.before_1_10, Some(resize.node_count))?;
        for _ in 0..ATTEMPTS {
            let was = self.0.find_cluster(caller, ident).await?;
            self.0.enforce(caller, "cluster:resize", &Target::cluster(&was.cluster))?;
            let group = group_of(&was, resize.nodegroup.as_deref())?;
            if group.is_control_plane() {
                rules::control_plane_size(resize.node_count)?;
            } else {
                rules::within_bounds(group, resize.node_count)?;
            }
            self.0.allowed_or_told(caller, &was, was.cluster.status.may_be_resized(), "Resizing a cluster")?;

            let work = self.0.inner.store.work(was.cluster.id).await;
            let work = work.map_err(|error| from_store(Looking::Clusters, error))?;
            let mut change = self.0.update_of(&was).await?;
            change.removals = removals(&resize, group, work.as_ref())?;
            change.changed_groups.push(rules::resized(group, resize.node_count));
            if self.0.accept(&was, change).await?.is_some() {
                self.0.told(caller, Action::Update, &was);
                return Ok(was.cluster.id);
            }
        }
        Err(Error::Contended(format!("Cluster {ident}")))
    }
}

/// The named group, or the default workers.
pub(super) fn group_of<'a>(cluster: &'a ClusterWithGroups, named: Option<&str>) -> Result<&'a NodeGroup, Error> {
    match named {
        Some(name) => {
            Ident::nodegroup(name).find_group(&cluster.groups).ok_or_else(|| Error::NoNodeGroup(name.to_owned()))
        }
        None => cluster.default_worker().ok_or_else(|| Error::NoNodeGroup("default-worker".to_owned())),
    }
}

/// The nodes that are to go, beyond those that are going already: each known, and no more than the group shrinks by.
fn removals(resize: &Resize, group: &NodeGroup, work: Option<&Work>) -> Result<Vec<Removal>, Error> {
    let pending = work.map_or(&[][..], |work| &work.removals);
    let machines = work.map_or(&[][..], |work| &work.progress.machines);
    let mut fresh: Vec<Removal> = Vec::new();
    for node in &resize.nodes_to_remove {
        let removal = Removal { group: group.id, node: node.clone() };
        if pending.contains(&removal) || fresh.contains(&removal) {
            continue;
        }
        if !machines.iter().any(|machine| machine.group == group.name && is_called(machine, node)) {
            return Err(Error::bad_request(format!("Node {node} is not in nodegroup {}.", group.name)));
        }
        fresh.push(removal);
    }
    let shrinks_by = usize::try_from(group.node_count - resize.node_count).unwrap_or(0);
    if fresh.len() > shrinks_by {
        return Err(Error::bad_request(format!(
            "{} nodes are to be removed from nodegroup {}, but node_count {} takes away {shrinks_by} of its {}.",
            fresh.len(),
            group.name,
            resize.node_count,
            group.node_count
        )));
    }
    Ok(fresh)
}

fn is_called(machine: &MachineView, node: &str) -> bool {
    machine.name == node || machine.node.as_deref() == Some(node) || machine.server.as_deref() == Some(node)
}
