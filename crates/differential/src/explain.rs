//! The differences that are meant: a checked-in list, each with its reason.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::compare::Place;
use crate::play::Answer;
use crate::sequence::Request;

/// The list, and how often each of it was met.
pub(crate) struct Explained {
    rules: Vec<Rule>,
    met: Mutex<BTreeMap<String, usize>>,
}

/// One difference that is meant. What a rule does not name may be anything; `*` stands for any text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// A short name.
    rule: String,
    /// Why ours is as it is.
    #[expect(dead_code, reason = "for whoever reads the list; a rule without a reason is refused")]
    why: String,
    /// What asks for it: a defect that the specification says to mend, by its section, or a kind of difference that ADR 0011 decides.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for whoever reads the list; a test looks for it in the decision")
    )]
    fix: String,
    /// The part of Magnum whose behaviour it is.
    #[expect(dead_code, reason = "for whoever reads the list; a rule without it is refused")]
    magnum: String,
    /// Method and route, any of them.
    #[serde(default)]
    requests: Vec<String>,
    /// In the body of the request.
    #[serde(default)]
    body: Option<String>,
    /// In the path of the request, with its query.
    #[serde(default)]
    path: Option<String>,
    /// One of the headers of the request: `name: value`.
    #[serde(default)]
    header: Option<String>,
    /// Whose request it is, any of them.
    #[serde(default)]
    who: Vec<String>,
    /// Both refuse an attribute, each another one.
    #[serde(default)]
    other_attribute: bool,
    #[serde(default)]
    ours: Wanted,
    #[serde(default)]
    theirs: Wanted,
    /// The places that may differ; all when there are none.
    #[serde(default)]
    places: Vec<String>,
    /// What follows is not compared, as the two now hold different things.
    #[serde(default)]
    parts: bool,
    /// Explains no difference: what follows such answers is not compared, though they are the same or differ only as others explain.
    #[serde(default)]
    ends: bool,
}

/// What an answer must be like.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    status: Vec<u16>,
    #[serde(default)]
    detail: Option<String>,
    /// In the body, as JSON.
    #[serde(default)]
    body: Option<String>,
}

/// What the list says of a step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Unexplained,
    /// It is meant, and the rest of the sequence still means the same to both.
    Meant,
    /// It is meant, and the two go different ways from here.
    Parted,
}

impl Explained {
    /// Reads the list.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let rules: Vec<Rule> =
            serde_saphyr::from_str(&text).with_context(|| format!("understand {}", path.display()))?;
        Ok(Self { rules, met: Mutex::default() })
    }

    /// Whether the rules cover each place: one rule for all that is not named by another.
    pub(crate) fn judge(&self, request: &Request, ours: &Answer, theirs: &Answer, places: &[Place]) -> Verdict {
        let fitting: Vec<&Rule> =
            self.rules.iter().filter(|rule| !rule.ends && rule.fits(request, ours, theirs)).collect();
        let mut used: Vec<&Rule> = Vec::new();
        for place in places {
            let Some(rule) = fitting.iter().find(|rule| rule.covers(place)) else { return Verdict::Unexplained };
            if !used.iter().any(|known| known.rule == rule.rule) {
                used.push(rule);
            }
        }
        self.count(&used);
        if used.iter().any(|rule| rule.parts) { Verdict::Parted } else { Verdict::Meant }
    }

    /// Whether the two go different ways after these answers, although they are the same.
    pub(crate) fn ends(&self, request: &Request, ours: &Answer, theirs: &Answer) -> bool {
        let rule = self.rules.iter().find(|rule| rule.ends && rule.fits(request, ours, theirs));
        self.count(rule.as_slice());
        rule.is_some()
    }

    fn count(&self, used: &[&Rule]) {
        if let Ok(mut met) = self.met.lock() {
            for rule in used {
                *met.entry(rule.rule.clone()).or_default() += 1;
            }
        }
    }

    /// How often each rule was met.
    pub(crate) fn met(&self) -> Vec<(&str, usize)> {
        let met = self.met.lock().map(|met| met.clone()).unwrap_or_default();
        self.rules.iter().map(|rule| (rule.rule.as_str(), met.get(&rule.rule).copied().unwrap_or_default())).collect()
    }
}

impl Rule {
    fn fits(&self, request: &Request, ours: &Answer, theirs: &Answer) -> bool {
        let route = request.route();
        let body = request.body.as_deref().unwrap_or_default();
        (self.requests.is_empty() || self.requests.iter().any(|wanted| like(wanted, &route)))
            && self.body.as_deref().is_none_or(|wanted| like(wanted, body))
            && self.path.as_deref().is_none_or(|wanted| like(wanted, &request.path))
            && self.header.as_deref().is_none_or(|wanted| {
                request.headers.iter().any(|(name, value)| like(wanted, &format!("{name}: {value}")))
            })
            && (self.who.is_empty() || self.who.contains(&format!("{:?}", request.who)))
            && (!self.other_attribute || (attribute(ours).is_some() && attribute(ours) != attribute(theirs)))
            && self.ours.fits(ours)
            && self.theirs.fits(theirs)
    }

    fn covers(&self, place: &Place) -> bool {
        self.places.is_empty() || self.places.iter().any(|wanted| like(wanted, &place.name))
    }
}

impl Wanted {
    fn fits(&self, answer: &Answer) -> bool {
        (self.status.is_empty() || self.status.contains(&answer.status))
            && self.detail.as_deref().is_none_or(|wanted| like(wanted, answer.detail()))
            && self.body.as_deref().is_none_or(|wanted| like(wanted, &answer.body.to_string()))
    }
}

/// The attribute that an answer refuses; nothing when it says which one with no name.
fn attribute(answer: &Answer) -> Option<&str> {
    let detail = answer.detail();
    if detail.starts_with("Expected a uuid but received ") {
        return Some("uuid");
    }
    detail.strip_prefix("Invalid input for field/attribute ")?.split('.').next()
}

/// Whether a text is like a pattern, in which `*` stands for any text.
fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use reqwest::Method;
    use serde_json::json;

    use super::*;
    use crate::compare;
    use crate::sequence::Who;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, is) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "acd", false),
            ("*", "", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("*b*", "abc", true),
            ("a*b*b", "ab", false),
        ] {
            assert_eq!(like(pattern, text), is, "{pattern} {text}");
        }
    }

    #[test]
    fn every_place_needs_a_rule() {
        let text = "
- rule: refused
  why: it is better
  fix: some decision
  magnum: there
  requests: ['GET /v1/*']
  ours: {status: [400]}
  places: [status, body.a]
  parts: true
";
        let explained = Explained { rules: serde_saphyr::from_str(text).expect("a list"), met: Mutex::default() };
        let request = Request {
            who: Who::Member,
            method: Method::GET,
            path: "/v1/clusters/x".to_owned(),
            headers: Vec::new(),
            body: None,
            saves: Vec::new(),
        };
        let answer = |status, body| Answer { status, headers: BTreeMap::new(), body };
        let judge = |ours: &Answer, theirs: &Answer| {
            explained.judge(
                &request,
                ours,
                theirs,
                &compare::places(ours, theirs, &mut crate::normal::Names::default()),
            )
        };
        let theirs = answer(200, json!({"a": 1, "b": 1}));
        assert_eq!(judge(&answer(400, json!({"a": 2, "b": 1})), &theirs), Verdict::Parted);
        assert_eq!(judge(&answer(400, json!({"a": 2, "b": 2})), &theirs), Verdict::Unexplained);
        assert_eq!(judge(&answer(404, json!({"a": 2, "b": 1})), &theirs), Verdict::Unexplained);
        assert_eq!(explained.met(), [("refused", 1)]);
    }

    #[test]
    fn the_checked_in_list_can_be_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/differential/explained.yaml");
        let explained = Explained::read(Path::new(path)).expect("a good list");
        let mut names: Vec<&str> = explained.met().into_iter().map(|(name, _)| name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "each name is given once");

        let decision = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/adr/0011-what-may-differ-from-magnum.md");
        let decision = std::fs::read_to_string(decision).expect("the decision");
        for rule in &explained.rules {
            assert!(decision.contains(&format!("| {} |", rule.fix)), "{}: {} is no decision", rule.rule, rule.fix);
        }
    }
}
