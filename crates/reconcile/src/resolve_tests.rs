//! What comes out of rows and look-ups.

use jeroboam_model::Status;

use super::*;
use crate::samples;

fn key() -> ClusterKey {
    ClusterKey { namespace: "magnum-p1".into(), name: "blue-abc".into() }
}

fn resolved(view: &ClusterWithGroups, template: &ClusterTemplate) -> Result<ResolvedCluster, Unresolvable> {
    resolve(view, template, &samples::inputs(), &samples::keys(), key(), &ReconcileConfig::default())
}

#[test]
fn a_plain_cluster_takes_from_its_template_what_it_does_not_say_itself() {
    let (mut view, template) = (samples::view(Status::CREATE_IN_PROGRESS), samples::template());
    let made = resolved(&view, &template).expect("resolvable");
    assert_eq!(made.release.to_string(), "v1.33.4");
    assert_eq!((made.control_plane.flavor.as_str(), made.workers[0].flavor.as_str()), ("m1.large", "m1.medium"));
    assert_eq!(made.workers[0].image.id, "image-1");
    assert_eq!((made.control_plane.count, made.workers[0].count), (1, 2));
    assert_eq!(made.dns_nameservers, ["8.8.8.8", "1.1.1.1"]);
    assert_eq!(made.network, Network::Managed { cidr: "10.0.0.0/24".into(), external: Some("net-public".into()) });
    assert!(made.api.load_balancer && made.api.floating_ip && made.healing.is_some());

    view.cluster.flavor_id = Some("42".into());
    assert_eq!(resolved(&view, &template).expect("resolvable").workers[0].flavor, "m1.huge", "the name, not the id");
}

#[test]
fn labels_of_a_group_come_before_the_clusters() {
    let (mut view, template) = (samples::view(Status::CREATE_IN_PROGRESS), samples::template());
    view.cluster.labels.set("boot_volume_size", "20");
    view.cluster.labels.set("availability_zone", "az1");
    view.cluster.labels.set("master_lb_floating_ip_enabled", "false");
    view.cluster.labels.set("auto_healing_enabled", "no");
    view.groups[1].labels.set("boot_volume_size", "40");
    let made = resolved(&view, &template).expect("resolvable");
    assert_eq!(made.control_plane.boot_volume.as_ref().map(|volume| volume.size), Some(20));
    let volume = made.workers[0].boot_volume.as_ref().expect("a volume");
    assert_eq!((volume.size, volume.availability_zone.as_deref()), (40, Some("az1")));
    assert_eq!(made.workers[0].availability_zone.as_deref(), Some("az1"));
    assert!(!made.api.floating_ip && made.healing.is_none());
}

#[test]
fn an_api_without_a_floating_ip_has_a_balancer_in_any_case() {
    for (balancer, floating, wanted) in
        [(true, true, true), (true, false, true), (false, true, false), (false, false, true)]
    {
        let (mut view, template) = (samples::view(Status::CREATE_IN_PROGRESS), samples::template());
        (view.cluster.master_lb_enabled, view.cluster.floating_ip_enabled) = (balancer, floating);
        let api = resolved(&view, &template).expect("resolvable").api;
        assert_eq!((api.load_balancer, api.floating_ip), (wanted, floating), "{balancer} {floating}");
    }
}

#[test]
fn groups_that_are_to_go_are_in_no_topology_and_need_nothing() {
    let (mut view, template) = (samples::view(Status::UPDATE_IN_PROGRESS), samples::template());
    let mut leaving = samples::group(view.cluster.id, "old", "worker", 3, Status::DELETE_IN_PROGRESS);
    leaving.flavor_id = Some("a flavor that is long gone".into());
    view.groups.push(leaving);
    let made = resolved(&view, &template).expect("resolvable");
    assert_eq!(made.workers.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["default-worker"]);
    assert!(!references(&view, &template).flavors.contains("a flavor that is long gone"));
}

#[test]
fn what_can_not_be_made_is_said_in_one_sentence() {
    type Change = fn(&mut ClusterWithGroups, &mut ClusterTemplate);
    let cases: [(Change, &str); 9] = [
        (|view, _| view.cluster.labels.set("kube_tag", "latest"), "\"latest\" is not a Kubernetes version"),
        (
            |view, _| {
                view.cluster.labels.remove("kube_tag");
            },
            "no Kubernetes version is known",
        ),
        (|_, template| template.image_id = Some("ubuntu-34".into()), "image ubuntu-34 holds Kubernetes v1.34.1"),
        (|_, template| template.image_id = Some("gone".into()), "image gone was not found"),
        (|_, template| template.image_id = None, "node group default-master has no image"),
        (|view, _| view.groups[1].flavor_id = Some("m9".into()), "flavor m9 was not found"),
        (|view, _| view.cluster.labels.set("boot_volume_size", "big"), "label boot_volume_size is \"big\""),
        (|view, _| view.groups[1].node_count = -1, "node group default-worker is to have -1 nodes"),
        (|view, _| view.groups.clear(), "no control plane node group"),
    ];
    for (change, wanted) in cases {
        let (mut view, mut template) = (samples::view(Status::CREATE_IN_PROGRESS), samples::template());
        change(&mut view, &mut template);
        let said = resolved(&view, &template).map(|_| ()).expect_err(wanted).to_string();
        assert!(said.contains(wanted), "{said:?} says {wanted:?}");
    }
}

#[test]
fn the_image_alone_may_say_the_release() {
    let (mut view, mut template) = (samples::view(Status::CREATE_IN_PROGRESS), samples::template());
    view.cluster.labels.remove("kube_tag");
    template.image_id = Some("ubuntu-34".into());
    assert_eq!(resolved(&view, &template).expect("resolvable").release.to_string(), "v1.34.1");
}

#[test]
fn a_network_that_is_there_already_is_used_as_it_is() {
    let (view, template) = (samples::view(Status::CREATE_IN_PROGRESS), samples::template());
    let inputs =
        Inputs { fixed_network: Some("net-1".into()), fixed_subnet: Some("sub-1".into()), ..samples::inputs() };
    let made = resolve(&view, &template, &inputs, &samples::keys(), key(), &ReconcileConfig::default());
    let wanted = Network::Existing {
        network: "net-1".into(),
        subnet: Some("sub-1".into()),
        external: Some("net-public".into()),
    };
    assert_eq!(made.expect("resolvable").network, wanted);
}

#[test]
fn a_group_is_scaled_within_its_own_bounds_and_the_default_one_within_those_of_the_labels() {
    let view = samples::view(jeroboam_model::Status::CREATE_COMPLETE);
    let bounds = |labels: &[(&str, &str)], is_default, min, max| {
        let mut cluster = view.cluster.clone();
        labels.iter().for_each(|&(name, value)| cluster.labels.set(name, value));
        let like = view.groups.iter().find(|group| !group.is_control_plane()).expect("workers").clone();
        let group = NodeGroup { is_default, min_node_count: min, max_node_count: max, ..like };
        autoscaling(&cluster, &group).expect("good labels")
    };
    let on = ("auto_scaling_enabled", "true");
    let labels = [on, ("min_node_count", "2"), ("max_node_count", "6")];
    for (labels, is_default, min, max, expected) in [
        (&labels[1..], true, 0, Some(5), None),
        (&[on][..], true, 0, None, None),
        (&labels[..], true, 1, None, Some((2, 6))),
        (&labels, true, 3, Some(5), Some((3, 5))),
        (&labels, false, 0, None, None),
        (&labels, false, 0, Some(4), Some((1, 4))),
        (&[on], false, 4, Some(4), None),
    ] {
        assert_eq!(bounds(labels, is_default, min, max), expected, "{labels:?} {is_default} {min} {max:?}");
    }
}
