//! What a rule may ask about the caller.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a token is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenScope {
    /// A project, or nothing at all: oslo.policy does not tell the two apart.
    #[default]
    Project,
    /// A domain.
    Domain,
    /// The whole system.
    System,
}

impl TokenScope {
    /// The word that rules use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Domain => "domain",
            Self::System => "system",
        }
    }
}

/// The caller as rules see it: roles, scope and any number of named values.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    scope: TokenScope,
    values: BTreeMap<String, Value>,
}

impl Credentials {
    /// A caller of whom nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the roles.
    #[must_use]
    pub fn roles<S: Into<String>>(self, roles: impl IntoIterator<Item = S>) -> Self {
        let roles = roles.into_iter().map(|role| Value::String(role.into())).collect();
        self.with("roles", Value::Array(roles))
    }

    /// Says whether `is_admin:True` holds.
    #[must_use]
    pub fn admin(self, is_admin: bool) -> Self {
        self.with("is_admin", Value::Bool(is_admin))
    }

    /// Says what the token is good for.
    #[must_use]
    pub fn scope(mut self, scope: TokenScope) -> Self {
        self.scope = scope;
        self
    }

    /// Sets one value, for example `user_id`; `None` compares equal to the word `None`, as in Python.
    #[must_use]
    pub fn set(self, name: &str, value: Option<&str>) -> Self {
        self.with(name, value.map_or(Value::Null, |text| Value::String(text.to_owned())))
    }

    /// The scope of the token.
    #[must_use]
    pub fn token_scope(&self) -> TokenScope {
        self.scope
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.values.insert(name.to_owned(), value);
        self
    }

    pub(super) fn has_role(&self, wanted: &str) -> bool {
        let wanted = wanted.to_lowercase();
        let Some(Value::Array(roles)) = self.values.get("roles") else { return false };
        roles.iter().filter_map(Value::as_str).any(|role| role.to_lowercase() == wanted)
    }

    /// Whether the value at a dotted path, or any item of a list there, reads as `wanted`.
    pub(super) fn holds(&self, path: &str, wanted: &str) -> bool {
        let (first, rest) = split_path(path);
        self.values.get(first).is_some_and(|value| matches(value, rest, wanted))
    }
}

fn split_path(path: &str) -> (&str, Option<&str>) {
    path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)))
}

fn matches(value: &Value, path: Option<&str>, wanted: &str) -> bool {
    if let Value::Array(items) = value {
        return items.iter().any(|item| matches(item, path, wanted));
    }
    match path {
        None => python_text(value) == wanted,
        Some(path) => {
            let (first, rest) = split_path(path);
            value.get(first).is_some_and(|inner| matches(inner, rest, wanted))
        }
    }
}

/// What Python's `str()` makes of a value.
fn python_text(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
