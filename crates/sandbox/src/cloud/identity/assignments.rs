//! Which user has which role where: documents under `kind/target/user/role`.

use axum::Extension;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::{WHO, listed};
use crate::cloud::Cloud;
use crate::cloud::access::Access;
use crate::cloud::answer::{Answer, nothing};
use crate::cloud::documents::{Filters, shown};

const COLLECTION: &str = "role_assignment";

pub(super) async fn list(State(cloud): State<Cloud>, access: Access, filters: Filters) -> Answer {
    let own = filters.get("user.id") == Some(access.user.as_str());
    if !own {
        access.need_admin(WHO)?;
    }
    let with_names = filters.is_true_if_given("include_names");
    let mut found = Vec::new();
    for (id, _) in cloud.state().list(COLLECTION) {
        let parts: Vec<&str> = id.split('/').collect();
        let [kind, target, user, role] = parts.as_slice() else { continue };
        let wanted = |name: &str, value: &str| filters.get(name).is_none_or(|wanted| wanted == value);
        let scope_fits = match *kind {
            "project" => filters.get("scope.domain.id").is_none() && filters.get("scope.system").is_none(),
            "domain" => filters.get("scope.project.id").is_none() && filters.get("scope.system").is_none(),
            _ => filters.get("scope.project.id").is_none() && filters.get("scope.domain.id").is_none(),
        };
        let target_fits = *kind == "system" || wanted(&format!("scope.{kind}.id"), target);
        let is_meant = scope_fits && target_fits && wanted("user.id", user) && wanted("role.id", role);
        if is_meant && filters.get("group.id").is_none() {
            let named = |collection: &str, id: &str| cloud.named_reference(collection, id, with_names);
            let scope = match *kind {
                "system" => json!({"system": {"all": true}}),
                kind => json!({kind: named(kind, target)}),
            };
            found.push(json!({"user": named("user", user), "role": named("role", role), "scope": scope, "links": {}}));
        }
    }
    listed("role_assignments", found)
}

pub(super) async fn of_user(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<&'static str>,
    Path((target, user)): Path<(String, String)>,
) -> Answer {
    access.need_admin(WHO)?;
    let (found, _) = cloud.state().list_prefix(COLLECTION, &format!("{kind}/{target}/{user}/"));
    let roles = found.iter().filter_map(|(id, _)| cloud.state().get("role", id.rsplit('/').next()?));
    listed("roles", roles.map(|role| shown(&role)))
}

pub(super) async fn grant(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<&'static str>,
    Path((target, user, role)): Path<(String, String, String)>,
) -> Answer {
    access.need_admin(WHO)?;
    for (collection, id) in [(kind, &target), ("user", &user), ("role", &role)] {
        cloud.state().get(collection, id).ok_or_else(|| WHO.not_found(collection, id))?;
    }
    cloud.assign(kind, &target, &user, &role);
    nothing()
}

pub(super) async fn check(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<&'static str>,
    Path((target, user, role)): Path<(String, String, String)>,
) -> Answer {
    access.need_admin(WHO)?;
    let found = cloud.state().get(COLLECTION, &format!("{kind}/{target}/{user}/{role}"));
    found.map_or_else(|| Err(WHO.not_found("Role assignment", &role)), |_| nothing())
}

pub(super) async fn withdraw(
    State(cloud): State<Cloud>,
    access: Access,
    Extension(kind): Extension<&'static str>,
    Path((target, user, role)): Path<(String, String, String)>,
) -> Answer {
    access.need_admin(WHO)?;
    let found = cloud.state().remove(COLLECTION, &format!("{kind}/{target}/{user}/{role}"));
    found.map_or_else(|| Err(WHO.not_found("Role assignment", &role)), |_| nothing())
}

impl Cloud {
    /// Gives a user a role on a project, a domain or the system.
    pub(in crate::cloud) fn assign(&self, kind: &str, target: &str, user: &str, role: &str) {
        let document = json!({"kind": kind, "target": target, "user_id": user, "role_id": role});
        self.state().put(COLLECTION, &format!("{kind}/{target}/{user}/{role}"), document);
    }

    fn named_reference(&self, collection: &str, id: &str, with_names: bool) -> Value {
        let mut reference = json!({"id": id});
        let document = self.state().get(collection, id).filter(|_| with_names);
        if let Some(document) = document {
            reference["name"] = document["name"].clone();
            if let Some(domain) = document["domain_id"].as_str() {
                let domain_name = self.state().get("domain", domain).map(|domain| domain["name"].clone());
                reference["domain"] = json!({"id": domain, "name": domain_name});
            }
        }
        reference
    }
}
