//! The infrastructure provider's half of a cluster: network, load balancer and floating IP, one after the other, each a
//! document of the cloud, and at the end the endpoint.

use std::time::Duration;

use serde_json::{Value, json};

use super::context::{Context, Provider, SIMULATION, WORKLOAD, condition, old_condition};
use crate::faults::Fault;
use crate::kube::object::{add_finalizer, fields, is_deleting, name, remove_finalizer, set, text};
use crate::random;

/// What is made, in order, and how many seconds it takes.
const STAGES: [(&str, f64); 8] = [
    ("network", 1.0),
    ("subnet", 1.0),
    ("router", 3.0),
    ("securitygroup", 5.0),
    ("loadbalancer", 8.0),
    ("floatingip", 6.0),
    ("listener", 2.0),
    ("pool", 4.0),
];

/// The finalizer of an infrastructure object.
fn finalizer(kind: &str) -> String {
    format!("{}.infrastructure.cluster.x-k8s.io", kind.to_lowercase())
}

pub(super) fn run(context: &mut Context<'_, '_>) {
    let provider = context.provider();
    let kind = provider.cluster_kind();
    let Some(object) = context.mine(kind).into_iter().next() else { return };
    let object_name = name(&object).to_owned();
    if is_deleting(&object) {
        remove(context, provider, &object);
        return;
    }
    let Some(cluster) = context.cluster() else { return };
    if cluster["spec"]["paused"] == true || cluster["spec"]["infrastructureRef"]["name"] != object_name.as_str() {
        return;
    }
    let hold = finalizer(kind);
    context.change(kind, &object_name, |object| add_finalizer(object, &hold));
    if object["status"]["ready"] == true {
        return;
    }
    let uid = text(&object, &["metadata", "uid"]).to_owned();
    let mut memory = context.memory();
    let stage = memory["stage"].as_u64().and_then(|stage| usize::try_from(stage).ok()).unwrap_or(0);
    if memory["due"].is_null() {
        memory["due"] = json!(context.due(STAGES[0].1, &[&uid, STAGES[0].0]));
        context.remember(memory.clone());
    }
    if stage < STAGES.len() {
        if !context.is_over(memory["due"].as_i64().unwrap_or(0)) {
            return;
        }
        let (resource, _) = STAGES[stage];
        if let Err(message) = make(context, provider, &object, resource) {
            failed(context, kind, &object_name, &message);
            let again = context.takes(10.0, &["load balancer"]);
            context.again_after(again);
            return;
        }
        progress(context, provider, &object_name, resource);
        memory["stage"] = json!(stage + 1);
        memory["due"] = match STAGES.get(stage + 1) {
            Some((next, takes)) => json!(context.due(*takes, &[&uid, next])),
            None => json!(0),
        };
        context.remember(memory);
        // Nothing else may have changed that would bring the controller back.
        context.again_after(Duration::from_millis(1));
        return;
    }
    endpoint(context, kind, &object_name);
}

/// Asks for the workload cluster's address, and when it is there says that all is ready.
fn endpoint(context: &mut Context<'_, '_>, kind: &str, object_name: &str) {
    let key = context.key();
    let Some(workload) = context.writer.get(WORKLOAD, &key) else {
        context.writer.put(WORKLOAD, &key, json!({"port": null}));
        return;
    };
    let Some(port) = workload["port"].as_u64() else { return };
    let host = context.setup.listen.to_string();
    let now = context.now;
    context.change(kind, object_name, |object| {
        set(object, &["spec", "controlPlaneEndpoint"], json!({"host": host, "port": port}));
    });
    context.change(kind, object_name, |object| {
        set(object, &["status", "ready"], true);
        set(object, &["status", "initialization", "provisioned"], true);
        if kind == "OpenStackCluster" {
            set(object, &["status", "failureDomains"], json!({"nova": {"controlPlane": true}}));
            old_condition(object, "APIEndpointReady", "True", ("", "", ""), now);
            old_condition(object, "Ready", "True", ("", "", ""), now);
        } else {
            condition(object, "Ready", "True", "Ready", "", now);
        }
    });
}

fn progress(context: &mut Context<'_, '_>, provider: Provider, object_name: &str, resource: &str) {
    if provider == Provider::Dev {
        return;
    }
    let now = context.now;
    let done = match resource {
        "network" => "OpenStackAuthenticationSucceeded",
        "subnet" => "NetworkReady",
        "router" => "RouterReady",
        "securitygroup" => "SecurityGroupsReady",
        _ => return,
    };
    context.change(provider.cluster_kind(), object_name, |object| {
        old_condition(object, done, "True", ("", "", ""), now);
        let waits = ("APIEndpointNotReady", "Info", "waiting for the API endpoint");
        old_condition(object, "APIEndpointReady", "False", waits, now);
        old_condition(object, "Ready", "False", waits, now);
    });
}

fn failed(context: &mut Context<'_, '_>, kind: &str, object_name: &str, message: &str) {
    let now = context.now;
    context.change(kind, object_name, |object| {
        let wrong = ("LoadBalancerFailed", "Error", message);
        old_condition(object, "APIEndpointReady", "False", wrong, now);
        old_condition(object, "Ready", "False", wrong, now);
    });
}

/// The id of a cloud resource of the cluster.
pub(super) fn id(context: &Context<'_, '_>, owner: &Value, what: &str) -> String {
    random::uuid(random::mix(context.setup.seed, &[text(owner, &["metadata", "uid"]), what])).to_string()
}

/// The project whose credential the cluster uses.
pub(super) fn project(context: &Context<'_, '_>, infrastructure: &Value) -> Value {
    use base64::Engine;
    let secret = text(infrastructure, &["spec", "identityRef", "name"]);
    let found = context.get("Secret", secret).and_then(|secret| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text(&secret, &["data", "clouds.yaml"])).ok()?;
        let clouds: Value = serde_saphyr::from_str(std::str::from_utf8(&bytes).ok()?).ok()?;
        let cloud = clouds["clouds"].as_object()?.values().next()?.clone();
        let credential = cloud["auth"]["application_credential_id"].as_str()?.to_owned();
        let known = context.writer.get("application_credential", &credential)?;
        Some(known["project_id"].clone())
    });
    found.unwrap_or(Value::Null)
}

/// Puts a document of the cloud; one that is there stays.
pub(super) fn put(context: &mut Context<'_, '_>, provider: Provider, resource: &str, id: &str, mut document: Value) {
    let collection = provider.collection(resource);
    if context.writer.get(&collection, id).is_none() {
        let stamp = context.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let project = document["project_id"].clone();
        for (field, value) in
            [("id", json!(id)), ("tenant_id", project), ("created_at", json!(stamp)), ("updated_at", json!(stamp))]
        {
            fields(&mut document).insert(field.to_owned(), value);
        }
        document["_cluster"] = json!(context.key());
        context.writer.put(&collection, id, document);
    }
}

fn make(context: &mut Context<'_, '_>, provider: Provider, object: &Value, resource: &str) -> Result<(), String> {
    let spec = &object["spec"];
    let title = format!("k8s-clusterapi-cluster-{}-{}", context.namespace, name(object));
    let project = project(context, object);
    let tags = json!([title]);
    let network = spec["network"]["id"].as_str().map_or_else(|| id(context, object, "network"), str::to_owned);
    let subnet = spec["subnets"][0]["id"].as_str().map_or_else(|| id(context, object, "subnet"), str::to_owned);
    let managed = !spec["network"].is_object();
    let balanced = spec["apiServerLoadBalancer"]["enabled"] == true;
    let floating = spec["disableAPIServerFloatingIP"] != true;
    let balancer = id(context, object, "loadbalancer");
    let external = external_network(context, spec);
    let id_of = id(context, object, resource);
    let document = match resource {
        "network" if managed => json!({
            "name": title, "status": "ACTIVE", "admin_state_up": true, "shared": false, "router:external": false, "mtu": 1442,
            "subnets": [subnet], "tags": tags, "project_id": project, "port_security_enabled": true, "availability_zones": ["nova"],
        }),
        "subnet" if managed => {
            let cidr = spec["managedSubnets"][0]["cidr"].as_str().unwrap_or("10.6.0.0/24");
            let base = cidr.rsplit_once('.').map_or("10.6.0", |(base, _)| base);
            json!({
                "name": title, "network_id": network, "cidr": cidr, "ip_version": 4, "enable_dhcp": true,
                "gateway_ip": format!("{base}.1"), "tags": tags, "project_id": project, "host_routes": [],
                "allocation_pools": [{"start": format!("{base}.2"), "end": format!("{base}.254")}],
                "dns_nameservers": spec["managedSubnets"][0]["dnsNameservers"].as_array().cloned().unwrap_or_default(),
            })
        }
        "router" if managed && !external.is_empty() => json!({
            "name": title, "status": "ACTIVE", "admin_state_up": true, "tags": tags, "project_id": project, "routes": [],
            "external_gateway_info": {"network_id": external, "enable_snat": true, "external_fixed_ips": []},
        }),
        "securitygroup" if spec["managedSecurityGroups"].is_object() => {
            for role in ["controlplane", "worker"] {
                let id = id(context, object, &format!("securitygroup {role}"));
                let name = format!("k8s-cluster-{}-{}-secgroup-{role}", context.namespace, name(object));
                let group = json!({
                    "name": name, "description": "Cluster API managed group", "tags": tags, "project_id": project,
                    "security_group_rules": [], "stateful": true,
                });
                put(context, provider, resource, &id, group);
            }
            return Ok(());
        }
        "loadbalancer" if balanced => {
            let cluster = context.name.clone();
            let broken = context.fault(&cluster, |fault| *fault == Fault::LoadBalancerError).is_some();
            let status = if broken { "ERROR" } else { "ACTIVE" };
            context.writer.remove(&provider.collection("loadbalancer"), &id_of);
            let address = address(spec, 5);
            let document = json!({
                "name": format!("{title}-kubeapi"), "provisioning_status": status, "admin_state_up": true,
                "operating_status": if broken { "ERROR" } else { "ONLINE" }, "provider": "amphora", "vip_address": address,
                "vip_network_id": network, "vip_subnet_id": subnet, "vip_port_id": id(context, object, "vip"), "tags": tags,
                "project_id": project, "listeners": [], "pools": [],
            });
            put(context, provider, resource, &id_of, document);
            if broken {
                return Err(format!(
                    "load balancer \"{title}-kubeapi\" with id {balancer} is not active after timeout: provisioning status ERROR"
                ));
            }
            return Ok(());
        }
        "floatingip" if !balanced && !floating && !spec["apiServerFixedIP"].is_string() => {
            return Err("unable to determine control plane endpoint".to_owned());
        }
        "floatingip" if floating && !external.is_empty() => {
            // An address that somebody brought is only led to the load balancer.
            if let Some(wanted) = spec["apiServerFloatingIP"].as_str() {
                let port = id(context, object, "vip");
                return associate(context, &provider.collection("floatingip"), wanted, &port);
            }
            let number = random::mix(context.setup.seed, &[&id_of]);
            json!({
                "floating_ip_address": format!("203.0.113.{}", number % 200 + 20),
                "floating_network_id": external, "fixed_ip_address": address(spec, 5), "status": "ACTIVE", "tags": tags,
                "port_id": id(context, object, "vip"), "project_id": project, "description": "Created by cluster-api-provider-openstack",
            })
        }
        "listener" if balanced => json!({
            "name": format!("{title}-kubeapi-6443"), "protocol": "TCP", "protocol_port": 6443, "provisioning_status": "ACTIVE",
            "operating_status": "ONLINE", "admin_state_up": true, "loadbalancers": [{"id": balancer}], "project_id": project,
            "tags": tags, "default_pool_id": id(context, object, "pool"),
        }),
        "pool" if balanced => json!({
            "name": format!("{title}-kubeapi-6443"), "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "provisioning_status": "ACTIVE",
            "operating_status": "ONLINE", "admin_state_up": true, "loadbalancers": [{"id": balancer}], "project_id": project,
            "listeners": [{"id": id(context, object, "listener")}], "members": [], "tags": tags,
        }),
        _ => return Ok(()),
    };
    put(context, provider, resource, &id_of, document);
    if resource == "pool" {
        let (listener, pool) = (id(context, object, "listener"), id_of);
        let collection = provider.collection("loadbalancer");
        if let Some(found) = context.writer.get(&collection, &balancer) {
            let mut found = Value::clone(&found);
            found["listeners"] = json!([{"id": listener}]);
            found["pools"] = json!([{"id": pool}]);
            context.writer.put(&collection, &balancer, found);
        }
    }
    Ok(())
}

/// The network with the way out: the one that is asked for, or the only one there is.
fn external_network(context: &Context<'_, '_>, spec: &Value) -> String {
    if let Some(given) = spec["externalNetwork"]["id"].as_str() {
        return given.to_owned();
    }
    if spec["disableExternalNetwork"] == true {
        return String::new();
    }
    let wanted = &spec["externalNetwork"]["filter"]["name"];
    let all = context.writer.list_prefix("network", "");
    let found =
        all.iter().find(|(_, one)| one["router:external"] == true && (wanted.is_null() || one["name"] == *wanted));
    found.map_or_else(String::new, |(id, _)| id.to_string())
}

/// An address in the cluster's subnet.
pub(super) fn address(spec: &Value, host: u64) -> String {
    let cidr = spec["managedSubnets"][0]["cidr"].as_str().unwrap_or("10.6.0.0/24");
    let base = cidr.rsplit_once('.').map_or("10.6.0", |(base, _)| base);
    format!("{base}.{host}")
}

/// Leads a floating IP that was there before to a port, or away from it; it is never made nor removed here.
fn associate(context: &mut Context<'_, '_>, collection: &str, address: &str, port: &str) -> Result<(), String> {
    let mut all = context.writer.list_prefix(collection, "").into_iter();
    let found = all.find(|(_, ip)| ip["floating_ip_address"] == address);
    let Some((id, document)) = found else { return Err(format!("floating IP {address} was not found")) };
    let mut document = Value::clone(&document);
    document["port_id"] = json!(port);
    context.writer.put(collection, &id, document);
    Ok(())
}

/// Takes everything of the cluster out of the cloud, load balancer first, as the provider does.
fn remove(context: &mut Context<'_, '_>, provider: Provider, object: &Value) {
    let key = context.key();
    // Machines are gone by then; should some be left, the network would refuse to go.
    let mut memory = context.memory();
    if memory["removed_at"].is_null() {
        memory["removed_at"] = json!(context.due(8.0, &[text(object, &["metadata", "uid"]), "remove"]));
        context.remember(memory.clone());
    }
    if !context.is_over(memory["removed_at"].as_i64().unwrap_or(0)) {
        return;
    }
    for (resource, _) in STAGES.iter().rev().chain(&[("port", 0.0)]) {
        let collection = provider.collection(resource);
        for (id, document) in context.writer.list_prefix(&collection, "") {
            if document["_cluster"] == key.as_str() {
                context.writer.remove(&collection, &id);
            }
        }
    }
    let (floating, port) = (provider.collection("floatingip"), id(context, object, "vip"));
    for (id, document) in context.writer.list_prefix(&floating, "") {
        if document["port_id"] == port.as_str() {
            let mut left = Value::clone(&document);
            left["port_id"] = Value::Null;
            context.writer.put(&floating, &id, left);
        }
    }
    context.writer.remove(SIMULATION, &key);
    context.writer.remove(WORKLOAD, &key);
    let hold = finalizer(provider.cluster_kind());
    context.change(provider.cluster_kind(), name(object), |object| remove_finalizer(object, &hold));
}
