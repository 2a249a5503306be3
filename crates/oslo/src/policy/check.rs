//! A rule after parsing, and how it is asked.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Credentials;

/// How deep rules may name each other; more is a circle, and a circle says no.
const DEEPEST: usize = 64;

/// One node of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// `@` and the empty rule.
    Always,
    /// `!`, and everything that cannot be understood: it fails closed.
    Never,
    And(Vec<Check>),
    Or(Vec<Check>),
    Not(Box<Check>),
    /// `rule:name`.
    Rule(String),
    /// `role:name`.
    Role(Template),
    /// `http:` and `https:`, which ask a server; we never do, so they say no.
    Remote(String),
    /// `kind:match`, where the kind is a literal or a path into the credentials.
    Generic {
        kind: Kind,
        wanted: Template,
    },
}

/// The left side of a generic check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A Python literal, as the text that `str()` gives.
    Literal(String),
    /// A dotted path into the credentials.
    Path(String),
}

/// The right side of a check: text with `%(name)s` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Target(String),
    /// A conversion that Python would refuse: the check never holds.
    Broken,
}

impl Template {
    pub(super) fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            plain.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                plain.push('%');
                rest = after;
            } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(")s")) {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(Part::Target(name.to_owned()));
                rest = after;
            } else {
                return Self(vec![Part::Broken]);
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Self(parts)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.0.contains(&Part::Broken)
    }

    /// The text for this target; `None` when the target lacks a name, which makes the check fail.
    fn fill<'a>(&'a self, target: Target<'a>) -> Option<Cow<'a, str>> {
        // Nearly every check is one name or one word.
        if let [part] = self.0.as_slice() {
            return part.fill(target).map(Cow::Borrowed);
        }
        let mut text = String::new();
        for part in &self.0 {
            text.push_str(part.fill(target)?);
        }
        Some(Cow::Owned(text))
    }
}

impl Part {
    fn fill<'a>(&'a self, target: Target<'a>) -> Option<&'a str> {
        match self {
            Self::Text(plain) => Some(plain),
            Self::Target(wanted) => target.iter().find(|(name, _)| *name == *wanted).map(|(_, value)| *value),
            Self::Broken => None,
        }
    }
}

/// Names and values of the thing that something is to be done to.
pub(super) type Target<'a> = &'a [(&'a str, &'a str)];

/// What a check is asked about.
pub(super) struct Question<'a> {
    pub(super) rules: &'a BTreeMap<String, Check>,
    pub(super) default_rule: &'a str,
    pub(super) target: Target<'a>,
    pub(super) credentials: &'a Credentials<'a>,
}

/// Rules that lead in a circle: whatever was asked, the answer is no, under a `not` too.
struct Circle;

impl Question<'_> {
    /// The rule of this name, or the default rule, or no.
    pub(super) fn ask(&self, rule: &str) -> bool {
        self.named(rule, 0).unwrap_or(false)
    }

    fn named(&self, rule: &str, depth: usize) -> Result<bool, Circle> {
        if depth == DEEPEST {
            return Err(Circle);
        }
        let check = self.rules.get(rule).or_else(|| self.rules.get(self.default_rule));
        check.map_or(Ok(false), |check| self.holds(check, depth + 1))
    }

    fn holds(&self, check: &Check, depth: usize) -> Result<bool, Circle> {
        match check {
            Check::Always => Ok(true),
            Check::Never | Check::Remote(_) => Ok(false),
            Check::And(all) => {
                for check in all {
                    if !self.holds(check, depth)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Check::Or(any) => {
                for check in any {
                    if self.holds(check, depth)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Check::Not(inner) => Ok(!self.holds(inner, depth)?),
            Check::Rule(name) => self.named(name, depth),
            Check::Role(role) => Ok(role.fill(self.target).is_some_and(|role| self.credentials.has_role(&role))),
            Check::Generic { kind, wanted } => {
                let Some(wanted) = wanted.fill(self.target) else { return Ok(false) };
                Ok(match kind {
                    Kind::Literal(text) => *text == wanted,
                    Kind::Path(path) => self.credentials.holds(path, &wanted),
                })
            }
        }
    }
}

impl Check {
    /// Calls `visit` with this node and every node below it.
    pub(super) fn walk(&self, visit: &mut dyn FnMut(&Self)) {
        visit(self);
        match self {
            Self::And(inner) | Self::Or(inner) => inner.iter().for_each(|check| check.walk(visit)),
            Self::Not(inner) => inner.walk(visit),
            Self::Always | Self::Never | Self::Rule(_) | Self::Role(_) | Self::Remote(_) | Self::Generic { .. } => {}
        }
    }
}
