//! What must hold whatever an operator's configuration says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::ini::{self, Assignment};
use super::{Config, FindingKind, Kind, Opt, options};

/// What a password is in what is kept in `fuzz/seeds`, so that it can be looked for where none belongs.
const SECRET: &str = "hunter2";

/// Reads files that follow each other, a line `--- file` between them, and the lines `NAME=value` that stand behind a line
/// `--- environment`.
pub fn config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (texts, env) = taken_apart(&text);
    texts.iter().for_each(|text| read_again_as_printed(text));

    let files: Vec<_> = (1..).zip(texts).map(|(n, text)| (PathBuf::from(format!("{n}.conf")), text)).collect();
    let read = || Config::of(files.clone(), Vec::new(), &env);
    let (config, again) = match (read(), read()) {
        (Ok(config), Ok(again)) => (config, again),
        (one, other) => {
            let (one, other) = (one.err().map(|e| e.to_string()), other.err().map(|e| e.to_string()));
            assert!(!one.iter().any(|error| error.contains(SECRET)), "{one:?} holds a password");
            return assert_eq!(one, other, "files are read or refused, not now this and then that");
        }
    };
    assert_eq!(config.findings(), again.findings());
    let set: Vec<_> = options().iter().filter(|opt| config.is_set(opt.group, opt.name)).collect();
    let unusable = set.iter().find(|opt| !config.can_be_used(opt.group, opt.name)).map(|opt| (opt.group, opt.name));
    let wrong = config.findings().iter().any(|finding| finding.kind == FindingKind::WrongValue);
    assert_eq!(wrong, unusable.is_some(), "{unusable:?} against {:?}", config.findings());
    for opt in set {
        assert_eq!(values(&config, opt), values(&again, opt), "[{}] {}", opt.group, opt.name);
        has_its_kind(&config, opt);
    }
    no_password_is_shown(&text, &config);
}

/// Texts of files, and the environment.
fn taken_apart(text: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let (mut texts, mut env, mut in_file) = (vec![String::new()], BTreeMap::new(), true);
    for line in text.split_inclusive('\n') {
        match line.trim_end() {
            "--- file" => {
                texts.push(String::new());
                in_file = true;
            }
            "--- environment" => in_file = false,
            _ if in_file => texts.last_mut().expect("there is one from the start").push_str(line),
            variable => env.extend(variable.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))),
        }
    }
    (texts, env)
}

/// What was read, printed and read again, is the same.
fn read_again_as_printed(text: &str) {
    let Ok(mut found) = ini::parse(text) else { return };
    // Behind odd white space a name may begin as a comment or a group does.
    found.retain(|assignment| !assignment.name.starts_with(['#', ';', '[']));
    let mut printed = String::new();
    for Assignment { group, name, value, .. } in &found {
        let (first, rest) = value.split_once('\n').map_or((value.as_str(), None), |(first, rest)| (first, Some(rest)));
        let rest = rest.map(|rest| format!("\n  {}", rest.replace('\n', "\n  "))).unwrap_or_default();
        let _ = write!(printed, "[{group}]\n{name} = \"{first}\"{rest}\n\n");
    }
    let again = ini::parse(&printed).unwrap_or_else(|bad| panic!("{bad:?} in what was printed: {printed}"));
    let told = |all: Vec<Assignment>| all.into_iter().map(|a| (a.group, a.name, a.value)).collect::<Vec<_>>();
    assert_eq!(told(found), told(again), "{printed}");
}

fn values(config: &Config, opt: &Opt) -> (Option<String>, Vec<String>, BTreeMap<String, String>) {
    let (group, name) = (opt.group, opt.name);
    (config.string(group, name), config.list(group, name), config.dict(group, name))
}

/// A value that can be used is there when it is asked for as what it is.
fn has_its_kind(config: &Config, opt: &Opt) {
    let (group, name) = (opt.group, opt.name);
    let given = config.string(group, name).is_some_and(|text| !text.trim().is_empty());
    if !given || !config.can_be_used(group, name) {
        return;
    }
    let there = match opt.kind {
        Kind::Int(least, most) => config.int(group, name).is_some_and(|n| n >= least && n <= most),
        Kind::Float(_) => config.float(group, name).is_some(),
        Kind::Bool => config.bool(group, name).is_some(),
        Kind::OneOf(words) => config.string(group, name).is_some_and(|word| words.contains(&word.as_str())),
        Kind::ListOf(words) => config.list(group, name).iter().all(|word| words.contains(&word.as_str())),
        Kind::Text | Kind::Multi | Kind::List | Kind::Dict | Kind::Ip | Kind::Host => true,
    };
    assert!(there, "[{group}] {name} can be used, and then it cannot");
}

/// What stands only where secrets stand is in no finding.
fn no_password_is_shown(text: &str, config: &Config) {
    let is_secret = |group: &str, name: &str| {
        let called_so = |opt: &Opt| {
            let older = opt.deprecated.iter().map(|(g, n)| (ini::group_name(g), *n));
            (opt.group, opt.name) == (group, name) || older.into_iter().any(|(g, n)| (g.as_str(), n) == (group, name))
        };
        options().iter().any(|opt| opt.secret && called_so(opt))
    };
    let is_secret_variable = |variable: &str| {
        let called_so = |opt: &Opt| format!("OS_{}__{}", opt.group, opt.name).to_uppercase() == variable;
        options().iter().any(|opt| opt.secret && called_so(opt))
    };
    let in_files = config.assignments.iter().filter(|a| is_secret(&a.group, &a.name)).map(|a| a.value.as_str());
    let in_variables = config.env.iter().filter(|(name, _)| is_secret_variable(name)).map(|(_, value)| value.as_str());
    let kept: usize = in_files.chain(in_variables).map(|value| value.matches(SECRET).count()).sum();
    if kept == text.matches(SECRET).count() {
        for finding in config.findings() {
            assert!(!finding.to_string().contains(SECRET), "{finding}");
        }
    }
}
