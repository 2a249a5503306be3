//! Rows with something in every column, and how Magnum names the fields of ours.

use jeroboam_model::{
    Cluster, ClusterTemplate, ClusterWithGroups, HealthStatus, NodeGroup, Operation, ServerType, Status, Taint,
    TaintEffect, Timestamp,
};
use jeroboam_store::testing::{Engine, texts};
use jeroboam_store::{Acceptance, ClusterSeen, GroupSeen, KeyPair, NewCluster, Recorded, samples};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::Shared;

/// A time as Magnum's objects print it.
fn time(time: Timestamp) -> String {
    format!("{}+00:00", time.strftime("%Y-%m-%dT%H:%M:%S"))
}

pub(crate) fn cluster_fields(c: &Cluster) -> Value {
    json!({"id": c.serial, "uuid": c.id.to_string(), "name": c.name, "project_id": c.project.as_str(), "user_id": c.user.as_str(),
        "cluster_template_id": c.template.to_string(), "keypair": c.keypair, "docker_volume_size": c.docker_volume_size,
        "labels": c.labels, "master_flavor_id": c.master_flavor_id, "flavor_id": c.flavor_id, "stack_id": c.stack_id,
        "status": c.status.as_str(), "status_reason": c.status_reason,
        "health_status": c.health_status.map(HealthStatus::as_str), "health_status_reason": c.health_status_reason,
        "create_timeout": c.create_timeout, "api_address": c.api_address, "discovery_url": c.discovery_url,
        "ca_cert_ref": c.certificates.ca.as_ref().map(ToString::to_string),
        "magnum_cert_ref": c.certificates.client.as_ref().map(ToString::to_string),
        "etcd_ca_cert_ref": c.certificates.etcd_ca.as_ref().map(ToString::to_string),
        "front_proxy_ca_cert_ref": c.certificates.front_proxy_ca.as_ref().map(ToString::to_string),
        "coe_version": c.coe_version, "container_version": c.container_version, "fixed_network": c.fixed_network,
        "fixed_subnet": c.fixed_subnet, "floating_ip_enabled": c.floating_ip_enabled, "master_lb_enabled": c.master_lb_enabled,
        "created_at": time(c.created_at), "updated_at": c.updated_at.map(time)})
}

pub(crate) fn group_fields(g: &NodeGroup) -> Value {
    json!({"id": g.serial, "uuid": g.id.to_string(), "name": g.name, "cluster_id": g.cluster.to_string(),
        "project_id": g.project.as_str(), "docker_volume_size": g.docker_volume_size, "labels": g.labels,
        "flavor_id": g.flavor_id, "image_id": g.image_id, "node_addresses": g.node_addresses, "node_count": g.node_count,
        "role": g.role, "max_node_count": g.max_node_count, "min_node_count": g.min_node_count, "is_default": g.is_default,
        "stack_id": g.stack_id, "status": g.status.as_str(), "status_reason": g.status_reason, "version": g.version,
        "node_labels": g.node_labels, "node_taints": g.node_taints,
        "created_at": time(g.created_at), "updated_at": g.updated_at.map(time)})
}

pub(crate) fn template_fields(t: &ClusterTemplate) -> Value {
    json!({"id": t.serial, "uuid": t.id.to_string(), "name": t.name, "project_id": t.project.as_str(), "user_id": t.user.as_str(),
        "image_id": t.image_id, "flavor_id": t.flavor_id, "master_flavor_id": t.master_flavor_id, "keypair_id": t.keypair_id,
        "external_network_id": t.external_network_id, "fixed_network": t.fixed_network, "fixed_subnet": t.fixed_subnet,
        "network_driver": t.network_driver, "volume_driver": t.volume_driver, "dns_nameserver": t.dns_nameserver,
        "apiserver_port": t.apiserver_port, "docker_volume_size": t.docker_volume_size,
        "docker_storage_driver": t.docker_storage_driver, "cluster_distro": t.cluster_distro, "coe": t.coe,
        "http_proxy": t.http_proxy, "https_proxy": t.https_proxy, "no_proxy": t.no_proxy,
        "registry_enabled": t.registry_enabled, "labels": t.labels, "tls_disabled": t.tls_disabled, "public": t.public,
        "server_type": t.server_type.as_str(), "insecure_registry": t.insecure_registry,
        "master_lb_enabled": t.master_lb_enabled, "floating_ip_enabled": t.floating_ip_enabled, "hidden": t.hidden,
        "tags": t.tags, "driver": t.driver, "created_at": time(t.created_at), "updated_at": t.updated_at.map(time)})
}

pub(crate) fn key_pair_fields(k: &KeyPair) -> Value {
    json!({"uuid": k.id.to_string(), "certificate": k.certificate, "private_key": k.private_key.expose_secret(),
        "private_key_passphrase": k.passphrase.expose_secret(), "intermediates": k.intermediates,
        "project_id": k.project.as_str(), "user_id": k.user.as_str()})
}

/// Text of every kind that a column of the engine holds. Magnum's tables on MariaDB have no room for supplementary planes.
pub(crate) fn rich_text(engine: Engine, lines: usize) -> String {
    let emoji = if engine == Engine::MariaDb { "" } else { "😀" };
    let line = format!("größe „x“ 日本語 {emoji}\\ \" ' %s {{}} \t\r\n");
    line.repeat(lines)
}

const TEMPLATE: &str = "11111111-1111-4111-8111-111111111111";
const CONTAINER: &str = "https://keys.example/v1/containers/7a61a5a7-8d4f-4a3e-9d52-000000000001";

/// Templates, and a cluster in each of the eighteen states, with everything in them or nothing.
pub(crate) fn magnums_own() -> Value {
    let full = json!({"uuid": TEMPLATE, "name": "voll", "project_id": "p1", "user_id": "u1", "image_id": "image ü",
        "flavor_id": "m1.small", "master_flavor_id": "m1.large", "keypair_id": "key", "external_network_id": "public",
        "fixed_network": "net", "fixed_subnet": "sub", "network_driver": "calico", "volume_driver": "cinder",
        "dns_nameserver": "8.8.8.8,1.1.1.1", "apiserver_port": 6443, "docker_volume_size": 5,
        "docker_storage_driver": "overlay2", "cluster_distro": "ubuntu", "coe": "kubernetes",
        "http_proxy": "http://p:1", "https_proxy": "http://p:2", "no_proxy": "a,b", "registry_enabled": true,
        "labels": {"kube_tag": "v1.33.4", "größe": "😀", "": ""}, "tls_disabled": true, "public": true, "server_type": "bm",
        "insecure_registry": "r:5000", "master_lb_enabled": true, "floating_ip_enabled": false, "hidden": true,
        "tags": "a,b", "driver": "k8s_cluster_api_ubuntu"});
    let bare = json!({"uuid": "11111111-1111-4111-8111-111111111112", "project_id": "p1", "user_id": "u1",
        "coe": "kubernetes", "server_type": "vm"});
    let mut clusters = Vec::new();
    let mut groups = Vec::new();
    for (index, status) in Status::all().enumerate() {
        let id = format!("21111111-1111-4111-8111-{index:012}");
        let full = index % 2 == 0;
        clusters.push(match full {
            true => json!({"uuid": id, "name": format!("c{index}"), "project_id": "p1", "user_id": "u1",
                "cluster_template_id": TEMPLATE, "keypair": "key", "docker_volume_size": 3, "labels": {"b": "1", "ü": "日本語😀"},
                "master_flavor_id": "a", "flavor_id": "b", "stack_id": "kube-abcde", "status": status.as_str(),
                "status_reason": format!("{}ü", "x".repeat(60_000)), "health_status": "HEALTHY",
                "health_status_reason": {"api": "ok", "n.Ready": "True"}, "create_timeout": 0, "api_address": "https://10.0.0.1:6443",
                "discovery_url": "http://d", "ca_cert_ref": CONTAINER, "magnum_cert_ref": CONTAINER,
                "etcd_ca_cert_ref": CONTAINER, "front_proxy_ca_cert_ref": CONTAINER, "coe_version": "v1.33.4",
                "container_version": "1.7", "fixed_network": "n", "fixed_subnet": "s", "floating_ip_enabled": false,
                "master_lb_enabled": true}),
            false => json!({"uuid": id, "project_id": "p1", "user_id": "u1", "cluster_template_id": TEMPLATE,
                "status": status.as_str()}),
        });
        for (number, role) in ["master", "worker"].into_iter().enumerate() {
            let id_of_group = format!("3111111{number}-1111-4111-8111-{index:012}");
            groups.push(match full {
                true => json!({"uuid": id_of_group, "name": format!("default-{role}"), "cluster_id": id, "project_id": "p1",
                    "docker_volume_size": 9, "labels": {"x": "y"}, "flavor_id": "f", "image_id": "i",
                    "node_addresses": ["10.0.0.5", "fd00::1"], "node_count": 3, "role": role, "max_node_count": 5,
                    "min_node_count": 1, "is_default": true, "stack_id": "s", "status": status.as_str(),
                    "status_reason": "why ü", "version": "v1.33.4", "node_labels": {"tier": "ü"},
                    "node_taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}, {"key": "x", "effect": "NoExecute"}]}),
                false => json!({"uuid": id_of_group, "name": format!("default-{role}"), "cluster_id": id, "project_id": "p1",
                    "node_count": 0, "role": role, "is_default": true, "status": status.as_str()}),
            });
        }
    }
    json!({"ClusterTemplate": [full, bare], "Cluster": clusters, "NodeGroup": groups,
        "X509KeyPair": [{"uuid": "41111111-1111-4111-8111-111111111111", "certificate": "-----BEGIN CERTIFICATE-----\nü",
            "private_key": "-----BEGIN ENCRYPTED PRIVATE KEY-----", "private_key_passphrase": "abcdefghijkl",
            "intermediates": "chain", "project_id": "p1", "user_id": "u1"},
            {"uuid": "41111111-1111-4111-8111-111111111112", "certificate": "c", "private_key": "k",
            "private_key_passphrase": "p", "project_id": "p1", "user_id": "u1"}],
        "Quota": [{"project_id": "p1", "resource": "Cluster", "hard_limit": 7}],
        "MagnumService": [{"host": "node1", "binary": "magnum-conductor", "report_count": 4}]})
}

/// A template with something in every column.
pub(crate) fn rich_template() -> ClusterTemplate {
    let text = |text: &str| Some(text.to_owned());
    ClusterTemplate {
        keypair_id: text("key ü"),
        fixed_network: text("net"),
        fixed_subnet: text("sub"),
        apiserver_port: Some(6443),
        docker_storage_driver: text("overlay2"),
        http_proxy: text("http://p"),
        https_proxy: text("https://p"),
        no_proxy: text("a,b"),
        insecure_registry: text("r:5000"),
        registry_enabled: true,
        tls_disabled: true,
        public: true,
        hidden: true,
        server_type: ServerType::Bm,
        master_lb_enabled: false,
        floating_ip_enabled: false,
        tags: text("eins,zwei"),
        labels: [("größe", "😀"), ("a.b/c", "d\n\"e\"\\"), ("leer", "")].into_iter().collect(),
        ..samples::template("p1", "großes Muster")
    }
}

/// A cluster with something in every column that a request can fill.
pub(crate) fn rich_cluster(template: &ClusterTemplate) -> NewCluster {
    let mut new = samples::new_cluster(template, "p1", "grün");
    let cluster = &mut new.cluster;
    cluster.docker_volume_size = Some(7);
    cluster.create_timeout = Some(0);
    cluster.fixed_network = Some("net".to_owned());
    cluster.fixed_subnet = Some("sub".to_owned());
    cluster.floating_ip_enabled = false;
    cluster.master_lb_enabled = false;
    cluster.discovery_url = Some("http://d/ü".to_owned());
    cluster.container_version = Some("1.7".to_owned());
    let ca = cluster.certificates.ca.clone();
    cluster.certificates.client = ca.clone();
    cluster.certificates.etcd_ca = ca;
    cluster.certificates.front_proxy_ca = Some("https://keys/v1/containers/1".into());
    new.key_pairs[0].intermediates = Some("-----BEGIN CERTIFICATE-----\nchain".to_owned());
    let worker = &mut new.groups[1];
    worker.docker_volume_size = Some(8);
    worker.max_node_count = Some(9);
    worker.min_node_count = 1;
    worker.labels = cluster.labels.clone();
    worker.version = Some("v1.33.4".to_owned());
    worker.node_labels = [("tier".to_owned(), "größe 😀".to_owned())].into();
    worker.node_taints = vec![
        Taint { key: "gpu".to_owned(), value: Some("ja".to_owned()), effect: TaintEffect::NoSchedule },
        Taint { key: "x".to_owned(), value: None, effect: TaintEffect::PreferNoSchedule },
    ];
    new
}

/// What a reconciler writes, with a reason that is longer than its column and holds what MariaDB's can't.
pub(crate) fn seen(view: &ClusterWithGroups) -> Recorded {
    let reason = Some(format!("quota exceeded 😀 „größe“\0 {}", "日本語".repeat(10_000)));
    let cluster = ClusterSeen {
        status: Status::CREATE_FAILED,
        status_reason: reason.clone(),
        health_status: Some(HealthStatus::Unhealthy),
        health_status_reason: [("api".to_owned(), "größe 😀".to_owned())].into(),
        api_address: Some("https://[fd00::1]:6443".to_owned()),
        coe_version: Some("v1.33.4".to_owned()),
        stack_id: Some("grün-abcde".to_owned()),
    };
    let group = |group: &NodeGroup| GroupSeen {
        status: Status::CREATE_FAILED,
        status_reason: reason.clone(),
        node_count: Some(3),
        node_addresses: vec!["10.0.0.1".to_owned(), "fd00::2".to_owned()],
        stack_id: Some("grün-abcde".to_owned()),
        ..GroupSeen::from(group)
    };
    let groups = view.groups.iter().map(group).collect();
    Recorded { cluster: Some(cluster), groups, ..Recorded::default() }
}

/// A request that changes it after that; its reason stays with the groups.
pub(crate) fn change(view: &ClusterWithGroups) -> Acceptance {
    let mut change = Acceptance::of(Operation::Update, Status::UPDATE_IN_PROGRESS, samples::noon());
    change.added_groups = vec![samples::group(&view.cluster, "größer", "infra", 2)];
    change
}

/// Rows of Magnum's own with the same values as some of ours.
pub(crate) struct Twins {
    pub(crate) rows: Value,
    /// Table, our uuid, the twin's.
    pub(crate) pairs: Vec<(&'static str, String, String)>,
}

/// The same rows once more under other ids, to be written by Magnum.
pub(crate) fn twins(read: &Value) -> Twins {
    let mut rows = serde_json::Map::new();
    let mut pairs = Vec::new();
    for (kind, table) in [
        ("ClusterTemplate", "cluster_template"),
        ("Cluster", "cluster"),
        ("NodeGroup", "nodegroup"),
        ("X509KeyPair", "x509keypair"),
    ] {
        let mut twins = Vec::new();
        for row in read[kind].as_array().expect("rows") {
            let mut row = row.as_object().expect("fields").clone();
            let id = row["uuid"].as_str().expect("a uuid").to_owned();
            let twin = format!("{}{}", if id.starts_with('f') { "e" } else { "f" }, &id[1..]);
            for gone in ["id", "created_at", "updated_at"] {
                row.remove(gone);
            }
            row.insert("uuid".to_owned(), twin.clone().into());
            if table == "nodegroup" {
                // Unique within the cluster.
                row.insert("cluster_id".to_owned(), "51111111-1111-4111-8111-111111111111".into());
                let name = format!("{twin}{}", row["name"].as_str().expect("a name"));
                row.insert("name".to_owned(), name.into());
            }
            twins.push(Value::from(row));
            pairs.push((table, id, twin));
        }
        rows.insert(kind.to_owned(), twins.into());
    }
    Twins { rows: rows.into(), pairs }
}

/// What is in the columns of a row, save for those that make it another row.
pub(crate) async fn raw(shared: &Shared, table: &str, id: &str) -> Vec<(String, Option<String>)> {
    let names = match shared.db.engine {
        Engine::Sqlite => format!("SELECT name FROM pragma_table_info('{table}')"),
        Engine::MariaDb => format!(
            "SELECT CONVERT(column_name USING utf8mb4) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{table}'"
        ),
        Engine::PostgreSql => {
            format!("SELECT CAST(column_name AS text) FROM information_schema.columns WHERE table_name = '{table}'")
        }
    };
    let own = ["id", "uuid", "created_at", "updated_at"];
    let own_of_groups = ["name", "cluster_id"];
    let mut columns = Vec::new();
    for name in texts(&shared.store, &names).await.into_iter().flatten() {
        if own.contains(&name.as_str()) || (table == "nodegroup" && own_of_groups.contains(&name.as_str())) {
            continue;
        }
        let kind = if shared.db.engine == Engine::MariaDb { "CHAR" } else { "TEXT" };
        let sql = format!("SELECT CAST({table}.{name} AS {kind}) FROM {table} WHERE uuid = '{id}'");
        let found = texts(&shared.store, &sql).await;
        columns.push((name, found.into_iter().next().unwrap_or_else(|| panic!("{table} {id} is not there"))));
    }
    columns
}
