//! Moves to other templates.

use jeroboam_model::{ClusterTemplate, Operation, Status};
use jeroboam_service::{Kind, NewNodeGroup, NewTemplate, Upgrade};

use crate::bed::{Bed, labels, refused};

async fn next(bed: &Bed, name: &str, image: &str, more: fn(&mut NewTemplate)) -> ClusterTemplate {
    bed.template(|new| {
        (new.name, new.image_id) = (Some(name.to_owned()), image.to_owned());
        more(new);
    })
    .await
}

fn to(template: &str) -> Upgrade {
    Upgrade { template: template.to_owned(), ..Upgrade::default() }
}

#[tokio::test]
async fn a_cluster_follows_the_new_template_by_one_minor_version() {
    let bed = Bed::new().await;
    let old = bed
        .template(|new| {
            new.labels = labels(&[("kube_tag", "v1.33.4"), ("calico_tag", "v3.30"), ("mine", "template's")]);
        })
        .await;
    let new = jeroboam_service::NewCluster {
        template: old.id.to_string(),
        labels: Some(labels(&[("mine", "own")])),
        merge_labels: true,
        ..Default::default()
    };
    let id = bed.service.clusters().create(&bed.ann(), new).await.expect("cluster").cluster.id;
    bed.settle(id, Status::CREATE_COMPLETE).await;
    let template = next(&bed, "next", "ubuntu-v1.34.1", |new| {
        new.labels =
            labels(&[("kube_tag", "v1.34.1"), ("calico_tag", "v3.32"), ("mine", "new template's"), ("fresh", "1")]);
    })
    .await;
    bed.service.clusters().upgrade(&bed.ann(), &id.to_string(), to("next")).await.expect("upgraded");
    let now = bed.read(id).await;
    assert_eq!((now.cluster.template, now.cluster.status), (template.id, Status::UPDATE_IN_PROGRESS));
    let want = labels(&[("kube_tag", "v1.34.1"), ("calico_tag", "v3.32"), ("mine", "own"), ("fresh", "1")]);
    assert_eq!(now.cluster.labels, want);
    for group in &now.groups {
        assert_eq!(group.image_id.as_deref(), Some("ubuntu-v1.34.1"));
        assert_eq!((group.status, &group.labels), (Status::UPDATE_IN_PROGRESS, &want));
    }
    let work = bed.store.work(id).await.expect("store").expect("work");
    assert_eq!(work.operation, Operation::Upgrade);
}

#[tokio::test]
async fn wrong_moves_are_refused() {
    let bed = Bed::new().await;
    let id = bed.running().await.cluster.id;
    let (ann, ident, clusters) = (bed.ann(), id.to_string(), bed.service.clusters());
    next(&bed, "far", "ubuntu-v1.35.0", |_| {}).await;
    next(&bed, "near", "ubuntu-v1.34.1", |_| {}).await;
    next(&bed, "odd", "ubuntu-v1.34.1", |new| new.labels = labels(&[("kube_tag", "v1.33.4")])).await;
    next(&bed, "blank", "ubuntu", |_| {}).await;
    next(&bed, "double", "ubuntu-v1.34.1", |_| {}).await;
    next(&bed, "double", "ubuntu-v1.34.1", |_| {}).await;
    let own = NewNodeGroup { name: "own".to_owned(), ..NewNodeGroup::default() };
    bed.service.nodegroups().create(&ann, &ident, own).await.expect("group");
    bed.settle(id, Status::UPDATE_COMPLETE).await;
    for (upgrade, kind, words) in [
        (to("none"), Kind::NotFound, "ClusterTemplate none could not be found."),
        (
            to("double"),
            Kind::Conflict,
            "Multiple ClusterTemplates exist with same name. Please use the ClusterTemplate uuid instead.",
        ),
        (
            to("far"),
            Kind::BadRequest,
            "Kubernetes can not skip minor versions: v1.33.4 to v1.35.0, upgrade to v1.34 first.",
        ),
        (
            to("odd"),
            Kind::BadRequest,
            "Image ubuntu-v1.34.1 holds Kubernetes v1.34.1, but the label kube_tag asks for v1.33.4: the two have to be the same.",
        ),
        (
            to("blank"),
            Kind::BadRequest,
            "No Kubernetes version is known: set the label kube_tag, or the property kube_version of image ubuntu, to something like v1.33.4.",
        ),
        (Upgrade { max_batch_size: Some(0), ..to("near") }, Kind::BadRequest, "max_batch_size has to be at least 1."),
        (
            Upgrade { nodegroup: Some("none".to_owned()), ..to("near") },
            Kind::NotFound,
            "Nodegroup none could not be found.",
        ),
        (
            Upgrade { nodegroup: Some("own".to_owned()), ..to("near") },
            Kind::Conflict,
            "Cluster Template is not valid for upgrade: Nodegroup own can be upgraded only to match cluster's template (plain).",
        ),
    ] {
        assert_eq!(refused(clusters.upgrade(&ann, &ident, upgrade).await), (kind, words.to_owned()));
    }
    let same = Upgrade { nodegroup: Some("own".to_owned()), max_batch_size: Some(2), ..to("plain") };
    clusters.upgrade(&ann, &ident, same).await.expect("its own template fits every group");
}

#[tokio::test]
async fn kubernetes_never_goes_back_also_after_a_failure() {
    let bed = Bed::new().await;
    let id = bed.running().await.cluster.id;
    let (ann, ident, clusters) = (bed.ann(), id.to_string(), bed.service.clusters());
    next(&bed, "near", "ubuntu-v1.34.1", |new| new.labels = labels(&[("kube_tag", "v1.34.1")])).await;
    next(&bed, "far", "ubuntu-v1.35.0", |_| {}).await;
    clusters.upgrade(&ann, &ident, to("near")).await.expect("upgraded");
    bed.settle(id, Status::UPDATE_FAILED).await;
    let back = "Kubernetes can not go back from v1.34.1 to v1.33.4.";
    assert_eq!(refused(clusters.upgrade(&ann, &ident, to("plain")).await), (Kind::BadRequest, back.to_owned()));
    let (kind, words) = refused(clusters.upgrade(&ann, &ident, to("far")).await);
    assert_eq!(kind, Kind::BadRequest, "v1.33.4 still runs: {words}");
    clusters.upgrade(&ann, &ident, to("near")).await.expect("the same again is the retry");
}
