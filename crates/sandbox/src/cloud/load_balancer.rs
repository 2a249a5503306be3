//! Octavia: what others put there is listed, shown and deleted.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::Cloud;
use super::access::Access;
use super::answer::{Answer, nothing, ok, version};
use super::documents::{Filters, owner, shown};
use super::refusal::Who;

const WHO: Who = Who::LoadBalancer;

/// One kind of resource.
#[derive(Clone, Copy, Debug)]
struct Kind {
    one: &'static str,
    many: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind { one: "loadbalancer", many: "loadbalancers" },
    Kind { one: "listener", many: "listeners" },
    Kind { one: "pool", many: "pools" },
    Kind { one: "healthmonitor", many: "healthmonitors" },
];

pub(super) fn router() -> Router<Cloud> {
    let mut router = Router::new().route("/", get(versions)).route("/v2", get(versions)).route("/v2.0", get(versions));
    for base in ["/v2/lbaas", "/v2.0/lbaas"] {
        router = router
            .route(&format!("{base}/providers"), get(providers))
            .route(&format!("{base}/quotas/{{project}}"), get(quota))
            .route(&format!("{base}/flavors"), get(async || Json(json!({"flavors": []}))))
            .route(&format!("{base}/pools/{{id}}/members"), get(members));
        for kind in KINDS {
            router = router
                .route(&format!("{base}/{}", kind.many), get(list).layer(Extension(kind)))
                .route(&format!("{base}/{}/{{id}}", kind.many), get(show).delete(remove).layer(Extension(kind)));
        }
    }
    router
}

async fn versions(State(cloud): State<Cloud>) -> Json<Value> {
    let document = |id: &str| version(id, &format!("{}/load-balancer/v2", cloud.base_url()), None);
    Json(json!({"versions": [document("v2.0"), document("v2.27")]}))
}

async fn providers(_access: Access) -> Answer {
    ok(json!({"providers": [
        {"name": "amphora", "description": "The Octavia Amphora driver."},
        {"name": "ovn", "description": "Octavia OVN driver."}]}))
}

async fn quota(_access: Access) -> Answer {
    ok(json!({"quota": {"load_balancer": -1, "listener": -1, "pool": -1, "member": -1, "health_monitor": -1}}))
}

async fn list(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<Kind>,
    filters: Filters,
) -> Answer {
    let all = cloud.select(&access, kind.one, &filters);
    ok(json!({kind.many: all.into_iter().map(complete).collect::<Vec<_>>(), format!("{}_links", kind.many): []}))
}

async fn show(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<Kind>,
    Path(id): Path<String>,
) -> Answer {
    let found = cloud.find(&access, WHO, kind.one, kind.one, &id)?;
    ok(json!({kind.one: complete(shown(&found))}))
}

async fn members(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    let pool = cloud.find(&access, WHO, "pool", "pool", &id)?;
    ok(json!({"members": pool.get("members").cloned().unwrap_or_else(|| json!([]))}))
}

/// What every resource has on the wire, whoever put the document there.
fn complete(mut document: Value) -> Value {
    let project = owner(&document).map(str::to_owned);
    if let Some(map) = document.as_object_mut() {
        let usual = [
            ("name", json!("")),
            ("description", json!("")),
            ("project_id", json!(project)),
            ("tenant_id", json!(project)),
            ("provisioning_status", json!("ACTIVE")),
            ("operating_status", json!("ONLINE")),
            ("admin_state_up", json!(true)),
            ("provider", json!("amphora")),
            ("tags", json!([])),
        ];
        for (name, value) in usual {
            map.entry(name).or_insert(value);
        }
    }
    document
}

/// A load balancer with listeners goes only when told to take them along.
async fn remove(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<Kind>,
    Path(id): Path<String>,
    filters: Filters,
) -> Answer {
    let found = cloud.find(&access, WHO, kind.one, kind.one, &id)?;
    if matches!(found["provisioning_status"].as_str(), Some(status) if status.starts_with("PENDING_")) {
        return Err(WHO.conflict(format!("Load Balancer {id} is immutable and cannot be updated.")));
    }
    let cascade = filters.is_true("cascade");
    let refused = cloud.state().write(|writer| {
        let mut below = Vec::new();
        for collection in ["listener", "pool", "healthmonitor"] {
            for (key, document) in writer.list_prefix(collection, "") {
                let listed = document["loadbalancers"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|one| one["id"] == id.as_str()));
                if listed || document["loadbalancer_id"] == id.as_str() {
                    below.push((collection, key));
                }
            }
        }
        if kind.one == "loadbalancer" && !cascade && !below.is_empty() {
            return true;
        }
        writer.remove(kind.one, &id);
        for (collection, key) in below {
            writer.remove(collection, &key);
        }
        if let Some(port) = found["vip_port_id"].as_str() {
            writer.remove("port", port);
        }
        false
    });
    if refused {
        return Err(WHO.bad(format!("Cannot delete Load Balancer {id} - it has children")));
    }
    nothing()
}
