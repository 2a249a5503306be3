//! What an operator should look at.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use super::options::{self, Opt};
use super::{BadReference, Config, Located, Replacing, declared, gone, ini, known};
use crate::spelling::distance;

/// Where an option was set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of a file, from 1.
    File {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
    },
    /// A variable of the environment.
    Environment(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Environment(variable) => f.write_str(variable),
        }
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// The value cannot be used; the service does not start.
    WrongValue,
    /// Nobody knows the option: a slip of the pen, perhaps.
    Unknown,
    /// Magnum had it once.
    Removed,
    /// It has a new place.
    Deprecated,
    /// Magnum reads it and we need not.
    Unused,
}

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it stands.
    pub place: Place,
    /// The group.
    pub group: String,
    /// The option.
    pub option: String,
    /// How bad it is.
    pub kind: FindingKind,
    /// What is wrong and what to do.
    pub why: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: [{}] {}: {}", self.place, self.group, self.option, self.why)
    }
}

/// Findings one to a line.
pub(super) fn lines(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Looks at everything that was set.
pub(super) fn find(config: &Config) -> Vec<Finding> {
    let mut findings: Vec<_> = config.assignments.iter().filter_map(|a| about_name(config, a)).collect();
    findings.extend(environment(config).iter().filter_map(|a| about_name(config, a)));
    findings.extend(options::options().iter().flat_map(|opt| about_value(config, opt)));
    findings.sort_by(|a, b| (&a.place, &a.option).cmp(&(&b.place, &b.option)));
    findings
}

fn finding(at: &Located, kind: FindingKind, why: String) -> Finding {
    Finding { place: at.place.clone(), group: at.group.clone(), option: at.name.clone(), kind, why }
}

/// Variables that look like options of a group that we know.
fn environment(config: &Config) -> Vec<Located> {
    let read = options::options().iter().map(|opt| opt.group);
    let groups: BTreeSet<_> = read.chain(known::known().iter().map(|known| known.group)).collect();
    let as_option = |(variable, value): (&String, &String)| {
        let (group, name) = variable.strip_prefix("OS_")?.split_once("__")?;
        let group = ini::group_name(group);
        groups.contains(group.as_str()).then(|| Located {
            place: Place::Environment(variable.clone()),
            file: usize::MAX,
            group,
            name: name.to_lowercase(),
            value: value.clone(),
        })
    };
    config.env.iter().filter_map(as_option).collect()
}

fn about_name(config: &Config, at: &Located) -> Option<Finding> {
    let (group, name) = (at.group.as_str(), at.name.as_str());
    if declared(group, name).is_some() {
        return None;
    }
    let moved = options::options()
        .iter()
        .find(|opt| opt.deprecated.iter().any(|(g, n)| ini::group_name(g) == group && *n == name));
    if let Some(opt) = moved {
        let why = format!("it is now {} in [{}]", opt.name, opt.group);
        return Some(finding(at, FindingKind::Deprecated, why));
    }
    if let Some((kind, why)) = without_effect(group, name) {
        return Some(finding(at, kind, why));
    }
    if is_log_in_of_a_group(config, group) || is_referred_to(config, group, name) {
        return None;
    }
    let why = match nearest(group, name) {
        _ if group == "default" => "the group is written in capitals: [DEFAULT]; the option has no effect".to_owned(),
        _ if declared(group, &name.replace('-', "_")).is_some() => {
            format!("options are written with underscores in a file: {}", name.replace('-', "_"))
        }
        Some(opt) if opt.group == group => format!("there is no such option; did you mean {}?", opt.name),
        Some(opt) => format!("there is no such option here; did you mean {} in [{}]?", opt.name, opt.group),
        None => "there is no such option; it has no effect".to_owned(),
    };
    Some(finding(at, FindingKind::Unknown, why))
}

/// What is known of an option that nobody reads: that Magnum does, or did.
fn without_effect(group: &str, name: &str) -> Option<(FindingKind, String)> {
    let reason = |list, name: &str| gone::find(list, group, name);
    if let Some(known) = known::find(group, name) {
        let why = reason(gone::UNUSED, name).map_or("the option has no effect here", |gone| gone.why);
        let also = if known.going { " (and Magnum means to drop it)" } else { "" };
        return Some((FindingKind::Unused, format!("{why}{also}")));
    }
    if let Some(now) = known::formerly(group, name) {
        let why = gone::find(gone::UNUSED, now.group, now.name).map_or("which has no effect here", |gone| gone.why);
        return Some((FindingKind::Unused, format!("it is now {} in [{}]; {why}", now.name, now.group)));
    }
    if let Some(gone) = reason(gone::REMOVED, name) {
        return Some((FindingKind::Removed, gone.why.to_owned()));
    }
    let magnum_s = known::known().iter().any(|known| known.group == group);
    match reason(gone::UNUSED, name)? {
        // A group of Magnum's with nothing of this name in it: a slip of the pen.
        gone if magnum_s && gone.name.is_empty() => None,
        gone if magnum_s => Some((FindingKind::Removed, gone.why.to_owned())),
        gone => Some((FindingKind::Unused, gone.why.to_owned())),
    }
}

/// Whether another group says `auth_section = <this group>`.
fn is_log_in_of_a_group(config: &Config, group: &str) -> bool {
    let sections = ["keystone_auth", "keystone_authtoken"];
    sections.into_iter().any(|of| config.string(of, "auth_section").is_some_and(|s| ini::group_name(&s) == group))
}

/// Whether some value says `$name`: operators keep shared texts in options of their own.
fn is_referred_to(config: &Config, group: &str, name: &str) -> bool {
    let full = format!("{group}.{name}");
    config.assignments.iter().any(|a| {
        super::template::pieces(&a.value).into_iter().any(|piece| match piece {
            super::Piece::Reference(to) => to == full || to == name && (group == a.group || group == "DEFAULT"),
            super::Piece::Text(_) => false,
        })
    })
}

fn about_value(config: &Config, opt: &Opt) -> Vec<Finding> {
    let given = config.given(opt.group, opt.name, Some(opt));
    let judge = |at: &Located| {
        let why = match config.substitute(&at.value, opt.group, &mut Replacing::default()) {
            Ok(value) if opt.kind.accepts(&value) => return None,
            Ok(_) if opt.secret => format!("the value is not {}", opt.kind.expected()),
            // As it is written: what a reference stands for may be a secret.
            Ok(_) => format!("{:?} is not {}", at.value, opt.kind.expected()),
            // Behind the dollar sign may be half a password.
            Err(BadReference::NoOption(_)) if opt.secret => {
                "it refers to something that is no option; a dollar sign is $$".to_owned()
            }
            Err(bad) => bad.to_string(),
        };
        Some(finding(at, FindingKind::WrongValue, why))
    };
    given.iter().filter_map(judge).collect()
}

/// The declared option whose name is only a slip away, in the same group first.
fn nearest(group: &str, name: &str) -> Option<&'static Opt> {
    let close = |opt: &&Opt| {
        let most = (name.len() / 2).clamp(1, 3);
        // No name is compared letter by letter with one that is far longer.
        opt.name.len().abs_diff(name.chars().count()) <= most && distance(opt.name, name) <= most
    };
    let same_name = |opt: &&Opt| opt.name == name && name.len() > 6;
    let all = || options::options().iter();
    all()
        .filter(|opt| opt.group == group)
        .filter(close)
        .min_by_key(|opt| distance(opt.name, name))
        .or_else(|| all().find(same_name))
        .or_else(|| {
            all()
                .filter(|opt| opt.name == name)
                .find(|opt| opt.group.len().abs_diff(group.chars().count()) <= 3 && distance(opt.group, group) <= 3)
        })
}
