//! Keystone, version 3.

mod assignments;
mod credentials;
mod resources;
mod tokens;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Cloud;
use super::answer::{Answer, ok};
use super::refusal::Who;

const WHO: Who = Who::Identity;

pub(super) fn router() -> Router<Cloud> {
    let mut router = Router::new()
        .route("/", get(versions))
        .route("/v3", get(version))
        .route("/v3/", get(version))
        .route("/v3/auth/tokens", get(tokens::show).post(tokens::create).delete(tokens::revoke))
        .route("/v3/auth/catalog", get(tokens::catalog))
        .route("/v3/auth/projects", get(tokens::projects))
        .route("/v3/auth/domains", get(tokens::domains))
        .route("/v3/auth/system", get(tokens::system))
        .route("/v3/services", get(resources::services))
        .route("/v3/services/{id}", get(resources::service))
        .route("/v3/endpoints", get(resources::endpoints))
        .route("/v3/regions", get(resources::regions))
        .route("/v3/regions/{id}", get(resources::region))
        .route("/v3/users/{user}/password", axum::routing::post(resources::change_password))
        .route("/v3/users/{user}/projects", get(resources::projects_of_user))
        .route("/v3/users/{user}/groups", get(resources::no_groups))
        .route("/v3/users/{user}/application_credentials", get(credentials::list).post(credentials::create))
        .route("/v3/users/{user}/application_credentials/{id}", get(credentials::show).delete(credentials::remove))
        .route("/v3/users/{user}/access_rules", get(credentials::access_rules))
        .route("/v3/role_assignments", get(assignments::list));
    for (kind, path) in [("project", "/v3/projects"), ("domain", "/v3/domains")] {
        router = router
            .route(
                &format!("{path}/{{target}}/users/{{user}}/roles"),
                get(assignments::of_user).layer(axum::Extension(kind)),
            )
            .route(
                &format!("{path}/{{target}}/users/{{user}}/roles/{{role}}"),
                put(assignments::grant)
                    .get(assignments::check)
                    .delete(assignments::withdraw)
                    .layer(axum::Extension(kind)),
            );
    }
    resources::add_routes(router)
}

async fn versions(State(cloud): State<Cloud>) -> Answer {
    let body = json!({"versions": {"values": [document(&cloud)]}});
    super::answer::with_status(StatusCode::MULTIPLE_CHOICES, body)
}

async fn version(State(cloud): State<Cloud>) -> Json<Value> {
    Json(json!({"version": document(&cloud)}))
}

fn document(cloud: &Cloud) -> Value {
    json!({
        "id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": format!("{}/", cloud.identity_url())}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    })
}

/// A list as Keystone wraps it.
fn listed(name: &str, items: impl IntoIterator<Item = Value>) -> Answer {
    ok(json!({name: items.into_iter().collect::<Vec<_>>(), "links": {"next": null, "previous": null}}))
}
