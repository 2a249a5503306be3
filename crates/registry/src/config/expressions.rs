//! Expressions that addresses have to match, or must not.

use regex::RegexSet;
use url::Url;

use super::section::Section;

/// Which addresses of what is kept elsewhere a manifest may name. distribution without any takes none; here all are taken then, since images of
/// Windows have some.
#[derive(Clone, Debug, Default)]
pub struct Expressions {
    allowed: Option<RegexSet>,
    denied: Option<RegexSet>,
}

impl PartialEq for Expressions {
    fn eq(&self, other: &Self) -> bool {
        let patterns = |set: &Option<RegexSet>| set.as_ref().map(|set| set.patterns().to_vec());
        patterns(&self.allowed) == patterns(&other.allowed) && patterns(&self.denied) == patterns(&other.denied)
    }
}

impl Eq for Expressions {}

/// Why an address is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It is none that a client could ask.
    #[error("is none of http or https, or has a fragment")]
    Form,
    /// No expression allows it.
    #[error("is not allowed here")]
    NotAllowed,
    /// An expression denies it.
    #[error("is denied here")]
    Denied,
}

impl Expressions {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let set = |name: &str| {
            let texts = section.texts(name).filter(|texts| !texts.is_empty())?;
            match RegexSet::new(&texts) {
                Ok(set) => Some(set),
                Err(error) => {
                    section.refuse(name, &format!("has something that is no expression: {error}"));
                    None
                }
            }
        };
        Self { allowed: set("allow"), denied: set("deny") }
    }

    /// Whether an address is taken.
    pub fn check(&self, address: &str) -> Result<(), BadAddress> {
        if self.allowed.is_none() && self.denied.is_none() {
            return Ok(());
        }
        let parsed = Url::parse(address).ok();
        if !parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.fragment().is_none()) {
            return Err(BadAddress::Form);
        }
        if self.allowed.as_ref().is_some_and(|allowed| !allowed.is_match(address)) {
            return Err(BadAddress::NotAllowed);
        }
        if self.denied.as_ref().is_some_and(|denied| denied.is_match(address)) {
            return Err(BadAddress::Denied);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> Option<RegexSet> {
        Some(RegexSet::new(texts).expect("expressions"))
    }

    #[test]
    fn what_is_denied_is_not_taken_although_it_is_allowed() {
        let none = Expressions::default();
        let allowing = Expressions { allowed: set(&["^https://([^/]+\\.)*example\\.com/", "mirror"]), denied: None };
        let denying = Expressions { allowed: None, denied: set(&["^https://www\\.example\\.com/"]) };
        let both = Expressions { denied: denying.denied.clone(), ..allowing.clone() };
        use BadAddress::{Denied, Form, NotAllowed};
        for (address, expected) in [
            ("https://go.example.com/layer", [Ok(()), Ok(()), Ok(()), Ok(())]),
            ("https://www.example.com/layer", [Ok(()), Ok(()), Err(Denied), Err(Denied)]),
            ("http://a.mirror.test/", [Ok(()), Ok(()), Ok(()), Ok(())]),
            ("https://elsewhere.test/layer", [Ok(()), Err(NotAllowed), Ok(()), Err(NotAllowed)]),
            ("ftp://go.example.com/layer", [Ok(()), Err(Form), Err(Form), Err(Form)]),
            ("https://go.example.com/#a", [Ok(()), Err(Form), Err(Form), Err(Form)]),
            ("nonsense", [Ok(()), Err(Form), Err(Form), Err(Form)]),
        ] {
            let found = [&none, &allowing, &denying, &both].map(|expressions| expressions.check(address));
            assert_eq!(found, expected, "{address}");
        }
    }
}
