//! oslo.config: the operator's `magnum.conf` as Magnum would read it, with our own groups in it.
//!
//! The environment is a map that the caller hands in. A value that cannot be used stops the start; an option that
//! nobody knows does not, as in Magnum, but it is found and named.

mod findings;
mod gone;
mod ini;
mod options;
mod sample;
mod template;
mod value;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

pub use findings::{Finding, FindingKind, Place};
pub use options::{Opt, options};
pub use sample::sample;
pub use value::Kind;

use template::Piece;

/// How deep values may refer to each other; more is a circle.
const DEEPEST: usize = 16;

/// Where a text came from, and the text.
#[derive(Clone, Debug)]
struct Located {
    place: Place,
    group: String,
    name: String,
    value: String,
}

/// The configuration: every declared option has a value of its kind or none at all.
#[derive(Clone)]
pub struct Config {
    /// Later files first, and inside a file later lines first.
    assignments: Vec<Located>,
    env: BTreeMap<String, String>,
    dirs: Vec<PathBuf>,
    findings: Vec<Finding>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No values: some are passwords.
        f.debug_struct("Config").field("dirs", &self.dirs).field("findings", &self.findings).finish_non_exhaustive()
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("read configuration {}", file.display())]
    Read {
        /// The file or directory.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line is neither an assignment nor a group.
    #[error("{}:{line}: {why}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Options have values that cannot be used.
    #[error("{}", findings::lines(.0))]
    WrongValues(Vec<Finding>),
}

impl Config {
    /// Reads files, and the `*.conf` of directories in the order of their names, later ones before earlier ones.
    ///
    /// `env` may hold `OS_<GROUP>__<OPTION>`, which wins over every file. A wrong value is an error.
    pub fn load(paths: &[PathBuf], env: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let config = Self::examine(paths, env)?;
        let wrong = config.findings.iter().filter(|finding| finding.kind == FindingKind::WrongValue);
        let wrong: Vec<_> = wrong.cloned().collect();
        if wrong.is_empty() { Ok(config) } else { Err(ConfigError::WrongValues(wrong)) }
    }

    /// Reads as [`Config::load`] does, but leaves wrong values among the findings.
    pub fn examine(paths: &[PathBuf], env: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut assignments = Vec::new();
        let mut dirs = Vec::new();
        for file in files(paths)? {
            let text = fs::read_to_string(&file).map_err(|source| ConfigError::Read { file: file.clone(), source })?;
            let found = ini::parse(&text).map_err(|bad| ConfigError::Syntax {
                file: file.clone(),
                line: bad.line,
                why: bad.why,
            })?;
            assignments.extend(found.into_iter().map(|a| Located {
                place: Place::File { file: file.clone(), line: a.line },
                group: a.group,
                name: a.name,
                value: a.value,
            }));
            let dir = file.parent().map(Path::to_owned).unwrap_or_default();
            if !dirs.contains(&dir) {
                dirs.push(dir);
            }
        }
        assignments.reverse();
        let mut config = Self { assignments, env: env.clone(), dirs, findings: Vec::new() };
        config.findings = findings::find(&config);
        Ok(config)
    }

    /// The files that Magnum would read when told nothing, as far as they are there.
    #[must_use]
    pub fn default_paths() -> Vec<PathBuf> {
        let places = ["/etc/magnum/magnum.conf", "/etc/magnum/magnum.conf.d"];
        places.into_iter().map(PathBuf::from).filter(|path| path.exists()).collect()
    }

    /// The value as text; `None` when it is neither set nor has a default, and when it is set to nothing.
    #[must_use]
    pub fn string(&self, group: &str, name: &str) -> Option<String> {
        self.texts(group, name).pop().filter(|value| !value.is_empty())
    }

    /// The value of a secret option.
    #[must_use]
    pub fn secret(&self, group: &str, name: &str) -> Option<SecretString> {
        self.string(group, name).map(SecretString::from)
    }

    /// The value as a whole number.
    #[must_use]
    pub fn int(&self, group: &str, name: &str) -> Option<i64> {
        self.string(group, name).and_then(|value| value::int(&value))
    }

    /// The value as a number.
    #[must_use]
    pub fn float(&self, group: &str, name: &str) -> Option<f64> {
        self.string(group, name).and_then(|value| value.trim().parse().ok())
    }

    /// The value as a boolean.
    #[must_use]
    pub fn bool(&self, group: &str, name: &str) -> Option<bool> {
        self.string(group, name).and_then(|value| value::boolean(&value))
    }

    /// The items of a list, or every value of an option that may be repeated.
    #[must_use]
    pub fn list(&self, group: &str, name: &str) -> Vec<String> {
        let texts = self.texts(group, name);
        match declared(group, name).map(|opt| opt.kind) {
            Some(Kind::Multi) => texts,
            _ => texts.last().map(|text| value::list(text)).unwrap_or_default(),
        }
    }

    /// The pairs of a dictionary.
    #[must_use]
    pub fn dict(&self, group: &str, name: &str) -> BTreeMap<String, String> {
        self.texts(group, name).pop().and_then(|text| value::dict(&text)).unwrap_or_default()
    }

    /// Whether somebody set it.
    #[must_use]
    pub fn is_set(&self, group: &str, name: &str) -> bool {
        let opt = declared(group, name);
        !self.given(group, name, opt).is_empty()
    }

    /// What an operator should look at: unknown, removed, deprecated and unused options, and wrong values.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Finds a file or directory that an option names: as it is when absolute, beside the configuration otherwise.
    #[must_use]
    pub fn find_file(&self, name: &str) -> Option<PathBuf> {
        if name.is_empty() {
            return None;
        }
        let system = [PathBuf::from("/etc/magnum"), PathBuf::from("/etc")];
        let mut places = self.dirs.iter().chain(&system).map(|dir| dir.join(name));
        places.find(|path| path.exists())
    }

    /// Where [`Config::find_file`] would look first, whether or not something is there yet.
    #[must_use]
    pub fn first_place(&self, name: &str) -> Option<PathBuf> {
        let dir = self.dirs.first().filter(|_| !name.is_empty())?;
        Some(dir.join(name))
    }

    /// The texts in force, references replaced; more than one only for options that may be repeated.
    fn texts(&self, group: &str, name: &str) -> Vec<String> {
        self.resolved(group, name, 0).unwrap_or_default()
    }

    fn resolved(&self, group: &str, name: &str, depth: usize) -> Result<Vec<String>, String> {
        let opt = declared(group, name);
        let given = self.given(group, name, opt);
        if given.is_empty() {
            let default = opt.and_then(|opt| opt.default);
            return default.map(|text| self.substitute(text, group, depth)).into_iter().collect();
        }
        given.iter().map(|located| self.substitute(&located.value, group, depth)).collect()
    }

    /// What was given for an option: the environment, else the last line of the last file, else older places.
    fn given(&self, group: &str, name: &str, opt: Option<&Opt>) -> Vec<Located> {
        let variable = format!("OS_{}__{}", group.to_uppercase(), name.to_uppercase());
        if let Some(value) = self.env.get(&variable) {
            let place = Place::Environment(variable);
            return vec![Located { place, group: group.to_owned(), name: name.to_owned(), value: value.clone() }];
        }
        let older = opt.map(|opt| opt.deprecated).unwrap_or_default();
        let repeated = opt.is_some_and(|opt| opt.kind == Kind::Multi);
        for (group, name) in std::iter::once((group, name)).chain(older.iter().copied()) {
            let group = ini::group_name(group);
            let mut found = self.assignments.iter().filter(|a| a.group == group && a.name == name);
            if repeated {
                let mut all: Vec<_> = found.cloned().collect();
                all.reverse();
                if !all.is_empty() {
                    return all;
                }
            } else if let Some(last) = found.next() {
                return vec![last.clone()];
            }
        }
        Vec::new()
    }

    /// Replaces `$name` by the option of the same group or of `DEFAULT`, `$group.name` by that of the group.
    fn substitute(&self, text: &str, group: &str, depth: usize) -> Result<String, String> {
        if depth == DEEPEST {
            return Err("it refers to itself".to_owned());
        }
        let mut whole = String::new();
        for piece in template::pieces(text) {
            match piece {
                Piece::Text(text) => whole.push_str(&text),
                Piece::Reference(reference) => {
                    let (group, name) = reference.split_once('.').unwrap_or((group, &reference));
                    let group = ini::group_name(group);
                    let known = [group.as_str(), "DEFAULT"].into_iter().find(|group| self.exists(group, name));
                    let Some(group) = known else {
                        return Err(format!("it refers to {reference:?}, which is no option; a dollar sign is $$"));
                    };
                    whole.push_str(&self.resolved(group, name, depth + 1)?.pop().unwrap_or_default());
                }
            }
        }
        Ok(whole)
    }

    fn exists(&self, group: &str, name: &str) -> bool {
        declared(group, name).is_some() || self.assignments.iter().any(|a| a.group == group && a.name == name)
    }
}

fn declared(group: &str, name: &str) -> Option<&'static Opt> {
    options().iter().find(|opt| opt.group == group && opt.name == name)
}

/// The files themselves, directories opened up.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ConfigError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let read = |source| ConfigError::Read { file: path.clone(), source };
        let mut inside = Vec::new();
        for entry in fs::read_dir(path).map_err(read)? {
            let file = entry.map_err(read)?.path();
            if file.extension().is_some_and(|ending| ending == "conf") {
                inside.push(file);
            }
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
