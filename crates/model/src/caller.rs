//! Who asks.

use secrecy::SecretString;

use crate::{ProjectId, UserId};

/// The person or program behind a request, as Keystone vouched for it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub user_name: String,
    /// The user's domain.
    pub user_domain: Option<String>,
    /// The project the token is for; `None` for unscoped, domain and system tokens.
    pub project: Option<ProjectId>,
    /// The project's name.
    pub project_name: Option<String>,
    /// The project's domain.
    pub project_domain: Option<String>,
    /// The domain of a domain token.
    pub domain: Option<String>,
    /// `all` for a system token.
    pub system_scope: Option<String>,
    /// Names of the roles.
    pub roles: Vec<String>,
    /// Whether the policy rule `context_is_admin` holds.
    pub is_admin: bool,
    /// Whether the token came from an application credential, which may not make another.
    pub application_credential: bool,
    /// The token itself, for calls in the caller's name.
    pub token: SecretString,
    /// Id of the request, `req-<uuid>`.
    pub request_id: String,
    /// The id that another service of the cloud has for what it does here, `req-<uuid>`.
    pub global_request_id: Option<String>,
}

impl Caller {
    /// The id by which services that are asked on the way are to know the request. oslo.context: `global_id`.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.global_request_id.as_deref().unwrap_or(&self.request_id)
    }

    /// What the caller's listings show without an administrator's wider view.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match &self.project {
            Some(project) => Scope::Project(project.clone()),
            None => Scope::User(self.user.clone()),
        }
    }

    /// Everything for an administrator, the caller's own for everybody else.
    #[must_use]
    pub fn widest_scope(&self) -> Scope {
        if self.is_admin { Scope::All } else { self.scope() }
    }
}

/// Which rows a query may see. Magnum: `magnum/db/sqlalchemy/api.py _add_tenant_filters`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All of the cloud.
    All,
    /// One project's.
    Project(ProjectId),
    /// One user's: the caller has no project.
    User(UserId),
}
