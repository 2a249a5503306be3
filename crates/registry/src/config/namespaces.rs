//! Which repositories belong to which project of Keystone: by the project's id, and by the table of `jeroboam.namespaces`.
//!
//! What belongs to one project belongs to no other one: who may pull in the one could read what the other pushed.

use super::auth::{Prefix, needed};
use super::section::Section;

/// What begins the name of a project's repositories where nobody gave them another.
const OWN: &str = "p-";

/// How projects and repositories belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Namespaces {
    /// `p-<id>/` is a project's, and what the table of namespaces says.
    #[default]
    ProjectId,
    /// Only what the table says.
    TableAlone,
}

impl Namespaces {
    /// What a project has by its id.
    pub(crate) fn own(self, project: &str) -> Option<Prefix> {
        (self == Self::ProjectId && fits(project)).then(|| Prefix::Below(format!("{OWN}{project}")))
    }

    /// The project that has a name, and all below it, by its id.
    fn owner(self, name: &str) -> Option<&str> {
        let first = name.split('/').next().unwrap_or_default();
        first.strip_prefix(OWN).filter(|project| self.own(project).is_some())
    }
}

/// What cannot stand in the name of a repository cannot be anybody's by it.
fn fits(project: &str) -> bool {
    !project.is_empty() && project.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

/// A namespace and the project that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Where.
    pub prefix: Prefix,
    /// Id of the project.
    pub project: String,
}

pub(super) fn read(ours: &Section<'_>, by_id: Namespaces) -> Vec<Namespace> {
    let mut table: Vec<Namespace> = Vec::new();
    for section in ours.list("namespaces") {
        let (prefix, project) = (needed(&section, "prefix"), needed(&section, "project"));
        if prefix.is_empty() || project.is_empty() {
            continue;
        }
        let namespace = Namespace { prefix: Prefix::parse(&prefix), project };
        match claimed(&namespace, &table, by_id) {
            Some(why) => section.refuse("prefix", &why),
            None => table.push(namespace),
        }
    }
    table
}

/// Why a namespace cannot be a project's: another one has some of it.
fn claimed(new: &Namespace, table: &[Namespace], by_id: Namespaces) -> Option<String> {
    let Namespace { prefix, project } = new;
    if let Some(other) = table.iter().find(|other| other.project != *project && other.prefix.overlaps(prefix)) {
        return Some(format!(
            "is {prefix} for the project {project}, and another one has {} for {}: neither may lie below the other",
            other.prefix, other.project
        ));
    }
    let owner = match prefix {
        Prefix::All if by_id == Namespaces::ProjectId => "every project",
        Prefix::All => return None,
        Prefix::Below(name) => by_id.owner(name).filter(|owner| owner != project)?,
    };
    Some(format!(
        "is {prefix} for the project {project}, and all or some of it is what {owner} has by its id ({OWN}<id>): take another one, or say auth.keystone.namespaces: none"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::config::Config;

    /// What is wrong with a table, where projects have something by their ids, too, or not.
    fn wrong(table: &str, keystone: &str) -> Option<String> {
        let text = format!("version: 0.1\nstorage: inmemory\n{keystone}jeroboam: {{namespaces: [{table}]}}\n");
        let read = Config::read(&text, &BTreeMap::new()).expect("YAML").into_config();
        read.err().map(|errors| errors.join("; "))
    }

    const BY_ID: &str = "auth: {keystone: {url: 'http://k/v3'}}\n";
    const BY_TABLE: &str = "auth: {keystone: {url: 'http://k/v3', namespaces: none}}\n";

    #[test]
    fn what_belongs_to_one_project_belongs_to_no_other_one() {
        for (table, both) in [
            ("{prefix: team, project: a}, {prefix: team, project: b}", Some(["team for the project b", "team for a"])),
            (
                "{prefix: team/x, project: a}, {prefix: team/, project: b}",
                Some(["team for the project b", "team/x for a"]),
            ),
            ("{prefix: team, project: a}, {prefix: team/x/y, project: b}", Some(["team/x/y for", "team for a"])),
            ("{prefix: '*', project: a}, {prefix: team, project: b}", Some(["team for the project b", "* for a"])),
            ("{prefix: team, project: a}, {prefix: team/x, project: a}", None),
            ("{prefix: team, project: a}, {prefix: teams, project: b}", None),
            ("{prefix: team/x, project: a}, {prefix: team/y, project: b}", None),
        ] {
            let said = wrong(table, BY_TABLE);
            assert_eq!(said.is_some(), both.is_some(), "{table}: {said:?}");
            let said = said.unwrap_or_default();
            assert!(both.into_iter().flatten().all(|part| said.contains(part)), "{table}: {said}");
        }
    }

    #[test]
    fn what_a_project_has_by_its_id_is_given_to_no_other_one() {
        let (id, other) = ("0123456789abcdef", "fedcba9876543210");
        for (prefix, is_claimed) in [
            (format!("p-{other}"), true),
            (format!("p-{other}/app"), true),
            (format!("p-{id}"), false),
            (format!("p-{id}/app"), false),
            (format!("team/p-{other}"), false),
            ("p-".to_owned(), false),
            ("p-a.b".to_owned(), false),
            ("'*'".to_owned(), true),
        ] {
            let table = format!("{{prefix: {prefix}, project: '{id}'}}");
            let said = wrong(&table, BY_ID);
            assert_eq!(said.is_some(), is_claimed, "{prefix}: {said:?}");
            let named = [id, if prefix == "'*'" { "every project" } else { other }];
            assert!(said.is_none_or(|said| named.iter().all(|name| said.contains(name))), "{prefix} names both");
            assert_eq!(wrong(&table, BY_TABLE), None, "{prefix}: no project has anything by its id");
            assert_eq!(wrong(&table, ""), None, "{prefix}: nobody asks Keystone");
        }
    }
}
