//! Looks through the operator's policy files for what cannot be meant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use super::check::{Check, Kind};
use super::enforcer::{self, PolicyError, PolicySettings};
use super::{defaults, parse};
use crate::spelling::distance;

/// Something in a policy file that an operator should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFinding {
    /// The file.
    pub file: PathBuf,
    /// The rule.
    pub rule: String,
    /// What is wrong, and what follows from it.
    pub why: String,
    /// Whether requests are refused or let through because of it.
    pub error: bool,
}

impl fmt::Display for PolicyFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}: {}", self.file.display(), self.rule, self.why)
    }
}

/// Reads the policy files and says what is wrong in them; no findings means that every rule can be meant so.
pub fn policy_check(settings: &PolicySettings) -> Result<Vec<PolicyFinding>, PolicyError> {
    Ok(look_through(&enforcer::read(settings)?, &settings.default_rule))
}

/// What is wrong in rules that were read.
pub(super) fn look_through(own: &enforcer::FileRules, default_rule: &str) -> Vec<PolicyFinding> {
    let mut known: BTreeMap<String, Check> = BTreeMap::new();
    for default in defaults::rules() {
        known.insert(default.name.to_owned(), parse::text_rule(default.check));
    }
    let shipped = known.clone();
    for (name, (_, check)) in own {
        known.insert(name.clone(), check.clone());
    }
    let mut referenced = BTreeSet::new();
    for check in known.values() {
        check.walk(&mut |node| {
            if let Check::Rule(name) = node {
                referenced.insert(name.clone());
            }
        });
    }

    let mut findings = Vec::new();
    for (name, (file, check)) in own {
        let mut say = |error: bool, why: String| {
            findings.push(PolicyFinding { file: file.clone(), rule: name.clone(), why, error });
        };
        if let Check::Unreadable(bad) = check {
            say(true, format!("{bad}; it refuses everybody"));
            continue;
        }
        let replaced = replaced(name, check, own);
        if !replaced.is_empty() {
            say(false, format!("a former name, which replaces {}; say so under these names", replaced.join(", ")));
        } else if !asked_for(name) && !referenced.contains(name) && name != default_rule {
            let hint = nearest(name).map(|other| format!("; did you mean {other}?")).unwrap_or_default();
            say(false, format!("no request asks for this rule, and no other rule; it has no effect{hint}"));
        }
        if shipped.get(name) == Some(check) {
            say(false, "it repeats the default; the line can go".to_owned());
        }
        check.walk(&mut |node| match node {
            Check::Rule(other) if !known.contains_key(other) => {
                say(true, format!("it names the rule {other:?}, which does not exist and so refuses"));
            }
            Check::Unreadable(bad) => say(true, format!("{bad}; as a part of a rule it says no, and yes behind a not")),
            Check::Remote(url) => {
                say(
                    true,
                    format!("{url:?} asks a server, which is not supported; whoever it is asked about is refused"),
                );
            }
            Check::Role(text) | Check::Generic { wanted: text, .. } if text.is_broken() => {
                say(true, "a % that is not %(name)s or %%; whoever it is asked about is refused".to_owned());
            }
            Check::Generic { kind: Kind::Broken(text), .. } => {
                say(true, format!("{text:?} is neither a name nor a literal; whoever it is asked about is refused"));
            }
            _ => {}
        });
        if reaches(&known, name, name) {
            say(true, "it leads back to itself, and so refuses".to_owned());
        }
    }
    findings
}

/// Whether a request, or the service itself, asks for this rule by its name.
fn asked_for(name: &str) -> bool {
    let registered = defaults::rules().iter().find(|rule| rule.name == name);
    name == "context_is_admin" || registered.is_some_and(|rule| !rule.guards.is_empty())
}

/// The rules that a rule under a former name takes the place of.
fn replaced(name: &str, check: &Check, own: &enforcer::FileRules) -> Vec<&'static str> {
    let takes_place = |rule: &&defaults::Rule| {
        let former = rule.deprecated.filter(|old| old.name == name && !own.contains_key(rule.name));
        former.is_some_and(|old| enforcer::replaces(check, old, rule.name))
    };
    defaults::rules().iter().filter(takes_place).map(|rule| rule.name).collect()
}

/// A rule of Magnum's that differs by little, or that an old name stands for.
fn nearest(name: &str) -> Option<&'static str> {
    let (kind, action) = name.split_once(':')?;
    let kind = match kind {
        "bay" => "cluster",
        "baymodel" => "clustertemplate",
        kind => kind,
    };
    let wanted = format!("{kind}:{action}");
    let near = defaults::rules().iter().map(|rule| (distance(rule.name, &wanted), rule.name));
    near.filter(|(distance, _)| *distance <= 3).min().map(|(_, name)| name)
}

/// Whether following `rule:` from one rule arrives at another.
fn reaches(known: &BTreeMap<String, Check>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(name) = open.pop() {
        let mut next = Vec::new();
        if let Some(check) = known.get(&name) {
            check.walk(&mut |node| {
                if let Check::Rule(other) = node {
                    next.push(other.clone());
                }
            });
        }
        if next.iter().any(|other| other == to) {
            return true;
        }
        open.extend(next.into_iter().filter(|other| seen.insert(other.clone())));
    }
    false
}
