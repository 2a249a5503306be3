//! What a request is about, from its path and query.

use std::collections::HashMap;
use std::time::Duration;

use super::selector::Selector;
use super::{ApiError, Kind, Kinds};

/// A part of an object that is a resource of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Status,
    Scale,
    /// `serviceaccounts/{name}/token`
    Token,
}

/// Objects of a kind, or one of them.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) version: String,
    /// Empty: all namespaces, or a kind that has none.
    pub(crate) namespace: String,
    pub(crate) name: Option<String>,
    pub(crate) part: Part,
    /// The old `/watch/` paths.
    pub(crate) watch: bool,
}

// === impl Target ===

impl Target {
    /// Reads a path below `/api` or `/apis`; `None` when it is none of an object.
    pub(crate) fn parse(kinds: &Kinds, path: &str) -> Option<Self> {
        let mut parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, version) = match parts.as_slice() {
            ["api", version, ..] => ("", *version),
            ["apis", group, version, ..] => (*group, *version),
            _ => return None,
        };
        parts.drain(..if group.is_empty() { 2 } else { 3 });
        let watch = parts.first() == Some(&"watch");
        if watch {
            parts.remove(0);
        }
        let (namespace, rest): (&str, &[&str]) = match parts.as_slice() {
            // `namespaces/x/status` is a part of the namespace, not a kind in it.
            ["namespaces", _, "status" | "finalize"] => ("", &parts),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (namespace, rest),
            all => ("", all),
        };
        let (plural, name, part) = match rest {
            [plural] => (plural, None, Part::Whole),
            [plural, name] => (plural, Some(*name), Part::Whole),
            [plural, name, "status"] => (plural, Some(*name), Part::Status),
            ["namespaces", name, "finalize"] => (&"namespaces", Some(*name), Part::Whole),
            [plural, name, "scale"] => (plural, Some(*name), Part::Scale),
            ["serviceaccounts", name, "token"] => (&"serviceaccounts", Some(*name), Part::Token),
            _ => return None,
        };
        let kind = *kinds.by_plural(group, version, plural)?;
        let part_exists = match part {
            Part::Whole | Part::Token => true,
            Part::Status => kind.status,
            Part::Scale => kind.scale,
        };
        let namespace_fits = kind.namespaced || namespace.is_empty();
        let names_namespace = !kind.namespaced || name.is_none() || !namespace.is_empty();
        (part_exists && namespace_fits && names_namespace).then(|| Self {
            kind,
            version: version.to_owned(),
            namespace: namespace.to_owned(),
            name: name.map(str::to_owned),
            part,
            watch,
        })
    }

    /// The prefix of the ids this is about.
    pub(crate) fn prefix(&self) -> String {
        if self.namespace.is_empty() { String::new() } else { format!("{}/", self.namespace) }
    }

    /// `group/version` of the request.
    pub(crate) fn api_version(&self) -> String {
        self.kind.api_version(&self.version)
    }
}

/// The query of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) selector: Selector,
    pub(crate) watch: bool,
    pub(crate) bookmarks: bool,
    pub(crate) initial_events: bool,
    pub(crate) resource_version: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) limit: Option<usize>,
    pub(crate) after: Option<String>,
    pub(crate) dry_run: bool,
    pub(crate) force: bool,
    pub(crate) field_manager: Option<String>,
    pub(crate) propagation: Option<String>,
    /// Rows of a table carry their objects whole.
    pub(crate) whole_rows: bool,
}

// === impl Query ===

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let pairs: HashMap<String, String> = serde_urlencoded(text);
        let get = |name: &str| pairs.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let flag = |name: &str| get(name).is_some_and(|value| matches!(value, "true" | "1"));
        let number = |name: &str| -> Result<Option<u64>, ApiError> {
            get(name)
                .map(|value| {
                    value.parse().map_err(|_| ApiError::bad_request(format!("invalid value {value:?} of {name}")))
                })
                .transpose()
        };
        let dry_run = match get("dryRun") {
            None => false,
            Some("All") => true,
            Some(other) => return Err(ApiError::bad_request(format!("invalid dryRun {other:?}: only All is known"))),
        };
        let mut selector_fields = get("fieldSelector").unwrap_or_default().to_owned();
        if selector_fields.contains("involvedObject.kind=,") {
            selector_fields = selector_fields.replace("involvedObject.kind=,", "");
        }
        Ok(Self {
            selector: Selector::parse(get("labelSelector"), Some(&selector_fields))?,
            watch: flag("watch"),
            bookmarks: flag("allowWatchBookmarks"),
            initial_events: flag("sendInitialEvents"),
            resource_version: get("resourceVersion").map(str::to_owned),
            timeout: number("timeoutSeconds")?.map(Duration::from_secs),
            limit: number("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0),
            after: get("continue").map(str::to_owned),
            dry_run,
            force: flag("force"),
            field_manager: get("fieldManager").map(str::to_owned),
            propagation: get("propagationPolicy").map(str::to_owned),
            whole_rows: get("includeObject") == Some("Object"),
        })
    }
}

fn serde_urlencoded(text: &str) -> HashMap<String, String> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// Percent and plus decoding of a query.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let escaped = bytes.get(index + 1..index + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[index], escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                plain.push(byte);
                index += 2;
            }
            (b'+', _) => plain.push(b' '),
            (byte, _) => plain.push(byte),
        }
        index += 1;
    }
    String::from_utf8_lossy(&plain).into_owned()
}
