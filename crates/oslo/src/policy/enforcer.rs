//! Holds the rules that are in force and answers for them; reads the operator's files again when they change.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use serde_json::Value;

use super::check::{Check, MOST_CHECKS, Question};
use super::defaults::Deprecated;
use super::template::Target;
use super::{Credentials, PolicyFinding, defaults, parse, policy_check};
use crate::Config;

/// Where rules come from.
#[derive(Clone, Debug, Default)]
pub struct PolicySettings {
    /// The policy file, YAML or JSON; no file is as good as an empty one.
    pub file: Option<PathBuf>,
    /// Directories whose files are read after the policy file, in order of their names.
    pub dirs: Vec<PathBuf>,
    /// Whether the defaults that were in force before Magnum 17 are gone.
    pub enforce_new_defaults: bool,
    /// The rule that is asked in place of one that does not exist.
    pub default_rule: String,
}

impl PolicySettings {
    /// What `[oslo_policy]` says, with relative paths looked up beside the configuration files.
    #[must_use]
    pub fn from_config(config: &Config) -> Self {
        let name = config.string("oslo_policy", "policy_file").unwrap_or_default();
        // A deployment that never wrote YAML keeps its policy.json.
        let file = config
            .find_file(&name)
            .or_else(|| (name == "policy.yaml").then(|| config.find_file("policy.json")).flatten())
            .or_else(|| config.first_place(&name));
        let dirs = config.list("oslo_policy", "policy_dirs");
        // What is not there yet may come while the service runs.
        let place = |dir: &String| config.find_file(dir).or_else(|| config.first_place(dir));
        Self {
            file,
            dirs: dirs.iter().filter_map(place).collect(),
            enforce_new_defaults: config.bool("oslo_policy", "enforce_new_defaults").unwrap_or(true),
            default_rule: config.string("oslo_policy", "policy_default_rule").unwrap_or_default(),
        }
    }
}

/// A policy file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It cannot be read.
    #[error("read policy file {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no mapping from names to rules.
    #[error("policy file {} is not a mapping of rules: {reason}", file.display())]
    NotAMapping {
        /// The file.
        file: PathBuf,
        /// What the reader says, with the line.
        reason: String,
    },
}

/// Rules as the operator's files hold them, name by name.
pub(super) type FileRules = BTreeMap<String, (PathBuf, Check)>;

/// What was seen of a file; a difference means that it must be read again.
pub(super) type Seen = Vec<(PathBuf, SystemTime, u64)>;

/// Answers whether a caller may do something.
#[derive(Debug)]
pub struct Enforcer {
    settings: PolicySettings,
    rules: RwLock<Arc<BTreeMap<String, Check>>>,
    seen: Mutex<Seen>,
}

impl Enforcer {
    /// Reads the files and puts their rules in force.
    pub fn new(settings: PolicySettings) -> Result<Self, PolicyError> {
        let seen = look(&settings);
        let own = read(&settings)?;
        Ok(Self::of(settings, seen, own))
    }

    pub(super) fn of(settings: PolicySettings, seen: Seen, own: FileRules) -> Self {
        let rules = effective(&settings, own);
        Self { settings, rules: RwLock::new(Arc::new(rules)), seen: Mutex::new(seen) }
    }

    /// Whether `rule` lets this caller do something to this target.
    ///
    /// Everything that is unclear is a no: a rule that does not exist, a name that the target lacks, a circle.
    #[must_use]
    pub fn authorize<'t>(&self, rule: &str, target: &Target<'t>, credentials: &Credentials<'t>) -> bool {
        let registered = defaults::rules().iter().find(|known| known.name == rule);
        if registered.is_some_and(|known| !known.admits(credentials.scope())) {
            return false;
        }
        let rules = Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner));
        let (default_rule, left) = (self.settings.default_rule.as_str(), Cell::new(MOST_CHECKS));
        Question { rules: &rules, default_rule, target, credentials, left }.ask(rule)
    }

    /// What in the files cannot be meant; nothing when they cannot be read now.
    #[must_use]
    pub fn findings(&self) -> Vec<PolicyFinding> {
        policy_check(&self.settings).unwrap_or_default()
    }

    /// Reads the files again if one changed. `Ok(true)`: new rules are in force. On an error the old ones stay.
    pub fn refresh(&self) -> Result<bool, PolicyError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = look(&self.settings);
        if *seen == now {
            return Ok(false);
        }
        // Remembered even when the file turns out bad, so that a bad file is reported once and not at every look.
        *seen = now;
        let rules = effective(&self.settings, read(&self.settings)?);
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        Ok(true)
    }
}

/// The operator's rules, those of later files before those of earlier ones.
pub(super) fn read(settings: &PolicySettings) -> Result<FileRules, PolicyError> {
    let mut rules = FileRules::new();
    for file in files(settings) {
        let text = fs::read_to_string(&file).map_err(|source| PolicyError::Read { file: file.clone(), source })?;
        rules.append(&mut rules_of(&file, &text)?);
    }
    Ok(rules)
}

/// The rules of one file.
pub(super) fn rules_of(file: &Path, text: &str) -> Result<FileRules, PolicyError> {
    let rule = |(name, value): (String, Value)| {
        let check = parse::rule(&value).map_err(|bad| PolicyError::NotAMapping {
            file: file.to_owned(),
            reason: format!("{name:?} is {value}, but {bad}"),
        })?;
        Ok((name, (file.to_owned(), check)))
    };
    mapping(file, text)?.into_iter().map(rule).collect()
}

pub(super) fn mapping(file: &Path, text: &str) -> Result<BTreeMap<String, Value>, PolicyError> {
    let bad = |reason: String| PolicyError::NotAMapping { file: file.to_owned(), reason };
    let only_comments = text.lines().all(|line| matches!(line.trim_start().chars().next(), None | Some('#')));
    if only_comments {
        return Ok(BTreeMap::new());
    }
    // As in Python the last line of a name counts.
    let mut options = serde_saphyr::options! { duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins };
    // Aliases of aliases make a file of any size out of some lines.
    options.alias_limits.max_total_replayed_events = 10_000;
    let rules: Option<BTreeMap<String, Value>> =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| bad(error.to_string()))?;
    Ok(rules.unwrap_or_default())
}

/// The policy file and the files of the directories that are there.
fn files(settings: &PolicySettings) -> Vec<PathBuf> {
    let mut files: Vec<_> = settings.file.iter().filter(|file| file.exists()).cloned().collect();
    for dir in &settings.dirs {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
        let hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let mut inside: Vec<_> = entries.filter(|path| path.is_file() && !hidden(path)).collect();
        inside.sort();
        files.append(&mut inside);
    }
    files
}

fn look(settings: &PolicySettings) -> Seen {
    let stat = |path: PathBuf| {
        let meta = fs::metadata(&path).ok()?;
        Some((path, meta.modified().ok()?, meta.len()))
    };
    files(settings).into_iter().filter_map(stat).collect()
}

/// Whether what a file says under a former name takes the place of a default: not when it says what was the default then,
/// nor when it only points to the newer name.
pub(super) fn replaces(set: &Check, old: Deprecated, name: &str) -> bool {
    *set != parse::text_rule(old.check) && *set != Check::Rule(name.to_owned())
}

/// The operator's rules with the defaults of all that they leave out.
fn effective(settings: &PolicySettings, file: FileRules) -> BTreeMap<String, Check> {
    let own: BTreeMap<_, _> = file.into_iter().map(|(name, (_, check))| (name, check)).collect();
    let mut rules = own.clone();
    for default in defaults::rules() {
        if own.contains_key(default.name) {
            continue;
        }
        let check = parse::text_rule(default.check);
        let check = match default.deprecated {
            None => check,
            Some(old) => {
                let former = parse::text_rule(old.check);
                match own.get(old.name) {
                    Some(set) if replaces(set, old, default.name) => set.clone(),
                    _ if settings.enforce_new_defaults => check,
                    _ => Check::Or(vec![check, former]),
                }
            }
        };
        rules.insert(default.name.to_owned(), check);
    }
    rules
}
