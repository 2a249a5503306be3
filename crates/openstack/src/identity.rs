//! Keystone: projects and application credentials. Tokens are in `session` and `validate`.

use http::Method;
use jeroboam_model::{ProjectId, Timestamp, UserId};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use crate::error::Kind;
use crate::{AccessRule, Error, ServiceType, Session};

const SERVICE: ServiceType = ServiceType::Identity;

/// Calls to Keystone; made by [`Session::identity`].
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a>(&'a Session);

/// An application credential to be made.
#[derive(Clone, Debug, Default)]
pub struct NewApplicationCredential {
    /// Unique for its user.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Names of the roles; `None` for all of the token's.
    pub roles: Option<Vec<String>>,
    /// The only requests it may make; `None` for all.
    pub access_rules: Option<Vec<AccessRule>>,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// Whether it may make others.
    pub unrestricted: bool,
}

/// An application credential.
#[derive(Clone, Debug, Deserialize)]
pub struct ApplicationCredential {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The project it is for.
    #[serde(default)]
    pub project_id: String,
    /// The secret: shown once, when it is made.
    #[serde(default, deserialize_with = "secret")]
    pub secret: Option<SecretString>,
}

/// A project.
#[derive(Clone, Debug, Deserialize)]
pub struct Project {
    /// The id.
    pub id: ProjectId,
    /// The name.
    pub name: String,
    /// The domain's id.
    #[serde(default)]
    pub domain_id: String,
    /// Whether it can be used.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(SecretString::from))
}

const fn yes() -> bool {
    true
}

impl Session {
    /// Calls to Keystone.
    #[must_use]
    pub const fn identity(&self) -> Identity<'_> {
        Identity(self)
    }
}

impl Identity<'_> {
    /// Makes an application credential for the session's own user and project.
    ///
    /// Not sent twice: a second one would be refused for its name while the first one's secret is lost.
    pub async fn create_application_credential(
        &self,
        new: &NewApplicationCredential,
    ) -> Result<ApplicationCredential, Error> {
        let user = self.0.token().await?.info.user.clone();
        let mut body = json!({"name": new.name, "description": new.description, "unrestricted": new.unrestricted});
        if let Some(roles) = &new.roles {
            body["roles"] = roles.iter().map(|role| json!({"name": role})).collect();
        }
        if let Some(rules) = &new.access_rules {
            body["access_rules"] = json!(rules);
        }
        if let Some(end) = new.expires_at {
            body["expires_at"] = json!(end.to_string());
        }
        let path = ["users", user.as_str(), "application_credentials"];
        let request = self.0.request(SERVICE, Method::POST, &path);
        request.json(json!({"application_credential": body})).send().await?.member("application_credential")
    }

    /// The application credentials of a user, all or those of one name.
    pub async fn application_credentials(
        &self,
        user: &UserId,
        name: Option<&str>,
    ) -> Result<Vec<ApplicationCredential>, Error> {
        let mut request = self.0.get(SERVICE, &["users", user.as_str(), "application_credentials"]);
        if let Some(name) = name {
            request = request.query("name", name);
        }
        let found: Vec<ApplicationCredential> = request.send().await?.member("application_credentials")?;
        Ok(found.into_iter().filter(|credential| name.is_none_or(|name| credential.name == name)).collect())
    }

    /// Deletes an application credential of any user; `false`: it was gone already.
    pub async fn delete_application_credential(&self, user: &UserId, id: &str) -> Result<bool, Error> {
        let path = ["users", user.as_str(), "application_credentials", id];
        match self.0.request(SERVICE, Method::DELETE, &path).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == Kind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A project by id.
    pub async fn project(&self, id: &ProjectId) -> Result<Option<Project>, Error> {
        match self.0.get(SERVICE, &["projects", id.as_str()]).send().await {
            Ok(answer) => answer.member("project").map(Some),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ends a token.
    pub async fn revoke(&self, token: &SecretString) -> Result<(), Error> {
        let header = crate::session::token_header(token)?;
        let request = self.0.request(SERVICE, Method::DELETE, &["auth", "tokens"]);
        match request.sensitive_header(crate::session::SUBJECT_TOKEN, header).send().await {
            Err(error) if error.kind() != Kind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
