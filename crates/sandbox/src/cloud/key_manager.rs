//! Barbican, as little as keeping texts and bundles of them needs.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Json};
use serde_json::{Map, Value, json};

use super::Cloud;
use super::access::Access;
use super::answer::{Answer, created, json_body, nothing, ok, version, with_status};
use super::documents::{Filters, dashed_id, shown};
use super::refusal::Who;

const WHO: Who = Who::KeyManager;

/// One kind of resource.
#[derive(Clone, Copy, Debug)]
struct Kind {
    collection: &'static str,
    many: &'static str,
    reference: &'static str,
}

const SECRETS: Kind = Kind { collection: "secret", many: "secrets", reference: "secret_ref" };
const CONTAINERS: Kind = Kind { collection: "container", many: "containers", reference: "container_ref" };

pub(super) fn router() -> Router<Cloud> {
    let mut router = Router::new()
        .route("/", get(versions))
        .route("/v1", get(own_version))
        .route("/v1/", get(own_version))
        .route("/v1/secrets/{id}/payload", get(payload));
    for kind in [SECRETS, CONTAINERS] {
        router = router
            .route(&format!("/v1/{}", kind.many), get(list).post(create).layer(Extension(kind)))
            .route(&format!("/v1/{}/{{id}}", kind.many), get(show).delete(remove).layer(Extension(kind)));
    }
    router
}

fn document(cloud: &Cloud) -> Value {
    version("v1", &format!("{}/key-manager/v1/", cloud.base_url()), Some(("1.0", "1.1")))
}

async fn versions(State(cloud): State<Cloud>) -> Answer {
    with_status(StatusCode::MULTIPLE_CHOICES, json!({"versions": [document(&cloud)]}))
}

async fn own_version(State(cloud): State<Cloud>) -> Json<Value> {
    Json(json!({"version": document(&cloud)}))
}

async fn create(State(cloud): State<Cloud>, access: Access, Extension(kind): Extension<Kind>, body: Bytes) -> Answer {
    let mut new = json_body(WHO, &body)?;
    let project = access.need_project(WHO)?.to_owned();
    let Some(map) = new.as_object_mut() else { return Err(WHO.bad("The body is no object")) };
    let id = dashed_id();
    let reference = format!("{}/key-manager/v1/{}/{id}", cloud.base_url(), kind.many);
    if kind.collection == CONTAINERS.collection {
        check_container(&cloud, &access, map)?;
    }
    if let Some(payload) = map.remove("payload") {
        if !map.contains_key("payload_content_type") {
            return Err(WHO.bad("If 'payload' is supplied, 'payload_content_type' must also be supplied."));
        }
        map.insert("_payload".to_owned(), payload);
    }
    if let Some(content) = map.remove("payload_content_type") {
        map.insert("content_types".to_owned(), json!({"default": content}));
    }
    let now = cloud.stamp();
    for (name, value) in [
        ("_project", json!(project)),
        ("creator_id", json!(access.user)),
        ("status", json!("ACTIVE")),
        ("created", json!(now)),
        ("updated", json!(now)),
        (kind.reference, json!(reference)),
    ] {
        map.insert(name.to_owned(), value);
    }
    cloud.state().put(kind.collection, &id, new);
    created(json!({kind.reference: reference}))
}

/// What a certificate is made of; the first is a must.
const PARTS: [&str; 4] = ["certificate", "private_key", "private_key_passphrase", "intermediates"];

/// A container refers to secrets that are there, and one of the type `certificate` to parts of a certificate, each once.
fn check_container(cloud: &Cloud, access: &Access, new: &Map<String, Value>) -> Result<(), super::refusal::Refusal> {
    let kind = new.get("type").and_then(Value::as_str).unwrap_or_default();
    if !["generic", "rsa", "certificate"].contains(&kind) {
        return Err(WHO.bad("Provided object does not match schema 'Container': Invalid value for property: 'type'."));
    }
    let parts = new.get("secret_refs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let texts = |name: &str| parts.iter().filter_map(|part| part[name].as_str()).collect::<Vec<_>>();
    let (names, secrets) = (texts("name"), texts("secret_ref"));
    if kind == "certificate" && !parts.is_empty() {
        if !names.contains(&PARTS[0]) || !names.iter().all(|name| PARTS.contains(name)) {
            return Err(WHO.bad("Provided object does not match schema 'Container': The minimum required reference name is 'certificate'."));
        }
        if has_twice(&names) || has_twice(&secrets) {
            return Err(WHO
                .bad("Provided object does not match schema 'Container': Duplicate reference names are not allowed."));
        }
    }
    for part in parts {
        let id = part["secret_ref"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        find(cloud, access, SECRETS, id)?;
    }
    Ok(())
}

fn has_twice(texts: &[&str]) -> bool {
    texts.iter().enumerate().any(|(at, text)| texts[..at].contains(text))
}

async fn list(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<Kind>,
    filters: Filters,
) -> Answer {
    let rest = filters.without(&["offset"]);
    let all = cloud.state().list(kind.collection).into_iter().map(|(_, document)| document);
    let own = all.filter(|document| document["_project"] == json!(access.project) && rest.match_document(document));
    let own: Vec<Value> = own.map(|document| shown(&document)).collect();
    ok(json!({"total": own.len(), kind.many: own}))
}

fn find(
    cloud: &Cloud,
    access: &Access,
    kind: Kind,
    id: &str,
) -> Result<crate::state::Document, super::refusal::Refusal> {
    let found = cloud.state().get(kind.collection, id);
    let own = found.filter(|document| document["_project"] == json!(access.project));
    own.ok_or_else(|| WHO.refuse(404, format!("{} not found.", kind.collection)))
}

async fn show(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<Kind>,
    Path(id): Path<String>,
) -> Answer {
    ok(shown(&*find(&cloud, &access, kind, &id)?))
}

async fn payload(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let secret = find(&cloud, &access, SECRETS, &id)?;
    let wanted = headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    let kind = secret["content_types"]["default"].as_str().unwrap_or("text/plain");
    let kind = kind.split(';').next().unwrap_or_default();
    let fits = |one: &str| [kind, "application/octet-stream", "*/*"].iter().any(|fine| one.trim().starts_with(fine));
    if !wanted.split(',').any(fits) {
        return Err(WHO.refuse(406, "Not Acceptable"));
    }
    let text = secret["_payload"].as_str().ok_or_else(|| WHO.refuse(404, "The secret has no payload."))?;
    Ok((StatusCode::OK, [("content-type", "text/plain; charset=UTF-8")], text.to_owned()).into_response())
}

async fn remove(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<Kind>,
    Path(id): Path<String>,
) -> Answer {
    find(&cloud, &access, kind, &id)?;
    cloud.state().remove(kind.collection, &id);
    if kind.collection == SECRETS.collection {
        forget_part(&cloud, &id);
    }
    nothing()
}

/// A secret that goes is no longer a part of anything.
fn forget_part(cloud: &Cloud, secret: &str) {
    let is_it = |part: &Value| part["secret_ref"].as_str().is_some_and(|text| text.ends_with(secret));
    for (id, container) in cloud.state().list(CONTAINERS.collection) {
        let mut container = Value::clone(&container);
        let Some(parts) = container.get_mut("secret_refs").and_then(Value::as_array_mut) else { continue };
        let before = parts.len();
        parts.retain(|part| !is_it(part));
        if parts.len() < before {
            cloud.state().put(CONTAINERS.collection, &id, container);
        }
    }
}
