//! What a rule may ask about the caller.

use super::attribute::{Attribute, Refused, split_path};

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenScope {
    /// A project, or nothing at all: oslo.policy does not tell the two apart.
    Project,
    /// A domain.
    Domain,
    /// The whole system.
    System,
}

/// The caller as rules see it: any number of named values, most of them borrowed.
#[derive(Clone, Debug, Default)]
pub struct Credentials<'a>(Vec<(&'a str, Attribute<'a>)>);

impl<'a> Credentials<'a> {
    /// A caller of whom nothing is known.
    #[must_use]
    pub fn new() -> Self {
        // As many values as a caller has.
        Self(Vec::with_capacity(20))
    }

    /// Sets one value, for example `user_id`.
    #[must_use]
    pub fn set(mut self, name: &'a str, value: impl Into<Attribute<'a>>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// Names the roles.
    #[must_use]
    pub fn roles(self, roles: &'a [String]) -> Self {
        self.set("roles", Attribute::Texts(roles))
    }

    /// Says whether `is_admin:True` holds.
    #[must_use]
    pub fn admin(self, is_admin: bool) -> Self {
        self.set("is_admin", Attribute::Flag(is_admin))
    }

    fn value(&self, wanted: &str) -> Option<&Attribute<'a>> {
        self.0.iter().rev().find(|(name, _)| *name == wanted).map(|(_, value)| value)
    }

    fn get(&self, wanted: &str) -> Option<&Attribute<'a>> {
        // oslo.policy: who has a `system_scope` has it as `system`, too.
        let system = self.value("system_scope").filter(|scope| wanted == "system" && scope.is_true());
        system.or_else(|| self.value(wanted))
    }

    /// What the token is good for, as far as it was said.
    pub(super) fn scope(&self) -> TokenScope {
        let given = |name: &str| self.get(name).is_some_and(Attribute::is_true);
        if given("system") {
            TokenScope::System
        } else if given("domain_id") {
            TokenScope::Domain
        } else {
            TokenScope::Project
        }
    }

    pub(super) fn has_role(&self, wanted: &str) -> Result<bool, Refused> {
        self.get("roles").map_or(Ok(false), |roles| roles.has_role(wanted))
    }

    /// Whether the value at a dotted path, or any item of a list there, reads as `wanted`.
    pub(super) fn holds(&self, path: &str, wanted: &str) -> Result<bool, Refused> {
        let (first, rest) = split_path(path);
        self.get(first).map_or(Ok(false), |value| value.holds(rest, wanted))
    }
}
