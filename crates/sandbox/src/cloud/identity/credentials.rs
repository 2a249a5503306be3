//! Application credentials.

use axum::body::Bytes;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::tokens::{keystone_time, random_text};
use super::{WHO, listed};
use crate::cloud::Cloud;
use crate::cloud::access::Access;
use crate::cloud::answer::{Answer, created, member, nothing, ok};
use crate::cloud::documents::{Filters, plain_id, shown};
use crate::cloud::refusal::Refusal;

const COLLECTION: &str = "application_credential";

pub(super) async fn create(
    State(cloud): State<Cloud>,
    access: Access,
    Path(user): Path<String>,
    body: Bytes,
) -> Answer {
    if access.user != user {
        return Err(WHO.forbidden());
    }
    may_manage(&cloud, &access)?;
    let wish = member(WHO, &body, "application_credential")?;
    let project = access.need_project(WHO)?;
    let name = wish["name"].as_str().filter(|name| !name.is_empty() && name.len() <= 255);
    let name = name.ok_or_else(|| WHO.bad("'name' is a required property"))?;
    let expires = match wish["expires_at"].as_str() {
        Some(text) => Some(end(text, cloud.now())?),
        None => None,
    };
    let roles = roles(&cloud, &access, &wish["roles"])?;
    let rules = access_rules_of(&wish["access_rules"])?;
    let secret = wish["secret"].as_str().map_or_else(|| random_text(64), str::to_owned);
    let id = plain_id();
    let document = json!({
        "id": id, "name": name, "description": wish["description"].as_str(), "project_id": project, "user_id": user,
        "roles": roles, "unrestricted": wish["unrestricted"] == true, "system": null, "access_rules": rules,
        "expires_at": expires.map(keystone_time), "_secret": secret,
    });
    let taken = cloud.state().write(|writer| {
        let mut all = writer.list_prefix(COLLECTION, "").into_iter();
        let taken = all.any(|(_, other)| other["user_id"] == user.as_str() && other["name"] == name);
        if !taken {
            writer.put(COLLECTION, &id, document.clone());
        }
        taken
    });
    if taken {
        return Err(WHO.conflict(format!(
            "Conflict occurred attempting to store application_credential - Duplicate entry found with name {name}."
        )));
    }
    let mut answer = shown(&document);
    answer["secret"] = json!(secret);
    created(json!({"application_credential": answer}))
}

pub(super) async fn list(
    State(cloud): State<Cloud>,
    access: Access,
    Path(user): Path<String>,
    filters: Filters,
) -> Answer {
    own_or_admin(&access, &user)?;
    let all = cloud.state().list(COLLECTION).into_iter().map(|(_, document)| document);
    let meant = all.filter(|document| document["user_id"] == user.as_str() && filters.match_document(document));
    listed("application_credentials", meant.map(|document| shown(&document)))
}

pub(super) async fn show(
    State(cloud): State<Cloud>,
    access: Access,
    Path((user, id)): Path<(String, String)>,
) -> Answer {
    own_or_admin(&access, &user)?;
    ok(json!({"application_credential": find(&cloud, &user, &id)?}))
}

pub(super) async fn remove(
    State(cloud): State<Cloud>,
    access: Access,
    Path((user, id)): Path<(String, String)>,
) -> Answer {
    own_or_admin(&access, &user)?;
    may_manage(&cloud, &access)?;
    find(&cloud, &user, &id)?;
    cloud.state().remove(COLLECTION, &id);
    nothing()
}

pub(super) async fn access_rules(State(cloud): State<Cloud>, access: Access, Path(user): Path<String>) -> Answer {
    own_or_admin(&access, &user)?;
    let all = cloud.state().list(COLLECTION).into_iter().filter(|(_, document)| document["user_id"] == user.as_str());
    let rules = all.flat_map(|(_, document)| document["access_rules"].as_array().cloned().unwrap_or_default());
    listed("access_rules", rules)
}

/// A credential that is restricted can neither make nor delete others.
fn may_manage(cloud: &Cloud, access: &Access) -> Result<(), Refusal> {
    let credential = access.token["application_credential_id"].as_str();
    let credential = credential.and_then(|id| cloud.state().get(COLLECTION, id));
    match credential {
        Some(credential) if credential["unrestricted"] != true => Err(WHO.refuse(
            403,
            "Using method 'application_credential' is not allowed for managing additional application credentials.",
        )),
        _ => Ok(()),
    }
}

fn own_or_admin(access: &Access, user: &str) -> Result<(), Refusal> {
    if access.admin || access.user == user { Ok(()) } else { Err(WHO.forbidden()) }
}

fn find(cloud: &Cloud, user: &str, id: &str) -> Result<Value, Refusal> {
    let found = cloud.state().get(COLLECTION, id).filter(|document| document["user_id"] == user);
    found.map(|document| shown(&document)).ok_or_else(|| WHO.not_found("Application credential", id))
}

fn end(text: &str, now: Timestamp) -> Result<Timestamp, Refusal> {
    // Keystone takes a time without a zone for UTC.
    let end = text.parse().or_else(|_| format!("{text}Z").parse::<Timestamp>());
    end.ok().filter(|end| *end > now).ok_or_else(|| WHO.bad("expires_at is no time in the future"))
}

/// The roles by id or name, all of them the caller's; all of the caller's where none are given.
fn roles(cloud: &Cloud, access: &Access, wish: &Value) -> Result<Vec<Value>, Refusal> {
    let all = cloud.state().list("role");
    let held = |role: &Value| access.roles.iter().any(|name| role["name"] == name.as_str());
    let shape = |role: &Value| json!({"id": role["id"], "name": role["name"], "domain_id": null});
    let Some(wanted) = wish.as_array().filter(|wanted| !wanted.is_empty()) else {
        return Ok(all.iter().filter(|(_, role)| held(role)).map(|(_, role)| shape(role)).collect());
    };
    let resolve = |wanted: &Value| {
        let is_it = |role: &Value| match (&wanted["id"], &wanted["name"]) {
            (Value::String(id), _) => role["id"] == id.as_str(),
            (_, name) => name.is_string() && role["name"] == *name,
        };
        let found = all.iter().find(|(_, role)| is_it(role) && held(role));
        found
            .map(|(_, role)| shape(role))
            .ok_or_else(|| WHO.bad("Application credential names a role that the user does not have"))
    };
    wanted.iter().map(resolve).collect()
}

fn access_rules_of(wish: &Value) -> Result<Value, Refusal> {
    let Some(rules) = wish.as_array() else { return Ok(Value::Null) };
    let complete = |rule: &Value| {
        let all = ["service", "method", "path"].iter().all(|name| rule[*name].is_string());
        let mut rule = rule.clone();
        rule["id"] = json!(plain_id());
        if all { Ok(rule) } else { Err(WHO.bad("An access rule needs service, method and path")) }
    };
    rules.iter().map(complete).collect()
}
