//! A rule after parsing, and how it is asked.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::Credentials;
use super::attribute::Refused;
use super::template::{Target, Template};

/// How deep checks may lie in others, and rules name each other; more is a circle, and nobody passes that.
const DEEPEST: usize = 300;

/// How many checks one question may need. Rules that name others several times, which do so in turn, need any number.
pub(super) const MOST_CHECKS: u32 = 10_000;

/// One node of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// `@` and the empty rule.
    Always,
    /// `!`.
    Never,
    /// What is no check, or a whole rule that is none, and why. oslo.policy lets it say no where it stands.
    Unreadable(String),
    And(Vec<Check>),
    Or(Vec<Check>),
    Not(Box<Check>),
    /// `rule:name`.
    Rule(String),
    /// `role:name`.
    Role(Template),
    /// `http:` and `https:`, which ask a server. We never do, and nobody passes.
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
    /// What Python cannot read: nobody passes.
    Broken(String),
}

/// What a check is asked about.
pub(super) struct Question<'a, 't> {
    pub(super) rules: &'a BTreeMap<String, Check>,
    pub(super) default_rule: &'a str,
    pub(super) target: &'a Target<'t>,
    pub(super) credentials: &'a Credentials<'t>,
    /// How many checks it may still need.
    pub(super) left: Cell<u32>,
}

impl Question<'_, '_> {
    /// The rule of this name, or the default rule, or no.
    pub(super) fn ask(&self, rule: &str) -> bool {
        self.named(rule, 0).unwrap_or(false)
    }

    fn named(&self, rule: &str, depth: usize) -> Result<bool, Refused> {
        let check = self.rules.get(rule).or_else(|| self.rules.get(self.default_rule));
        check.map_or(Ok(false), |check| self.holds(check, depth))
    }

    fn holds(&self, check: &Check, depth: usize) -> Result<bool, Refused> {
        if depth == DEEPEST {
            return Err(Refused);
        }
        self.left.set(self.left.get().checked_sub(1).ok_or(Refused)?);
        let depth = depth + 1;
        match check {
            Check::Always => Ok(true),
            Check::Never | Check::Unreadable(_) => Ok(false),
            Check::Remote(_) => Err(Refused),
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
            Check::Role(role) => role.filled(self.target, |role| self.credentials.has_role(role)),
            Check::Generic { kind, wanted } => wanted.filled(self.target, |wanted| match kind {
                Kind::Literal(text) => Ok(text == wanted),
                Kind::Path(path) => self.credentials.holds(path, wanted),
                Kind::Broken(_) => Err(Refused),
            }),
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
            Self::Always
            | Self::Never
            | Self::Unreadable(_)
            | Self::Rule(_)
            | Self::Role(_)
            | Self::Remote(_)
            | Self::Generic { .. } => {}
        }
    }
}
