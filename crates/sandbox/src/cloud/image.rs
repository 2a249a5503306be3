//! Glance: images and their properties.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use serde_json::{Value, json};

use super::Cloud;
use super::access::Access;
use super::answer::{Answer, created, json_body, nothing, ok, version, with_status};
use super::documents::{Filters, dashed_id, owner, shown};
use super::refusal::{Refusal, Who};

const WHO: Who = Who::Image;

/// Largest image that is taken; its content is counted and thrown away.
const UPLOAD_MAX: usize = 1 << 30;

pub(super) fn router() -> Router<Cloud> {
    Router::new()
        .route("/", get(versions))
        .route("/versions", get(versions))
        .route("/v2", get(versions))
        .route("/v2/", get(versions))
        .route("/v2/images", get(list).post(create))
        .route("/v2/images/{id}", get(show).patch(update).delete(remove))
        .route("/v2/images/{id}/file", put(upload).layer(DefaultBodyLimit::max(UPLOAD_MAX)))
        .route("/v2/images/{id}/members", get(members))
}

async fn versions(State(cloud): State<Cloud>) -> Answer {
    let document = version("v2.17", &format!("{}/image/v2/", cloud.base_url()), None);
    with_status(StatusCode::MULTIPLE_CHOICES, json!({"versions": [document]}))
}

async fn list(State(cloud): State<Cloud>, access: Access, filters: Filters) -> Answer {
    let tags = filters.get("tag").map(str::to_owned);
    let rest = filters.clone().without(&["tag", "member_status", "os_hidden", "visibility"]);
    let mut all = cloud.select(&access, "image", &rest);
    all.retain(|image| {
        let visible = filters.get("visibility").is_none_or(|wanted| wanted == "all" || image["visibility"] == wanted);
        let tagged = tags
            .as_deref()
            .is_none_or(|tag| image["tags"].as_array().is_some_and(|tags| tags.iter().any(|own| own == tag)));
        visible && tagged
    });
    let (page, next) = filters.page(all);
    let mut body = json!({"images": page, "schema": "/v2/schemas/images", "first": "/v2/images"});
    if let Some(marker) = next {
        body["next"] = json!(format!("/v2/images?{}", filters.after(&marker)));
    }
    ok(body)
}

async fn show(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    ok(shown(&*found(&cloud, &access, &id)?))
}

fn found(cloud: &Cloud, access: &Access, id: &str) -> Result<crate::state::Document, Refusal> {
    let image = cloud.state().get("image", id).filter(|image| access.sees(image));
    image.ok_or_else(|| WHO.refuse(404, format!("Failed to find image {id}")))
}

fn owned(cloud: &Cloud, access: &Access, id: &str) -> Result<(), Refusal> {
    let image = found(cloud, access, id)?;
    let own = access.admin || owner(&image).is_some_and(|owner| access.project.as_deref() == Some(owner));
    if own { Ok(()) } else { Err(WHO.forbidden()) }
}

async fn create(State(cloud): State<Cloud>, access: Access, body: Bytes) -> Answer {
    let mut image = json_body(WHO, &body)?;
    let project = access.need_project(WHO)?.to_owned();
    let Some(map) = image.as_object_mut() else { return Err(WHO.bad("The image is no object")) };
    if map.get("visibility").is_some_and(|visibility| visibility == "public") {
        access.need_admin(WHO)?;
    }
    let id = map.get("id").and_then(Value::as_str).map_or_else(dashed_id, str::to_owned);
    map.insert("id".to_owned(), json!(id));
    map.insert("owner".to_owned(), json!(project));
    map.insert("status".to_owned(), json!("queued"));
    complete(map, &cloud.stamp());
    cloud.state().put("image", &id, image.clone());
    created(image)
}

/// What every image has on the wire.
pub(super) fn complete(image: &mut serde_json::Map<String, Value>, now: &str) {
    let id = image.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let usual = [
        ("visibility", json!("shared")),
        ("container_format", json!("bare")),
        ("disk_format", json!("qcow2")),
        ("protected", json!(false)),
        ("os_hidden", json!(false)),
        ("min_disk", json!(0)),
        ("min_ram", json!(0)),
        ("size", Value::Null),
        ("checksum", Value::Null),
        ("tags", json!([])),
        ("created_at", json!(now)),
        ("updated_at", json!(now)),
        ("self", json!(format!("/v2/images/{id}"))),
        ("file", json!(format!("/v2/images/{id}/file"))),
        ("schema", json!("/v2/schemas/image")),
    ];
    for (name, value) in usual {
        image.entry(name).or_insert(value);
    }
}

async fn update(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>, body: Bytes) -> Answer {
    owned(&cloud, &access, &id)?;
    let patch: json_patch::Patch = serde_json::from_slice(&body).map_err(|_| WHO.bad("The body is no JSON patch"))?;
    let mut outcome = Ok(());
    let changed = cloud.state().update("image", &id, |image| outcome = json_patch::patch(image, &patch));
    outcome.map_err(|error| WHO.conflict(error.to_string()))?;
    let image = changed.ok_or_else(|| WHO.not_found("Image", &id))?;
    ok(shown(&image))
}

async fn upload(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>, body: Bytes) -> Answer {
    owned(&cloud, &access, &id)?;
    cloud.state().update("image", &id, |image| {
        image["status"] = json!("active");
        image["size"] = json!(body.len());
    });
    nothing()
}

async fn remove(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    owned(&cloud, &access, &id)?;
    cloud.state().remove("image", &id);
    nothing()
}

async fn members(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    found(&cloud, &access, &id)?;
    ok(json!({"members": [], "schema": "/v2/schemas/members"}))
}
