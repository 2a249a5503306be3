//! What there is to say about a configuration: what is wrong, what is not known, what has no effect.

use std::fmt;

use super::keys::{self, Effect, Key, Kind};
use super::tree::{Node, Place, Value};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The registry does not start.
    Error,
    /// Something was meant that is not done.
    Warning,
    /// Something is read and changes nothing.
    Notice,
}

/// Something to say about a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// How bad it is.
    pub severity: Severity,
    /// Where it was written; nowhere if it is missing.
    pub place: Option<Place>,
    /// A fragment without a full stop.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl Remark {
    pub(super) fn error(place: Option<Place>, text: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place, text: text.into() }
    }

    pub(super) fn warning(place: Place, text: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, place: Some(place), text: text.into() }
    }
}

/// Names keys that nobody knows, with one that may have been meant, and those that change nothing, with the reason.
pub(super) fn of_keys(root: &Node) -> Vec<Remark> {
    let mut remarks = Vec::new();
    look(root, &mut Vec::new(), &mut remarks);
    remarks
}

fn look(node: &Node, path: &mut Vec<String>, remarks: &mut Vec<Remark>) {
    match &node.value {
        Value::Map(entries) => {
            let known = keys::children(path);
            for (name, below) in entries {
                step(name, below, &known, path, remarks);
            }
        }
        Value::List(items) => {
            path.push("[]".to_owned());
            for item in items {
                look(item, path, remarks);
            }
            path.pop();
        }
        Value::Null | Value::Scalar(_) => {}
    }
}

fn step(name: &str, below: &Node, known: &[&'static str], path: &mut Vec<String>, remarks: &mut Vec<Remark>) {
    let shown = shown(path, name);
    let Some(meant) = known.iter().find(|known| is(known, name, path)).copied() else {
        let hint = nearest(name, known).map(|near| format!("; {near} is known")).unwrap_or_default();
        remarks.push(Remark::warning(below.place.clone(), format!("{shown} is not known and has no effect{hint}")));
        return;
    };
    path.push(meant.to_owned());
    match keys::find(path) {
        Some(Key { effect: Effect::None(why), .. }) => {
            let text = format!("{shown} has no effect: {why}");
            remarks.push(Remark { severity: Severity::Notice, place: Some(below.place.clone()), text });
        }
        Some(Key { kind: Kind::Free | Kind::Texts, .. }) => {}
        _ => look(below, path, remarks),
    }
    path.pop();
}

/// Whether a name of the table is the one that was written.
pub(super) fn is(known: &str, written: &str, path: &[String]) -> bool {
    known == "*" || known == written || (keys::is_lenient(path) && known == keys::plain(written))
        // `s3aws` is the other name of S3 in distribution 3.
        || (path == ["storage"] && known == "s3" && written == "s3aws")
}

pub(super) fn shown(path: &[String], name: &str) -> String {
    path.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".").replace(".[]", "[]")
}

/// The known name that differs least, if it differs in little.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    // Nobody mistypes a name that is twice as long.
    let name = keys::plain(name);
    if name.len() > 40 {
        return None;
    }
    let candidates = known.iter().filter(|known| **known != "[]" && **known != "*");
    let best = candidates.map(|known| (distance(&name, known), *known)).min()?;
    (best.0 <= 2 && best.0 * 2 < name.len()).then_some(best.1)
}

/// Letters that have to be changed, added, taken away or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        of_keys(&Node::parse(text, None).expect("YAML")).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_nobody_knows_is_named_with_its_place_and_a_hint() {
        for (text, remarks) in [
            ("http:\n  adr: ':5000'\n", vec!["line 2: http.adr is not known and has no effect; addr is known"]),
            ("htpt: {}\n", vec!["line 1: htpt is not known and has no effect; http is known"]),
            ("x: 1\n", vec!["line 1: x is not known and has no effect"]),
            ("storage:\n  swift: {UserName: u, Auth_URL: a}\n", vec![]),
            (
                "storage:\n  swift:\n    rootdirectory: /a\n",
                vec![
                    "line 3: storage.swift.rootdirectory has no effect: distribution's sample shows it, and its Swift never looked at it; the key is prefix",
                ],
            ),
            ("storage:\n  gcs: {bucket: b}\n", vec!["line 2: storage.gcs is not known and has no effect"]),
            ("storage: {s3aws: {bucket: b}}\n", vec![]),
            ("http: {headers: {X-A: [b]}}\nlog: {fields: {service: registry}}\n", vec![]),
            (
                "notifications:\n  endpoints:\n    - name: a\n      urls: b\n",
                vec!["line 4: notifications.endpoints[].urls is not known and has no effect; url is known"],
            ),
            (
                "redis: {addr: a}\n",
                vec![
                    "line 1: redis has no effect: what is cached is cached in memory, and nothing is shared between processes that the store does not hold",
                ],
            ),
            (
                "jeroboam:\n  GC:\n    delete-untagged: true\n    garce: 1h\n",
                vec!["line 4: jeroboam.gc.garce is not known and has no effect; grace is known"],
            ),
            ("HTTP: {}\n", vec!["line 1: HTTP is not known and has no effect; http is known"]),
        ] {
            assert_eq!(said(text), remarks, "{text}");
        }
    }

    #[test]
    fn a_distance_counts_slips_of_the_pen() {
        for (a, b, slips) in
            [("addr", "adr", 1), ("htpt", "http", 1), ("a", "b", 1), ("", "ab", 2), ("same", "same", 0)]
        {
            assert_eq!(distance(a, b), slips);
        }
    }
}
