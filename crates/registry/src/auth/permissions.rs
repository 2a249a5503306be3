//! What somebody may do, whoever said so.

use std::sync::Arc;

use http::Method;
use jeroboam_openstack::AccessRule;

use crate::access::{Action, Need};
use crate::config::{Prefix, Rule};

/// What may be done in some repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) place: Place,
    pub(super) actions: Vec<Action>,
    /// Where the requests themselves are limited: those that may be made at all.
    pub(super) rules: Option<Arc<[AccessRule]>>,
}

impl Grant {
    pub(super) fn new(place: Place, actions: Vec<Action>) -> Self {
        Self { place, actions, rules: None }
    }

    fn allows(&self, repository: &str, action: Action) -> bool {
        self.actions.contains(&action)
            && self.place.covers(repository)
            && self.rules.as_ref().is_none_or(|rules| rules_allow(rules, repository, action))
    }
}

/// The services whose access rules are about us.
const SERVICES: &[&str] = &["registry", "container-registry"];

/// Whether rules let somebody do all of an action in a repository: to its manifests and to its blobs, whatever they are called. What allows less of it allows
/// nothing.
fn rules_allow(rules: &[AccessRule], repository: &str, action: Action) -> bool {
    let method = match action {
        Action::Pull => Method::GET,
        Action::Push => Method::PUT,
        Action::Delete => Method::DELETE,
    };
    let below = |rest: &str| format!("/v2/{repository}/{rest}");
    let wanted = match action {
        Action::Push => [below("manifests/any"), below("blobs/uploads/any")],
        Action::Pull | Action::Delete => [below("manifests/any"), below("blobs/any")],
    };
    wanted.iter().all(|path| rules.iter().any(|rule| rule.allows(SERVICES, &method, path)))
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
        let all = Grant::new(Place::Prefix(Prefix::All), EVERY_ACTION.to_vec());
        Self { grants: vec![all], catalog: true }
    }

    /// Pulling from these.
    pub(super) fn pull(prefixes: &[Prefix]) -> Self {
        let grant = |prefix: &Prefix| Grant::new(Place::Prefix(prefix.clone()), vec![Action::Pull]);
        Self { grants: prefixes.iter().map(grant).collect(), catalog: false }
    }

    /// What rules say of somebody who has one of these names.
    pub(super) fn of_rules(rules: &[Rule], names: &[&str]) -> Self {
        let mut permissions = Self::default();
        for rule in rules {
            if rule.names.iter().any(|name| name == "*" || names.contains(&name.as_str())) {
                let grants =
                    rule.prefixes.iter().map(|prefix| Grant::new(Place::Prefix(prefix.clone()), rule.actions.clone()));
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
    pub(super) fn reading(mut self) -> Self {
        for grant in &mut self.grants {
            grant.actions.retain(|action| *action == Action::Pull);
        }
        self.grants.retain(|grant| !grant.actions.is_empty());
        self
    }

    /// Only what these rules let one do; none where no rule is about a registry.
    pub(super) fn ruled(mut self, rules: &[AccessRule]) -> Option<Self> {
        let ours: Arc<[AccessRule]> =
            rules.iter().filter(|rule| SERVICES.contains(&rule.service.as_str())).cloned().collect();
        if ours.is_empty() {
            return None;
        }
        self.catalog &= ours.iter().any(|rule| rule.allows(SERVICES, &Method::GET, "/v2/_catalog"));
        for grant in &mut self.grants {
            grant.rules = Some(Arc::clone(&ours));
        }
        Some(self)
    }

    pub(super) fn allows(&self, need: &Need) -> bool {
        match need {
            Need::Entry => true,
            Need::Catalog => self.catalog,
            Need::Repository(name, action) => self.allows_in(name.as_str(), *action),
        }
    }

    pub(super) fn allows_in(&self, repository: &str, action: Action) -> bool {
        self.grants.iter().any(|grant| grant.allows(repository, action))
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

    #[test]
    fn rules_of_requests_hold_for_the_repositories_that_they_name() {
        let rule = |method: &str, path: &str| AccessRule {
            service: "registry".to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
        };
        let rules = |rules: &[AccessRule]| Permissions::everything().ruled(rules);
        for (granted, repository, action, allowed) in [
            (rules(&[rule("GET", "/v2/team/app/**")]), "team/app", Action::Pull, true),
            (rules(&[rule("GET", "/v2/team/app/**")]), "team/other", Action::Pull, false),
            (rules(&[rule("GET", "/v2/team/app/**")]), "team/app", Action::Push, false),
            (rules(&[rule("GET", "/v2/other/**")]), "other/deep/name", Action::Pull, true),
            (rules(&[rule("GET", "/v2/**"), rule("PUT", "/v2/a/**")]), "a", Action::Push, true),
            (rules(&[rule("GET", "/v2/**"), rule("PUT", "/v2/a/**")]), "b", Action::Push, false),
            (rules(&[rule("GET", "/v2/a/manifests/*")]), "a", Action::Pull, false),
            (rules(&[rule("GET", "/v2/a/manifests/*"), rule("GET", "/v2/a/blobs/*")]), "a", Action::Pull, true),
            (rules(&[rule("GET", "/v2/a/manifests/latest"), rule("GET", "/v2/a/blobs/*")]), "a", Action::Pull, false),
            (rules(&[rule("DELETE", "/v2/{name}/**")]), "a", Action::Delete, true),
        ] {
            let granted = granted.expect("rules about a registry");
            assert_eq!(granted.allows_in(repository, action), allowed, "{granted:?} {repository} {action:?}");
            // What anybody may do is not limited by them.
            let public = granted.and(&Permissions::pull(&[Prefix::Below("public".to_owned())]));
            assert!(public.allows_in("public/a", Action::Pull));
        }
        assert!(rules(&[rule("GET", "/v2/**")]).is_some_and(|granted| granted.catalog));
        assert!(rules(&[rule("GET", "/v2/a/**")]).is_some_and(|granted| !granted.catalog));
        assert_eq!(rules(&[AccessRule { service: "compute".to_owned(), ..rule("GET", "/v2/**") }]), None);
    }
}
