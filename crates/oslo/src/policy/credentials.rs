//! What a rule may ask about the caller.

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

/// The caller as rules see it: roles, scope and any number of named values, all borrowed, as a request asks several rules.
#[derive(Clone, Debug, Default)]
pub struct Credentials<'a> {
    scope: TokenScope,
    values: Vec<(&'a str, Attribute<'a>)>,
}

/// One value of the caller.
#[derive(Clone, Copy, Debug)]
enum Attribute<'a> {
    Text(Option<&'a str>),
    Flag(bool),
    Texts(&'a [String]),
}

impl<'a> Credentials<'a> {
    /// A caller of whom nothing is known.
    #[must_use]
    pub fn new() -> Self {
        // As many values as a caller has.
        Self { scope: TokenScope::default(), values: Vec::with_capacity(8) }
    }

    /// Names the roles.
    #[must_use]
    pub fn roles(self, roles: &'a [String]) -> Self {
        self.with("roles", Attribute::Texts(roles))
    }

    /// Says whether `is_admin:True` holds.
    #[must_use]
    pub fn admin(self, is_admin: bool) -> Self {
        self.with("is_admin", Attribute::Flag(is_admin))
    }

    /// Says what the token is good for.
    #[must_use]
    pub fn scope(mut self, scope: TokenScope) -> Self {
        self.scope = scope;
        self
    }

    /// Sets one value, for example `user_id`; `None` compares equal to the word `None`, as in Python.
    #[must_use]
    pub fn set(self, name: &'a str, value: Option<&'a str>) -> Self {
        self.with(name, Attribute::Text(value))
    }

    /// The scope of the token.
    #[must_use]
    pub fn token_scope(&self) -> TokenScope {
        self.scope
    }

    fn with(mut self, name: &'a str, value: Attribute<'a>) -> Self {
        self.values.push((name, value));
        self
    }

    fn get(&self, wanted: &str) -> Option<Attribute<'a>> {
        self.values.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value)
    }

    pub(super) fn has_role(&self, wanted: &str) -> bool {
        let Some(Attribute::Texts(roles)) = self.get("roles") else { return false };
        roles.iter().any(|role| same_in_lower_case(role, wanted))
    }

    /// Whether the value at a dotted path, or any item of a list there, reads as `wanted`, as Python's `str()` reads it. No
    /// value of ours has others inside, so a path with a dot leads nowhere.
    pub(super) fn holds(&self, path: &str, wanted: &str) -> bool {
        match self.get(path) {
            None => false,
            Some(Attribute::Text(text)) => text.unwrap_or("None") == wanted,
            Some(Attribute::Flag(true)) => wanted == "True",
            Some(Attribute::Flag(false)) => wanted == "False",
            Some(Attribute::Texts(texts)) => texts.iter().any(|text| text == wanted),
        }
    }
}

fn same_in_lower_case(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    one.to_lowercase() == other.to_lowercase()
}
