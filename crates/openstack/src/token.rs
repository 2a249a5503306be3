//! What Keystone says about a token.

use std::sync::Arc;

use jeroboam_model::{Caller, ProjectId, Timestamp, UserId};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{AccessRule, Catalog, Error, ServiceType};

/// A token that is ours to use.
#[derive(Clone, Debug)]
pub struct Token {
    /// What goes into `X-Auth-Token`.
    pub secret: SecretString,
    /// What it stands for.
    pub info: Arc<TokenInfo>,
    /// When we got it, by our own clock.
    pub obtained: Timestamp,
}

/// Whom and what a token stands for. The token itself is not in here.
#[derive(Clone, Debug)]
pub struct TokenInfo {
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub user_name: String,
    /// Id of the user's domain.
    pub user_domain: Option<String>,
    /// The project, for project tokens.
    pub project: Option<ProjectId>,
    /// The project's name.
    pub project_name: Option<String>,
    /// Id of the project's domain.
    pub project_domain: Option<String>,
    /// Id of the domain, for domain tokens.
    pub domain: Option<String>,
    /// Whether it is a system token.
    pub system: bool,
    /// Names of the roles.
    pub roles: Vec<String>,
    /// How it was had: `password`, `token`, `application_credential`.
    pub methods: Vec<String>,
    /// When it was made.
    pub issued_at: Option<Timestamp>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The application credential behind it.
    pub application_credential: Option<TokenApplicationCredential>,
    /// Id of the trust behind it.
    pub trust: Option<String>,
    /// The services that it can be used with; empty for unscoped tokens.
    pub catalog: Catalog,
}

/// The application credential that a token was had with.
#[derive(Clone, Debug, Deserialize)]
pub struct TokenApplicationCredential {
    /// The id.
    pub id: String,
    /// The name.
    #[serde(default)]
    pub name: String,
    /// Whether it may not make or delete application credentials and trusts.
    #[serde(default = "yes")]
    pub restricted: bool,
    /// The only requests it may make; `None` for all.
    #[serde(default)]
    pub access_rules: Option<Vec<AccessRule>>,
}

const fn yes() -> bool {
    true
}

impl TokenInfo {
    /// The caller that the token stands for; whether it is an administrator is for the policy to say.
    #[must_use]
    pub fn caller(&self, token: SecretString, request_id: String) -> Caller {
        Caller {
            user: self.user.clone(),
            user_name: self.user_name.clone(),
            user_domain: self.user_domain.clone(),
            project: self.project.clone(),
            project_name: self.project_name.clone(),
            project_domain: self.project_domain.clone(),
            domain: self.domain.clone(),
            system_scope: self.system.then(|| "all".to_owned()),
            roles: self.roles.clone(),
            is_admin: false,
            application_credential: self.application_credential.is_some(),
            token,
            request_id,
            global_request_id: None,
        }
    }

    /// Whether it can no longer be used.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    /// Reads the answer to `GET` or `POST /v3/auth/tokens`.
    pub(crate) fn from_body(body: &[u8]) -> Result<Self, Error> {
        let wire: WireAnswer = serde_json::from_slice(body)
            .map_err(|error| Error::unreadable(ServiceType::Identity, format!("token at line {}", error.line())))?;
        Ok(wire.token.into())
    }
}

#[derive(Deserialize)]
struct WireAnswer {
    token: WireToken,
}

#[derive(Deserialize)]
struct WireToken {
    #[serde(default)]
    methods: Vec<String>,
    user: WireUser,
    project: Option<WireProject>,
    domain: Option<WireDomain>,
    system: Option<WireSystem>,
    #[serde(default)]
    roles: Vec<WireRole>,
    issued_at: Option<Timestamp>,
    expires_at: Timestamp,
    application_credential: Option<TokenApplicationCredential>,
    #[serde(rename = "OS-TRUST:trust")]
    trust: Option<WireTrust>,
    #[serde(default)]
    catalog: Catalog,
}

#[derive(Deserialize)]
struct WireUser {
    id: String,
    #[serde(default)]
    name: String,
    domain: Option<WireDomain>,
}

#[derive(Deserialize)]
struct WireProject {
    id: String,
    #[serde(default)]
    name: String,
    domain: Option<WireDomain>,
}

/// Federated users' domains may have no id.
#[derive(Deserialize)]
struct WireDomain {
    id: Option<String>,
}

#[derive(Deserialize)]
struct WireSystem {
    #[serde(default)]
    all: bool,
}

#[derive(Deserialize)]
struct WireRole {
    name: String,
}

#[derive(Deserialize)]
struct WireTrust {
    id: String,
}

impl From<WireToken> for TokenInfo {
    fn from(wire: WireToken) -> Self {
        let (project, project_name, project_domain) = match wire.project {
            Some(project) => (Some(project.id.into()), Some(project.name), project.domain.and_then(|domain| domain.id)),
            None => (None, None, None),
        };
        Self {
            user: wire.user.id.into(),
            user_name: wire.user.name,
            user_domain: wire.user.domain.and_then(|domain| domain.id),
            project,
            project_name,
            project_domain,
            domain: wire.domain.and_then(|domain| domain.id),
            system: wire.system.is_some_and(|system| system.all),
            roles: wire.roles.into_iter().map(|role| role.name).collect(),
            methods: wire.methods,
            issued_at: wire.issued_at,
            expires_at: wire.expires_at,
            application_credential: wire.application_credential,
            trust: wire.trust.map(|trust| trust.id),
            catalog: wire.catalog,
        }
    }
}
