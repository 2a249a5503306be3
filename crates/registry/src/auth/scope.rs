//! Scopes: what the token protocol calls a need, such as `repository:team/app:pull,push`.

use std::fmt;

use jeroboam_oci::RepositoryName;

use super::permissions::Permissions;
use crate::access::{Action, Need};

/// Most scopes of one request; clients ask for two.
pub(super) const MOST: usize = 64;

/// A scope as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) actions: Vec<String>,
}

impl Scope {
    /// Reads `type:name:actions`: the type ends at the first colon, the actions begin after the last, since a name may have a port.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        // A class, as in `repository(plugin)`, makes no difference.
        let kind = kind.split_once('(').map_or(kind, |(kind, _)| kind);
        let actions = actions.split(',').filter(|action| !action.is_empty());
        Some(Self { kind: kind.to_owned(), name: name.to_owned(), actions: actions.map(str::to_owned).collect() })
    }

    /// What of it is allowed; none where nothing is.
    pub(super) fn granted(&self, permissions: &Permissions) -> Option<Self> {
        let actions: Vec<String> = match self.kind.as_str() {
            "registry" if self.name == "catalog" => {
                let asked = self.actions.iter().any(|action| action == "*");
                if asked && permissions.catalog { vec!["*".to_owned()] } else { Vec::new() }
            }
            "repository" => {
                let name: RepositoryName = self.name.parse().ok()?;
                let all = self.actions.iter().any(|action| action == "*");
                let wanted = |action: Action| all || self.actions.iter().any(|asked| asked == word(action));
                let allowed = [Action::Pull, Action::Push, Action::Delete].into_iter();
                let allowed = allowed.filter(|action| wanted(*action) && permissions.allows_in(name.as_str(), *action));
                allowed.map(|action| word(action).to_owned()).collect()
            }
            _ => Vec::new(),
        };
        (!actions.is_empty()).then(|| Self { actions, ..self.clone() })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.kind, self.name, self.actions.join(","))
    }
}

/// The word of the protocol for an action.
pub(super) const fn word(action: Action) -> &'static str {
    match action {
        Action::Pull => "pull",
        Action::Push => "push",
        Action::Delete => "delete",
    }
}

/// The scopes that a client needs for all of these, each repository once.
pub(super) fn of_needs<'a>(needs: impl IntoIterator<Item = &'a Need>) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = Vec::new();
    for need in needs {
        let (kind, name, action) = match need {
            Need::Entry => continue,
            Need::Catalog => ("registry", "catalog", "*"),
            Need::Repository(name, action) => ("repository", name.as_str(), word(*action)),
        };
        match scopes.iter_mut().find(|scope| scope.kind == kind && scope.name == name) {
            Some(scope) if scope.actions.iter().any(|known| known == action) => {}
            Some(scope) => scope.actions.push(action.to_owned()),
            None => {
                scopes.push(Scope { kind: kind.to_owned(), name: name.to_owned(), actions: vec![action.to_owned()] });
            }
        }
    }
    scopes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Prefix;

    #[test]
    fn scopes_are_read_and_cut_to_what_is_allowed() {
        let permissions = Permissions::pull(&[Prefix::Below("a".to_owned())]);
        for (text, granted) in [
            ("repository:a/b:pull,push", Some("repository:a/b:pull")),
            ("repository:a/b:*", Some("repository:a/b:pull")),
            ("repository(plugin):a:pull", Some("repository:a:pull")),
            ("repository:b:pull", None),
            ("repository:host:5000/a:pull", None),
            ("registry:catalog:*", None),
            ("repository:a:", None),
            ("nothing", None),
        ] {
            let scope = Scope::parse(text).and_then(|scope| scope.granted(&permissions));
            assert_eq!(scope.map(|scope| scope.to_string()).as_deref(), granted, "{text}");
        }
        let scope = Scope::parse("repository:host:5000/a:pull,push").expect("a scope");
        assert_eq!((scope.name.as_str(), scope.actions.len()), ("host:5000/a", 2));
        let all = Scope::parse("registry:catalog:*").and_then(|scope| scope.granted(&Permissions::everything()));
        assert_eq!(all.map(|scope| scope.to_string()).as_deref(), Some("registry:catalog:*"));
    }

    #[test]
    fn each_repository_is_named_once() {
        let name: RepositoryName = "a".parse().expect("a name");
        let needs = [
            Need::Entry,
            Need::Repository(name.clone(), Action::Pull),
            Need::Repository(name.clone(), Action::Push),
            Need::Repository(name, Action::Pull),
            Need::Catalog,
        ];
        let scopes: Vec<String> = of_needs(&needs).iter().map(ToString::to_string).collect();
        assert_eq!(scopes, ["repository:a:pull,push", "registry:catalog:*"]);
    }
}
