//! Who we are and what for: the body of `POST /v3/auth/tokens`.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// Something of Keystone's with an id, or with a name in a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// By id.
    Id(String),
    /// By name; the domain is an id or a name, `default` where none is given.
    Name {
        /// The name.
        name: String,
        /// Its domain: never itself in a domain.
        domain: DomainRef,
    },
}

/// A domain by id or name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainRef {
    /// By id.
    Id(String),
    /// By name.
    Name(String),
}

impl Default for DomainRef {
    fn default() -> Self {
        Self::Id("default".to_owned())
    }
}

impl DomainRef {
    fn json(&self) -> Value {
        match self {
            Self::Id(id) => json!({"id": id}),
            Self::Name(name) => json!({"name": name}),
        }
    }
}

/// A user by id, or by name and domain.
pub type UserRef = Named;

impl Named {
    fn json(&self) -> Value {
        match self {
            Self::Id(id) => json!({"id": id}),
            Self::Name { name, domain } => json!({"name": name, "domain": domain.json()}),
        }
    }
}

/// What the token is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The user's default project, if there is one.
    #[default]
    Unscoped,
    /// A project.
    Project(Named),
    /// A domain.
    Domain(DomainRef),
    /// The whole cloud.
    System,
    /// What a trust hands on.
    Trust(String),
}

impl Scope {
    fn json(&self) -> Option<Value> {
        match self {
            Self::Unscoped => None,
            Self::Project(project) => Some(json!({"project": project.json()})),
            Self::Domain(domain) => Some(json!({"domain": domain.json()})),
            Self::System => Some(json!({"system": {"all": true}})),
            Self::Trust(id) => Some(json!({"OS-TRUST:trust": {"id": id}})),
        }
    }
}

/// How we show who we are.
#[derive(Clone, Debug)]
pub enum Auth {
    /// `v3password`.
    Password {
        /// The user.
        user: UserRef,
        /// The password.
        password: SecretString,
        /// What for.
        scope: Scope,
    },
    /// `v3token`: one token for another.
    Token {
        /// The token there is.
        token: SecretString,
        /// What for.
        scope: Scope,
    },
    /// `v3applicationcredential` by id; its project is its scope.
    ApplicationCredential {
        /// The id.
        id: String,
        /// The secret.
        secret: SecretString,
    },
    /// `v3applicationcredential` by name, which is unique for its user.
    ApplicationCredentialName {
        /// The name.
        name: String,
        /// Whose it is.
        user: UserRef,
        /// The secret.
        secret: SecretString,
    },
}

impl Auth {
    /// The trust that we act by, if we do.
    pub(crate) fn trust(&self) -> Option<&str> {
        match self {
            Self::Password { scope: Scope::Trust(id), .. } | Self::Token { scope: Scope::Trust(id), .. } => Some(id),
            _ => None,
        }
    }

    /// The same without a trust, where there is one.
    pub(crate) fn without_trust(&self) -> Option<Self> {
        self.trust()?;
        let mut alone = self.clone();
        if let Self::Password { scope, .. } | Self::Token { scope, .. } = &mut alone {
            *scope = Scope::Unscoped;
        }
        Some(alone)
    }

    pub(crate) fn body(&self) -> Value {
        let (identity, scope) = match self {
            Self::Password { user, password, scope } => {
                let mut user = user.json();
                user["password"] = json!(password.expose_secret());
                (json!({"methods": ["password"], "password": {"user": user}}), scope.json())
            }
            Self::Token { token, scope } => {
                (json!({"methods": ["token"], "token": {"id": token.expose_secret()}}), scope.json())
            }
            Self::ApplicationCredential { id, secret } => {
                let credential = json!({"id": id, "secret": secret.expose_secret()});
                (json!({"methods": ["application_credential"], "application_credential": credential}), None)
            }
            Self::ApplicationCredentialName { name, user, secret } => {
                let credential = json!({"name": name, "user": user.json(), "secret": secret.expose_secret()});
                (json!({"methods": ["application_credential"], "application_credential": credential}), None)
            }
        };
        match scope {
            Some(scope) => json!({"auth": {"identity": identity, "scope": scope}}),
            None => json!({"auth": {"identity": identity}}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(scope: Scope) -> Auth {
        let user = Named::Name { name: "demo".into(), domain: DomainRef::default() };
        Auth::Password { user, password: "secret".into(), scope }
    }

    #[test]
    fn each_scope_is_written_as_keystone_reads_it() {
        let project = Named::Name { name: "p".into(), domain: DomainRef::Name("D".into()) };
        for (scope, wanted) in [
            (Scope::Unscoped, Value::Null),
            (Scope::Project(Named::Id("1".into())), json!({"project": {"id": "1"}})),
            (Scope::Project(project), json!({"project": {"name": "p", "domain": {"name": "D"}}})),
            (Scope::Domain(DomainRef::Id("d".into())), json!({"domain": {"id": "d"}})),
            (Scope::System, json!({"system": {"all": true}})),
            (Scope::Trust("t".into()), json!({"OS-TRUST:trust": {"id": "t"}})),
        ] {
            assert_eq!(password(scope).body()["auth"]["scope"], wanted);
        }
    }

    #[test]
    fn an_application_credential_is_sent_without_a_scope() {
        let auth = Auth::ApplicationCredential { id: "a".into(), secret: "s".into() };
        let wanted = json!({"auth": {"identity": {
            "methods": ["application_credential"], "application_credential": {"id": "a", "secret": "s"}}}});
        assert_eq!(auth.body(), wanted);
        assert!(!format!("{auth:?}").contains("\"s\""), "the secret is not printed");
    }
}
