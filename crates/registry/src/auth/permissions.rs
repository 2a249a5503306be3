//! What somebody may do, whoever said so.

use crate::access::{Action, Need};
use crate::config::{Prefix, Rule};

/// What may be done in some repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) place: Place,
    pub(super) actions: Vec<Action>,
}

/// Some repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Those of a name and below it, or all.
    Prefix(Prefix),
    /// This one.
    One(String),
}

/// All that somebody may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Permissions {
    pub(super) grants: Vec<Grant>,
    /// Whether they may see the list of all repositories.
    pub(super) catalog: bool,
}

pub(super) const EVERY_ACTION: [Action; 3] = [Action::Pull, Action::Push, Action::Delete];

impl Permissions {
    /// Everything.
    pub(super) fn everything() -> Self {
        let all = Grant { place: Place::Prefix(Prefix::All), actions: EVERY_ACTION.to_vec() };
        Self { grants: vec![all], catalog: true }
    }

    /// Pulling from these.
    pub(super) fn pull(prefixes: &[Prefix]) -> Self {
        let grant = |prefix: &Prefix| Grant { place: Place::Prefix(prefix.clone()), actions: vec![Action::Pull] };
        Self { grants: prefixes.iter().map(grant).collect(), catalog: false }
    }

    /// What rules say of somebody who has one of these names.
    pub(super) fn of_rules(rules: &[Rule], names: &[&str]) -> Self {
        let mut permissions = Self::default();
        for rule in rules {
            if rule.names.iter().any(|name| name == "*" || names.contains(&name.as_str())) {
                let grants = rule
                    .prefixes
                    .iter()
                    .map(|prefix| Grant { place: Place::Prefix(prefix.clone()), actions: rule.actions.clone() });
                permissions.grants.extend(grants);
                permissions.catalog |= rule.catalog && rule.prefixes.contains(&Prefix::All);
            }
        }
        permissions
    }

    /// Whether nothing at all may be done.
    pub(super) fn is_empty(&self) -> bool {
        self.grants.is_empty() && !self.catalog
    }

    /// These and others.
    pub(super) fn and(mut self, others: &Self) -> Self {
        self.grants.extend(others.grants.iter().cloned());
        self.catalog |= others.catalog;
        self
    }

    /// Only what changes nothing.
    pub(super) fn reading(self) -> Self {
        self.within(&[Action::Pull])
    }

    /// Only these actions.
    pub(super) fn within(mut self, actions: &[Action]) -> Self {
        for grant in &mut self.grants {
            grant.actions.retain(|action| actions.contains(action));
        }
        self.grants.retain(|grant| !grant.actions.is_empty());
        self.catalog &= actions.contains(&Action::Pull);
        self
    }

    pub(super) fn allows(&self, need: &Need) -> bool {
        match need {
            Need::Entry => true,
            Need::Catalog => self.catalog,
            Need::Repository(name, action) => self.allows_in(name.as_str(), *action),
        }
    }

    pub(super) fn allows_in(&self, repository: &str, action: Action) -> bool {
        self.grants.iter().any(|grant| grant.actions.contains(&action) && grant.place.covers(repository))
    }
}

impl Place {
    fn covers(&self, repository: &str) -> bool {
        match self {
            Self::Prefix(prefix) => prefix.covers(repository),
            Self::One(name) => name == repository,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(name: &str, action: Action) -> Need {
        Need::Repository(name.parse().expect("a name"), action)
    }

    #[test]
    fn rules_say_what_a_name_may_do() {
        let rule = |name: &str, prefix: Prefix, actions: &[Action], catalog| Rule {
            names: vec![name.to_owned()],
            prefixes: vec![prefix],
            actions: actions.to_vec(),
            catalog,
        };
        let rules = [
            rule("*", Prefix::Below("public".to_owned()), &[Action::Pull], false),
            rule("ci", Prefix::Below("team".to_owned()), &[Action::Pull, Action::Push], true),
            rule("root", Prefix::All, &EVERY_ACTION, true),
        ];
        for (name, need, allowed) in [
            ("ci", need("public/a", Action::Pull), true),
            ("ci", need("public/a", Action::Push), false),
            ("ci", need("team", Action::Push), true),
            ("ci", need("team/a", Action::Delete), false),
            ("ci", need("teamwork", Action::Pull), false),
            ("ci", Need::Catalog, false),
            ("ci", Need::Entry, true),
            ("root", Need::Catalog, true),
            ("root", need("a", Action::Delete), true),
            ("nobody", need("team/a", Action::Pull), false),
        ] {
            assert_eq!(Permissions::of_rules(&rules, &[name]).allows(&need), allowed, "{name} {need:?}");
        }
        let stale = Permissions::everything().reading();
        assert!(stale.allows(&need("a", Action::Pull)) && !stale.allows(&need("a", Action::Push)));
    }
}
