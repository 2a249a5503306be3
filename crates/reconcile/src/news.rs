//! A cluster as others are told of it when an operation has ended. Pure.

use jeroboam_model::{Cluster, ClusterWithGroups, NodeGroup, Status};
use jeroboam_store::Recorded;

/// The cluster as `news` makes it, where its status becomes one that an operation ends with.
pub(crate) fn ended(was: &ClusterWithGroups, news: &Recorded) -> Option<ClusterWithGroups> {
    let seen = news.cluster.as_ref()?;
    if seen.status == was.cluster.status || seen.status.in_progress() {
        return None;
    }
    let cluster = Cluster {
        status: seen.status,
        status_reason: seen.status_reason.clone(),
        health_status: seen.health_status,
        api_address: seen.api_address.clone(),
        stack_id: seen.stack_id.clone(),
        ..was.cluster.clone()
    };
    let there = was.groups.iter().filter(|group| !news.removed_groups.contains(&group.id));
    let groups = there.map(|group| match news.groups.iter().find(|seen| seen.id == group.id) {
        Some(seen) => NodeGroup {
            node_addresses: seen.node_addresses.clone(),
            node_count: seen.node_count.unwrap_or(group.node_count),
            ..group.clone()
        },
        None => group.clone(),
    });
    Some(ClusterWithGroups { cluster, groups: groups.collect(), template_labels: was.template_labels.clone() })
}

/// The cluster when nothing is left of it.
pub(crate) fn deleted(was: &ClusterWithGroups) -> ClusterWithGroups {
    let cluster = Cluster { status: Status::DELETE_COMPLETE, status_reason: None, ..was.cluster.clone() };
    ClusterWithGroups { cluster, ..was.clone() }
}

#[cfg(test)]
mod tests {
    use jeroboam_store::{ClusterSeen, GroupSeen};

    use super::*;
    use crate::samples;

    #[test]
    fn others_are_told_once_an_operation_has_ended() {
        let mut was = samples::view(Status::CREATE_IN_PROGRESS);
        for (status, told) in [
            (Status::CREATE_IN_PROGRESS, false),
            (Status::UPDATE_IN_PROGRESS, false),
            (Status::CREATE_COMPLETE, true),
            (Status::CREATE_FAILED, true),
        ] {
            let seen = ClusterSeen { status, ..ClusterSeen::from(&was.cluster) };
            let news = Recorded { cluster: Some(seen), ..Recorded::default() };
            assert_eq!(ended(&was, &news).map(|told| told.cluster.status), told.then_some(status), "{status}");
        }
        was.cluster.status = Status::CREATE_COMPLETE;
        let news = Recorded { cluster: Some(ClusterSeen::from(&was.cluster)), ..Recorded::default() };
        assert_eq!(ended(&was, &news), None, "it has been told before");
        assert_eq!(ended(&was, &Recorded::default()), None);
    }

    #[test]
    fn they_are_told_what_was_found_out_with_it() {
        let was = samples::view(Status::CREATE_IN_PROGRESS);
        let seen = ClusterSeen {
            status: Status::CREATE_COMPLETE,
            api_address: Some("https://192.0.2.1:6443".to_owned()),
            ..ClusterSeen::from(&was.cluster)
        };
        let group = GroupSeen { node_addresses: vec!["10.0.0.5".to_owned()], ..GroupSeen::from(&was.groups[0]) };
        let news = Recorded { cluster: Some(seen), groups: vec![group], ..Recorded::default() };
        let told = ended(&was, &news).expect("it ended");
        assert_eq!(told.cluster.api_address.as_deref(), Some("https://192.0.2.1:6443"));
        assert_eq!(told.groups[0].node_addresses, ["10.0.0.5"]);
        assert_eq!(told.groups.len(), was.groups.len());
    }
}
