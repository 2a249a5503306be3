//! Nova: flavors, servers, limits and quotas.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Cloud;
use super::access::Access;
use super::answer::{Answer, member, nothing, ok, version};
use super::documents::{Filters, owner, shown};
use super::keypair;
use super::refusal::{Refusal, Who};

const WHO: Who = Who::Compute;

pub(super) fn router() -> Router<Cloud> {
    let v2 = Router::new()
        .route("/", get(version_document))
        .route("/flavors", get(flavors))
        .route("/flavors/detail", get(flavors_detail))
        .route("/flavors/{id}", get(flavor))
        .route("/flavors/{id}/os-extra_specs", get(extra_specs))
        .route("/os-keypairs", get(keypair::list).post(keypair::create))
        .route("/os-keypairs/{name}", get(keypair::show).delete(keypair::remove))
        .route("/servers", get(servers))
        .route("/servers/detail", get(servers_detail))
        .route("/servers/{id}", get(server).delete(delete_server))
        .route("/servers/{id}/os-interface", get(interfaces))
        .route("/servers/{id}/os-volume_attachments", get(attachments))
        .route("/os-server-groups", get(server_groups).post(create_server_group))
        .route("/os-server-groups/{id}", get(server_group).delete(delete_server_group))
        .route("/limits", get(limits))
        .route("/os-quota-sets/{project}", get(quota))
        .route("/os-quota-sets/{project}/defaults", get(quota))
        .route("/os-quota-sets/{project}/detail", get(quota_detail))
        .route("/os-availability-zone", get(zones))
        .route("/os-availability-zone/detail", get(zones))
        .route("/extensions", get(async || Json(json!({"extensions": []}))))
        .layer(middleware::map_response(say_version));
    Router::new().route("/", get(versions)).route("/v2.1/", get(version_document)).nest("/v2.1", v2)
}

const MICROVERSIONS: (&str, &str) = ("2.1", "2.96");

/// Clients that ask for a microversion want to hear one.
async fn say_version(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert("openstack-api-version", HeaderValue::from_static("compute 2.96"));
    headers.insert("x-openstack-nova-api-version", HeaderValue::from_static("2.96"));
    response
}

fn version_of(cloud: &Cloud) -> Value {
    version("v2.1", &format!("{}/compute/v2.1/", cloud.base_url()), Some(MICROVERSIONS))
}

async fn versions(State(cloud): State<Cloud>) -> Json<Value> {
    Json(json!({"versions": [version_of(&cloud)]}))
}

async fn version_document(State(cloud): State<Cloud>) -> Json<Value> {
    Json(json!({"version": version_of(&cloud)}))
}

// === flavors ===

fn offered(cloud: &Cloud, access: &Access, filters: &Filters) -> Vec<Value> {
    let at_least = |flavor: &Value, field: &str, filter: &str| {
        let least: u64 = filters.get(filter).and_then(|value| value.parse().ok()).unwrap_or(0);
        flavor[field].as_u64().unwrap_or(0) >= least
    };
    let mut all = cloud.select(access, "flavor", &Filters::default());
    all.retain(|flavor| at_least(flavor, "ram", "minRam") && at_least(flavor, "disk", "minDisk"));
    all
}

async fn flavors(State(cloud): State<Cloud>, access: Access, filters: Filters) -> Answer {
    let brief = |flavor: Value| json!({"id": flavor["id"], "name": flavor["name"], "description": null, "links": []});
    paged(&cloud, "flavors", &filters, offered(&cloud, &access, &filters), brief)
}

async fn flavors_detail(State(cloud): State<Cloud>, access: Access, filters: Filters) -> Answer {
    paged(&cloud, "flavors", &filters, offered(&cloud, &access, &filters), |flavor| flavor)
}

async fn flavor(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    ok(json!({"flavor": shown(&*cloud.find(&access, WHO, "flavor", "Flavor", &id)?)}))
}

async fn extra_specs(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    let flavor = cloud.find(&access, WHO, "flavor", "Flavor", &id)?;
    ok(json!({"extra_specs": flavor.get("extra_specs").cloned().unwrap_or_else(|| json!({}))}))
}

/// A page of a list with the link to the next.
fn paged(cloud: &Cloud, name: &str, filters: &Filters, all: Vec<Value>, shape: impl Fn(Value) -> Value) -> Answer {
    let (page, next) = filters.page(all);
    let mut body = json!({name: page.into_iter().map(shape).collect::<Vec<_>>()});
    if let Some(marker) = next {
        let href = format!("{}/compute/v2.1/{name}?{}", cloud.base_url(), filters.after(&marker));
        body[format!("{name}_links")] = json!([{"rel": "next", "href": href}]);
    }
    ok(body)
}

// === servers ===

fn own_servers(cloud: &Cloud, access: &Access, filters: &Filters) -> Vec<Value> {
    let name = filters.get("name").map(str::to_owned);
    let rest = filters.clone().without(&["name", "tags", "ip", "host", "reservation_id", "project_id", "user_id"]);
    let mut all = cloud.select_own(access, "server", &rest);
    all.retain(|server| {
        name.as_deref().is_none_or(|pattern| name_fits(server["name"].as_str().unwrap_or_default(), pattern))
    });
    all
}

/// Of the database's regular expressions: anchors, and a dot for any character.
fn name_fits(name: &str, pattern: &str) -> bool {
    let (pattern, at_start) = pattern.strip_prefix('^').map_or((pattern, false), |rest| (rest, true));
    let (pattern, at_end) = pattern.strip_suffix('$').map_or((pattern, false), |rest| (rest, true));
    let (wanted, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let fits_at = |at: usize| {
        let rest = &name[at..];
        let long_enough = if at_end { rest.len() == wanted.len() } else { rest.len() >= wanted.len() };
        long_enough && wanted.iter().zip(rest).all(|(wanted, found)| *wanted == '.' || wanted == found)
    };
    (0..=name.len()).filter(|at| !at_start || *at == 0).any(fits_at)
}

async fn servers(State(cloud): State<Cloud>, access: Access, filters: Filters) -> Answer {
    let brief = |server: Value| json!({"id": server["id"], "name": server["name"], "links": []});
    paged(&cloud, "servers", &filters, own_servers(&cloud, &access, &filters), brief)
}

async fn servers_detail(State(cloud): State<Cloud>, access: Access, filters: Filters) -> Answer {
    paged(&cloud, "servers", &filters, own_servers(&cloud, &access, &filters), complete)
}

async fn server(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    let server = cloud.find(&access, WHO, "server", "Instance", &id)?;
    ok(json!({"server": complete(shown(&server))}))
}

/// What every server has on the wire, whoever put the document there.
fn complete(mut server: Value) -> Value {
    let project = owner(&server).map(str::to_owned);
    let Some(map) = server.as_object_mut() else { return server };
    let usual = [
        ("status", json!("ACTIVE")),
        ("tenant_id", json!(project)),
        ("user_id", json!("")),
        ("addresses", json!({})),
        ("metadata", json!({})),
        ("links", json!([])),
        ("flavor", json!({})),
        ("image", json!("")),
        ("key_name", Value::Null),
        ("config_drive", json!("")),
        ("security_groups", json!([])),
        ("os-extended-volumes:volumes_attached", json!([])),
        ("OS-EXT-AZ:availability_zone", json!("nova")),
        ("OS-EXT-STS:task_state", Value::Null),
        ("OS-EXT-STS:vm_state", json!("active")),
        ("OS-EXT-STS:power_state", json!(1)),
        ("OS-DCF:diskConfig", json!("MANUAL")),
        ("tags", json!([])),
        ("progress", json!(100)),
    ];
    for (name, value) in usual {
        map.entry(name).or_insert(value);
    }
    if let Some(flavor) = map.get_mut("flavor").and_then(Value::as_object_mut) {
        let name = flavor.get("name").or_else(|| flavor.get("id")).cloned().unwrap_or_else(|| json!(""));
        flavor.entry("original_name").or_insert(name);
    }
    server
}

async fn delete_server(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    cloud.find(&access, WHO, "server", "Instance", &id)?;
    cloud.state().write(|writer| {
        writer.remove("server", &id);
        for (port, document) in writer.list_prefix("port", "") {
            if document["device_id"] == id.as_str() {
                writer.remove("port", &port);
            }
        }
    });
    nothing()
}

async fn interfaces(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    cloud.find(&access, WHO, "server", "Instance", &id)?;
    let ports = cloud.state().list("port").into_iter().filter(|(_, port)| port["device_id"] == id.as_str());
    let shape = |port: &Value| {
        json!({"port_id": port["id"], "net_id": port["network_id"], "fixed_ips": port["fixed_ips"],
            "mac_addr": port["mac_address"], "port_state": port["status"]})
    };
    ok(json!({"interfaceAttachments": ports.map(|(_, port)| shape(&port)).collect::<Vec<_>>()}))
}

async fn attachments(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    let server = cloud.find(&access, WHO, "server", "Instance", &id)?;
    let attached = server["os-extended-volumes:volumes_attached"].as_array().cloned().unwrap_or_default();
    let shape =
        |volume: &Value| json!({"id": volume["id"], "volumeId": volume["id"], "serverId": id, "device": "/dev/vda"});
    ok(json!({"volumeAttachments": attached.iter().map(shape).collect::<Vec<_>>()}))
}

// === server groups ===

async fn server_groups(State(cloud): State<Cloud>, access: Access, filters: Filters) -> Answer {
    let all = cloud.select_own(&access, "server_group", &filters.without(&["all_projects", "offset"]));
    ok(json!({"server_groups": all}))
}

async fn server_group(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    ok(json!({"server_group": shown(&*cloud.find(&access, WHO, "server_group", "Instance group", &id)?)}))
}

async fn create_server_group(State(cloud): State<Cloud>, access: Access, body: Bytes) -> Answer {
    let wish = member(WHO, &body, "server_group")?;
    let project = access.need_project(WHO)?;
    let id = super::documents::dashed_id();
    let policy = wish["policy"].as_str().or_else(|| wish["policies"][0].as_str()).unwrap_or("anti-affinity");
    let document = json!({"id": id, "name": wish["name"], "policy": policy, "policies": [policy], "rules": {}, "members": [],
        "metadata": {}, "project_id": project, "user_id": access.user});
    cloud.state().put("server_group", &id, document.clone());
    ok(json!({"server_group": document}))
}

async fn delete_server_group(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    cloud.find(&access, WHO, "server_group", "Instance group", &id)?;
    cloud.state().remove("server_group", &id);
    nothing()
}

// === limits and quotas: large, and really counted ===

const INSTANCES: u64 = 1000;
const CORES: u64 = 4000;
const RAM: u64 = 16_000_000;

async fn limits(State(cloud): State<Cloud>, access: Access) -> Answer {
    let used = cloud.select_own(&access, "server", &Filters::default()).len();
    ok(json!({"limits": {"rate": [], "absolute": {
        "maxTotalInstances": INSTANCES, "maxTotalCores": CORES, "maxTotalRAMSize": RAM, "maxTotalKeypairs": 100,
        "maxServerMeta": 128, "maxServerGroups": 100, "maxServerGroupMembers": 100, "totalInstancesUsed": used,
        "totalCoresUsed": 0, "totalRAMUsed": 0, "totalServerGroupsUsed": 0}}}))
}

const QUOTA: [(&str, u64); 7] = [
    ("instances", INSTANCES),
    ("cores", CORES),
    ("ram", RAM),
    ("key_pairs", 100),
    ("metadata_items", 128),
    ("server_groups", 100),
    ("server_group_members", 100),
];

async fn quota(access: Access, Path(project): Path<String>) -> Answer {
    own_quota(&access, &project)?;
    let mut set: serde_json::Map<String, Value> =
        QUOTA.iter().map(|(name, limit)| ((*name).to_owned(), json!(limit))).collect();
    set.insert("id".to_owned(), json!(project));
    ok(json!({"quota_set": set}))
}

async fn quota_detail(State(cloud): State<Cloud>, access: Access, Path(project): Path<String>) -> Answer {
    own_quota(&access, &project)?;
    let servers =
        cloud.state().list("server").into_iter().filter(|(_, server)| owner(server) == Some(project.as_str())).count();
    let used = |name: &str| if name == "instances" { servers } else { 0 };
    let detail = |(name, limit): &(&str, u64)| {
        ((*name).to_owned(), json!({"limit": limit, "in_use": used(name), "reserved": 0}))
    };
    let mut set: serde_json::Map<String, Value> = QUOTA.iter().map(detail).collect();
    set.insert("id".to_owned(), json!(project));
    ok(json!({"quota_set": set}))
}

fn own_quota(access: &Access, project: &str) -> Result<(), Refusal> {
    if access.admin || access.project.as_deref() == Some(project) { Ok(()) } else { Err(WHO.forbidden()) }
}

async fn zones() -> Response {
    let zone = json!({"zoneName": "nova", "zoneState": {"available": true}, "hosts": null});
    (StatusCode::OK, Json(json!({"availabilityZoneInfo": [zone]}))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_name_is_matched_as_the_database_would() {
        for (pattern, wanted) in [
            ("c1-", true),
            ("^c1-", true),
            ("^1-", false),
            ("c1.a", true),
            ("^c1-a$", true),
            ("^c1-$", false),
            ("", true),
        ] {
            assert_eq!(name_fits("c1-a", pattern), wanted, "{pattern}");
        }
    }
}
