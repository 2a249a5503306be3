//! The right side of a check: text with `%(name)s` in it, as Python's `%` fills it.

use std::borrow::Cow;

use super::attribute::{Attribute, Refused};

/// Names and values of the thing that something is to be done to.
pub type Target<'a> = dyn Fn(&str) -> Option<Attribute<'a>> + 'a;

/// A text and where values go into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Target(String, Conversion),
    /// A conversion that Python refuses, or one that no rule needs: nobody passes.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conversion {
    Text,
    Repr,
    Decimal,
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
                continue;
            }
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            let Some((part, after)) = conversion(rest) else {
                parts.push(Part::Broken);
                return Self(parts);
            };
            parts.push(part);
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() || parts.is_empty() {
            parts.push(Part::Text(plain));
        }
        Self(parts)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.0.contains(&Part::Broken)
    }

    /// Asks about the text for this target; `Ok(false)` when the target lacks a name, which makes the check fail.
    pub(super) fn filled(
        &self,
        target: &Target<'_>,
        ask: impl FnOnce(&str) -> Result<bool, Refused>,
    ) -> Result<bool, Refused> {
        // Nearly every check is one word or one name.
        if let [Part::Text(text)] = self.0.as_slice() {
            return ask(text);
        }
        if let [Part::Target(name, Conversion::Text)] = self.0.as_slice() {
            return target(name).map_or(Ok(false), |value| ask(&value.text()));
        }
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Target(name, conversion) => {
                    let Some(value) = target(name) else { return Ok(false) };
                    let shown = match conversion {
                        Conversion::Text => value.text(),
                        Conversion::Repr => value.repr(),
                        Conversion::Decimal => Cow::Owned(value.decimal()?),
                    };
                    text.push_str(&shown);
                }
                Part::Broken => return Err(Refused),
            }
        }
        ask(&text)
    }
}

/// Reads what stands behind a `%`: a name in parentheses, which may hold pairs of such, and a letter.
fn conversion(text: &str) -> Option<(Part, &str)> {
    let inner = text.strip_prefix('(')?;
    let mut open = 1_usize;
    let end = inner.find(|c: char| {
        match c {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        open == 0
    })?;
    let (name, rest) = (&inner[..end], &inner[end + 1..]);
    let letter = rest.chars().next()?;
    let conversion = match letter {
        's' => Conversion::Text,
        'r' => Conversion::Repr,
        'd' | 'i' | 'u' => Conversion::Decimal,
        _ => return None,
    };
    Some((Part::Target(name.to_owned(), conversion), &rest[1..]))
}
