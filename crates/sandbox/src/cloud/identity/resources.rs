//! Projects, users, roles, domains, groups; services, endpoints, regions.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::{Value, json};

use super::{WHO, listed};
use crate::cloud::access::Access;
use crate::cloud::answer::{Answer, created, member, nothing, ok};
use crate::cloud::documents::{Filters, plain_id, shown};
use crate::cloud::{Cloud, REGION};

/// One kind of resource with plain routes.
#[derive(Clone, Copy, Debug)]
struct Kind {
    /// The member of a body, and the collection.
    one: &'static str,
    /// The member of a list, and the path.
    many: &'static str,
}

const KINDS: [Kind; 5] = [
    Kind { one: "project", many: "projects" },
    Kind { one: "user", many: "users" },
    Kind { one: "role", many: "roles" },
    Kind { one: "domain", many: "domains" },
    Kind { one: "group", many: "groups" },
];

pub(super) fn add_routes(mut router: Router<Cloud>) -> Router<Cloud> {
    for kind in KINDS {
        let many = get(list).post(create).layer(Extension(kind));
        let one = get(show).patch(update).delete(remove).layer(Extension(kind));
        router = router.route(&format!("/v3/{}", kind.many), many).route(&format!("/v3/{}/{{id}}", kind.many), one);
    }
    router
}

async fn list(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<Kind>,
    filters: Filters,
) -> Answer {
    access.need_admin(WHO)?;
    let all = cloud.state().list(kind.one).into_iter().map(|(_, document)| document);
    listed(kind.many, all.filter(|document| filters.match_document(document)).map(|document| shown(&document)))
}

async fn show(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<Kind>,
    Path(id): Path<String>,
) -> Answer {
    let own = match kind.one {
        "user" => access.user == id,
        "project" => !cloud.roles_on(&access.user, "project", &id).is_empty(),
        _ => false,
    };
    if !own {
        access.need_admin(WHO)?;
    }
    let found = cloud.state().get(kind.one, &id).ok_or_else(|| WHO.not_found(kind.one, &id))?;
    ok(json!({kind.one: shown(&found)}))
}

async fn create(State(cloud): State<Cloud>, access: Access, Extension(kind): Extension<Kind>, body: Bytes) -> Answer {
    access.need_admin(WHO)?;
    let mut new = hide_password(member(WHO, &body, kind.one)?);
    let name = new["name"].as_str().filter(|name| !name.is_empty()).map(str::to_owned);
    let name = name.ok_or_else(|| WHO.bad("'name' is a required property"))?;
    let id = plain_id();
    new["id"] = json!(id);
    defaults(&mut new, kind);
    let taken = cloud.state().write(|writer| {
        let mut all = writer.list_prefix(kind.one, "").into_iter();
        let taken = all.any(|(_, other)| other["name"] == name.as_str() && other["domain_id"] == new["domain_id"]);
        if !taken {
            writer.put(kind.one, &id, new.clone());
        }
        taken
    });
    if taken {
        let message =
            format!("Conflict occurred attempting to store {} - Duplicate entry found with name {name}.", kind.one);
        return Err(WHO.conflict(message));
    }
    created(json!({kind.one: shown(&new)}))
}

async fn update(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<Kind>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    access.need_admin(WHO)?;
    let change = hide_password(member(WHO, &body, kind.one)?);
    let changed = cloud.state().update(kind.one, &id, |document| {
        if let (Value::Object(document), Value::Object(change)) = (document, change) {
            document.extend(change.into_iter().filter(|(name, _)| name != "id"));
        }
    });
    let changed = changed.ok_or_else(|| WHO.not_found(kind.one, &id))?;
    ok(json!({kind.one: shown(&changed)}))
}

async fn remove(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<Kind>,
    Path(id): Path<String>,
) -> Answer {
    access.need_admin(WHO)?;
    cloud.state().remove(kind.one, &id).ok_or_else(|| WHO.not_found(kind.one, &id))?;
    let field = format!("{}_id", kind.one);
    cloud.state().write(|writer| {
        for collection in ["role_assignment", "application_credential", "token"] {
            for (key, document) in writer.list_prefix(collection, "") {
                let targets = document["kind"] == kind.one && document["target"] == id.as_str();
                if targets || document[field.as_str()] == id.as_str() {
                    writer.remove(collection, &key);
                }
            }
        }
    });
    nothing()
}

/// The password of a user is kept where nothing shows it.
fn hide_password(mut document: Value) -> Value {
    if let Some(map) = document.as_object_mut()
        && let Some(password) = map.remove("password")
    {
        map.insert("_password".to_owned(), password);
    }
    document
}

fn defaults(document: &mut Value, kind: Kind) {
    let Some(map) = document.as_object_mut() else { return };
    map.entry("description").or_insert(json!(""));
    map.entry("options").or_insert(json!({}));
    map.entry("links").or_insert(json!({}));
    match kind.one {
        "role" => {
            map.entry("domain_id").or_insert(Value::Null);
        }
        "domain" => {
            map.entry("enabled").or_insert(json!(true));
        }
        _ => {
            map.entry("domain_id").or_insert(json!("default"));
            map.entry("enabled").or_insert(json!(true));
        }
    }
    if kind.one == "project" {
        map.entry("parent_id").or_insert(json!("default"));
        map.entry("is_domain").or_insert(json!(false));
        map.entry("tags").or_insert(json!([]));
    }
}

pub(super) async fn change_password(
    State(cloud): State<Cloud>,
    access: Access,
    Path(user): Path<String>,
    body: Bytes,
) -> Answer {
    let wish = member(WHO, &body, "user")?;
    let known = cloud.state().get("user", &user).ok_or_else(|| WHO.not_found("user", &user))?;
    if access.user != user || known["_password"] != wish["original_password"] || !wish["password"].is_string() {
        return Err(crate::cloud::refusal::Refusal::unauthorized());
    }
    cloud.state().update("user", &user, |document| document["_password"] = wish["password"].clone());
    nothing()
}

pub(super) async fn projects_of_user(State(cloud): State<Cloud>, access: Access, Path(user): Path<String>) -> Answer {
    if access.user != user {
        access.need_admin(WHO)?;
    }
    listed("projects", cloud.projects_of(&user))
}

pub(super) async fn no_groups(_access: Access) -> Answer {
    listed("groups", Vec::new())
}

pub(super) async fn services(State(cloud): State<Cloud>, access: Access, filters: Filters) -> Answer {
    access.need_admin(WHO)?;
    listed("services", cloud.services().into_iter().filter(|service| filters.match_document(service)))
}

pub(super) async fn service(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    access.need_admin(WHO)?;
    let found = cloud.services().into_iter().find(|service| service["id"] == id.as_str());
    ok(json!({"service": found.ok_or_else(|| WHO.not_found("service", &id))?}))
}

pub(super) async fn endpoints(State(cloud): State<Cloud>, access: Access, filters: Filters) -> Answer {
    access.need_admin(WHO)?;
    listed("endpoints", cloud.endpoints().into_iter().filter(|endpoint| filters.match_document(endpoint)))
}

pub(super) async fn regions(_access: Access) -> Answer {
    listed("regions", vec![region_document()])
}

pub(super) async fn region(_access: Access, Path(id): Path<String>) -> Answer {
    if id == REGION { ok(json!({"region": region_document()})) } else { Err(WHO.not_found("region", &id)) }
}

fn region_document() -> Value {
    json!({"id": REGION, "description": "", "parent_region_id": null, "links": {}})
}
