//! Projects and tokens of the pretend cloud: each sequence has projects of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::sequence::{Sequence, Who};

/// The identity service.
#[derive(Clone)]
pub(crate) struct Identity {
    http: reqwest::Client,
    url: String,
    password: String,
    admin: String,
    system: String,
    domain: String,
    revoked: String,
    roles: Arc<BTreeMap<String, String>>,
    users: Arc<Users>,
}

/// People who are there all the time, and get their roles with each sequence.
struct Users {
    member: String,
    colleague: String,
    reader: String,
    guest: String,
    stranger: String,
    manager: String,
}

/// Who speaks in one sequence.
pub(crate) struct People {
    identity: Identity,
    /// The project of the sequence.
    pub(crate) project: String,
    /// The stranger's.
    pub(crate) elsewhere: String,
    tokens: [OnceCell<String>; 8],
}

impl Identity {
    /// Logs the administrator in and makes everybody.
    pub(crate) async fn open(http: reqwest::Client, url: &str, password: &str) -> Result<Self> {
        let empty = Users {
            member: String::new(),
            colleague: String::new(),
            reader: String::new(),
            guest: String::new(),
            stranger: String::new(),
            manager: String::new(),
        };
        let mut identity = Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
            password: password.to_owned(),
            admin: String::new(),
            system: String::new(),
            domain: String::new(),
            revoked: String::new(),
            roles: Arc::default(),
            users: Arc::new(empty),
        };
        let admin = json!({"name": "admin", "domain": {"id": "default"}});
        let project = json!({"project": {"name": "admin", "domain": {"id": "default"}}});
        identity.admin = identity.token(&admin, &project).await?;
        identity.system = identity.token(&admin, &json!({"system": {"all": true}})).await?;
        identity.domain = identity.token(&admin, &json!({"domain": {"id": "default"}})).await?;
        identity.revoked = identity.token(&admin, &project).await?;
        identity.revoke(&identity.revoked).await?;
        let roles = identity.ask(Method::GET, "/roles", None, StatusCode::OK).await?;
        let roles = roles["roles"].as_array().context("the identity service lists its roles")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        identity.roles = Arc::new(roles.iter().map(|role| (text(&role["name"]), text(&role["id"]))).collect());
        let suffix = uuid::Uuid::new_v4().simple().to_string();
        let users = Users {
            member: identity.make("user", &format!("member-{suffix}")).await?,
            colleague: identity.make("user", &format!("colleague-{suffix}")).await?,
            reader: identity.make("user", &format!("reader-{suffix}")).await?,
            guest: identity.make("user", &format!("guest-{suffix}")).await?,
            stranger: identity.make("user", &format!("stranger-{suffix}")).await?,
            manager: identity.make("user", &format!("manager-{suffix}")).await?,
        };
        identity.users = Arc::new(users);
        Ok(identity)
    }

    /// Projects for a sequence: its own, and the stranger's where it comes up.
    pub(crate) async fn people(&self, sequence: &Sequence) -> Result<People> {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let project = self.make("project", &format!("here-{name}")).await?;
        let elsewhere = if sequence.has_stranger() {
            self.make("project", &format!("elsewhere-{name}")).await?
        } else {
            String::new()
        };
        Ok(People { project, elsewhere, identity: self.clone(), tokens: Default::default() })
    }

    async fn make(&self, kind: &str, name: &str) -> Result<String> {
        let body = json!({kind: {"name": name, "domain_id": "default", "enabled": true, "password": self.password}});
        let made = self.ask(Method::POST, &format!("/{kind}s"), Some(body), StatusCode::CREATED).await?;
        Ok(made[kind]["id"].as_str().context("what was made has an id")?.to_owned())
    }

    async fn token(&self, user: &Value, scope: &Value) -> Result<String> {
        let mut user = user.clone();
        user["password"] = json!(self.password);
        let body = json!({"auth": {"scope": scope, "identity": {"methods": ["password"], "password": {"user": user}}}});
        self.log_in(&body).await
    }

    async fn log_in(&self, body: &Value) -> Result<String> {
        let answer = self.http.post(format!("{}/auth/tokens", self.url)).json(body).send().await?;
        let token = answer.headers().get("x-subject-token").and_then(|value| value.to_str().ok());
        Ok(token.context("the identity service gave no token")?.to_owned())
    }

    async fn revoke(&self, token: &str) -> Result<()> {
        let request = self.http.delete(format!("{}/auth/tokens", self.url)).header("x-auth-token", &self.admin);
        request.header("x-subject-token", token).send().await?.error_for_status()?;
        Ok(())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>, wanted: StatusCode) -> Result<Value> {
        let request = self.http.request(method, format!("{}{path}", self.url)).header("x-auth-token", &self.admin);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = request.send().await.with_context(|| format!("ask the identity service for {path}"))?;
        if answer.status() != wanted {
            bail!("the identity service answered {path} with {}", answer.status());
        }
        let text = answer.text().await?;
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }
}

impl People {
    /// The token; `None` for nobody.
    pub(crate) async fn token(&self, who: Who) -> Result<Option<&str>> {
        let users = &self.identity.users;
        let (place, user, project, role) = match who {
            Who::Admin => return Ok(Some(&self.identity.admin)),
            Who::System => return Ok(Some(&self.identity.system)),
            Who::Domain => return Ok(Some(&self.identity.domain)),
            Who::Revoked => return Ok(Some(&self.identity.revoked)),
            Who::Nobody => return Ok(None),
            Who::Member => (0, &users.member, &self.project, "member"),
            Who::Colleague => (1, &users.colleague, &self.project, "member"),
            Who::Reader => (2, &users.reader, &self.project, "reader"),
            Who::Guest => (3, &users.guest, &self.project, "load-balancer_member"),
            Who::Stranger => (4, &users.stranger, &self.elsewhere, "member"),
            Who::Manager => (5, &users.manager, &self.project, "admin"),
            Who::Unscoped => {
                let (member, nothing) = (json!({"id": users.member}), json!("unscoped"));
                let token = self.tokens[6].get_or_try_init(|| self.identity.token(&member, &nothing)).await?;
                return Ok(Some(token));
            }
            Who::Credential => return Ok(Some(self.tokens[7].get_or_try_init(|| self.with_credential()).await?)),
        };
        let token = self.tokens[place].get_or_try_init(|| self.log_in(user, project, role)).await?;
        Ok(Some(token))
    }

    /// A token of an application credential that the member makes, and that may make others as a cluster's creation does.
    async fn with_credential(&self) -> Result<String> {
        let (identity, member) = (&self.identity, &self.identity.users.member);
        let token = self.tokens[0].get_or_try_init(|| self.log_in(member, &self.project, "member")).await?;
        let body = json!({"application_credential": {"name": self.project, "unrestricted": true}});
        let path = format!("{}/users/{member}/application_credentials", identity.url);
        let made = identity.http.post(path).header("x-auth-token", token).json(&body).send().await?;
        let made: Value = made.error_for_status()?.json().await?;
        let made = &made["application_credential"];
        let body = json!({"auth": {"identity": {"methods": ["application_credential"],
            "application_credential": {"id": made["id"], "secret": made["secret"]}}}});
        identity.log_in(&body).await
    }

    async fn log_in(&self, user: &str, project: &str, role: &str) -> Result<String> {
        // As in Keystone, a role has those below it with it: an administrator is a member, and a member is a reader.
        let role = self.identity.roles.get(role).with_context(|| format!("there is no role {role}"))?;
        let path = format!("/projects/{project}/users/{user}/roles/{role}");
        self.identity.ask(Method::PUT, &path, None, StatusCode::NO_CONTENT).await?;
        self.identity.token(&json!({"id": user}), &json!({"project": {"id": project}})).await
    }
}
