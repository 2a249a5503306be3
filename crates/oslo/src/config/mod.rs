//! oslo.config: the operator's `magnum.conf` as Magnum would read it, with our own groups in it.
//!
//! The environment is a map that the caller hands in. A value that cannot be used stops the start; an option that
//! nobody knows does not, as in Magnum, but it is found and named.

mod findings;
mod gone;
mod ini;
mod known;
mod options;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod properties;
mod sample;
mod template;
mod value;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

pub use findings::{Finding, FindingKind, Place};
pub use known::{Known, known};
pub use options::{Opt, options};
pub use sample::sample;
pub use value::Kind;

use template::Piece;

/// How deep values may refer to each other; more is a circle.
const DEEPEST: usize = 16;
/// How many references a value may have in all, those of the values that it refers to included.
const MOST_REFERENCES: usize = 100;

/// Where a text came from, and the text.
#[derive(Clone, Debug)]
struct Located {
    place: Place,
    /// Which file of all, the first one being 0.
    file: usize,
    group: String,
    name: String,
    value: String,
}

/// The configuration: every declared option has a value of its kind or none at all.
#[derive(Clone)]
pub struct Config {
    /// In the order of the files and of the lines in them.
    assignments: Vec<Located>,
    env: BTreeMap<String, String>,
    /// Where files that options name are looked for.
    dirs: Vec<PathBuf>,
    findings: Vec<Finding>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No values: some are passwords.
        f.debug_struct("Config").field("dirs", &self.dirs).field("findings", &self.findings).finish_non_exhaustive()
    }
}

/// How far the references of a value were followed.
#[derive(Default)]
struct Replacing {
    depth: usize,
    references: usize,
}

/// Why the references of a value cannot be replaced.
#[derive(Debug, thiserror::Error)]
enum BadReference {
    #[error("it refers to itself")]
    Circle,
    #[error("it has more than {MOST_REFERENCES} references, those of the values that it refers to included")]
    Endless,
    #[error("it refers to {0:?}, which is no option; a dollar sign is $$")]
    NoOption(String),
    #[error("it refers to {0:?}, whose value cannot be used")]
    Unusable(String),
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
    /// Reads files, and the `*.conf` of directories in the order of their names; what is read later wins.
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
        let read = |file: PathBuf| match fs::read_to_string(&file) {
            Ok(text) => Ok((file, text)),
            Err(source) => Err(ConfigError::Read { file, source }),
        };
        let texts: Vec<_> = files(paths)?.into_iter().map(read).collect::<Result<_, _>>()?;
        Self::of(texts, places(paths, env), env)
    }

    /// What files with these texts say.
    fn of(
        texts: Vec<(PathBuf, String)>,
        dirs: Vec<PathBuf>,
        env: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let mut assignments = Vec::new();
        for (number, (file, text)) in texts.into_iter().enumerate() {
            let found = ini::parse(&text).map_err(|bad| ConfigError::Syntax {
                file: file.clone(),
                line: bad.line,
                why: bad.why,
            })?;
            assignments.extend(found.into_iter().map(|a| Located {
                place: Place::File { file: file.clone(), line: a.line },
                file: number,
                group: a.group,
                name: a.name,
                value: a.value,
            }));
        }
        let mut config = Self { assignments, env: env.clone(), dirs, findings: Vec::new() };
        config.findings = findings::find(&config);
        Ok(config)
    }

    /// The file that Magnum would read when told none, if it is there.
    #[must_use]
    pub fn default_file() -> Option<PathBuf> {
        Some(PathBuf::from("/etc/magnum/magnum.conf")).filter(|path| path.exists())
    }

    /// The directory that Magnum would read when told none, if it is there.
    #[must_use]
    pub fn default_dir() -> Option<PathBuf> {
        Some(PathBuf::from("/etc/magnum/magnum.conf.d")).filter(|path| path.exists())
    }

    /// The value as text; `None` when it is neither set nor has a default, and when it is set to nothing.
    #[must_use]
    pub fn string(&self, group: &str, name: &str) -> Option<String> {
        let value = self.texts(group, name).pop().filter(|value| !value.is_empty())?;
        Some(if kind(group, name) == Kind::Host { value::host(&value).to_owned() } else { value })
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
        self.string(group, name).and_then(|value| value::float(&value))
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

    /// Whether the value, or the default where there is none, is of the kind that the option declares.
    #[must_use]
    pub fn can_be_used(&self, group: &str, name: &str) -> bool {
        let kind = kind(group, name);
        self.resolved(group, name, &mut Replacing::default())
            .is_ok_and(|texts| texts.iter().all(|text| kind.accepts(text)))
    }

    /// What an operator should look at: unknown, removed, deprecated and unused options, and wrong values.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Finds a file or directory that an option names: as it is when absolute, else in the directories of the configuration,
    /// those of its files from the last to the first, in the user's home and in `/etc`.
    #[must_use]
    pub fn find_file(&self, name: &str) -> Option<PathBuf> {
        if name.is_empty() {
            return None;
        }
        self.dirs.iter().map(|dir| dir.join(name)).find(|path| path.exists())
    }

    /// Where [`Config::find_file`] would look first, whether or not something is there yet.
    #[must_use]
    pub fn first_place(&self, name: &str) -> Option<PathBuf> {
        let dir = self.dirs.first().filter(|_| !name.is_empty())?;
        Some(dir.join(name))
    }

    /// The texts in force, references replaced; more than one only for options that may be repeated.
    fn texts(&self, group: &str, name: &str) -> Vec<String> {
        self.resolved(group, name, &mut Replacing::default()).unwrap_or_default()
    }

    fn resolved(&self, group: &str, name: &str, so_far: &mut Replacing) -> Result<Vec<String>, BadReference> {
        let opt = declared(group, name);
        let given = self.given(group, name, opt);
        if given.is_empty() {
            let default = match opt {
                Some(opt) => opt.default,
                None => known::find(group, name).and_then(|known| known.default),
            };
            let default = default.filter(|text| !(text.is_empty() && kind(group, name) == Kind::Multi));
            return default.map(|text| self.substitute(text, group, so_far)).into_iter().collect();
        }
        given.iter().map(|located| self.substitute(&located.value, group, so_far)).collect()
    }

    /// What was given for an option: the environment, else the last file that has it under any of its names.
    ///
    /// The newest name counts where one file has several.
    fn given(&self, group: &str, name: &str, opt: Option<&Opt>) -> Vec<Located> {
        let variable = format!("OS_{}__{}", group.to_uppercase(), name.to_uppercase());
        if let Some(value) = self.env.get(&variable) {
            let place = Place::Environment(variable);
            let (group, name, value) = (group.to_owned(), name.to_owned(), value.clone());
            return vec![Located { place, file: usize::MAX, group, name, value }];
        }
        let older = opt.map(|opt| opt.deprecated).unwrap_or_default();
        let repeated = kind(group, name) == Kind::Multi;
        let names: Vec<_> =
            std::iter::once((group, name)).chain(older.iter().copied()).map(|(g, n)| (ini::group_name(g), n)).collect();
        let mut all = Vec::new();
        for file in (0..self.assignments.last().map_or(0, |last| last.file + 1)).rev() {
            for (group, name) in &names {
                let same = |a: &&Located| a.file == file && a.group == *group && a.name == *name;
                let mut found: Vec<_> = self.assignments.iter().filter(same).cloned().collect();
                if repeated {
                    found.append(&mut all);
                    all = found;
                } else if let Some(last) = found.pop() {
                    return vec![last];
                }
            }
        }
        all
    }

    /// Replaces `$name` by the option of the same group or of `DEFAULT`, `$group.name` by that of the group.
    fn substitute(&self, text: &str, group: &str, so_far: &mut Replacing) -> Result<String, BadReference> {
        if so_far.depth == DEEPEST {
            return Err(BadReference::Circle);
        }
        let mut whole = String::new();
        for piece in template::pieces(text) {
            match piece {
                Piece::Text(text) => whole.push_str(&text),
                Piece::Reference(reference) => {
                    let Some((group, name)) = self.referred(&reference, group) else {
                        return Err(BadReference::NoOption(reference));
                    };
                    if so_far.references == MOST_REFERENCES {
                        return Err(BadReference::Endless);
                    }
                    so_far.references += 1;
                    so_far.depth += 1;
                    let texts = self.resolved(group, name, so_far).map_err(|bad| match bad {
                        // Behind the dollar sign may be half a password.
                        BadReference::NoOption(_) if declared(group, name).is_some_and(|opt| opt.secret) => {
                            BadReference::Unusable(reference.clone())
                        }
                        other => other,
                    })?;
                    so_far.depth -= 1;
                    let inserted = kind(group, name).inserted(&texts);
                    whole.push_str(&inserted.ok_or(BadReference::Unusable(reference))?);
                }
            }
        }
        Ok(whole)
    }

    /// The group and the name that a reference means.
    fn referred<'a>(&self, reference: &'a str, group: &'a str) -> Option<(&'a str, &'a str)> {
        match reference.split_once('.') {
            // oslo.config: DEFAULT is no group that could be named.
            Some((group, name)) => (group != "DEFAULT" && self.exists(group, name)).then_some((group, name)),
            None => [group, "DEFAULT"]
                .into_iter()
                .find(|group| self.exists(group, reference))
                .map(|group| (group, reference)),
        }
    }

    fn exists(&self, group: &str, name: &str) -> bool {
        declared(group, name).is_some()
            || known::find(group, name).is_some()
            || self.assignments.iter().any(|a| a.group == group && a.name == name)
    }
}

fn declared(group: &str, name: &str) -> Option<&'static Opt> {
    options().iter().find(|opt| opt.group == group && opt.name == name)
}

/// The kind of an option that is read, or that Magnum reads; text where nobody does.
fn kind(group: &str, name: &str) -> Kind {
    let known = || known::find(group, name).map(Known::kind);
    declared(group, name).map(|opt| opt.kind).or_else(known).unwrap_or(Kind::Text)
}

/// The files themselves, directories opened up. Hidden files are none of them.
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
            let entry = entry.map_err(read)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(".conf") && !name.starts_with('.') {
                inside.push(entry.path());
            }
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

/// Where files that options name are looked for, in order. oslo.config: `ConfigOpts.find_file`.
fn places(paths: &[PathBuf], env: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let (dirs, files): (Vec<&PathBuf>, Vec<&PathBuf>) = paths.iter().partition(|path| path.is_dir());
    let beside = files.iter().rev().filter_map(|file| file.parent()).map(Path::to_owned);
    let home = env.get("HOME").map(PathBuf::from);
    let homes = home.into_iter().flat_map(|home| [home.join(".magnum"), home]);
    let system = ["/etc/magnum", "/etc"].map(PathBuf::from);
    let mut places = Vec::new();
    for place in dirs.into_iter().cloned().chain(beside).chain(homes).chain(system) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

#[cfg(test)]
mod tests;
