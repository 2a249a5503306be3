//! Clusters that are not made: which error, and which of several.

use jeroboam_service::{Kind, NewCluster, NewTemplate};

use crate::bed::{Bed, labels, refused};

type Change = fn(&mut NewCluster);
type TemplateChange = fn(&mut NewTemplate);

async fn refusal(bed: &Bed, template: TemplateChange, change: Change) -> (Kind, String) {
    let template = bed.template(template).await;
    let mut new = NewCluster { template: template.id.to_string(), ..NewCluster::default() };
    change(&mut new);
    refused(bed.service.clusters().create(&bed.ann(), new).await)
}

#[tokio::test]
async fn every_wrong_reference_and_value_is_named() {
    let bed = Bed::new().await;
    let table: [(Change, Kind, &str); 24] = [
        (|new| new.template = "nope".into(), Kind::NotFound, "ClusterTemplate nope could not be found."),
        (
            |new| (new.template, new.before_1_10) = ("nope".into(), true),
            Kind::BadRequest,
            "ClusterTemplate nope could not be found.",
        ),
        (
            |new| new.master_count = Some(2),
            Kind::BadRequest,
            "master nodegroup size of 2 is invalid, size cannot be an even number.",
        ),
        (
            |new| new.master_count = Some(0),
            Kind::BadRequest,
            "master nodegroup size of 0 is invalid, size cannot be an even number.",
        ),
        (
            |new| (new.node_count, new.before_1_10) = (Some(0), true),
            Kind::BadRequest,
            "Resizing a nodegroup to zero is not supported in the provided microversion.",
        ),
        (|new| new.flavor_id = Some("huge".into()), Kind::BadRequest, "Unable to find flavor huge."),
        (|new| new.master_flavor_id = Some("huge".into()), Kind::BadRequest, "Unable to find flavor huge."),
        (
            |new| new.flavor_id = Some("diskless".into()),
            Kind::BadRequest,
            "Flavor with zero root volume size is not supported when boot_volume_size is zero.",
        ),
        (
            |new| new.labels = Some(labels(&[("boot_volume_size", "10"), ("boot_volume_type", "slow")])),
            Kind::BadRequest,
            "Unable to find volume type slow.",
        ),
        (|new| new.keypair = Some("lost".into()), Kind::NotFound, "Unable to find keypair lost."),
        (|new| new.fixed_network = Some("none".into()), Kind::BadRequest, "Unable to find fixed network none."),
        (
            |new| new.fixed_network = Some("twin".into()),
            Kind::Conflict,
            "Multiple networks exist with same name 'twin'. Please use the network ID instead.",
        ),
        (|new| new.fixed_subnet = Some("none".into()), Kind::BadRequest, "Unable to find fixed subnet none."),
        (
            |new| (new.fixed_network, new.fixed_subnet) = (Some("private".into()), Some("red".into())),
            Kind::BadRequest,
            "Unable to find fixed subnet red.",
        ),
        (
            |new| (new.master_count, new.master_lb_enabled) = (Some(3), Some(false)),
            Kind::BadRequest,
            "master_count must be 1 when master_lb_enabled is False",
        ),
        (
            |new| new.labels = Some(labels(&[("boot_volume_size", "big")])),
            Kind::BadRequest,
            "Invalid label: label boot_volume_size is \"big\", expected a whole number.",
        ),
        (
            |new| new.labels = Some(labels(&[("auto_healing_enabled", "maybe")])),
            Kind::BadRequest,
            "Invalid label: label auto_healing_enabled is \"maybe\", expected a boolean.",
        ),
        (
            |new| new.labels = Some(labels(&[("min_node_count", "few")])),
            Kind::BadRequest,
            "Invalid label: label min_node_count is \"few\", expected a whole number.",
        ),
        (
            |new| new.labels = Some(labels(&[("fixed_subnet_cidr", "ten")])),
            Kind::BadRequest,
            "Invalid label: label fixed_subnet_cidr is \"ten\", expected a range such as 10.0.0.0/16.",
        ),
        (
            |new| new.labels = Some(labels(&[("kube_tag", "newest")])),
            Kind::BadRequest,
            "Invalid label kube_tag: \"newest\" is not a Kubernetes version, expected something like v1.33.4.",
        ),
        (
            |new| new.labels = Some(labels(&[("kube_tag", "v1.34.1")])),
            Kind::BadRequest,
            "Image ubuntu-v1.33.4 holds Kubernetes v1.33.4, but the label kube_tag asks for v1.34.1: the two have to be the same.",
        ),
        (|new| new.template = "999".into(), Kind::NotFound, "ClusterTemplate 999 could not be found."),
        (
            |new| new.template = "0".repeat(32),
            Kind::NotFound,
            "ClusterTemplate 00000000000000000000000000000000 could not be found.",
        ),
        (|new| new.template = "\0".into(), Kind::NotFound, "ClusterTemplate \0 could not be found."),
    ];
    for (change, kind, words) in table {
        assert_eq!(refusal(&bed, |_| {}, change).await, (kind, words.to_owned()));
    }
    assert_eq!(bed.cloud.things().credentials.len(), 0, "nothing was done for any of them");
}

#[tokio::test]
async fn a_template_that_no_cluster_can_follow_is_told_when_it_is_followed() {
    let bed = Bed::new().await;
    let table: [(TemplateChange, &str); 5] = [
        (
            |new| new.image_id = "ubuntu".into(),
            "No Kubernetes version is known: set the label kube_tag, or the property kube_version of image ubuntu, to something like v1.33.4.",
        ),
        (
            |new| new.image_id = "strange".into(),
            "Image strange has a bad kube_version: \"latest\" is not a Kubernetes version, expected something like v1.33.4.",
        ),
        (
            |new| new.flavor_id = None,
            "No flavor for the workers is given: set flavor_id in the cluster or its template.",
        ),
        (
            |new| new.master_flavor_id = None,
            "No flavor for the control plane is given: set master_flavor_id in the cluster or its template.",
        ),
        (
            |new| (new.docker_storage_driver, new.docker_volume_size) = (Some("devicemapper".into()), Some(5)),
            "docker volume size 2 GB is not valid, expecting minimum value 3GB for devicemapper storage driver.",
        ),
    ];
    for (change, words) in table {
        let said = refusal(&bed, change, |new| new.docker_volume_size = Some(2)).await;
        assert_eq!(said, (Kind::BadRequest, words.to_owned()));
    }
}

#[tokio::test]
async fn a_label_is_enough_where_the_image_says_no_version() {
    let bed = Bed::new().await;
    let template = bed.template(|new| new.image_id = "ubuntu".into()).await;
    let labels = Some(labels(&[("kube_tag", "v1.33.4"), ("boot_volume_size", "20")]));
    let new = NewCluster {
        template: template.id.to_string(),
        labels,
        flavor_id: Some("diskless".into()),
        ..NewCluster::default()
    };
    let made = bed.service.clusters().create(&bed.ann(), new).await;
    assert!(made.is_ok(), "a boot volume makes up for a flavor without disk: {made:?}");
}

/// Each request has the mistakes of all later ones as well.
#[tokio::test]
async fn of_several_mistakes_the_first_in_magnums_order_is_told() {
    let bed = Bed::with(|config| config.max_clusters_per_project = 0).await;
    let hidden = NewTemplate { hidden: true, ..crate::bed::template() };
    let hidden = bed.service.templates().create(&bed.caller("root", "blue", &["admin", "member"]), hidden).await;
    let hidden = hidden.expect("template").id.to_string();
    let worst = || NewCluster {
        template: "nope".into(),
        master_count: Some(2),
        node_count: Some(0),
        before_1_10: true,
        flavor_id: Some("huge".into()),
        labels: Some(labels(&[("boot_volume_size", "big")])),
        ..NewCluster::default()
    };
    let reader = bed.caller("cid", "blue", &["reader"]);
    let said =
        async |who: &jeroboam_model::Caller, new: NewCluster| refused(bed.service.clusters().create(who, new).await).1;
    assert!(said(&reader, worst()).await.starts_with("ClusterTemplate nope"));
    let new = NewCluster { template: hidden.clone(), ..worst() };
    assert!(said(&reader, new.clone()).await.starts_with("master nodegroup size"));
    let new = NewCluster { master_count: Some(1), ..new };
    assert!(said(&reader, new.clone()).await.starts_with("Resizing a nodegroup to zero"));
    let new = NewCluster { node_count: Some(1), ..new };
    assert_eq!(said(&reader, new.clone()).await, "Policy doesn't allow cluster:create to be performed.");
    assert!(said(&bed.ann(), new.clone()).await.starts_with("Resource limit exceeded"));

    let bed = Bed::new().await;
    let template = NewTemplate { hidden: true, ..crate::bed::template() };
    let template = bed.service.templates().create(&bed.caller("root", "blue", &["admin", "member"]), template).await;
    let new = NewCluster { template: template.expect("template").id.to_string(), ..new };
    let said = async |new: NewCluster| refused(bed.service.clusters().create(&bed.ann(), new).await).1;
    assert_eq!(said(new.clone()).await, "Not authorized.");
    let open = NewCluster { template: bed.template(|_| {}).await.id.to_string(), ..new };
    assert!(said(open.clone()).await.starts_with("Invalid label"));
    let new = NewCluster { labels: None, fixed_network: Some("none".into()), ..open };
    assert!(said(new.clone()).await.starts_with("Unable to find flavor"));
    let new = NewCluster { flavor_id: None, master_count: Some(3), master_lb_enabled: Some(false), ..new };
    assert!(said(new).await.starts_with("Unable to find fixed network"));
}

#[tokio::test]
async fn a_cloud_that_fails_is_told_apart_from_a_wrong_name() {
    let bed = Bed::new().await;
    let template = bed.template(|_| {}).await.id.to_string();
    let volumes = labels(&[("boot_volume_size", "10"), ("boot_volume_type", "fast")]);
    for (path, status, kind, start) in [
        ("/volume/", 503, Kind::Unavailable, "The volume service is temporarily unavailable"),
        ("/volume/", 403, Kind::Forbidden, "block-storage connection failed."),
        ("/compute/v2.1/flavors", 503, Kind::Unavailable, "The compute service is temporarily unavailable"),
        ("/image/", 500, Kind::Unavailable, "The image service is temporarily unavailable"),
        ("/image/", 403, Kind::Forbidden, "Not authorized for image ubuntu-v1.33.4."),
        ("/network/", 401, Kind::Forbidden, "network connection failed."),
        ("/auth/tokens", 503, Kind::Unavailable, "The identity service is temporarily unavailable"),
    ] {
        bed.cloud.things().failing = Some((path, status));
        let new = NewCluster {
            template: template.clone(),
            labels: Some(volumes.clone()),
            merge_labels: true,
            ..NewCluster::default()
        };
        let (said, text) = refused(bed.service.clusters().create(&bed.ann(), new).await);
        assert_eq!(said, kind, "{path} {status}: {text}");
        assert!(text.starts_with(start), "{text}");
    }
    bed.cloud.things().failing = None;
    let new = NewCluster { template, labels: Some(volumes), merge_labels: true, ..NewCluster::default() };
    bed.service.clusters().create(&bed.ann(), new).await.expect("all is there");
}
