//! Other sizes, and which nodes go.

use jeroboam_model::{Operation, Status};
use jeroboam_service::{ClusterChange, Kind, NodeGroupChange, Resize, Upgrade};

use crate::bed::{Bed, refused};

fn to(node_count: i32) -> Resize {
    Resize { node_count, ..Resize::default() }
}

#[tokio::test]
async fn sizes_outside_the_rules_are_refused() {
    let bed = Bed::new().await;
    let (ann, id) = (bed.ann(), bed.running().await.cluster.id);
    let (ident, clusters) = (id.to_string(), bed.service.clusters());
    let bounds =
        NodeGroupChange { min_node_count: Some(1), max_node_count: Some(Some(5)), ..NodeGroupChange::default() };
    bed.service.nodegroups().update(&ann, &ident, "default-worker", |_| Ok(bounds.clone())).await.expect("bounds");
    let range = "Resizing default-worker outside the allowed range: min_node_count = 1, max_node_count = 5";
    let group = |name: &str, size| Resize { nodegroup: Some(name.to_owned()), ..to(size) };
    let removing = |nodes: &[&str], size| Resize {
        nodes_to_remove: nodes.iter().map(|node| (*node).to_owned()).collect(),
        ..to(size)
    };
    for (resize, kind, words) in [
        (to(0), Kind::BadRequest, range),
        (to(6), Kind::BadRequest, range),
        (
            Resize { before_1_10: true, ..to(0) },
            Kind::BadRequest,
            "Resizing a nodegroup to zero is not supported in the provided microversion.",
        ),
        (group("none", 2), Kind::NotFound, "Nodegroup none could not be found."),
        (group("999", 2), Kind::NotFound, "Nodegroup 999 could not be found."),
        (
            group("default-master", 2),
            Kind::BadRequest,
            "master nodegroup size of 2 is invalid, size cannot be an even number.",
        ),
        (removing(&["lost"], 2), Kind::BadRequest, "Node lost is not in nodegroup default-worker."),
        (
            removing(&["default-master-0"], 2),
            Kind::BadRequest,
            "Node default-master-0 is not in nodegroup default-worker.",
        ),
        (
            removing(&["default-worker-0", "node-default-worker-1"], 2),
            Kind::BadRequest,
            "2 nodes are to be removed from nodegroup default-worker, but node_count 2 takes away 1 of its 3.",
        ),
        (
            removing(&["default-worker-0"], 4),
            Kind::BadRequest,
            "1 nodes are to be removed from nodegroup default-worker, but node_count 4 takes away 0 of its 3.",
        ),
    ] {
        assert_eq!(refused(clusters.resize(&ann, &ident, resize).await), (kind, words.to_owned()));
    }
    let patch = ClusterChange { node_count: Some(6), ..ClusterChange::default() };
    assert_eq!(
        refused(clusters.update(&ann, &ident, |_| Ok(patch.clone())).await),
        (Kind::BadRequest, range.to_owned())
    );
}

#[tokio::test]
async fn a_size_is_written_with_the_nodes_that_are_to_go() {
    let bed = Bed::new().await;
    let (ann, made) = (bed.ann(), bed.running().await);
    let id = made.cluster.id;
    for name in ["default-worker-2", "node-default-worker-2", "server-default-worker-2"] {
        let mut resize = to(2);
        resize.nodes_to_remove = vec![name.to_owned()];
        // Said twice, it is the same request.
        for _ in 0..2 {
            bed.service.clusters().resize(&ann, &id.to_string(), resize.clone()).await.expect("resized");
        }
        let now = bed.read(id).await;
        let worker = now.default_worker().expect("workers");
        assert_eq!((worker.node_count, worker.status), (2, Status::UPDATE_IN_PROGRESS));
        assert_eq!(now.default_control_plane().expect("masters").status, Status::CREATE_COMPLETE);
        let work = bed.store.work(id).await.expect("store").expect("work");
        assert_eq!(work.operation, Operation::Update);
        assert_eq!(work.deadline, Some("2026-11-21T13:00:00Z".parse().expect("time")));
        let waiting: Vec<_> = work.removals.iter().map(|removal| removal.node.as_str()).collect();
        assert_eq!(waiting, [name]);
        bed.service.clusters().resize(&ann, &id.to_string(), to(3)).await.expect("back");
        forget_removals(&bed, id).await;
    }
}

async fn forget_removals(bed: &Bed, id: jeroboam_model::ClusterId) {
    let now = jeroboam_model::Clock::now(&*bed.clock);
    let ttl = std::time::Duration::from_secs(10);
    let lease = bed.store.claim(id, "test", now, ttl).await.expect("claim").expect("free");
    let loaded = bed.store.load(&lease).await.expect("load").expect("there");
    let mut seen = jeroboam_store::Recorded { removals: Some(Vec::new()), ..Default::default() };
    let mut cluster = jeroboam_store::ClusterSeen::from(&loaded.view.cluster);
    cluster.status = Status::UPDATE_COMPLETE;
    seen.cluster = Some(cluster);
    seen.groups = loaded.view.groups.iter().map(jeroboam_store::GroupSeen::from).collect();
    for group in &mut seen.groups {
        group.status = Status::CREATE_COMPLETE;
    }
    assert!(bed.store.record(&lease, loaded.work.revision, seen).await.expect("recorded"));
    bed.store.release(&lease, now).await.expect("released");
}

#[tokio::test]
async fn the_control_plane_is_resized_to_odd_numbers() {
    let bed = Bed::new().await;
    let id = bed.running().await.cluster.id;
    let resize = Resize { nodegroup: Some("default-master".to_owned()), ..to(3) };
    bed.service.clusters().resize(&bed.ann(), &id.to_string(), resize).await.expect("resized");
    let now = bed.read(id).await;
    assert_eq!((now.control_plane_count(), now.worker_count()), (3, 3));
}

#[tokio::test]
async fn a_failed_update_is_retried_by_the_same_size() {
    let bed = Bed::new().await;
    let id = bed.running().await.cluster.id;
    bed.settle(id, Status::UPDATE_FAILED).await;
    bed.service.clusters().resize(&bed.ann(), &id.to_string(), to(3)).await.expect("retried");
    let now = bed.read(id).await;
    assert_eq!((now.cluster.status, now.cluster.status_reason.as_deref()), (Status::UPDATE_IN_PROGRESS, None));
}

#[tokio::test]
async fn an_upgrade_that_runs_stays_one_when_the_cluster_is_resized() {
    let bed = Bed::new().await;
    let made = bed.running().await.cluster;
    let (ann, ident) = (bed.ann(), made.id.to_string());
    let upgrade = Upgrade { template: made.template.to_string(), ..Upgrade::default() };
    bed.service.clusters().upgrade(&ann, &ident, upgrade).await.expect("upgraded");
    bed.service.clusters().resize(&ann, &ident, to(4)).await.expect("resized");
    let work = bed.store.work(made.id).await.expect("store").expect("work");
    assert_eq!(work.operation, Operation::Upgrade);
    bed.settle(made.id, Status::UPDATE_COMPLETE).await;
    bed.service.clusters().resize(&ann, &ident, to(5)).await.expect("resized");
    let work = bed.store.work(made.id).await.expect("store").expect("work");
    assert_eq!(work.operation, Operation::Update);
}

#[tokio::test]
async fn of_requests_at_once_each_sees_what_the_one_before_left() {
    let bed = Bed::new().await;
    let (ann, id) = (bed.ann(), bed.running().await.cluster.id);
    let ident = id.to_string();
    let clusters = bed.service.clusters();
    let resize = |size| clusters.resize(&ann, &ident, to(size));
    let (a, b, c) = tokio::join!(resize(4), resize(5), resize(6));
    for answer in [a, b, c] {
        answer.expect("accepted");
    }
    let work = bed.store.work(id).await.expect("store").expect("work");
    assert_eq!(work.revision, 4, "each was accepted once");
}

#[tokio::test]
async fn who_loses_too_often_is_told_so_and_nothing_was_done() {
    let bed = Bed::new().await;
    let (ann, id) = (bed.ann(), bed.running().await.cluster.id);
    let (ident, clusters) = (id.to_string(), bed.service.clusters());
    let answers = futures::future::join_all((4..84).map(|size| clusters.resize(&ann, &ident, to(size)))).await;
    let mut accepted = 0;
    for answer in answers {
        match answer {
            Ok(_) => accepted += 1,
            Err(error) => {
                let words = "is being changed by other requests at the same time. Nothing was done, please try again.";
                assert_eq!(error.to_string(), format!("Cluster {id} {words}"));
                assert_eq!(error.kind(), Kind::Conflict);
            }
        }
    }
    assert!((16..80).contains(&accepted), "{accepted}");
    let work = bed.store.work(id).await.expect("store").expect("work");
    assert_eq!(work.revision, 1 + accepted);
}
