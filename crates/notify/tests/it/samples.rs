//! A cluster and somebody who wants something of it.

use jeroboam_model::{
    Caller, CertificateRefs, Cluster, ClusterId, ClusterWithGroups, Labels, NodeGroup, NodeGroupId, Status, TemplateId,
};

pub(crate) fn cluster(status: Status) -> ClusterWithGroups {
    let id: ClusterId = "cad92b66-3023-426e-9584-e73170a1c965".parse().expect("an id");
    let template: TemplateId = "bad92b66-3023-426e-9584-e73170a1c965".parse().expect("an id");
    let cluster = Cluster {
        serial: 1,
        id,
        name: Some("prod".to_owned()),
        project: "p1".into(),
        user: "u1".into(),
        template,
        stack_id: Some("prod-abc".to_owned()),
        status,
        status_reason: None,
        health_status: None,
        health_status_reason: [].into(),
        api_address: None,
        coe_version: None,
        container_version: None,
        discovery_url: None,
        keypair: None,
        master_flavor_id: Some("m".to_owned()),
        flavor_id: Some("f".to_owned()),
        docker_volume_size: None,
        create_timeout: Some(60),
        labels: [("kube_tag", "v1.33.4")].into_iter().collect::<Labels>(),
        fixed_network: None,
        fixed_subnet: None,
        floating_ip_enabled: true,
        master_lb_enabled: true,
        certificates: CertificateRefs::default(),
        created_at: "2026-11-21T00:04:41Z".parse().expect("a time"),
        updated_at: None,
    };
    let groups = vec![group(&cluster, "master", 1, "10.0.0.5"), group(&cluster, "worker", 2, "10.0.0.6")];
    ClusterWithGroups { cluster, groups, template_labels: None }
}

fn group(cluster: &Cluster, role: &str, count: i32, address: &str) -> NodeGroup {
    NodeGroup {
        serial: 1,
        id: NodeGroupId::random(),
        name: format!("default-{role}"),
        cluster: cluster.id,
        project: cluster.project.clone(),
        role: role.to_owned(),
        is_default: true,
        node_count: count,
        min_node_count: 0,
        max_node_count: None,
        flavor_id: None,
        image_id: None,
        docker_volume_size: None,
        labels: Labels::default(),
        node_labels: [].into(),
        node_taints: Vec::new(),
        node_addresses: vec![address.to_owned()],
        stack_id: None,
        status: cluster.status,
        status_reason: None,
        version: None,
        created_at: cluster.created_at,
        updated_at: None,
    }
}

pub(crate) fn caller() -> Caller {
    Caller {
        user: "u1".into(),
        user_name: "demo".to_owned(),
        user_domain: Some("default".to_owned()),
        project: Some("p1".into()),
        project_name: Some("demo".to_owned()),
        project_domain: Some("default".to_owned()),
        domain: None,
        system_scope: None,
        roles: vec!["member".to_owned(), "reader".to_owned()],
        is_admin: false,
        application_credential: false,
        token: "gAAAAA-very-secret".into(),
        request_id: "req-1".to_owned(),
        global_request_id: None,
    }
}
