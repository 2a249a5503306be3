//! The life of one cluster through the API, the same steps whatever stands behind it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::bed::{Tenant, until};

/// What a life is lived with.
pub(crate) struct Plan<'a> {
    pub(crate) older_image: &'a str,
    pub(crate) newer_image: &'a str,
    pub(crate) newer: &'a str,
    pub(crate) control_planes: u32,
    pub(crate) workers: u32,
}

/// The sandbox's seeded images, three and three nodes.
pub(crate) const SANDBOX: Plan<'static> = Plan {
    older_image: "ubuntu-kube-v1.33.5",
    newer_image: "ubuntu-kube-v1.34.2",
    newer: "v1.34.2",
    control_planes: 3,
    workers: 3,
};

/// Create.
pub(crate) async fn create(tenant: &Tenant, name: &str, template: &str, plan: &Plan<'_>) -> String {
    let body = json!({"name": name, "cluster_template_id": template,
        "master_count": plan.control_planes, "node_count": plan.workers, "keypair": "demo"});
    let made = tenant.must(Method::POST, "/clusters", Some(body), 202).await;
    let id = made["uuid"].as_str().expect("a uuid").to_owned();
    let at_once = tenant.must(Method::GET, &format!("/clusters/{id}"), None, 200).await;
    assert_eq!(at_once["node_count"], plan.workers, "the row and its groups are there before the answer");
    id
}

/// Machines as the service last saw them.
pub(crate) async fn machines(tenant: &Tenant, id: &str) -> Vec<Value> {
    let progress = tenant.must(Method::GET, &format!("/jeroboam/clusters/{id}/progress"), None, 200).await;
    progress["progress"]["machines"].as_array().expect("machines").clone()
}

/// Waits until so many machines are there and ready.
pub(crate) async fn until_machines(tenant: &Tenant, id: &str, count: usize) -> Vec<Value> {
    until(&format!("{count} ready machines"), || async {
        let seen = machines(tenant, id).await;
        (seen.len() == count && seen.iter().all(|machine| machine["ready"] == true)).then_some(seen)
    })
    .await
}

/// Resize of the default workers, also by name.
pub(crate) async fn resize(tenant: &Tenant, id: &str, count: u32, remove: &[&str]) {
    let body = json!({"node_count": count, "nodes_to_remove": remove});
    tenant.must(Method::POST, &format!("/clusters/{id}/actions/resize"), Some(body), 202).await;
    let done = tenant.until_status(id, "UPDATE_COMPLETE").await;
    assert_eq!(done["node_count"], count);
}

/// Create to delete, every step looked at.
pub(crate) async fn whole(tenant: &Tenant, name: &str, plan: &Plan<'_>) {
    let older = tenant.template(&format!("{name}-older"), plan.older_image).await;
    let newer = tenant.template(&format!("{name}-newer"), plan.newer_image).await;
    let id = create(tenant, name, &older, plan).await;
    let made = tenant.until_status(&id, "CREATE_COMPLETE").await;
    assert!(made["api_address"].as_str().is_some_and(|url| url.starts_with("https://")), "{made}");
    let (control_planes, mut workers) = (plan.control_planes, plan.workers);
    until_machines(tenant, &id, (control_planes + workers) as usize).await;

    workers += 2;
    resize(tenant, &id, workers, &[]).await;
    let seen = until_machines(tenant, &id, (control_planes + workers) as usize).await;

    let victim = seen.iter().find(|machine| machine["group"] == "default-worker").expect("a worker");
    let victim = victim["name"].as_str().expect("a name").to_owned();
    workers -= 1;
    resize(tenant, &id, workers, &[&victim]).await;
    let seen = until_machines(tenant, &id, (control_planes + workers) as usize).await;
    assert!(seen.iter().all(|machine| machine["name"] != victim.as_str()), "{victim} was to go: {seen:?}");

    let groups = format!("/clusters/{id}/nodegroups");
    let group = json!({"name": "extra", "node_count": 2, "role": "infra", "max_node_count": 4});
    tenant.must(Method::POST, &groups, Some(group), 202).await;
    tenant.until_status(&id, "UPDATE_COMPLETE").await;
    until_machines(tenant, &id, (control_planes + workers + 2) as usize).await;
    let bounds = json!([{"op": "replace", "path": "/max_node_count", "value": 6}]);
    tenant.must(Method::PATCH, &format!("{groups}/extra"), Some(bounds), 202).await;
    tenant.until_status(&id, "UPDATE_COMPLETE").await;
    tenant.must(Method::DELETE, &format!("{groups}/extra"), None, 204).await;
    tenant.until_status(&id, "UPDATE_COMPLETE").await;
    until_machines(tenant, &id, (control_planes + workers) as usize).await;

    let upgrade = json!({"cluster_template": newer, "max_batch_size": 1});
    tenant.must(Method::POST, &format!("/clusters/{id}/actions/upgrade"), Some(upgrade), 202).await;
    let upgraded = tenant.until_status(&id, "UPDATE_COMPLETE").await;
    assert_eq!(upgraded["coe_version"], plan.newer);
    assert_eq!(upgraded["cluster_template_id"], newer);
    let seen = until_machines(tenant, &id, (control_planes + workers) as usize).await;
    assert!(seen.iter().all(|machine| machine["version"] == plan.newer), "{seen:?}");

    tenant.must(Method::DELETE, &format!("/clusters/{id}"), None, 204).await;
    tenant.until_gone(&id).await;
    for template in [older, newer] {
        tenant.must(Method::DELETE, &format!("/clustertemplates/{template}"), None, 204).await;
    }
}
