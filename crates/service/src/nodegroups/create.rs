//! `POST /v1/clusters/{cluster}/nodegroups`: more nodes, of another kind.

use jeroboam_model::{
    Caller, Cluster, ClusterTemplate, ClusterWithGroups, Labels, NodeGroup, NodeGroupId, Status, Timestamp,
};

use super::{NodeGroups, may_change, named, rules};
use crate::cloud::{self, References};
use crate::clusters::ATTEMPTS;
use crate::error::{Looking, from_store};
use crate::policy::Target;
use crate::{Error, GroupInCluster, NewNodeGroup, Service, labels};

impl NodeGroups<'_> {
    /// `POST /v1/clusters/{cluster}/nodegroups`.
    pub async fn create(&self, caller: &Caller, cluster: &str, new: NewNodeGroup) -> Result<GroupInCluster, Error> {
        self.0.enforce(caller, "nodegroup:create", &Target::own(caller))?;
        for _ in 0..ATTEMPTS {
            let was = self.0.find_cluster(caller, cluster).await?;
            if was.cluster.api_address.is_none() {
                return Err(Error::NoApiAddress);
            }
            let template = self.0.inner.store.template_unfiltered(was.cluster.template).await;
            let template = template.map_err(|error| from_store(Looking::Templates, error))?;
            let group = group_of(&new, &was, template.as_ref(), self.0.now())?;
            self.0.check_group(caller, &group, &was.cluster).await?;
            may_change(&was)?;
            let mut change = self.0.update_of(&was).await?;
            change.added_groups.push(group.clone());
            if let Some(now) = self.0.accept(&was, change).await? {
                return named(now, &group);
            }
        }
        Err(Error::Contended(format!("Cluster {cluster}")))
    }
}

/// The group with everything it inherits, if all about it is right that can be seen from here.
fn group_of(
    new: &NewNodeGroup,
    was: &ClusterWithGroups,
    template: Option<&ClusterTemplate>,
    now: Timestamp,
) -> Result<NodeGroup, Error> {
    let cluster = &was.cluster;
    if was.groups.iter().any(|group| group.name == new.name) {
        return Err(Error::NodeGroupExists { name: new.name.clone(), cluster: cluster.title() });
    }
    let count = new.node_count.unwrap_or(1);
    let min = new.min_node_count.unwrap_or(0);
    rules::counts(&new.name, count, min, new.max_node_count)?;
    let mut group = NodeGroup {
        serial: 0,
        id: NodeGroupId::random(),
        name: new.name.clone(),
        cluster: cluster.id,
        project: cluster.project.clone(),
        role: new.role.clone().unwrap_or_else(|| NodeGroup::WORKER_ROLE.to_owned()),
        is_default: false,
        node_count: count,
        min_node_count: min,
        max_node_count: new.max_node_count,
        flavor_id: new.flavor_id.clone().or_else(|| cluster.flavor_id.clone()),
        image_id: new.image_id.clone().or_else(|| template.and_then(|template| template.image_id.clone())),
        docker_volume_size: new.docker_volume_size,
        labels: own_labels(&cluster.labels, new),
        node_labels: new.node_labels.clone(),
        node_taints: Vec::new(),
        node_addresses: Vec::new(),
        stack_id: cluster.stack_id.clone(),
        status: Status::CREATE_IN_PROGRESS,
        status_reason: None,
        version: None,
        created_at: now,
        updated_at: None,
    };
    rules::plain_control_plane(&group, !new.node_labels.is_empty(), !new.node_taints.is_empty())?;
    rules::node_labels(&group.name, &group.node_labels)?;
    group.node_taints = rules::taints(&group.name, &new.node_taints)?;
    if group.is_control_plane() {
        return Err(Error::ControlPlaneGroup);
    }
    Ok(group)
}

/// The cluster's labels unless it was given some. None at all are some, too: unlike a cluster's, as Magnum has it.
fn own_labels(of_cluster: &Labels, new: &NewNodeGroup) -> Labels {
    match &new.labels {
        None => of_cluster.clone(),
        Some(given) if new.merge_labels => of_cluster.merged(given),
        Some(given) => given.clone(),
    }
}

impl Service {
    /// Labels, flavor and image; the image has to hold the release that the cluster runs.
    async fn check_group(&self, caller: &Caller, group: &NodeGroup, cluster: &Cluster) -> Result<(), Error> {
        labels::check(&group.labels)?;
        let boot_volume = crate::rules::boot_volume_size(&group.labels, &self.inner.settings)?;
        let named = References {
            image: group.image_id.as_deref(),
            flavor: group.flavor_id.as_deref(),
            volume_type: group.labels.text(labels::BOOT_VOLUME_TYPE),
            ..References::default()
        };
        let found = self.cloud(caller).look_up(named, boot_volume).await?;
        match (named.image, &found.image) {
            (Some(name), Some(image)) => cloud::same_release(name, image, cluster),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_labels_that_it_was_given_and_else_its_clusters() {
        let labels = |pairs: &[(&str, &str)]| -> Labels {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let cluster = labels(&[("a", "1"), ("b", "2")]);
        for (given, merge_labels, own) in [
            (None, false, cluster.clone()),
            (None, true, cluster.clone()),
            (Some(labels(&[])), false, labels(&[])),
            (Some(labels(&[])), true, cluster.clone()),
            (Some(labels(&[("a", "3")])), false, labels(&[("a", "3")])),
            (Some(labels(&[("a", "3")])), true, labels(&[("a", "3"), ("b", "2")])),
        ] {
            let new = NewNodeGroup { labels: given, merge_labels, ..NewNodeGroup::default() };
            assert_eq!(own_labels(&cluster, &new), own, "{new:?}");
        }
    }
}
