//! Our own ClusterClass against the real definitions: every object passes a server-side dry run, and the real topology controller
//! makes of it what we meant.

use std::io::Write;
use std::process::{Command, Stdio};

use jeroboam_capi::{
    ApiEndpoint, BootVolume, CertificatePair, Certificates, ClassInfo, ClusterKey, ClusterNetwork, ControlPlaneGroup,
    CoreVersion, Credential, Healing, Image, Network, OWN_CLASS, Object, OperatingSystem, ResolvedCluster, WorkerGroup,
    build, own_class,
};
use jeroboam_model::{ClusterId, NodeGroupId, ProjectId, Taint, TaintEffect, UserId};
use serde_json::{Value, json};

use crate::bed::{provided, until};

const NAMESPACE: &str = "magnum-class-test";

fn pair() -> CertificatePair {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a certificate");
    CertificatePair { certificate: certificate.pem(), private_key: key.serialize_pem().into() }
}

/// A cluster that uses every concern of the class.
fn cluster(name: &str, network: Network) -> ResolvedCluster {
    let image =
        Image { id: "4f0c1ba5-9cb1-4a30-8a9b-3b0a6d2d3d11".to_owned(), operating_system: OperatingSystem::Ubuntu };
    let boot_volume = Some(BootVolume { size: 40, volume_type: Some("fast".to_owned()), availability_zone: None });
    ResolvedCluster {
        key: ClusterKey { namespace: NAMESPACE.to_owned(), name: name.to_owned() },
        id: ClusterId::random(),
        project: ProjectId::from("0123456789abcdef0123456789abcdef"),
        user: UserId::from("u1"),
        release: "v1.33.5".parse().expect("a release"),
        control_plane: ControlPlaneGroup {
            id: NodeGroupId::random(),
            count: 3,
            flavor: "m1.medium".to_owned(),
            image: image.clone(),
            boot_volume: boot_volume.clone(),
            availability_zones: vec!["az1".to_owned(), "az2".to_owned()],
        },
        workers: vec![WorkerGroup {
            id: NodeGroupId::random(),
            name: "default-worker".to_owned(),
            role: "worker".to_owned(),
            count: 2,
            autoscaling: None,
            flavor: "m1.small".to_owned(),
            image,
            boot_volume,
            availability_zone: Some("az1".to_owned()),
            node_labels: [("team".to_owned(), "blue".to_owned())].into(),
            node_taints: vec![Taint { key: "gpu".to_owned(), value: None, effect: TaintEffect::NoSchedule }],
        }],
        network,
        dns_nameservers: vec!["9.9.9.9".to_owned()],
        api: ApiEndpoint {
            allowed_cidrs: vec!["192.0.2.0/24".to_owned()],
            provider: Some("amphora".to_owned()),
            cert_sans: vec!["api.example.org".to_owned()],
            ..ApiEndpoint::default()
        },
        ssh_key: Some("demo".to_owned()),
        cluster_network: ClusterNetwork::default(),
        healing: Some(Healing::default()),
        credential: Credential {
            auth_url: "https://keystone.example.org/v3".to_owned(),
            region: Some("RegionOne".to_owned()),
            interface: "public".to_owned(),
            id: "id".to_owned(),
            secret: "secret".into(),
            verify: true,
            cacert: None,
        },
        certificates: Certificates { ca: pair(), etcd: pair(), front_proxy: pair(), service_account: pair() },
        extra_variables: [].into(),
    }
}

/// kubectl with an object on its standard input; its output, or what it complained of.
fn kubectl(program: &str, kubeconfig: &str, args: &[&str], input: &Value) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(["--kubeconfig", kubeconfig])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl");
    child.stdin.take().expect("an input").write_all(input.to_string().as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ended");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn apply(program: &str, kubeconfig: &str, object: &Object, dry: bool) -> Result<String, String> {
    let mut args = vec!["apply", "--server-side", "--force-conflicts", "--field-manager=jeroboam", "-f", "-"];
    if dry {
        args.push("--dry-run=server");
    }
    let named = |said: String| format!("{} {}: {said}", object.kind(), object.name());
    kubectl(program, kubeconfig, &args, &object.clone().into_value()).map_err(named)
}

fn get(program: &str, kubeconfig: &str, kind: &str) -> Vec<Value> {
    let said =
        kubectl(program, kubeconfig, &["get", kind, "-n", NAMESPACE, "-o", "json"], &Value::Null).expect("a list");
    let list: Value = serde_json::from_str(&said).expect("json");
    list["items"].as_array().expect("items").clone()
}

#[tokio::test]
async fn our_class_is_what_the_real_definitions_and_the_real_topology_controller_take() {
    let Some(kubeconfig) = provided("JEROBOAM_KUBECONFIG", "a management cluster; make test starts one") else {
        return;
    };
    let Some(program) = provided("JEROBOAM_KUBECTL", "the kubectl program; make test sets it") else { return };
    let (kubeconfig, program) = (kubeconfig.as_str(), program.as_str());
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    kubectl(program, kubeconfig, &["apply", "--server-side", "-f", "-"], &namespace).expect("a namespace");

    let class = own_class(CoreVersion::V1Beta2, NAMESPACE);
    for version in [CoreVersion::V1Beta2, CoreVersion::V1Beta1] {
        for object in own_class(version, NAMESPACE).iter() {
            apply(program, kubeconfig, object, true).unwrap_or_else(|said| panic!("{version:?} {said}"));
        }
    }
    for object in class.iter() {
        apply(program, kubeconfig, object, false).expect("applied");
    }
    let read = || {
        let classes = get(program, kubeconfig, "clusterclasses");
        let object = classes.into_iter().find(|class| class["metadata"]["name"] == OWN_CLASS)?;
        ClassInfo::read(&object).filter(|class| class.ready)
    };
    let info = until("the class to be ready", || async { read() }).await;

    let managed = Network::Managed {
        cidr: "10.6.1.0/24".to_owned(),
        external: Some("8e6f6f7e-6cd5-4a9f-8f0a-0b7c3f1f2a01".to_owned()),
    };
    let existing = Network::Existing {
        network: "5d1f2d0b-0d0a-4f6b-9a53-0f7e8b9f4c02".to_owned(),
        subnet: Some("b3c0a6fa-1c9f-4c62-8f6e-3b5a7d9e1c03".to_owned()),
        external: None,
    };
    for (name, network) in [("managed", managed), ("existing", existing)] {
        let prepared = build(&cluster(name, network), &info).expect("built");
        for object in prepared.iter() {
            apply(program, kubeconfig, object, true).expect("a dry run");
            apply(program, kubeconfig, object, false).expect("applied");
        }
    }
    until("the topology controller to have made the infrastructure", || async {
        let clusters = get(program, kubeconfig, "clusters");
        let conditions = clusters.iter().map(|cluster| {
            let all = cluster["status"]["conditions"].as_array().cloned().unwrap_or_default();
            all.into_iter().find(|condition| condition["type"] == "TopologyReconciled")
        });
        let conditions: Option<Vec<Value>> = conditions.collect();
        let conditions = conditions.filter(|all| all.len() == 2)?;
        let failed = conditions.iter().find(|condition| condition["reason"] == "ReconcileFailed");
        assert!(failed.is_none(), "{failed:?}");
        let has = |kind: &str, prefix: &str| {
            let named = |one: &Value| one["metadata"]["name"].as_str().is_some_and(|name| name.starts_with(prefix));
            get(program, kubeconfig, kind).iter().any(named)
        };
        let made = has("openstackmachinetemplates", "managed")
            && has("openstackclusters", "managed")
            && has("openstackclusters", "existing");
        made.then_some(())
    })
    .await;
    let clusters = get(program, kubeconfig, "openstackclusters");
    let made = |prefix: &str| {
        let named = |one: &&Value| one["metadata"]["name"].as_str().is_some_and(|name| name.starts_with(prefix));
        clusters.iter().find(named).cloned().expect(prefix)["spec"].clone()
    };
    assert_eq!(made("managed")["managedSubnets"], json!([{"cidr": "10.6.1.0/24", "dnsNameservers": ["9.9.9.9"]}]));
    assert_eq!(made("managed")["apiServerLoadBalancer"]["enabled"], true);
    assert_eq!(made("existing")["network"]["id"], "5d1f2d0b-0d0a-4f6b-9a53-0f7e8b9f4c02");
    assert_eq!(made("existing").get("managedSubnets"), None);
    let machines = get(program, kubeconfig, "openstackmachinetemplates");
    let machine =
        machines.iter().find(|one| one["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("managed")));
    let spec = &machine.expect("a template")["spec"]["template"]["spec"];
    assert_eq!(spec["sshKeyName"], "demo");
    assert_eq!(spec["image"]["id"], "4f0c1ba5-9cb1-4a30-8a9b-3b0a6d2d3d11");
    assert_eq!(spec["rootVolume"]["sizeGiB"], 40);

    kubectl(program, kubeconfig, &["delete", "clusters", "--all", "-n", NAMESPACE, "--timeout=120s"], &Value::Null)
        .expect("deleted");
    kubectl(program, kubeconfig, &["delete", "namespace", NAMESPACE, "--timeout=120s"], &Value::Null).expect("deleted");
}
