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
    /// A conversion that Python refuses, or one that no rule needs: nobody passes, but where the target lacks the name.
    Broken(Option<String>),
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
            let (part, after) = conversion(rest);
            if let Part::Broken(_) = part {
                parts.push(part);
                return Self(parts);
            }
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
        matches!(self.0.last(), Some(Part::Broken(_)))
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
                Part::Broken(Some(name)) if target(name).is_none() => return Ok(false),
                Part::Broken(_) => return Err(Refused),
            }
        }
        ask(&text)
    }
}

/// Reads what stands behind a `%`: a name in parentheses, which may hold pairs of such, and a letter.
fn conversion(text: &str) -> (Part, &str) {
    let mut open = 0_usize;
    let end = text.find(|c: char| {
        match c {
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
        open == 0
    });
    let Some((name, rest)) = end.filter(|end| *end > 0).map(|end| (text[1..end].to_owned(), &text[end + 1..])) else {
        return (Part::Broken(None), "");
    };
    let conversion = match rest.chars().next() {
        Some('s') => Conversion::Text,
        Some('r') => Conversion::Repr,
        Some('d' | 'i' | 'u') => Conversion::Decimal,
        _ => return (Part::Broken(Some(name)), ""),
    };
    (Part::Target(name, conversion), &rest[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_filled_as_python_fills_them() {
        let target = |name: &str| match name {
            "a" | "b(c)" => Some(Attribute::from("it's")),
            "n" => Some(Attribute::Number(5)),
            _ => None,
        };
        for (text, filled) in [
            ("plain", Ok(Some("plain"))),
            ("100%%", Ok(Some("100%"))),
            ("<%(a)s> %(n)s", Ok(Some("<it's> 5"))),
            ("%(b(c))s", Ok(Some("it's"))),
            ("%(a)r %(n)d", Ok(Some("\"it's\" 5"))),
            ("%(absent)s", Ok(None)),
            ("%(absent)s%", Ok(None)),
            ("%(absent)", Ok(None)),
            ("%(a)", Err(Refused)),
            ("%(a)d", Err(Refused)),
            ("%(a", Err(Refused)),
            ("%s", Err(Refused)),
            ("50%", Err(Refused)),
        ] {
            let mut shown = None;
            let asked = Template::parse(text).filled(&target, |text| {
                shown = Some(text.to_owned());
                Ok(true)
            });
            assert_eq!(asked.map(|_| shown.as_deref()), filled, "{text}");
        }
    }
}
