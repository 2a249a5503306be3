//! The infrastructure provider's half of a machine: its server and port in the cloud, and what the machine's
//! infrastructure object says about them.

use serde_json::{Value, json};

use super::context::{CLUSTER_LABEL, Context, Provider, condition, old_condition};
use super::infrastructure::{address, id, project, put};
use crate::faults::Fault;
use crate::kube::object::{add_finalizer, is_deleting, label, name, owner_reference, remove_finalizer, set, text};
use crate::state::Document;

/// Seconds until a server is ACTIVE.
const BOOT: f64 = 10.0;
/// Seconds from then until its node has joined.
const JOIN: f64 = 8.0;
/// Seconds until a server is gone.
const REMOVE: f64 = 3.0;

/// How a machine's server stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Server {
    /// The cloud does not have it yet.
    Waiting,
    /// It runs.
    Active {
        provider_id: String,
        address: String,
        /// The time its node joins, in milliseconds; never if there is none.
        joins: Option<i64>,
    },
    /// It will not run.
    Failed(String),
}

fn finalizer(provider: Provider) -> &'static str {
    match provider {
        Provider::OpenStack => "openstackmachine.infrastructure.cluster.x-k8s.io",
        Provider::Dev => "devmachine.infrastructure.cluster.x-k8s.io",
    }
}

/// Makes the machine's infrastructure object, from the template the machine was made of.
pub(super) fn prepare(context: &mut Context<'_, '_>, provider: Provider, machine: &Value, template: &str) {
    let kind = provider.machine_kind();
    let object_name = name(machine).to_owned();
    if context.get(kind, &object_name).is_some() {
        return;
    }
    let spec = context.get(provider.template_kind(), template);
    let spec = spec.map_or_else(|| json!({}), |found| found["spec"]["template"]["spec"].clone());
    let object = json!({
        "metadata": {
            "name": object_name, "labels": machine["metadata"]["labels"],
            "annotations": {"cluster.x-k8s.io/cloned-from-name": template},
            "ownerReferences": [owner_reference(machine, true)], "finalizers": [finalizer(provider)],
        },
        "spec": spec,
    });
    context.create(kind, object);
    let now = context.now;
    context.change(kind, &object_name, |object| {
        say(provider, object, "False", ("WaitingForBootstrapData", "Info", "Waiting for bootstrap data"), now);
    });
}

fn say(provider: Provider, object: &mut Value, status: &str, why: (&str, &str, &str), now: jiff::Timestamp) {
    if provider == Provider::OpenStack {
        old_condition(object, "InstanceReady", status, why, now);
        old_condition(object, "Ready", status, why, now);
    } else {
        let reason = if status == "True" { "Ready" } else { why.0 };
        condition(object, "Ready", status, reason, why.2, now);
    }
}

/// Makes the server when there is none, and says how it stands.
pub(super) fn run(context: &mut Context<'_, '_>, provider: Provider, machine: &Value) -> Server {
    let kind = provider.machine_kind();
    let object_name = name(machine).to_owned();
    let Some(object) = context.get(kind, &object_name) else { return Server::Waiting };
    let id = id(context, &object, "server");
    let collection = provider.collection("server");
    let now = context.now;
    let Some(server) = context.writer.get(&collection, &id) else {
        if object["status"]["instanceState"] == "ACTIVE" {
            let message = format!("server {id} was deleted outside of Cluster API");
            context.change(kind, &object_name, |object| {
                say(provider, object, "False", ("InstanceDeleted", "Error", &message), now);
                set(object, &["status", "ready"], false);
                set(object, &["status", "failureReason"], "UpdateError");
                set(object, &["status", "failureMessage"], message.clone());
            });
            return Server::Failed(message);
        }
        if context.fault(&object_name, |fault| *fault == Fault::QuotaExceeded).is_some() {
            let message = "error creating Openstack instance: Expected HTTP response code [202] when accessing [POST servers], but got 403 instead: Quota exceeded for instances: Requested 1, but already used 10 of 10 instances";
            context.change(kind, &object_name, |object| {
                say(provider, object, "False", ("InstanceCreateFailed", "Error", message), now);
            });
            let again = context.takes(15.0, &[&object_name, "quota"]);
            context.again_after(again);
            return Server::Failed(message.to_owned());
        }
        make(context, provider, machine, &object, &id);
        return Server::Waiting;
    };
    let state = text(&server, &["status"]).to_owned();
    if state == "BUILD" {
        if context.is_over(server["_active_at"].as_i64().unwrap_or(0)) {
            boot(context, &collection, &id, &server);
        }
        return Server::Waiting;
    }
    if provider == Provider::OpenStack {
        context.change("OpenStackServer", &object_name, |object| {
            set(object, &["status", "instanceID"], id.clone());
            set(object, &["status", "instanceState"], state.clone());
            set(object, &["status", "ready"], state == "ACTIVE");
        });
    }
    if state != "ACTIVE" {
        let fault = text(&server, &["fault", "message"]);
        let message = format!("instance {object_name} ({id}) is in state {state}: {fault}");
        context.change(kind, &object_name, |object| {
            say(provider, object, "False", ("InstanceStateError", "Error", &message), now);
            set(object, &["status", "ready"], false);
            set(object, &["status", "instanceState"], state.clone());
            set(object, &["status", "failureReason"], "CreateError");
            set(object, &["status", "failureMessage"], message.clone());
        });
        return Server::Failed(message);
    }
    let provider_id = match provider {
        Provider::OpenStack => format!("openstack:///{id}"),
        Provider::Dev => format!("dev:////{object_name}"),
    };
    let address = text(&server, &["_address"]).to_owned();
    context.change(kind, &object_name, |object| {
        set(object, &["spec", "providerID"], provider_id.clone());
    });
    context.change(kind, &object_name, |object| {
        set(object, &["status", "ready"], true);
        set(object, &["status", "initialization", "provisioned"], true);
        set(object, &["status", "instanceState"], "ACTIVE");
        set(
            object,
            &["status", "addresses"],
            json!([{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": object_name}]),
        );
        say(provider, object, "True", ("", "", ""), now);
    });
    Server::Active { provider_id, address, joins: server["_joins_at"].as_i64() }
}

fn make(context: &mut Context<'_, '_>, provider: Provider, machine: &Value, object: &Value, id: &str) {
    let object_name = name(machine).to_owned();
    let infrastructure = context.mine(provider.cluster_kind()).first().cloned();
    let cluster_spec = infrastructure.as_ref().map_or(Value::Null, |found| found["spec"].clone());
    let project = infrastructure.as_ref().map_or(Value::Null, |found| project(context, found));
    let address = free_address(context, provider, &cluster_spec);
    let error = match context.fault(&object_name, |fault| matches!(fault, Fault::ServerError { .. })) {
        Some(Fault::ServerError { message }) => json!(message),
        _ => Value::Null,
    };
    let never = context.fault(&object_name, |fault| *fault == Fault::NeverStarts).is_some();
    let active_at = context.due(BOOT, &[id, "boot"]);
    let joins_at = active_at + (context.due(JOIN, &[id, "join"]) - context.millis());
    let network = cluster_spec["network"]["id"].as_str().map_or_else(
        || {
            infrastructure
                .as_ref()
                .map_or_else(String::new, |found| super::infrastructure::id(context, found, "network"))
        },
        str::to_owned,
    );
    let subnet = cluster_spec["subnets"][0]["id"].as_str().map_or_else(
        || {
            infrastructure
                .as_ref()
                .map_or_else(String::new, |found| super::infrastructure::id(context, found, "subnet"))
        },
        str::to_owned,
    );
    let port = super::infrastructure::id(context, object, "port");
    let tag = context.name.clone();
    let port_document = json!({
        "name": format!("{object_name}-0"), "network_id": network, "device_id": id, "device_owner": "compute:nova", "status": "ACTIVE",
        "admin_state_up": true, "project_id": project, "tags": [tag], "security_groups": [],
        "mac_address": mac(&port), "fixed_ips": [{"subnet_id": subnet, "ip_address": address}],
    });
    put(context, provider, "port", &port, port_document);
    let stamp = context.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let flavor = flavor(context, text(object, &["spec", "flavor"]));
    let document = json!({
        "name": object_name, "status": "BUILD", "project_id": project, "tags": [tag], "metadata": {}, "flavor": flavor,
        "image": {"id": object["spec"]["image"]["id"]}, "key_name": object["spec"]["sshKeyName"], "created": stamp, "updated": stamp,
        "OS-EXT-AZ:availability_zone": "nova", "OS-EXT-STS:vm_state": "building", "OS-EXT-STS:task_state": "spawning",
        "OS-EXT-STS:power_state": 0, "config_drive": "", "security_groups": [{"name": "default"}],
        "addresses": {network: [{"addr": address, "version": 4, "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": mac(&port)}]},
        "_address": address, "_active_at": active_at, "_joins_at": if never { Value::Null } else { json!(joins_at) }, "_error": error,
    });
    put(context, provider, "server", id, document);
    if provider == Provider::OpenStack {
        let object = json!({
            "metadata": {
                "name": object_name, "labels": {CLUSTER_LABEL: label(machine, CLUSTER_LABEL)},
                "ownerReferences": [owner_reference(object, true)],
            },
            "spec": object["spec"],
        });
        context.create("OpenStackServer", object);
    }
    let now = context.now;
    context.change(provider.machine_kind(), &object_name, |object| {
        set(object, &["status", "instanceState"], "BUILD");
        say(provider, object, "False", ("InstanceNotReady", "Info", "Instance is being built"), now);
        add_finalizer(object, finalizer(provider));
    });
    context.again_after(context.takes(BOOT, &[id, "boot"]));
}

/// Ends the building of a server: it runs, or it is an error.
fn boot(context: &mut Context<'_, '_>, collection: &str, id: &str, server: &Value) {
    let mut booted = server.clone();
    let error = text(server, &["_error"]).to_owned();
    booted["OS-EXT-STS:task_state"] = Value::Null;
    if error.is_empty() {
        booted["status"] = json!("ACTIVE");
        booted["OS-EXT-STS:vm_state"] = json!("active");
        booted["OS-EXT-STS:power_state"] = json!(1);
    } else {
        booted["status"] = json!("ERROR");
        booted["OS-EXT-STS:vm_state"] = json!("error");
        booted["fault"] = json!({"code": 500, "message": error, "created": server["created"]});
    }
    context.writer.put(collection, id, booted);
}

/// Takes the server and the port away, and then lets the infrastructure object go; true when it is gone.
pub(super) fn remove(context: &mut Context<'_, '_>, provider: Provider, machine: &Value) -> bool {
    let kind = provider.machine_kind();
    let Some(object) = context.get(kind, name(machine)) else { return true };
    if !is_deleting(&object) {
        context.delete(kind, name(machine));
        let now = context.now;
        context.change(kind, name(machine), |object| {
            say(provider, object, "False", ("Deleting", "Info", "Instance is being deleted"), now);
        });
        return context.get(kind, name(machine)).is_none();
    }
    let (id, port) = (id(context, &object, "server"), super::infrastructure::id(context, &object, "port"));
    let collection = provider.collection("server");
    if let Some(server) = context.writer.get(&collection, &id) {
        let Some(due) = server["_gone_at"].as_i64() else {
            let mut leaving = Value::clone(&server);
            leaving["OS-EXT-STS:task_state"] = json!("deleting");
            leaving["_gone_at"] = json!(context.due(REMOVE, &[&id, "gone"]));
            context.writer.put(&collection, &id, leaving);
            return false;
        };
        if !context.is_over(due) {
            return false;
        }
        context.writer.remove(&collection, &id);
    }
    context.writer.remove(&provider.collection("port"), &port);
    context.delete("OpenStackServer", name(machine));
    context.change(kind, name(machine), |object| remove_finalizer(object, finalizer(provider)));
    context.get(kind, name(machine)).is_none()
}

fn ports(context: &Context<'_, '_>, provider: Provider) -> Vec<(std::sync::Arc<str>, Document)> {
    let key = context.key();
    let mut all = context.writer.list_prefix(&provider.collection("port"), "");
    all.retain(|(_, port)| port["_cluster"] == key.as_str());
    all
}

fn free_address(context: &Context<'_, '_>, provider: Provider, spec: &Value) -> String {
    let taken: Vec<String> = ports(context, provider)
        .iter()
        .map(|(_, port)| text(&port["fixed_ips"][0], &["ip_address"]).to_owned())
        .collect();
    (10..250)
        .map(|host| address(spec, host))
        .find(|address| !taken.contains(address))
        .unwrap_or_else(|| address(spec, 250))
}

fn mac(id: &str) -> String {
    let hex: Vec<&str> = (0..6).step_by(2).map(|at| &id[at..at + 2]).collect();
    format!("fa:16:3e:{}", hex.join(":"))
}

/// The flavor as a server shows it.
fn flavor(context: &Context<'_, '_>, wanted: &str) -> Value {
    let all = context.writer.list_prefix("flavor", "");
    let found = all.iter().find(|(id, flavor)| &**id == wanted || flavor["name"] == wanted);
    let Some((id, flavor)) = found else { return json!({"original_name": wanted}) };
    json!({
        "id": &**id, "original_name": flavor["name"], "vcpus": flavor["vcpus"], "ram": flavor["ram"], "disk": flavor["disk"],
        "swap": 0, "ephemeral": 0, "extra_specs": {},
    })
}
