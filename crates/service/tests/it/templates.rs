//! Templates: what they default to, what they may not say, and how they change.

use jeroboam_model::{ClusterTemplate, Page, ServerType, TemplateId};
use jeroboam_service::{Kind, Listing, NewTemplate};

use crate::bed::{Bed, labels, refused, template};

type Change<T> = fn(&mut T);

#[tokio::test]
async fn a_template_is_completed_from_its_image_and_the_settings() {
    let bed = Bed::new().await;
    let plain = bed.template(|new| new.name = None).await;
    assert!(plain.name.as_deref().is_some_and(|name| name.ends_with("-template")), "{:?}", plain.name);
    assert_eq!(plain.cluster_distro.as_deref(), Some("ubuntu"));
    assert_eq!(plain.driver.as_deref(), Some("k8s_cluster_api_ubuntu"));
    assert_eq!((plain.network_driver.as_deref(), plain.floating_ip_enabled), (Some("flannel"), true));
    assert_eq!((plain.project.as_str(), plain.user.as_str(), plain.coe.as_str()), ("blue", "ann", "kubernetes"));
    assert!(plain.serial > 0);

    let id = TemplateId::random();
    let chosen = bed.template(|new| (new.id, new.image_id) = (Some(id), "named".into())).await;
    assert_eq!((chosen.id, chosen.driver.as_deref()), (id, Some("k8s_cluster_api_debian")), "the image names a driver");
    let again = NewTemplate { id: Some(id), ..template() };
    let words = format!("A ClusterTemplate with UUID {id} already exists.");
    assert_eq!(refused(bed.service.templates().create(&bed.ann(), again).await), (Kind::Conflict, words));

    let bed = Bed::with(|config| config.default_driver = Some("k8s_cluster_api_flatcar".into())).await;
    assert_eq!(bed.template(|_| {}).await.driver.as_deref(), Some("k8s_cluster_api_flatcar"));
    let named = bed.template(|new| new.driver = Some("k8s_cluster_api_ubuntu".into())).await;
    assert_eq!(named.driver.as_deref(), Some("k8s_cluster_api_ubuntu"), "the request goes before the settings");
}

#[tokio::test]
async fn every_wrong_value_is_named() {
    let bed = Bed::new().await;
    let table: [(Change<NewTemplate>, Kind, &str); 21] = [
        (|new| new.image_id = "lost".into(), Kind::BadRequest, "Image lost could not be found."),
        (|new| new.image_id = "nothing".into(), Kind::BadRequest, "Image nothing doesn't contain os_distro field."),
        (
            |new| new.image_id = "twin".into(),
            Kind::Conflict,
            "Multiple images exist with same name 'twin'. Please use the image ID instead.",
        ),
        (
            |new| new.image_id = "fedora".into(),
            Kind::BadRequest,
            "Cluster type (vm, fedora-coreos, kubernetes) is not supported by any loaded cluster driver.",
        ),
        (
            |new| new.server_type = ServerType::Bm,
            Kind::BadRequest,
            "Cluster type (bm, ubuntu, kubernetes) is not supported by any loaded cluster driver.",
        ),
        (|new| new.driver = Some("nope".into()), Kind::BadRequest, "Cluster driver (nope) not supported."),
        (
            |new| new.network_driver = Some("weave".into()),
            Kind::BadRequest,
            "Network driver type weave is not supported, expecting a flannel/calico/cilium/unspecified network driver.",
        ),
        (
            |new| new.network_driver = Some("cilium".into()),
            Kind::BadRequest,
            "Network driver type cilium is not allowed, expecting a flannel/calico/unspecified network driver. ",
        ),
        (
            |new| new.volume_driver = Some("rexray".into()),
            Kind::BadRequest,
            "Volume driver type rexray is not supported, expecting a cinder/unspecified volume driver.",
        ),
        (
            |new| new.dns_nameserver = Some("dns".into()),
            Kind::BadRequest,
            "Expected a single dns address or comma separated dns list, but received dns.",
        ),
        (
            |new| new.docker_storage_driver = Some("devicemapper".into()),
            Kind::BadRequest,
            "docker volume size None GB is not valid, expecting minimum value 3GB for devicemapper storage driver.",
        ),
        (|new| new.flavor_id = Some("huge".into()), Kind::BadRequest, "Unable to find flavor huge."),
        (|new| new.master_flavor_id = Some("huge".into()), Kind::BadRequest, "Unable to find flavor huge."),
        (
            |new| new.master_flavor_id = Some("diskless".into()),
            Kind::BadRequest,
            "Flavor with zero root volume size is not supported when boot_volume_size is zero.",
        ),
        (
            |new| new.external_network_id = Some("none".into()),
            Kind::BadRequest,
            "Unable to find external network none.",
        ),
        (
            |new| new.external_network_id = Some("private".into()),
            Kind::BadRequest,
            "Unable to find external network private.",
        ),
        (|new| new.fixed_network = Some("none".into()), Kind::BadRequest, "Unable to find fixed network none."),
        (|new| new.fixed_subnet = Some("none".into()), Kind::BadRequest, "Unable to find fixed subnet none."),
        (
            |new| new.labels = labels(&[("boot_volume_size", "x")]),
            Kind::BadRequest,
            "Invalid label: label boot_volume_size is \"x\", expected a whole number.",
        ),
        (|new| new.public = true, Kind::Forbidden, "Not authorized to set public or hidden flag for cluster template."),
        (|new| new.hidden = true, Kind::Forbidden, "Not authorized to set public or hidden flag for cluster template."),
    ];
    for (change, kind, words) in table {
        let mut new = template();
        change(&mut new);
        let (said, text) = refused(bed.service.templates().create(&bed.ann(), new).await);
        assert_eq!(said, kind, "{text}");
        assert!(text.starts_with(words), "{text}");
    }
    let bare = NewTemplate { flavor_id: None, master_flavor_id: None, ..template() };
    assert!(bed.service.templates().create(&bed.ann(), bare).await.is_ok(), "flavors may come with the cluster");
    assert_eq!(
        bed.service.templates().list(&bed.ann(), Listing::Short, &Page::first(10)).await.expect("list").len(),
        1
    );
}

#[tokio::test]
async fn templates_are_seen_by_their_project_unless_they_are_public() {
    let bed = Bed::new().await;
    let own = bed.template(|_| {}).await;
    let (templates, bob) = (bed.service.templates(), bed.caller("bob", "red", &["member", "reader"]));
    let ident = own.id.to_string();
    let want = (Kind::NotFound, format!("ClusterTemplate {ident} could not be found."));
    assert_eq!(refused(templates.get(&bob, &ident).await), want);
    let publish = |was: &ClusterTemplate| Ok(ClusterTemplate { public: true, ..was.clone() });
    let denied = refused(templates.update(&bed.ann(), &ident, publish).await);
    assert_eq!(denied.1, "Not authorized to set public or hidden flag for cluster template.");
    templates.update(&bed.admin(), &ident, publish).await.expect("published");
    assert!(templates.get(&bob, "plain").await.is_ok());
    let denied = refused(templates.delete(&bob, &ident).await);
    assert_eq!(denied, (Kind::Forbidden, "Policy doesn't allow clustertemplate:delete to be performed.".to_owned()));
    let hide = |was: &ClusterTemplate| Ok(ClusterTemplate { hidden: true, ..was.clone() });
    templates.update(&bed.admin(), &ident, hide).await.expect("hidden");
    assert_eq!(refused(templates.get(&bob, &ident).await), want);
    assert!(templates.get(&bed.ann(), &ident).await.is_ok());
}

#[tokio::test]
async fn a_template_that_clusters_follow_changes_in_harmless_ways_alone() {
    let bed = Bed::new().await;
    let id = bed.cluster(|_| {}).await.cluster.template;
    let (templates, admin, ident) = (bed.service.templates(), bed.admin(), id.to_string());
    let table: [(Change<ClusterTemplate>, bool); 9] = [
        (|now| now.name = Some("renamed".into()), true),
        (|now| now.tags = Some("a,b".into()), true),
        (|now| now.public = true, true),
        (|now| now.hidden = true, true),
        (|now| now.public = false, false),
        (|now| now.tags = None, false),
        (|now| now.flavor_id = Some("large".into()), false),
        (|now| now.labels = labels(&[("x", "1")]), false),
        (|now| (now.name, now.tags) = (Some("both".into()), Some("c".into())), false),
    ];
    for (change, fine) in table {
        let answer = templates.update(&admin, &ident, |was| {
            let mut now = was.clone();
            change(&mut now);
            Ok(now)
        });
        match answer.await {
            Ok(_) => assert!(fine),
            Err(error) => {
                assert_eq!(
                    error.to_string(),
                    format!("ClusterTemplate {id} is referenced by one or multiple clusters.")
                );
                assert_eq!((error.kind(), fine), (Kind::BadRequest, false));
            }
        }
    }
    let words = format!("ClusterTemplate {id} is referenced by one or multiple clusters.");
    assert_eq!(refused(templates.delete(&admin, &ident).await), (Kind::BadRequest, words));
}

#[tokio::test]
async fn a_free_template_changes_and_goes() {
    let bed = Bed::new().await;
    let was = bed.template(|_| {}).await;
    let (templates, ann, ident) = (bed.service.templates(), bed.ann(), was.id.to_string());
    let changed = templates.update(&ann, &ident, |was| {
        // Neither the owner nor the number are the client's to change.
        Ok(ClusterTemplate {
            image_id: Some("ubuntu-v1.34.1".into()),
            labels: labels(&[("a", "1")]),
            network_driver: Some("calico".into()),
            serial: 77,
            project: "red".into(),
            cluster_distro: Some("made up".into()),
            ..was.clone()
        })
    });
    let now = changed.await.expect("changed");
    assert_eq!((now.serial, &now.project, now.cluster_distro.as_deref()), (was.serial, &was.project, Some("ubuntu")));
    assert_eq!((now.image_id.as_deref(), now.network_driver.as_deref()), (Some("ubuntu-v1.34.1"), Some("calico")));
    assert!(now.updated_at.is_some());
    // What is on the image is known when it changes; at other times the client knows better.
    let named = templates
        .update(&ann, &ident, |was| Ok(ClusterTemplate { cluster_distro: Some("debian".into()), ..was.clone() }));
    assert_eq!(named.await.expect("changed").cluster_distro.as_deref(), Some("debian"));
    for (change, words) in [
        ((|now| now.image_id = Some("lost".into())) as Change<ClusterTemplate>, "Image lost could not be found."),
        (|now| now.driver = Some("nope".into()), "Cluster driver (nope) not supported."),
        (|now| now.volume_driver = Some("x".into()), "Volume driver type x is not supported"),
        (|now| now.flavor_id = Some("huge".into()), "Unable to find flavor huge."),
        (|now| now.fixed_subnet = Some("none".into()), "Unable to find fixed subnet none."),
    ] {
        let answer = templates.update(&ann, &ident, |was| {
            let mut now = was.clone();
            change(&mut now);
            Ok(now)
        });
        let (kind, text) = refused(answer.await);
        assert_eq!(kind, Kind::BadRequest);
        assert!(text.starts_with(words), "{text}");
    }
    templates.delete(&ann, &ident).await.expect("deleted");
    assert_eq!(refused(templates.delete(&ann, &ident).await).0, Kind::NotFound);
}
