//! The objects that are made of a resolved cluster, and of our own class.

use std::collections::BTreeMap;

use jeroboam_capi::{
    ApiEndpoint, Autoscaling, BootVolume, BuildError, CertificatePair, Certificates, ClassInfo, ClusterKey,
    ClusterNetwork, ControlPlaneGroup, CoreVersion, Credential, Healing, Image, Network, Object, OperatingSystem,
    ResolvedCluster, SYSTEM_NAMESPACE, WorkerGroup, build, own_class,
};
use jeroboam_model::{ProjectId, Taint, TaintEffect, UserId};
use serde_json::{Value, json};

fn resolved() -> ResolvedCluster {
    let image = Image { id: "5d0f0f0e-4e7d-4c2b-9d0e-0a1b2c3d4e5f".into(), operating_system: OperatingSystem::Ubuntu };
    let pair =
        |name: &str| CertificatePair { certificate: format!("{name} crt"), private_key: format!("{name} key").into() };
    let worker = WorkerGroup {
        id: "22222222-2222-4222-8222-222222222222".parse().expect("an id"),
        name: "default-worker".into(),
        role: "worker".into(),
        count: 2,
        autoscaling: None,
        flavor: "m1.small".into(),
        image: image.clone(),
        boot_volume: None,
        availability_zone: None,
        node_labels: BTreeMap::new(),
        node_taints: Vec::new(),
    };
    let big = WorkerGroup {
        id: "33333333-3333-4333-8333-333333333333".parse().expect("an id"),
        name: "Big Ones".into(),
        role: "gpu".into(),
        count: 0,
        flavor: "g1.large".into(),
        boot_volume: Some(BootVolume { size: 40, volume_type: None, availability_zone: None }),
        availability_zone: Some("az2".into()),
        node_labels: [("example.org/disk".to_owned(), "fast".to_owned())].into(),
        node_taints: vec![Taint { key: "gpu".into(), value: None, effect: TaintEffect::NoSchedule }],
        ..worker.clone()
    };
    ResolvedCluster {
        key: ClusterKey { namespace: "magnum-demo".into(), name: "shop-zlmswzrqenbg".into() },
        id: "cad92b66-3023-426e-9584-e73170a1c965".parse().expect("an id"),
        project: ProjectId::from("demo"),
        user: UserId::from("a-user"),
        release: "v1.33.5".parse().expect("a release"),
        control_plane: ControlPlaneGroup {
            id: "11111111-1111-4111-8111-111111111111".parse().expect("an id"),
            count: 3,
            flavor: "m1.medium".into(),
            image,
            boot_volume: Some(BootVolume {
                size: 20,
                volume_type: Some("fast".into()),
                availability_zone: Some("az1".into()),
            }),
            availability_zones: vec!["az1".into()],
        },
        workers: vec![worker, big],
        network: Network::Managed {
            cidr: "10.0.0.0/24".into(),
            external: Some("7d0f0f0e-4e7d-4c2b-9d0e-0a1b2c3d4e5f".into()),
        },
        dns_nameservers: vec!["9.9.9.9".into()],
        api: ApiEndpoint { provider: Some("ovn".into()), ..ApiEndpoint::default() },
        ssh_key: Some("a-key".into()),
        cluster_network: ClusterNetwork::default(),
        healing: Some(Healing::default()),
        credential: Credential {
            auth_url: "https://identity.example/v3".into(),
            region: Some("RegionOne".into()),
            interface: "public".into(),
            id: "an-id".into(),
            secret: "a \"secret\"".into(),
            verify: true,
            cacert: Some("a ca".into()),
        },
        certificates: Certificates {
            ca: pair("ca"),
            etcd: pair("etcd"),
            front_proxy: pair("proxy"),
            service_account: pair("sa"),
        },
        extra_variables: BTreeMap::new(),
    }
}

/// A class as Cluster API shows it once it has looked at it.
fn ready(class: &Object) -> ClassInfo {
    ClassInfo { ready: true, ..ClassInfo::of_object(class).expect("a class") }
}

fn our_class(version: CoreVersion) -> ClassInfo {
    ready(own_class(version, SYSTEM_NAMESPACE).of_kind("ClusterClass").expect("a class"))
}

/// An operator's class that declares some variables.
fn class_with(variables: &[(&str, bool, Value)]) -> ClassInfo {
    let declared: Vec<_> = variables
        .iter()
        .map(|(name, required, schema)| {
            json!({"name": name, "required": required, "schema": {"openAPIV3Schema": schema}})
        })
        .collect();
    ready(&Object::new(json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "ClusterClass",
        "metadata": {"namespace": "classes", "name": "theirs"},
        "spec": {"variables": declared, "workers": {"machineDeployments": [{"class": "w"}]}},
    })))
}

fn variables(cluster: &ResolvedCluster, class: &ClassInfo) -> Value {
    let built = build(cluster, class).expect("a class that fits");
    built.of_kind("Cluster").expect("a cluster").value()["spec"]["topology"]["variables"].clone()
}

#[test]
fn a_cluster_of_our_class_in_both_contracts() {
    for version in [CoreVersion::V1Beta2, CoreVersion::V1Beta1] {
        let built = build(&resolved(), &our_class(version)).expect("built");
        let cluster = built.of_kind("Cluster").expect("a cluster");
        insta::assert_yaml_snapshot!(format!("cluster-{version}"), cluster.value());
    }
}

#[test]
fn our_class_in_both_contracts() {
    for version in [CoreVersion::V1Beta2, CoreVersion::V1Beta1] {
        let objects: Vec<_> = own_class(version, SYSTEM_NAMESPACE).into_objects();
        let values: Vec<_> = objects.iter().map(Object::value).collect();
        insta::assert_yaml_snapshot!(format!("own-class-{version}"), values);
    }
}

#[test]
fn objects_come_in_the_order_in_which_they_need_each_other() {
    let built = build(&resolved(), &our_class(CoreVersion::V1Beta2)).expect("built");
    let names: Vec<_> = built.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "Namespace magnum-demo",
            "ServiceAccount magnum-demo/jeroboam-project",
            "Role magnum-demo/jeroboam-project",
            "RoleBinding magnum-demo/jeroboam-project",
            "Secret magnum-demo/shop-zlmswzrqenbg-cloud-config",
            "Secret magnum-demo/shop-zlmswzrqenbg-ca",
            "Secret magnum-demo/shop-zlmswzrqenbg-etcd",
            "Secret magnum-demo/shop-zlmswzrqenbg-proxy",
            "Secret magnum-demo/shop-zlmswzrqenbg-sa",
            "Cluster magnum-demo/shop-zlmswzrqenbg",
        ]
    );
    assert!(!format!("{built:?}").contains("data"), "a debug form shows no content");
}

#[test]
fn secrets_are_as_cluster_api_and_capo_want_them() {
    use base64::Engine as _;
    let built = build(&resolved(), &our_class(CoreVersion::V1Beta2)).expect("built");
    let decode = |value: &Value| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().expect("text")).expect("base64");
        String::from_utf8(bytes).expect("text")
    };
    let secret = |suffix: &str| {
        let name = format!("shop-zlmswzrqenbg-{suffix}");
        built.iter().find(|object| object.name() == name).expect("there").value().clone()
    };
    for suffix in ["ca", "etcd", "proxy", "sa"] {
        let secret = secret(suffix);
        assert_eq!(secret["type"], "cluster.x-k8s.io/secret");
        assert_eq!(secret["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"], "shop-zlmswzrqenbg");
        assert_eq!(decode(&secret["data"]["tls.crt"]), format!("{suffix} crt"));
        assert_eq!(decode(&secret["data"]["tls.key"]), format!("{suffix} key"));
    }
    let identity = secret("cloud-config");
    assert_eq!(identity["metadata"]["labels"]["clusterctl.cluster.x-k8s.io/move"], "true");
    assert_eq!(decode(&identity["data"]["cacert"]), "a ca");
    let clouds: Value = serde_saphyr::from_str(&decode(&identity["data"]["clouds.yaml"])).expect("valid YAML");
    assert_eq!(clouds["clouds"]["default"]["auth"]["application_credential_secret"], "a \"secret\"");
    assert_eq!(clouds["clouds"]["default"]["region_name"], "RegionOne");
}

#[test]
fn an_operators_class_gets_the_variables_it_declares_and_no_others() {
    let text = || json!({"type": "string"});
    let mut cluster = resolved();
    cluster.extra_variables = [("boot".to_owned(), json!("2s")), ("unknown".to_owned(), json!(1))].into();
    let class = class_with(&[("imageUUID", true, text()), ("boot", false, text())]);
    assert_eq!(
        variables(&cluster, &class),
        json!([
            {"name": "boot", "value": "2s"},
            {"name": "imageUUID", "value": "5d0f0f0e-4e7d-4c2b-9d0e-0a1b2c3d4e5f"},
        ])
    );
    assert_eq!(variables(&cluster, &class_with(&[])), json!([]));
}

#[test]
fn a_required_variable_without_a_value_is_empty_where_we_know_it_and_an_error_where_not() {
    let text = || json!({"type": "string"});
    let known = class_with(&[("fixedNetworkId", true, text())]);
    assert_eq!(variables(&resolved(), &known), json!([{"name": "fixedNetworkId", "value": ""}]));
    let defaulted = class_with(&[("theirs", true, json!({"type": "string", "default": "x"}))]);
    assert_eq!(variables(&resolved(), &defaulted), json!([]));
    let unknown = build(&resolved(), &class_with(&[("theirs", true, text())])).map(|_| ());
    assert_eq!(unknown, Err(BuildError::NoValue { class: "classes/theirs".into(), variable: "theirs".into() }));
}

#[test]
fn a_class_that_does_not_fit_is_refused() {
    let unread = ClassInfo { ready: false, message: Some("bad schema".into()), ..class_with(&[]) };
    let error = build(&resolved(), &unread).map(|_| ()).expect_err("not ready");
    assert_eq!(error.to_string(), "cluster class classes/theirs is not ready: bad schema");
    let idle = ClassInfo { workers: vec![], ..class_with(&[]) };
    assert_eq!(
        build(&resolved(), &idle).map(|_| ()),
        Err(BuildError::NoWorkerClass { class: "classes/theirs".into() })
    );
    let alone = ResolvedCluster { workers: vec![], ..resolved() };
    assert!(build(&alone, &idle).is_ok(), "a cluster without workers needs no class for them");
}

#[test]
fn healing_follows_the_label_and_the_class() {
    let check = |healing: Option<Healing>, class_says: bool| {
        let cluster = ResolvedCluster { healing, ..resolved() };
        let class = ClassInfo { control_plane_health_check: class_says, ..class_with(&[]) };
        let built = build(&cluster, &class).expect("built");
        built.of_kind("Cluster").expect("a cluster").value()["spec"]["topology"]["controlPlane"]["healthCheck"].clone()
    };
    assert_eq!(check(None, false), json!({"enabled": false}));
    assert_eq!(check(Some(Healing::default()), true), json!({"enabled": true}), "the class knows best");
    assert_eq!(check(Some(Healing::default()), false)["checks"]["nodeStartupTimeoutSeconds"], 1200);
}

#[test]
fn labels_that_a_kubelet_may_not_set_are_left_to_cluster_api() {
    let mut cluster = resolved();
    cluster.workers.truncate(1);
    cluster.workers[0].node_labels =
        ["example.org/a", "plain", "node-role.kubernetes.io/x", "kubernetes.io/y", "node.kubernetes.io/z"]
            .map(|key| (key.to_owned(), "1".to_owned()))
            .into();
    let built = build(&cluster, &our_class(CoreVersion::V1Beta2)).expect("built");
    let workers = &built.of_kind("Cluster").expect("a cluster").value()["spec"]["topology"]["workers"];
    let group = &workers["machineDeployments"][0];
    let overrides = group["variables"]["overrides"].as_array().expect("a list");
    let labels = overrides.iter().find(|variable| variable["name"] == "nodeLabels").expect("there");
    assert_eq!(labels["value"], "example.org/a=1,node.kubernetes.io/z=1,plain=1");
    assert_eq!(group["metadata"]["labels"]["node-role.kubernetes.io/x"], "1");
    assert_eq!(group["metadata"]["labels"]["node-role.kubernetes.io/worker"], "");
}

#[test]
fn an_autoscaler_is_told_its_bounds_and_the_size_only_until_the_group_is_there() {
    let machines = |begun| {
        let mut cluster = resolved();
        cluster.workers[0].autoscaling = Some(Autoscaling { min: 1, max: 5, begun });
        let built = build(&cluster, &class_with(&[])).expect("built");
        let cluster = built.of_kind("Cluster").expect("a cluster").value().clone();
        cluster["spec"]["topology"]["workers"]["machineDeployments"].clone()
    };
    for (begun, replicas) in [(false, json!(2)), (true, Value::Null)] {
        let all = machines(begun);
        assert_eq!(all[0]["replicas"], replicas, "{begun}");
        let annotations = &all[0]["metadata"]["annotations"];
        assert_eq!(annotations["cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size"], "1");
        assert_eq!(annotations["cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size"], "5");
        assert_eq!(
            (&all[1]["replicas"], &all[1]["metadata"]["annotations"]),
            (&json!(0), &Value::Null),
            "no other group"
        );
    }
}
