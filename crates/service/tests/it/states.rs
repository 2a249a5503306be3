//! Which states allow which requests.

use jeroboam_model::{HealthStatus, Operation, Stage, Status, Verb};
use jeroboam_service::{ClusterChange, Kind, NewNodeGroup, NodeGroupChange, Resize, Upgrade};

use crate::bed::{Bed, refused};

#[tokio::test]
async fn each_state_allows_what_it_should_and_refuses_the_rest_at_once() {
    let bed = Bed::new().await;
    let (made, ann) = (bed.running().await, bed.ann());
    let (id, template) = (made.cluster.id, made.cluster.template.to_string());
    let ident = id.to_string();
    let clusters = bed.service.clusters();
    let settled = |status: Status| status.stage() == Stage::Complete && status.verb() != Verb::Delete;
    for status in Status::all() {
        for (doing, allowed) in [
            ("Updating a cluster", settled(status)),
            (
                "Resizing a cluster",
                settled(status) || matches!(status.as_str(), "UPDATE_FAILED" | "UPDATE_IN_PROGRESS"),
            ),
            ("Upgrading a cluster", settled(status) || status == Status::UPDATE_FAILED),
        ] {
            let was = bed.settle(id, status).await;
            let count = was.default_worker().expect("workers").node_count + 1;
            let answer = match doing {
                "Updating a cluster" => {
                    let change = ClusterChange { node_count: Some(count), ..ClusterChange::default() };
                    clusters.update(&ann, &ident, |_| Ok(change.clone())).await
                }
                "Resizing a cluster" => {
                    clusters.resize(&ann, &ident, Resize { node_count: count, ..Resize::default() }).await
                }
                _ => clusters.upgrade(&ann, &ident, Upgrade { template: template.clone(), ..Upgrade::default() }).await,
            };
            let now = bed.read(id).await.cluster.status;
            if allowed {
                answer.unwrap_or_else(|error| panic!("{doing} at {status}: {error}"));
                assert_eq!(now, Status::UPDATE_IN_PROGRESS);
            } else {
                let words = format!("{doing} when status is \"{status}\" is not supported.");
                assert_eq!(refused(answer), (Kind::BadRequest, words));
                assert_eq!(now, status, "a refused request changes nothing");
            }
        }
    }
}

#[tokio::test]
async fn a_cluster_is_deleted_at_any_time_and_as_often_as_one_likes() {
    let bed = Bed::new().await;
    let id = bed.cluster(|_| {}).await.cluster.id;
    let ident = id.to_string();
    for status in Status::all() {
        let revision = |work: Option<jeroboam_model::Work>| work.expect("work").revision;
        bed.settle(id, status).await;
        let before = revision(bed.store.work(id).await.expect("store"));
        for _ in 0..2 {
            bed.service.clusters().delete(&bed.ann(), &ident).await.expect("deleted");
        }
        let work = bed.store.work(id).await.expect("store");
        assert_eq!(bed.read(id).await.cluster.status, Status::DELETE_IN_PROGRESS);
        let accepted = revision(work.clone()) - before;
        assert_eq!(accepted, i64::from(status != Status::DELETE_IN_PROGRESS), "once is enough: {status}");
        if status != Status::DELETE_IN_PROGRESS {
            assert_eq!(work.expect("work").operation, Operation::Delete);
        }
    }
    let gone = refused(bed.service.clusters().delete(&bed.ann(), "gone").await);
    assert_eq!(gone, (Kind::NotFound, "Cluster gone could not be found.".to_owned()));
}

#[tokio::test]
async fn health_is_taken_while_a_cluster_is_being_changed() {
    let bed = Bed::new().await;
    let id = bed.running().await.cluster.id;
    let change = ClusterChange {
        health_status: Some(Some(HealthStatus::Unhealthy)),
        health_status_reason: Some([("api".to_owned(), "nok".to_owned())].into()),
        ..ClusterChange::default()
    };
    for status in [Status::UPDATE_IN_PROGRESS, Status::CREATE_FAILED, Status::CREATE_COMPLETE] {
        let was = bed.settle(id, status).await;
        let healthy = bed.record(id, |cluster, _| cluster.health_status = None).await;
        assert_eq!((was.cluster.status, healthy.cluster.health_status), (status, None));
        let answer = bed.service.clusters().update(&bed.ann(), &id.to_string(), |_| Ok(change.clone())).await;
        answer.expect("taken");
        let now = bed.read(id).await.cluster;
        assert_eq!((now.status, now.health_status), (status, Some(HealthStatus::Unhealthy)));
        assert_eq!(now.health_status_reason["api"], "nok");
    }
}

#[tokio::test]
async fn a_patch_that_changes_nothing_is_accepted_in_any_state() {
    let bed = Bed::new().await;
    let id = bed.cluster(|_| {}).await.cluster.id;
    let same = ClusterChange { node_count: Some(1), ..ClusterChange::default() };
    for change in [ClusterChange::default(), same] {
        let answer = bed.service.clusters().update(&bed.ann(), &id.to_string(), |_| Ok(change.clone())).await;
        assert_eq!(answer.expect("accepted"), id);
    }
    assert_eq!(bed.store.work(id).await.expect("store").expect("work").revision, 1);
}

#[tokio::test]
async fn node_groups_come_and_change_only_while_the_cluster_is_there() {
    let bed = Bed::new().await;
    let (ann, groups) = (bed.ann(), bed.service.nodegroups());
    let id = bed.running().await.cluster.id;
    let ident = id.to_string();
    let mut number = 0;
    for status in Status::all() {
        let there =
            status.verb() != Verb::Delete && (status.verb() != Verb::Create || status == Status::CREATE_COMPLETE);
        number += 1;
        let name = format!("g{number}");
        bed.settle(id, status).await;
        let created = groups.create(&ann, &ident, NewNodeGroup { name: name.clone(), ..NewNodeGroup::default() }).await;
        bed.settle(id, status).await;
        let change = NodeGroupChange { max_node_count: Some(Some(100 + number)), ..NodeGroupChange::default() };
        let updated = groups.update(&ann, &ident, "default-worker", |_| Ok(change.clone())).await;
        if !there {
            let words = format!("Updating a cluster when status is \"{status}\" is not supported.");
            assert_eq!(refused(created), (Kind::BadRequest, words.clone()));
            assert_eq!(refused(updated), (Kind::BadRequest, words));
            continue;
        }
        let created = created.expect("created");
        assert_eq!(
            (created.group.status, created.cluster.status),
            (Status::CREATE_IN_PROGRESS, Status::UPDATE_IN_PROGRESS)
        );
        // The groups were given the cluster's status above.
        if status.may_be_resized() {
            assert_eq!(updated.expect("updated").group.status, Status::UPDATE_IN_PROGRESS);
        } else {
            let words = format!("Updating a nodegroup when status is \"{status}\" is not supported.");
            assert_eq!(refused(updated), (Kind::BadRequest, words));
        }
    }
}
