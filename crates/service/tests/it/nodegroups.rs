//! Node groups beside the default ones.

use jeroboam_model::{NodeGroup, Page, Status};
use jeroboam_service::{Kind, NewNodeGroup, NodeGroupChange, RawTaint};

use crate::bed::{Bed, labels, refused};

fn group(name: &str) -> NewNodeGroup {
    NewNodeGroup { name: name.to_owned(), ..NewNodeGroup::default() }
}

fn taint(items: &[(&str, &str)]) -> RawTaint {
    items.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_group_inherits_from_its_cluster_and_is_found_by_any_name() {
    let bed = Bed::new().await;
    let (ann, id) = (bed.ann(), bed.running().await.cluster.id);
    let (ident, groups) = (id.to_string(), bed.service.nodegroups());
    let new = NewNodeGroup {
        labels: Some(labels(&[("availability_zone", "az2")])),
        merge_labels: true,
        node_labels: [("example.com/tier".to_owned(), "gpu".to_owned())].into(),
        node_taints: vec![taint(&[("key", "gpu"), ("effect", "NoSchedule")])],
        max_node_count: Some(4),
        role: Some("gpu".to_owned()),
        flavor_id: Some("large".to_owned()),
        ..group("gpu")
    };
    let made = groups.create(&ann, &ident, new).await.expect("made");
    assert_eq!((made.group.status, made.cluster.status), (Status::CREATE_IN_PROGRESS, Status::UPDATE_IN_PROGRESS));
    assert_eq!(made.group.labels, labels(&[("availability_zone", "az2")]));
    assert_eq!((made.group.image_id.as_deref(), made.group.node_count), (Some("ubuntu-v1.33.4"), 1));
    assert_eq!((made.group.flavor_id.as_deref(), made.group.is_default), (Some("large"), false));
    assert_eq!(made.group.node_taints.len(), 1);
    assert!(made.group.serial > 0);
    for name in ["gpu".to_owned(), "GPU".to_owned(), made.group.id.to_string(), made.group.serial.to_string()] {
        assert_eq!(groups.get(&ann, &ident, &name).await.expect("found").group.id, made.group.id);
    }
    let list = async |role: Option<&str>| {
        let (_, found) = groups.list(&ann, &ident, role, &Page::first(10)).await.expect("list");
        found.into_iter().map(|group| group.name).collect::<Vec<_>>()
    };
    assert_eq!(list(None).await, ["default-master", "default-worker", "gpu"]);
    assert_eq!(list(Some("gpu")).await, ["gpu"]);
    assert_eq!(list(Some("none")).await, [""; 0]);
}

#[tokio::test]
async fn a_dozen_groups_at_once_are_all_taken() {
    let bed = Bed::new().await;
    let (ann, ident) = (bed.ann(), bed.running().await.cluster.id.to_string());
    let groups = bed.service.nodegroups();
    let names: Vec<_> = (0..12).map(|number| format!("g{number}")).collect();
    for answer in futures::future::join_all(names.iter().map(|name| groups.create(&ann, &ident, group(name)))).await {
        answer.expect("taken");
    }
    let (_, found) = groups.list(&ann, &ident, None, &Page::first(100)).await.expect("list");
    assert!(names.iter().all(|name| found.iter().any(|group| group.name == *name)), "{found:?}");
}

#[tokio::test]
async fn wrong_groups_are_refused() {
    let bed = Bed::new().await;
    let waiting = bed.cluster(|new| new.name = Some("waiting".to_owned())).await.cluster.id.to_string();
    let ready = bed.running().await.cluster;
    let (ann, groups, ident) = (bed.ann(), bed.service.nodegroups(), ready.id.to_string());
    let early = groups.create(&ann, &waiting, group("a")).await;
    assert_eq!(refused(early), (Kind::Conflict, "Cluster API address is not available yet".to_owned()));
    let twice = format!(
        "A node group with name default-worker already exists in the cluster {}.",
        ready.name.as_deref().unwrap_or_default()
    );
    let table: Vec<(NewNodeGroup, Kind, &str)> = vec![
        (group("default-worker"), Kind::Conflict, &twice),
        (
            NewNodeGroup { min_node_count: Some(2), ..group("a") },
            Kind::Conflict,
            "min_node_count for a is invalid (min_node_count (2) should be less or equal to node_count (1)).",
        ),
        (
            NewNodeGroup { node_count: Some(3), max_node_count: Some(2), ..group("a") },
            Kind::Conflict,
            "max_node_count for a is invalid (node_count (3) should be less or equal to max_node_count (2)).",
        ),
        (
            NewNodeGroup { node_labels: [("k8s.io/x".into(), "1".into())].into(), ..group("a") },
            Kind::Conflict,
            "node_labels for a is invalid (node label 'k8s.io/x' is in a restricted Kubernetes namespace; the kubelet will refuse to \
             start. Labels in the kubernetes.io/ and k8s.io/ namespaces must use one of the allowed prefixes \
             (kubelet.kubernetes.io, node.kubernetes.io) or be one of the allowed labels (beta.kubernetes.io/arch, \
             beta.kubernetes.io/instance-type, beta.kubernetes.io/os, failure-domain.beta.kubernetes.io/region, \
             failure-domain.beta.kubernetes.io/zone, kubernetes.io/arch, kubernetes.io/hostname, kubernetes.io/os, \
             node.kubernetes.io/instance-type, node.kubernetes.io/windows-build, topology.kubernetes.io/region, \
             topology.kubernetes.io/zone).).",
        ),
        (
            NewNodeGroup { node_taints: vec![taint(&[("key", "x")])], ..group("a") },
            Kind::Conflict,
            "node_taints for a is invalid (node_taints[0].effect must be one of NoSchedule, PreferNoSchedule, NoExecute).",
        ),
        (
            NewNodeGroup { role: Some("master".into()), node_labels: [("x".into(), "1".into())].into(), ..group("a") },
            Kind::Conflict,
            "node_labels for a is invalid (node_labels may not be set on master nodegroups).",
        ),
        (
            NewNodeGroup { role: Some("master".into()), ..group("a") },
            Kind::BadRequest,
            "Creating master nodegroups is currently not supported.",
        ),
        (
            NewNodeGroup { flavor_id: Some("huge".into()), ..group("a") },
            Kind::BadRequest,
            "Unable to find flavor huge.",
        ),
        (
            NewNodeGroup { flavor_id: Some("diskless".into()), ..group("a") },
            Kind::BadRequest,
            "Flavor with zero root volume size is not supported when boot_volume_size is zero.",
        ),
        (
            NewNodeGroup { image_id: Some("lost".into()), ..group("a") },
            Kind::BadRequest,
            "Image lost could not be found.",
        ),
        (
            NewNodeGroup { image_id: Some("ubuntu-v1.34.1".into()), ..group("a") },
            Kind::BadRequest,
            "Image ubuntu-v1.34.1 holds Kubernetes v1.34.1, but the cluster runs v1.33.4: the two have to be the same.",
        ),
        (
            NewNodeGroup { labels: Some(labels(&[("boot_volume_size", "x")])), ..group("a") },
            Kind::BadRequest,
            "Invalid label: label boot_volume_size is \"x\", expected a whole number.",
        ),
    ];
    for (new, kind, words) in table {
        assert_eq!(refused(groups.create(&ann, &ident, new).await), (kind, words.to_owned()));
    }
    let gone = refused(groups.create(&ann, "gone", group("a")).await);
    assert_eq!(gone, (Kind::NotFound, "Cluster gone could not be found.".to_owned()));
}

#[tokio::test]
async fn bounds_labels_and_taints_are_changed_within_the_count() {
    let bed = Bed::new().await;
    let (ann, id) = (bed.ann(), bed.running().await.cluster.id);
    let (ident, groups) = (id.to_string(), bed.service.nodegroups());
    let change = NodeGroupChange {
        min_node_count: Some(2),
        max_node_count: Some(Some(3)),
        node_labels: Some([("tier".to_owned(), "front".to_owned())].into()),
        node_taints: Some(vec![taint(&[("key", "x"), ("value", "y"), ("effect", "NoExecute")])]),
    };
    let done =
        groups.update(&ann, &ident, "default-worker", |_: &NodeGroup| Ok(change.clone())).await.expect("changed");
    assert_eq!((done.group.min_node_count, done.group.max_node_count), (2, Some(3)));
    assert_eq!((done.group.status, done.cluster.status), (Status::UPDATE_IN_PROGRESS, Status::UPDATE_IN_PROGRESS));
    assert_eq!((done.group.node_labels.len(), done.group.node_taints.len()), (1, 1));
    for (change, words) in [
        (
            NodeGroupChange { min_node_count: Some(4), max_node_count: Some(None), ..NodeGroupChange::default() },
            "min_node_count for default-worker is invalid (min_node_count (4) should be less or equal to node_count (3)).",
        ),
        (
            NodeGroupChange { max_node_count: Some(Some(2)), ..NodeGroupChange::default() },
            "max_node_count for default-worker is invalid (node_count (3) should be less or equal to max_node_count (2)).",
        ),
    ] {
        let answer = groups.update(&ann, &ident, "default-worker", |_: &NodeGroup| Ok(change.clone())).await;
        assert_eq!(refused(answer), (Kind::Conflict, words.to_owned()));
    }
}

#[tokio::test]
async fn a_group_goes_and_default_ones_stay() {
    let bed = Bed::new().await;
    let (ann, id) = (bed.ann(), bed.running().await.cluster.id);
    let (ident, groups) = (id.to_string(), bed.service.nodegroups());
    let default = refused(groups.delete(&ann, &ident, "default-worker").await);
    assert_eq!(default, (Kind::BadRequest, "Deleting a default nodegroup is not supported.".to_owned()));
    let none = refused(groups.delete(&ann, &ident, "none").await);
    assert_eq!(none, (Kind::NotFound, "Nodegroup none could not be found.".to_owned()));
    groups.create(&ann, &ident, group("extra")).await.expect("made");
    for _ in 0..2 {
        groups.delete(&ann, &ident, "extra").await.expect("deleted");
    }
    let now = groups.get(&ann, &ident, "extra").await.expect("still shown");
    assert_eq!((now.group.status, now.cluster.status), (Status::DELETE_IN_PROGRESS, Status::UPDATE_IN_PROGRESS));
}

#[tokio::test]
async fn a_group_of_a_cluster_that_goes_does_not_call_it_back() {
    let bed = Bed::new().await;
    let (ann, id) = (bed.ann(), bed.running().await.cluster.id);
    bed.service.nodegroups().create(&ann, &id.to_string(), group("extra")).await.expect("made");
    for status in [Status::DELETE_IN_PROGRESS, Status::DELETE_FAILED] {
        bed.settle(id, status).await;
        bed.service.nodegroups().delete(&ann, &id.to_string(), "extra").await.expect("nothing to do");
        assert_eq!(bed.read(id).await.cluster.status, status);
    }
}
