//! Every key that a configuration may have: what reads it, what documents it, and what becomes of it here.
//!
//! Paths are written with dots; `*` stands for any name, `[]` for each item of a list.

mod auth;
mod distribution;
mod http;
mod ours;
mod storage;

/// What a value has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text.
    Text,
    /// Text that is not shown.
    Secret,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// `10m`, `24h`.
    Duration,
    /// A number of bytes, `64MiB`.
    Size,
    /// A list of texts.
    Texts,
    /// Whatever is below it.
    Free,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Secret => "secret",
            Self::Flag => "flag",
            Self::Number => "number",
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Texts => "list of texts",
            Self::Free => "anything",
        }
    }
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It is used.
    Used,
    /// It is read and changes nothing, for this reason.
    None(&'static str),
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) path: &'static str,
    pub(crate) kind: Kind,
    /// As the documentation has it; empty where there is none.
    pub(crate) default: &'static str,
    pub(crate) about: &'static str,
    pub(crate) effect: Effect,
}

const fn key(path: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { path, kind, default, about, effect: Effect::Used }
}

const fn without_effect(path: &'static str, why: &'static str) -> Key {
    Key { path, kind: Kind::Free, default: "", about: "", effect: Effect::None(why) }
}

/// A part of the configuration, as the documentation is divided.
pub(crate) struct Chapter {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [Key],
}

/// All keys.
pub(crate) const CHAPTERS: &[Chapter] = &[
    distribution::LOG,
    storage::STORAGE,
    storage::FILESYSTEM,
    storage::S3,
    storage::SWIFT,
    auth::AUTH,
    auth::TOKEN,
    auth::BUILTIN,
    auth::KEYSTONE,
    http::HTTP,
    distribution::NOTIFICATIONS,
    distribution::HEALTH,
    distribution::PROXY,
    distribution::REST,
    ours::OURS,
    ours::COLLECTION,
    ours::POLICIES,
    ours::REPLICATION,
];

/// All keys, one after the other.
pub(crate) fn all() -> impl Iterator<Item = &'static Key> {
    CHAPTERS.iter().flat_map(|chapter| chapter.keys)
}

/// The key of a path.
pub(crate) fn find(path: &[String]) -> Option<&'static Key> {
    all().find(|key| key.path.split('.').flat_map(steps).eq(path.iter().map(String::as_str)))
}

/// The kind of a parameter of a driver.
pub(crate) fn kind(driver: &str, name: &str) -> Option<Kind> {
    find(&["storage".to_owned(), driver.to_owned(), name.to_owned()]).map(|key| key.kind)
}

/// The names that may stand in the section at a path.
pub(crate) fn children(path: &[String]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for key in all() {
        let mut steps = key.path.split('.').flat_map(steps);
        let within = path.iter().all(|name| steps.next().is_some_and(|step| step == name));
        if let Some(next) = steps.next().filter(|next| within && !found.contains(next)) {
            found.push(next);
        }
    }
    found
}

/// `endpoints[]` is two steps.
fn steps(part: &'static str) -> impl Iterator<Item = &'static str> {
    let (name, item) = part.strip_suffix("[]").map_or((part, None), |name| (name, Some("[]")));
    std::iter::once(name).chain(item)
}

/// Whether the names of a map are anybody's, as distribution's parameters of drivers are; those of its other sections are fixed.
pub(crate) fn is_open(path: &[String]) -> bool {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(names.as_slice(), ["storage" | "auth" | "middleware", ..] | ["log", "fields"] | ["http", "headers", ..])
}

/// Whether upper and lower case, and underscores, make no difference in names below this path.
pub(crate) fn is_lenient(path: &[String]) -> bool {
    match path.first().map(String::as_str) {
        Some("jeroboam") => true,
        // distribution: the parameters of Swift are decoded without regard to case.
        Some("storage") => path.len() >= 2,
        Some("auth") => path.get(1).is_some_and(|kind| !matches!(kind.as_str(), "silly")),
        _ => false,
    }
}

/// The name that a key has in the table, where [`is_lenient`].
pub(crate) fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_' && *c != '-').map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_named_once_and_told_of() {
        let mut seen = BTreeSet::new();
        for key in all() {
            assert!(seen.insert(key.path), "{} stands twice", key.path);
            assert!(
                key.path.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'*' | b'[' | b']')),
                "{}",
                key.path
            );
            match key.effect {
                Effect::Used => {
                    assert!(!key.about.is_empty() && !key.about.ends_with('.'), "{}", key.path);
                }
                Effect::None(why) => assert!(!why.is_empty(), "{}", key.path),
            }
        }
    }
}
