//! Node groups of a cluster.

mod create;
mod list;
mod rules;

use jeroboam_model::{Caller, ClusterWithGroups, NodeGroup, Status, Verb};
use jeroboam_store::Ident;

use crate::clusters::{ATTEMPTS, allowed};
use crate::policy::Target;
use crate::{Error, GroupInCluster, NodeGroupChange, Service};

/// Node groups.
#[derive(Clone, Copy, Debug)]
pub struct NodeGroups<'a>(pub(crate) &'a Service);

impl NodeGroups<'_> {
    /// `GET /v1/clusters/{cluster}/nodegroups/{group}`; the group is a number, a uuid or a name.
    pub async fn get(&self, caller: &Caller, cluster: &str, group: &str) -> Result<GroupInCluster, Error> {
        self.0.enforce(caller, "nodegroup:get", &Target::own(caller))?;
        self.0.enforce_wider_view(caller, "nodegroup:get_one_all_projects")?;
        let found = self.0.find_cluster(caller, cluster).await?;
        let group = group_in(&found, group)?.clone();
        Ok(GroupInCluster { cluster: found.cluster, group })
    }

    /// `PATCH /v1/clusters/{cluster}/nodegroups/{group}`. `decide` turns the patch into a change of the group as it is. As with
    /// Magnum, a patch that asks for what is there is worked on as well: it is how a failed one is tried again.
    pub async fn update(
        &self,
        caller: &Caller,
        cluster: &str,
        group: &str,
        decide: impl Fn(&NodeGroup) -> Result<NodeGroupChange, Error> + Send + Sync,
    ) -> Result<GroupInCluster, Error> {
        self.0.enforce(caller, "nodegroup:update", &Target::own(caller))?;
        for _ in 0..ATTEMPTS {
            let was = self.0.find_cluster(caller, cluster).await?;
            let old = group_in(&was, group)?;
            let new = changed(old, decide(old)?)?;
            may_change(&was)?;
            allowed(old.status.may_be_resized(), "Updating a nodegroup", old.status)?;
            let mut change = self.0.update_of(&was).await?;
            change.changed_groups.push(crate::rules::changing(&new));
            if let Some(now) = self.0.accept(&was, change).await? {
                return named(now, &new);
            }
        }
        Err(Error::Contended(format!("Nodegroup {group}")))
    }

    /// `DELETE /v1/clusters/{cluster}/nodegroups/{group}`.
    pub async fn delete(&self, caller: &Caller, cluster: &str, group: &str) -> Result<(), Error> {
        self.0.enforce(caller, "nodegroup:delete", &Target::own(caller))?;
        for _ in 0..ATTEMPTS {
            let was = self.0.find_cluster(caller, cluster).await?;
            let old = group_in(&was, group)?;
            if old.is_default {
                return Err(Error::DefaultNodeGroup);
            }
            // With a cluster that goes, or could not go yet, its groups go as well.
            let going = old.status == Status::DELETE_IN_PROGRESS || was.cluster.status.verb() == Verb::Delete;
            if going {
                return Ok(());
            }
            let leaving = NodeGroup { status: Status::DELETE_IN_PROGRESS, status_reason: None, ..old.clone() };
            let mut change = self.0.update_of(&was).await?;
            change.changed_groups.push(leaving);
            if self.0.accept(&was, change).await?.is_some() {
                return Ok(());
            }
        }
        Err(Error::Contended(format!("Nodegroup {group}")))
    }
}

/// Node groups come and change while a cluster is there: not before it is made and not while it goes.
fn may_change(cluster: &ClusterWithGroups) -> Result<(), Error> {
    let status = cluster.cluster.status;
    let there = match status.verb() {
        Verb::Delete => false,
        Verb::Create => status == Status::CREATE_COMPLETE,
        _ => true,
    };
    allowed(there, "Updating a cluster", status)
}

fn group_in<'a>(cluster: &'a ClusterWithGroups, group: &str) -> Result<&'a NodeGroup, Error> {
    Ident::nodegroup(group).find_group(&cluster.groups).ok_or_else(|| Error::NoNodeGroup(group.to_owned()))
}

/// The group as it was written.
fn named(cluster: ClusterWithGroups, group: &NodeGroup) -> Result<GroupInCluster, Error> {
    let written = cluster.groups.into_iter().find(|written| written.id == group.id);
    let group = written.ok_or_else(|| Error::NoNodeGroup(group.name.clone()))?;
    Ok(GroupInCluster { cluster: cluster.cluster, group })
}

/// The group with the change, if it may have it.
fn changed(group: &NodeGroup, change: NodeGroupChange) -> Result<NodeGroup, Error> {
    let mut new = group.clone();
    new.min_node_count = change.min_node_count.unwrap_or(new.min_node_count);
    new.max_node_count = change.max_node_count.unwrap_or(new.max_node_count);
    rules::counts(&new.name, new.node_count, new.min_node_count, new.max_node_count)?;
    let labelled = change.node_labels.as_ref().map_or(!new.node_labels.is_empty(), |labels| !labels.is_empty());
    let tainted = change.node_taints.as_ref().map_or(!new.node_taints.is_empty(), |taints| !taints.is_empty());
    rules::plain_control_plane(&new, labelled, tainted)?;
    if let Some(labels) = change.node_labels {
        rules::node_labels(&new.name, &labels)?;
        new.node_labels = labels;
    }
    if let Some(taints) = change.node_taints {
        new.node_taints = rules::taints(&new.name, &taints)?;
    }
    Ok(new)
}
