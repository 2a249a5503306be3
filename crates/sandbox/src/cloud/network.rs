//! Neutron: networks, subnets, routers, ports, floating IPs, security groups, quotas.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, put};
use axum::{Extension, Json, Router};
use serde_json::{Map, Value, json};

use super::Cloud;
use super::access::Access;
use super::answer::{Answer, created, json_body, member, nothing, ok, version};
use super::documents::{Filters, dashed_id, owner, shown};
use super::refusal::{Refusal, Who};

const WHO: Who = Who::Network;

/// One kind of resource.
#[derive(Clone, Copy, Debug)]
struct Kind {
    /// The member of a body.
    one: &'static str,
    /// The member of a list.
    many: &'static str,
    /// The path.
    path: &'static str,
    /// The collection in the state.
    collection: &'static str,
    /// What has to be gone first: a collection and the member that points here.
    used_by: &'static [(&'static str, &'static str)],
}

const KINDS: [Kind; 7] = [
    Kind {
        one: "network",
        many: "networks",
        path: "networks",
        collection: "network",
        used_by: &[("port", "network_id")],
    },
    Kind { one: "subnet", many: "subnets", path: "subnets", collection: "subnet", used_by: &[] },
    Kind { one: "router", many: "routers", path: "routers", collection: "router", used_by: &[("port", "device_id")] },
    Kind { one: "port", many: "ports", path: "ports", collection: "port", used_by: &[] },
    Kind { one: "floatingip", many: "floatingips", path: "floatingips", collection: "floatingip", used_by: &[] },
    Kind {
        one: "security_group",
        many: "security_groups",
        path: "security-groups",
        collection: "securitygroup",
        used_by: &[],
    },
    Kind {
        one: "security_group_rule",
        many: "security_group_rules",
        path: "security-group-rules",
        collection: "securitygrouprule",
        used_by: &[],
    },
];

pub(super) fn router() -> Router<Cloud> {
    let mut router = Router::new()
        .route("/", get(versions))
        .route("/v2.0", get(resources))
        .route("/v2.0/", get(resources))
        .route("/v2.0/extensions", get(extensions))
        .route("/v2.0/extensions/{alias}", get(extension))
        .route("/v2.0/availability_zones", get(zones))
        .route("/v2.0/agents", get(async || Json(json!({"agents": []}))))
        .route("/v2.0/quotas/{project}", get(quota))
        .route("/v2.0/quotas/{project}/default", get(quota))
        .route("/v2.0/quotas/{project}/details.json", get(quota))
        .route("/v2.0/routers/{id}/add_router_interface", put(add_interface))
        .route("/v2.0/routers/{id}/remove_router_interface", put(remove_interface));
    for kind in KINDS {
        let many = get(list).post(create).layer(Extension(kind));
        let one = get(show).put(update).delete(remove).layer(Extension(kind));
        router = router.route(&format!("/v2.0/{}", kind.path), many).route(&format!("/v2.0/{}/{{id}}", kind.path), one);
    }
    router
}

async fn versions(State(cloud): State<Cloud>) -> Json<Value> {
    Json(json!({"versions": [version("v2.0", &format!("{}/network/v2.0/", cloud.base_url()), None)]}))
}

async fn resources(State(cloud): State<Cloud>) -> Json<Value> {
    let shape = |kind: &Kind| {
        let href = format!("{}/network/v2.0/{}", cloud.base_url(), kind.path);
        json!({"name": kind.one, "collection": kind.many, "links": [{"rel": "self", "href": href}]})
    };
    Json(json!({"resources": KINDS.iter().map(shape).collect::<Vec<_>>()}))
}

const EXTENSIONS: [&str; 6] =
    ["router", "external-net", "security-group", "quotas", "standard-attr-tag", "port-security"];

fn extension_document(alias: &str) -> Value {
    json!({"alias": alias, "name": alias, "description": "", "updated": "2024-01-01T00:00:00-00:00", "links": []})
}

async fn extensions() -> Answer {
    ok(json!({"extensions": EXTENSIONS.map(extension_document)}))
}

async fn extension(Path(alias): Path<String>) -> Answer {
    if EXTENSIONS.contains(&alias.as_str()) {
        ok(json!({"extension": extension_document(&alias)}))
    } else {
        Err(WHO.not_found("Extension", &alias))
    }
}

async fn zones() -> Answer {
    ok(json!({"availability_zones": [{"name": "nova", "resource": "network", "state": "available"}]}))
}

async fn quota(access: Access, Path(project): Path<String>) -> Answer {
    if !access.admin && access.project.as_deref() != Some(project.as_str()) {
        return Err(WHO.forbidden());
    }
    let names =
        ["network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule", "rbac_policy"];
    let quota: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), json!(1000))).collect();
    ok(json!({"quota": quota}))
}

async fn list(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<Kind>,
    filters: Filters,
) -> Answer {
    // Both names of the owner mean the same.
    let project = filters.get("project_id").or_else(|| filters.get("tenant_id")).map(str::to_owned);
    let rest = filters.clone().without(&["project_id", "tenant_id", "fixed_ips"]);
    let mut all = cloud.select(&access, kind.collection, &rest);
    all.retain(|document| project.as_deref().is_none_or(|project| owner(document) == Some(project)));
    if let Some(wanted) = filters.get("fixed_ips") {
        all.retain(|port| holds_address(port, wanted));
    }
    let (page, next) = filters.page(all.into_iter().map(|document| cloud.complete_network(kind, document)).collect());
    let mut body = json!({kind.many: page});
    if let Some(marker) = next {
        let href = format!("{}/network/v2.0/{}?{}", cloud.base_url(), kind.path, filters.after(&marker));
        body[format!("{}_links", kind.many)] = json!([{"rel": "next", "href": href}]);
    }
    ok(body)
}

/// `ip_address=10.0.0.1` or `subnet_id=…` among a port's addresses.
fn holds_address(port: &Value, wanted: &str) -> bool {
    let Some((name, value)) = wanted.split_once('=') else { return false };
    port["fixed_ips"].as_array().is_some_and(|ips| ips.iter().any(|ip| ip[name] == value))
}

async fn show(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<Kind>,
    Path(id): Path<String>,
) -> Answer {
    let found = cloud.find(&access, WHO, kind.collection, kind.one, &id)?;
    ok(json!({kind.one: cloud.complete_network(kind, shown(&found))}))
}

async fn create(State(cloud): State<Cloud>, access: Access, Extension(kind): Extension<Kind>, body: Bytes) -> Answer {
    let mut new = member(WHO, &body, kind.one)?;
    let project = access.need_project(WHO)?.to_owned();
    check_references(&cloud, &access, &new)?;
    let id = dashed_id();
    let now = cloud.stamp();
    if let Some(map) = new.as_object_mut() {
        if map.get("router:external").or_else(|| map.get("shared")).is_some_and(|flag| flag == true) {
            access.need_admin(WHO)?;
        }
        map.insert("id".to_owned(), json!(id));
        let owner = map.get("project_id").or_else(|| map.get("tenant_id")).filter(|_| access.admin).cloned();
        let owner = owner.unwrap_or_else(|| json!(project));
        for (name, value) in [
            ("project_id", owner.clone()),
            ("tenant_id", owner),
            ("created_at", json!(now)),
            ("updated_at", json!(now)),
        ] {
            map.insert(name.to_owned(), value);
        }
    }
    if kind.one == "floatingip" {
        let address = cloud.free_floating_address().ok_or_else(|| WHO.conflict("No more IP addresses available"))?;
        new["floating_ip_address"] = json!(address);
        new["status"] = json!(if new["port_id"].is_string() { "ACTIVE" } else { "DOWN" });
    }
    cloud.state().put(kind.collection, &id, new.clone());
    created(json!({kind.one: cloud.complete_network(kind, new)}))
}

/// A subnet of no network and the like.
fn check_references(cloud: &Cloud, access: &Access, new: &Value) -> Result<(), Refusal> {
    let references = [
        ("network_id", "network"),
        ("floating_network_id", "network"),
        ("security_group_id", "securitygroup"),
        ("port_id", "port"),
    ];
    for (name, collection) in references {
        if let Some(id) = new[name].as_str() {
            cloud.find(access, WHO, collection, collection, id)?;
        }
    }
    Ok(())
}

async fn update(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<Kind>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let change = member(WHO, &body, kind.one)?;
    owned(&cloud, &access, kind.collection, kind.one, &id)?;
    check_references(&cloud, &access, &change)?;
    let changed = cloud.state().update(kind.collection, &id, |document| {
        if let (Value::Object(document), Value::Object(change)) = (document, change) {
            document.extend(
                change.into_iter().filter(|(name, _)| !matches!(name.as_str(), "id" | "project_id" | "tenant_id")),
            );
        }
    });
    let changed = changed.ok_or_else(|| WHO.not_found(kind.one, &id))?;
    ok(json!({kind.one: cloud.complete_network(kind, shown(&changed))}))
}

async fn remove(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<Kind>,
    Path(id): Path<String>,
) -> Answer {
    owned(&cloud, &access, kind.collection, kind.one, &id)?;
    let in_use = cloud.state().write(|writer| {
        let points_here = |(collection, name): &&(&str, &str)| {
            writer.list_prefix(collection, "").iter().any(|(_, document)| document[*name] == id.as_str())
        };
        let in_use = kind.used_by.iter().find(points_here).map(|(collection, _)| *collection);
        if in_use.is_none() {
            writer.remove(kind.collection, &id);
            // Rules go with their group, subnets with their network.
            for (collection, name) in [("securitygrouprule", "security_group_id"), ("subnet", "network_id")] {
                for (key, document) in writer.list_prefix(collection, "") {
                    if document[name] == id.as_str() {
                        writer.remove(collection, &key);
                    }
                }
            }
        }
        in_use
    });
    match in_use {
        Some(by) => {
            Err(WHO.conflict(format!("Unable to complete operation on {} {id}. There is a {by} in use.", kind.one)))
        }
        None => nothing(),
    }
}

fn owned(cloud: &Cloud, access: &Access, collection: &str, what: &str, id: &str) -> Result<(), Refusal> {
    let found = cloud.find(access, WHO, collection, what, id)?;
    if access.admin || access.owns(&found) { Ok(()) } else { Err(WHO.forbidden()) }
}

async fn add_interface(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>, body: Bytes) -> Answer {
    owned(&cloud, &access, "router", "router", &id)?;
    let wish = json_body(WHO, &body)?;
    let subnet = wish["subnet_id"].as_str().ok_or_else(|| WHO.bad("subnet_id is required"))?;
    let subnet = cloud.find(&access, WHO, "subnet", "subnet", subnet)?;
    let port = dashed_id();
    let document = json!({
        "id": port, "name": "", "network_id": subnet["network_id"], "device_id": id, "device_owner": "network:router_interface",
        "fixed_ips": [{"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}], "status": "ACTIVE",
        "project_id": access.project, "tenant_id": access.project,
    });
    cloud.state().put("port", &port, document);
    ok(json!({"id": id, "subnet_id": subnet["id"], "port_id": port, "network_id": subnet["network_id"]}))
}

async fn remove_interface(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>, body: Bytes) -> Answer {
    owned(&cloud, &access, "router", "router", &id)?;
    let wish = json_body(WHO, &body)?;
    let is_it = |key: &str, port: &Value| {
        let on_subnet =
            port["fixed_ips"].as_array().is_some_and(|ips| ips.iter().any(|ip| ip["subnet_id"] == wish["subnet_id"]));
        port["device_id"] == id.as_str() && (wish["port_id"] == key || (wish["subnet_id"].is_string() && on_subnet))
    };
    let found = cloud.state().list("port").into_iter().find(|(key, port)| is_it(key, port));
    let (port, _) = found.ok_or_else(|| WHO.refuse(404, format!("Router {id} has no such interface")))?;
    cloud.state().remove("port", &port);
    ok(json!({"id": id, "port_id": &*port, "subnet_id": wish["subnet_id"]}))
}

impl Cloud {
    /// What every resource of a kind has on the wire, whoever put the document there.
    fn complete_network(&self, kind: Kind, mut document: Value) -> Value {
        let id = document["id"].as_str().unwrap_or_default().to_owned();
        let project = owner(&document).map(str::to_owned);
        let pointing = |collection: &str, name: &str| -> Vec<Value> {
            let all = self.state().list(collection).into_iter();
            all.filter(|(_, other)| other[name] == id.as_str()).map(|(_, other)| shown(&other)).collect()
        };
        let specific: Vec<(&str, Value)> = match kind.one {
            "network" => {
                let subnets: Vec<Value> =
                    pointing("subnet", "network_id").into_iter().map(|subnet| subnet["id"].clone()).collect();
                document["subnets"] = json!(subnets);
                vec![
                    ("admin_state_up", json!(true)),
                    ("shared", json!(false)),
                    ("router:external", json!(false)),
                    ("mtu", json!(1450)),
                    ("port_security_enabled", json!(true)),
                    ("availability_zones", json!(["nova"])),
                ]
            }
            "subnet" => vec![
                ("ip_version", json!(4)),
                ("enable_dhcp", json!(true)),
                ("dns_nameservers", json!([])),
                ("host_routes", json!([])),
                ("allocation_pools", json!([])),
                ("gateway_ip", Value::Null),
                ("cidr", json!("")),
            ],
            "router" => vec![
                ("admin_state_up", json!(true)),
                ("external_gateway_info", Value::Null),
                ("routes", json!([])),
                ("availability_zones", json!(["nova"])),
            ],
            "port" => vec![
                ("admin_state_up", json!(true)),
                ("device_id", json!("")),
                ("device_owner", json!("")),
                ("fixed_ips", json!([])),
                ("security_groups", json!([])),
                ("mac_address", json!("fa:16:3e:00:00:00")),
                ("binding:vnic_type", json!("normal")),
                ("allowed_address_pairs", json!([])),
            ],
            "floatingip" => {
                vec![("port_id", Value::Null), ("fixed_ip_address", Value::Null), ("router_id", Value::Null)]
            }
            "security_group" => {
                document["security_group_rules"] = json!(pointing("securitygrouprule", "security_group_id"));
                vec![("stateful", json!(true))]
            }
            _ => vec![
                ("direction", json!("ingress")),
                ("ethertype", json!("IPv4")),
                ("protocol", Value::Null),
                ("port_range_min", Value::Null),
                ("port_range_max", Value::Null),
                ("remote_ip_prefix", Value::Null),
                ("remote_group_id", Value::Null),
            ],
        };
        let common = [
            ("description", json!("")),
            ("status", json!("ACTIVE")),
            ("tags", json!([])),
            ("project_id", json!(project)),
            ("tenant_id", json!(project)),
            ("revision_number", json!(1)),
        ];
        // Floating IPs and rules have none, and clients notice.
        let named = !matches!(kind.one, "floatingip" | "security_group_rule");
        let title = named.then(|| ("name", json!("")));
        if let Some(map) = document.as_object_mut() {
            for (name, value) in specific.into_iter().chain(common).chain(title) {
                map.entry(name).or_insert(value);
            }
        }
        document
    }

    /// An address of the external network that nothing has yet.
    pub(super) fn free_floating_address(&self) -> Option<String> {
        let used: Vec<String> = self
            .state()
            .list("floatingip")
            .iter()
            .filter_map(|(_, ip)| ip["floating_ip_address"].as_str().map(str::to_owned))
            .collect();
        let all = (0..4096_u32).map(|n| format!("172.24.{}.{}", 4 + n / 250, 2 + n % 250));
        all.into_iter().find(|address| !used.contains(address))
    }
}
