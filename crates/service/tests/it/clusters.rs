//! What an accepted creation leaves behind, and what is inherited.

use jeroboam_model::{CertificateRef, ClusterTemplate, KeyPairId, NodeGroup, Operation, Page, Scope, Status, secrets};
use jeroboam_service::{Kind, Listing, NewCluster};
use secrecy::ExposeSecret;

use crate::bed::{Bed, labels, refused};

#[tokio::test]
async fn a_new_cluster_is_all_there_when_it_is_accepted() {
    let bed = Bed::new().await;
    let made = bed.cluster(|new| (new.node_count, new.master_count) = (Some(2), Some(3))).await;
    let id = made.cluster.id;
    assert_eq!(made.cluster.status, Status::CREATE_IN_PROGRESS);
    assert_eq!((made.control_plane_count(), made.worker_count()), (3, 2));
    assert!(made.cluster.name.as_deref().is_some_and(|name| name.ends_with("-cluster")), "{:?}", made.cluster.name);
    assert!(made.cluster.stack_id.as_deref().is_some_and(|stack| stack.len() <= 40));
    for (group, name, role) in [(0, "default-master", "master"), (1, "default-worker", "worker")] {
        let group: &NodeGroup = &made.groups[group];
        assert_eq!((group.name.as_str(), group.role.as_str(), group.is_default), (name, role, true));
        assert_eq!((group.status, &group.stack_id), (Status::CREATE_IN_PROGRESS, &made.cluster.stack_id));
        assert_eq!(group.image_id.as_deref(), Some("ubuntu-v1.33.4"));
    }
    let work = bed.store.work(id).await.expect("store").expect("work");
    assert_eq!((work.operation, work.revision), (Operation::Create, 1));
    assert_eq!(work.deadline, Some("2026-11-21T13:00:00Z".parse().expect("time")));

    let keys: Vec<KeyPairId> = made.cluster.certificates.iter().filter_map(CertificateRef::key_pair).collect();
    assert_eq!(keys.len(), 4);
    for key in keys {
        let pair = bed.store.keypair(key).await.expect("store").expect("key pair");
        assert!(pair.private_key.expose_secret().contains("ENCRYPTED"));
        assert!(!pair.passphrase.expose_secret().is_empty());
    }
    for (name, want) in [
        (secrets::SERVICE_ACCOUNT_KEY, "-----BEGIN PRIVATE KEY-----"),
        (secrets::APPLICATION_CREDENTIAL_ID, "credential-1"),
        (secrets::APPLICATION_CREDENTIAL_SECRET, "s3cret"),
    ] {
        let secret = bed.store.secret(id, name).await.expect("store").expect(name);
        assert!(secret.expose_secret().starts_with(want), "{name}");
    }
    let later = "2027-01-01T00:00:00Z".parse().expect("time");
    assert_eq!(bed.store.pending_credentials(later).await.expect("store").len(), 0, "the credential has an owner now");
    let things = bed.cloud.things();
    let credential = &things.credentials["credential-1"];
    assert_eq!(credential["name"], format!("jeroboam-{id}"));
    assert_eq!(credential["roles"], serde_json::json!([{"name": "member"}]), "no more roles than a cluster needs");
}

#[tokio::test]
async fn what_is_not_given_is_the_templates() {
    let bed = Bed::new().await;
    let template = bed
        .template(|new| {
            new.labels = labels(&[("kube_tag", "v1.33.4"), ("calico_tag", "v3.30")]);
            new.docker_volume_size = Some(5);
            new.fixed_network = Some("private".to_owned());
            new.fixed_subnet = Some("blue".to_owned());
            new.floating_ip_enabled = Some(false);
        })
        .await;
    let create = async |change: &dyn Fn(&mut NewCluster)| {
        let mut new = NewCluster { template: template.id.to_string(), ..NewCluster::default() };
        change(&mut new);
        bed.service.clusters().create(&bed.ann(), new).await.expect("cluster").cluster
    };
    let plain = create(&|_| {}).await;
    assert_eq!(plain.labels, template.labels);
    assert_eq!(plain.docker_volume_size, Some(5));
    assert_eq!((plain.fixed_network.as_deref(), plain.fixed_subnet.as_deref()), (Some("private"), Some("blue")));
    assert_eq!((plain.keypair.as_deref(), plain.flavor_id.as_deref()), (Some("mine"), Some("small")));
    assert_eq!((plain.floating_ip_enabled, plain.master_lb_enabled), (false, true));
    assert_eq!(plain.create_timeout, Some(60));

    let own = create(&|new| {
        new.labels = Some(labels(&[("calico_tag", "v3.32"), ("x", "1")]));
        new.docker_volume_size = Some(0);
        new.flavor_id = Some("large".to_owned());
        new.floating_ip_enabled = Some(None);
        new.create_timeout = Some(None);
        new.name = Some("own".to_owned());
    })
    .await;
    assert_eq!(own.labels, labels(&[("calico_tag", "v3.32"), ("x", "1")]));
    assert_eq!(own.docker_volume_size, Some(5), "zero is not given");
    assert_eq!((own.flavor_id.as_deref(), own.master_flavor_id.as_deref()), (Some("large"), Some("small")));
    assert!(own.floating_ip_enabled, "an explicit null is true");
    assert_eq!((own.create_timeout, own.name.as_deref()), (None, Some("own")));

    let merged = create(&|new| {
        new.labels = Some(labels(&[("calico_tag", "v3.32"), ("min_node_count", "1")]));
        new.merge_labels = true;
    })
    .await;
    assert_eq!(merged.labels, labels(&[("kube_tag", "v1.33.4"), ("calico_tag", "v3.32"), ("min_node_count", "1")]));
    let groups = bed.read(merged.id).await.groups;
    assert_eq!(groups.iter().map(|group| group.min_node_count).collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn a_project_gets_as_many_clusters_as_it_may_however_many_ask_at_once() {
    let bed = Bed::with(|config| config.max_clusters_per_project = 2).await;
    let template = bed.template(|_| {}).await.id.to_string();
    let ann = bed.ann();
    let create = || async {
        let new = NewCluster { template: template.clone(), ..NewCluster::default() };
        bed.service.clusters().create(&ann, new).await.map_err(|error| error.to_string())
    };
    let (a, b, c, d) = tokio::join!(create(), create(), create(), create());
    let accepted = [a, b, c, d].iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(accepted, 2);
    let over = "Resource limit exceeded: You have reached the maximum clusters per project, 2. \
        You may delete a cluster to make room for a new one.";
    assert_eq!(create().await, Err(over.to_owned()));
    assert_eq!(bed.cloud.things().credentials.len(), 2, "credentials of refused clusters are taken back");
    let bob = bed.caller("bob", "red", &["member"]);
    let publish = |was: &ClusterTemplate| Ok(ClusterTemplate { public: true, ..was.clone() });
    bed.service.templates().update(&bed.admin(), &template, publish).await.expect("published");
    let new = NewCluster { template, ..NewCluster::default() };
    assert!(bed.service.clusters().create(&bob, new).await.is_ok(), "other projects have limits of their own");
}

#[tokio::test]
async fn who_has_none_of_the_roles_that_a_cluster_may_have_gives_it_none_of_the_others() {
    let bed = Bed::with(|config| config.credential_roles = vec!["kubernetes".to_owned(), "tenant".to_owned()]).await;
    let template = bed.template(|_| {}).await.id.to_string();
    let new = NewCluster { template, ..NewCluster::default() };
    let (kind, text) = refused(bed.service.clusters().create(&bed.ann(), new.clone()).await);
    assert_eq!(kind, Kind::Forbidden);
    assert!(text.contains("one of the roles kubernetes, tenant, and you have none"), "{text}");
    assert!(bed.cloud.things().credentials.is_empty());
    assert!(!bed.cloud.things().asked.iter().any(|asked| asked.contains("application_credentials")));

    let dora = bed.caller("ann", "blue", &["member", "tenant"]);
    bed.service.clusters().create(&dora, new).await.expect("a cluster");
    let roles: Vec<_> = bed.cloud.things().credentials.values().map(|made| made["roles"].clone()).collect();
    assert_eq!(roles, [serde_json::json!([{"name": "tenant"}])]);
}

#[tokio::test]
async fn a_credential_that_can_not_be_made_leaves_nothing_behind() {
    let bed = Bed::new().await;
    let template = bed.template(|_| {}).await.id.to_string();
    let new = || NewCluster { template: template.clone(), ..NewCluster::default() };
    let mut restricted = bed.ann();
    restricted.application_credential = true;
    restricted.token = "restricted/ann/blue/member".to_owned().into();
    let (kind, text) = refused(bed.service.clusters().create(&restricted, new()).await);
    assert_eq!(kind, Kind::Forbidden);
    assert!(text.contains("application credential"), "{text}");

    bed.cloud.things().failing = Some(("application_credentials", 503));
    let (kind, text) = refused(bed.service.clusters().create(&bed.ann(), new()).await);
    assert_eq!(
        (kind, text.as_str()),
        (Kind::Unavailable, "The identity service is temporarily unavailable, please try again later.")
    );

    let all = bed.store.clusters(&Scope::All, &Page::first(10)).await.expect("store");
    assert_eq!(all.len(), 0);
    let later = "2027-01-01T00:00:00Z".parse().expect("time");
    let left = bed.store.pending_credentials(later).await.expect("store");
    assert_eq!(left.len(), 1, "nobody knows what became of the second, so somebody has to look");
}

#[tokio::test]
async fn clusters_are_seen_by_their_project_and_by_administrators() {
    let bed = Bed::new().await;
    let made = bed.cluster(|new| new.name = Some("mine".to_owned())).await;
    let (id, clusters) = (made.cluster.id.to_string(), bed.service.clusters());
    let cid = bed.caller("cid", "blue", &["reader"]);
    let bob = bed.caller("bob", "red", &["member", "reader"]);
    for ident in [id.as_str(), "mine"] {
        for who in [&bed.ann(), &cid, &bed.admin()] {
            assert_eq!(clusters.get(who, ident).await.expect("seen").cluster.id, made.cluster.id);
        }
        let want = (Kind::NotFound, format!("Cluster {ident} could not be found."));
        assert_eq!(refused(clusters.get(&bob, ident).await), want);
    }
    for (who, want) in [(&bed.ann(), 1), (&cid, 1), (&bed.admin(), 1), (&bob, 0)] {
        for listing in [Listing::Short, Listing::Detail] {
            assert_eq!(clusters.list(who, listing, &Page::first(10)).await.expect("list").len(), want, "{}", who.user);
        }
    }
    bed.cluster(|new| new.name = Some("mine".to_owned())).await;
    let many = "Multiple clusters exist with same name. Please use the cluster uuid instead.";
    assert_eq!(refused(clusters.get(&bed.ann(), "mine").await), (Kind::Conflict, many.to_owned()));
}

#[tokio::test]
async fn wrong_pages_are_refused() {
    let bed = Bed::new().await;
    let ann = bed.ann();
    let page = |key: &str, marker| Page { sort_key: key.to_owned(), marker, ..Page::first(10) };
    let list = async |page: Page| refused(bed.service.clusters().list(&ann, Listing::Short, &page).await);
    let key = "The sort_key value \"nope\" is an invalid field for sorting";
    assert_eq!(list(page("nope", None)).await, (Kind::BadRequest, key.to_owned()));
    let marker = jeroboam_model::ClusterId::random();
    let want = format!("Cluster {marker} could not be found.");
    assert_eq!(list(page("id", Some(marker.uuid()))).await, (Kind::NotFound, want));
}

#[tokio::test]
async fn progress_shows_status_and_machines() {
    let bed = Bed::new().await;
    let id = bed.running().await.cluster.id.to_string();
    let progress = bed.service.clusters().progress(&bed.ann(), &id).await.expect("progress");
    assert_eq!((progress.status, progress.progress.machines.len()), (Status::CREATE_COMPLETE, 4));
    let bob = bed.caller("bob", "red", &["member", "reader"]);
    assert_eq!(refused(bed.service.clusters().progress(&bob, &id).await).0, Kind::NotFound);
}

#[tokio::test]
async fn a_database_that_is_away_is_unavailable_and_no_defect() {
    let bed = Bed::new().await;
    let made = bed.cluster(|_| {}).await.cluster;
    bed.store.close().await;
    let (kind, text) = refused(bed.service.clusters().get(&bed.ann(), &made.id.to_string()).await);
    assert_eq!(
        (kind, text.as_str()),
        (Kind::Unavailable, "The database is temporarily unavailable, please try again later.")
    );
    let new = NewCluster { template: made.template.to_string(), ..NewCluster::default() };
    assert_eq!(refused(bed.service.clusters().create(&bed.ann(), new).await).0, Kind::Unavailable);
    assert_eq!(bed.cloud.things().credentials.len(), 1);
}
