//! Tokens: made, shown, ended.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{WHO, listed};
use crate::cloud::Cloud;
use crate::cloud::access::{Access, header};
use crate::cloud::answer::{Answer, json_body, nothing, ok};
use crate::cloud::documents::{Filters, shown};
use crate::cloud::refusal::Refusal;
use crate::state::Document;

/// How long a token is good.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// What every token begins with; the rest is chance.
const BEGIN: &str = "gAAAAA";

/// How long after its end a service may still ask for a token.
const GRACE: SignedDuration = SignedDuration::from_hours(48);

/// What the credentials of a login come to.
struct Login {
    user: Document,
    methods: Vec<String>,
    /// The application credential, whose project is the scope.
    credential: Option<Document>,
    /// A token made from another lives no longer than that.
    not_after: Option<Timestamp>,
}

pub(super) async fn create(State(cloud): State<Cloud>, filters: Filters, body: Bytes) -> Answer {
    let body = json_body(WHO, &body)?;
    let login = cloud.log_in(&body["auth"]["identity"])?;
    let scope = cloud.scope(&login, &body["auth"]["scope"])?;
    let now = cloud.now();
    let end = login.not_after.map_or(now + LIFETIME, |end| end.min(now + LIFETIME));
    let mut token = json!({
        "user_id": login.user["id"], "methods": login.methods, "audit_ids": [random_text(12)],
        "issued_at": keystone_time(now), "expires_at": keystone_time(end),
    });
    if let Some(credential) = &login.credential {
        token["application_credential_id"] = credential["id"].clone();
    }
    if let (Value::Object(token), Value::Object(scope)) = (&mut token, scope) {
        token.extend(scope);
    }
    let id = format!("{BEGIN}{}", random_text(96));
    cloud.state().write(|writer| {
        // Tokens that nobody can ask for any more make room, some of them at a time: in a long run there are many.
        for (old, document) in writer.list_prefix("token", &id[..BEGIN.len() + 1]) {
            let end = document["expires_at"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
            if end.is_none_or(|end| end + GRACE < now) {
                writer.remove("token", &old);
            }
        }
        writer.put("token", &id, token.clone());
    });
    let body = cloud.token_body(&token, filters.get("nocatalog").is_none());
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    let value = HeaderValue::from_str(&id).map_err(|_| WHO.refuse(500, "The token cannot be sent"))?;
    response.headers_mut().insert(HeaderName::from_static("x-subject-token"), value);
    Ok(response)
}

pub(super) async fn show(State(cloud): State<Cloud>, access: Access, filters: Filters, headers: HeaderMap) -> Answer {
    let (id, token) = subject(&cloud, &access, &headers, filters.is_true_if_given("allow_expired"))?;
    let credential = token["application_credential_id"].as_str();
    let ruled = credential.and_then(|id| cloud.state().get("application_credential", id));
    let ruled = ruled.is_some_and(|credential| credential["access_rules"].is_array());
    if ruled && header(&headers, "openstack-identity-access-rules").is_none() {
        return Err(WHO.refuse(404, "The token has access rules, which the asking service does not know"));
    }
    let mut response = Json(cloud.token_body(&token, filters.get("nocatalog").is_none())).into_response();
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-subject-token"), value);
    }
    Ok(response)
}

pub(super) async fn revoke(State(cloud): State<Cloud>, access: Access, headers: HeaderMap) -> Answer {
    let (id, _) = subject(&cloud, &access, &headers, false)?;
    cloud.state().remove("token", &id);
    nothing()
}

/// The token that is asked about: anybody's for services and administrators, one's own for everybody.
fn subject(
    cloud: &Cloud,
    access: &Access,
    headers: &HeaderMap,
    allow_expired: bool,
) -> Result<(String, Document), Refusal> {
    let id = header(headers, "x-subject-token").ok_or_else(|| WHO.bad("X-Subject-Token is required"))?;
    let token = cloud.live_token(id, allow_expired);
    let token = token.ok_or_else(|| WHO.refuse(404, "Could not find token."))?;
    let trusted = access.admin || access.roles.iter().any(|role| role == "service");
    if trusted || token["user_id"] == access.user.as_str() { Ok((id.to_owned(), token)) } else { Err(WHO.forbidden()) }
}

pub(super) async fn catalog(State(cloud): State<Cloud>, _access: Access) -> Answer {
    ok(json!({"catalog": cloud.catalog(), "links": {}}))
}

pub(super) async fn projects(State(cloud): State<Cloud>, access: Access) -> Answer {
    listed("projects", cloud.projects_of(&access.user))
}

pub(super) async fn domains(State(cloud): State<Cloud>, access: Access) -> Answer {
    let all = cloud.state().list("domain").into_iter();
    let with_role = all.filter(|(id, _)| !cloud.roles_on(&access.user, "domain", id).is_empty());
    listed("domains", with_role.map(|(_, domain)| shown(&domain)))
}

pub(super) async fn system(State(cloud): State<Cloud>, access: Access) -> Answer {
    let has_role = !cloud.roles_on(&access.user, "system", "all").is_empty();
    let system = if has_role { vec![json!({"all": true})] } else { Vec::new() };
    listed("system", system)
}

impl Cloud {
    /// The projects in which a user has a role.
    pub(super) fn projects_of(&self, user: &str) -> Vec<Value> {
        let all = self.state().list("project").into_iter();
        let with_role = all.filter(|(id, _)| !self.roles_on(user, "project", id).is_empty());
        with_role.map(|(_, project)| shown(&project)).collect()
    }

    fn log_in(&self, identity: &Value) -> Result<Login, Refusal> {
        let methods = identity["methods"].as_array().cloned().unwrap_or_default();
        let methods: Vec<String> = methods.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let [method] = methods.as_slice() else { return Err(WHO.bad("Expecting exactly one method in identity")) };
        let login = match method.as_str() {
            "password" => self.with_password(&identity["password"]["user"]),
            "token" => return self.with_token(&identity["token"]["id"]),
            "application_credential" => {
                let given = &identity["application_credential"];
                if let Some(id) = given["id"].as_str()
                    && self.state().get("application_credential", id).is_none()
                {
                    return Err(WHO.refuse(404, format!("Could not find Application Credential: {id}.")));
                }
                self.with_credential(given)
            }
            other => return Err(WHO.refuse(401, format!("Authentication method {other} is not supported"))),
        };
        login.filter(|login| login.user["enabled"] != false).ok_or_else(Refusal::unauthorized)
    }

    fn with_password(&self, given: &Value) -> Option<Login> {
        let user = self.user(given)?;
        let right = user["_password"].is_string() && user["_password"] == given["password"];
        right.then(|| Login { user, methods: vec!["password".to_owned()], credential: None, not_after: None })
    }

    fn with_token(&self, given: &Value) -> Result<Login, Refusal> {
        let token = given.as_str().and_then(|id| self.live_token(id, false)).ok_or_else(Refusal::unauthorized)?;
        if token["application_credential_id"].is_string() {
            return Err(WHO.refuse(403, "A token of an application credential cannot be given another scope."));
        }
        let user = token["user_id"].as_str().and_then(|id| self.state().get("user", id));
        let earlier = token["methods"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut methods = vec!["token".to_owned()];
        methods.extend(earlier.filter(|method| *method != "token").map(str::to_owned));
        let not_after = token["expires_at"].as_str().and_then(|text| text.parse().ok());
        Ok(Login { user: user.ok_or_else(Refusal::unauthorized)?, methods, credential: None, not_after })
    }

    fn with_credential(&self, given: &Value) -> Option<Login> {
        let credential = match given["id"].as_str() {
            Some(id) => self.state().get("application_credential", id)?,
            None => {
                let user = self.user(&given["user"])?;
                let all = self.state().list("application_credential").into_iter().map(|(_, credential)| credential);
                let mut named = all.filter(|credential| credential["name"] == given["name"]);
                named.find(|credential| credential["user_id"] == user["id"])?
            }
        };
        if !credential["_secret"].is_string() || credential["_secret"] != given["secret"] {
            return None;
        }
        let not_after: Option<Timestamp> = credential["expires_at"].as_str().and_then(|text| text.parse().ok());
        if not_after.is_some_and(|end| end <= self.now()) {
            return None;
        }
        let user = self.state().get("user", credential["user_id"].as_str()?)?;
        let methods = vec!["application_credential".to_owned()];
        Some(Login { user, methods, credential: Some(credential), not_after })
    }

    /// The members that the scope adds to a token.
    fn scope(&self, login: &Login, scope: &Value) -> Result<Value, Refusal> {
        let user = login.user["id"].as_str().unwrap_or_default();
        if let Some(credential) = &login.credential {
            return match scope {
                Value::Null => Ok(json!({"project_id": credential["project_id"]})),
                _ => Err(WHO.refuse(401, "Application credentials cannot request a scope.")),
            };
        }
        let (kind, target, member) = if scope.is_null() || scope == "unscoped" {
            return Ok(json!({}));
        } else if scope["project"].is_object() {
            let project = self.named("project", &scope["project"]).filter(|project| project["enabled"] != false);
            let id = project.and_then(|project| project["id"].as_str().map(str::to_owned));
            ("project", id, "project_id")
        } else if scope["domain"].is_object() {
            let id = self.domain(&scope["domain"]).and_then(|domain| domain["id"].as_str().map(str::to_owned));
            ("domain", id, "domain_id")
        } else if scope["system"]["all"] == true {
            ("system", Some("all".to_owned()), "system")
        } else {
            return Err(WHO.bad("The scope is neither project nor domain nor system"));
        };
        let target = target.ok_or_else(Refusal::unauthorized)?;
        if self.roles_on(user, kind, &target).is_empty() {
            return Err(Refusal::unauthorized());
        }
        Ok(if kind == "system" { json!({"system": true}) } else { json!({member: target}) })
    }

    fn user(&self, given: &Value) -> Option<Document> {
        self.named("user", given)
    }

    /// A user or project by id, or by name and domain.
    fn named(&self, collection: &str, given: &Value) -> Option<Document> {
        if let Some(id) = given["id"].as_str() {
            return self.state().get(collection, id);
        }
        let domain = self.domain(&given["domain"])?;
        let all = self.state().list(collection).into_iter().map(|(_, document)| document);
        let mut named = all.filter(|document| document["name"] == given["name"]);
        named.find(|document| document["domain_id"] == domain["id"])
    }

    fn domain(&self, given: &Value) -> Option<Document> {
        let id = given["id"].as_str().and_then(|id| self.state().get("domain", id));
        let by_name = || {
            let all = self.state().list("domain").into_iter().map(|(_, document)| document);
            all.into_iter().find(|domain| given["name"].is_string() && domain["name"] == given["name"])
        };
        id.or_else(by_name)
    }

    /// A token as Keystone describes it.
    fn token_body(&self, token: &Value, with_catalog: bool) -> Value {
        let reference = |collection: &str, id: &Value| self.reference(collection, id.as_str().unwrap_or_default());
        let mut body = json!({
            "methods": token["methods"], "audit_ids": token["audit_ids"], "issued_at": token["issued_at"],
            "expires_at": token["expires_at"], "user": reference("user", &token["user_id"]),
        });
        body["user"]["password_expires_at"] = Value::Null;
        let scoped = ["project_id", "domain_id", "system"].iter().any(|name| !token[*name].is_null());
        if scoped {
            let names = self.token_roles(token);
            let all = self.state().list("role").into_iter().map(|(_, role)| role);
            let held = all.filter(|role| names.iter().any(|name| role["name"] == name.as_str()));
            body["roles"] = held.map(|role| json!({"id": role["id"], "name": role["name"]})).collect();
            if with_catalog {
                body["catalog"] = self.catalog();
            }
        }
        if token["project_id"].is_string() {
            body["project"] = reference("project", &token["project_id"]);
            body["is_domain"] = json!(false);
        }
        if token["domain_id"].is_string() {
            body["domain"] = reference("domain", &token["domain_id"]);
        }
        if token["system"] == true {
            body["system"] = json!({"all": true});
        }
        let credential = token["application_credential_id"].as_str();
        if let Some(credential) = credential.and_then(|id| self.state().get("application_credential", id)) {
            body["application_credential"] = json!({
                "id": credential["id"], "name": credential["name"],
                "restricted": credential["unrestricted"] != true,
            });
            if credential["access_rules"].is_array() {
                body["application_credential"]["access_rules"] = credential["access_rules"].clone();
            }
        }
        json!({"token": body})
    }

    /// Id, name and domain.
    fn reference(&self, collection: &str, id: &str) -> Value {
        let Some(document) = self.state().get(collection, id) else { return json!({"id": id, "name": ""}) };
        let mut reference = json!({"id": id, "name": document["name"]});
        if let Some(domain) = document["domain_id"].as_str().and_then(|id| self.state().get("domain", id)) {
            reference["domain"] = json!({"id": domain["id"], "name": domain["name"]});
        }
        reference
    }
}

/// A time with its microseconds.
pub(super) fn keystone_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// Random letters, digits, dashes and underscores out of so many bytes.
pub(super) fn random_text(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    rand::fill(random.as_mut_slice());
    BASE64_URL_SAFE_NO_PAD.encode(random)
}
