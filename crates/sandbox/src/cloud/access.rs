//! Who asks: the token of a request and what it is good for.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use jiff::Timestamp;
use serde_json::Value;

use super::Cloud;
use super::refusal::{Refusal, Who};
use crate::state::Document;

/// A caller with a good token.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) token: Document,
    pub(super) user: String,
    pub(super) project: Option<String>,
    /// Names of the roles.
    pub(super) roles: Vec<String>,
    pub(super) admin: bool,
}

impl FromRequestParts<Cloud> for Access {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, Refusal> {
        let id = header(&parts.headers, "x-auth-token").ok_or_else(Refusal::unauthorized)?;
        let token = cloud.live_token(id, false).ok_or_else(Refusal::unauthorized)?;
        let roles = cloud.token_roles(&token);
        let text = |name: &str| token[name].as_str().map(str::to_owned);
        Ok(Self {
            user: text("user_id").unwrap_or_default(),
            project: text("project_id"),
            admin: roles.iter().any(|role| role == "admin"),
            roles,
            token,
        })
    }
}

impl Access {
    /// The project of a request that makes no sense without one.
    pub(super) fn need_project(&self, who: Who) -> Result<&str, Refusal> {
        self.project.as_deref().ok_or_else(|| who.bad("The token has no project scope"))
    }

    pub(super) fn need_admin(&self, who: Who) -> Result<(), Refusal> {
        if self.admin { Ok(()) } else { Err(who.forbidden()) }
    }
}

pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

impl Cloud {
    /// A token that is neither revoked nor at its end, and whose user, project and credential are still there.
    pub(super) fn live_token(&self, id: &str, allow_expired: bool) -> Option<Document> {
        let token = self.state().get("token", id)?;
        let enabled = |collection: &str, name: &str| match token[name].as_str() {
            Some(id) => self.state().get(collection, id).is_some_and(|document| document["enabled"] != false),
            None => true,
        };
        let expires: Option<Timestamp> = token["expires_at"].as_str().and_then(|text| text.parse().ok());
        let in_time = allow_expired || expires.is_some_and(|end| end > self.now());
        let alive = enabled("user", "user_id")
            && enabled("project", "project_id")
            && enabled("application_credential", "application_credential_id");
        (in_time && alive).then_some(token)
    }

    /// The names of the roles that a token has now.
    pub(super) fn token_roles(&self, token: &Value) -> Vec<String> {
        let user = token["user_id"].as_str().unwrap_or_default();
        let held = match (token["project_id"].as_str(), token["domain_id"].as_str(), token["system"] == true) {
            (Some(project), _, _) => self.roles_on(user, "project", project),
            (_, Some(domain), _) => self.roles_on(user, "domain", domain),
            (_, _, true) => self.roles_on(user, "system", "all"),
            _ => Vec::new(),
        };
        let credential = token["application_credential_id"].as_str();
        let credential = credential.and_then(|id| self.state().get("application_credential", id));
        match credential {
            Some(credential) => held.into_iter().filter(|role| lists_role(&credential, role)).collect(),
            None => held,
        }
    }

    /// The names of a user's roles on a project, a domain or the system, with the roles that they imply.
    pub(super) fn roles_on(&self, user: &str, kind: &str, target: &str) -> Vec<String> {
        let prefix = format!("{kind}/{target}/{user}/");
        let (found, _) = self.state().list_prefix("role_assignment", &prefix);
        let ids = found.iter().filter_map(|(id, _)| id.rsplit('/').next().map(str::to_owned));
        let names = ids
            .filter_map(|id| self.state().get("role", &id).and_then(|role| role["name"].as_str().map(str::to_owned)));
        with_implied(names.collect())
    }
}

/// As Keystone's bootstrap makes them: who has one of these has the later ones, too.
const IMPLIED: [&str; 4] = ["admin", "manager", "member", "reader"];

fn with_implied(mut roles: Vec<String>) -> Vec<String> {
    let first = IMPLIED.iter().position(|role| roles.iter().any(|held| held == role));
    for role in IMPLIED.iter().skip(first.unwrap_or(IMPLIED.len())) {
        if !roles.iter().any(|held| held == role) {
            roles.push((*role).to_owned());
        }
    }
    roles
}

fn lists_role(credential: &Value, name: &str) -> bool {
    credential["roles"].as_array().is_some_and(|roles| roles.iter().any(|role| role["name"] == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_brings_those_that_it_implies_and_no_others() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (held, wanted) in [
            (&["admin"][..], &["admin", "manager", "member", "reader"][..]),
            (&["service", "member"], &["service", "member", "reader"]),
            (&["reader", "manager"], &["reader", "manager", "member"]),
            (&["service", "load-balancer_member"], &["service", "load-balancer_member"]),
            (&[], &[]),
        ] {
            assert_eq!(with_implied(list(held)), list(wanted), "{held:?}");
        }
    }
}
