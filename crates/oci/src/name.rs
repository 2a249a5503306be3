//! Names of repositories.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name, slashes included. distribution: `NameTotalLengthMax`.
const LONGEST: usize = 255;

/// The name of a repository, such as `team/app`: components of lower-case letters and digits, inside of them separated by `.`, `_`, `__` or
/// dashes, joined by slashes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(Box<str>);

/// Why something is no name of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// More than 255 characters.
    #[error("the name of a repository has at most {LONGEST} characters")]
    TooLong,
    /// A character or a place of one that is not allowed.
    #[error(
        "the name of a repository has components of a-z and 0-9, separated inside by one of . _ __ or dashes, joined by /"
    )]
    Form,
}

impl RepositoryName {
    /// The name as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepositoryName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        if text.len() > LONGEST {
            return Err(BadName::TooLong);
        }
        if text.split('/').all(is_component) { Ok(Self(text.into())) } else { Err(BadName::Form) }
    }
}

fn is_component(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if !alphanumeric(*first) || !alphanumeric(*last) {
        return false;
    }
    // What stands between two runs of letters and digits is one separator.
    bytes
        .chunk_by(|a, b| alphanumeric(*a) == alphanumeric(*b))
        .all(|run| alphanumeric(run[0]) || matches!(run, b"." | b"_" | b"__") || run.iter().all(|byte| *byte == b'-'))
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> Self {
        name.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_the_specification_has_them() {
        for name in ["a", "a/b", "a.b", "a_b", "a__b", "a--b", "a-----b/c0", "blobs/uploads", "0/manifests/1"] {
            assert_eq!(name.parse::<RepositoryName>().map(|n| n.to_string()), Ok(name.to_owned()));
        }
        for name in
            ["", "/", "a/", "/a", "a//b", "A", "a..b", "a___b", "a._b", "-a", "a-", "a b", "a/../b", "ä", "_uploads"]
        {
            assert_eq!(name.parse::<RepositoryName>(), Err(BadName::Form), "{name}");
        }
        assert!("a".repeat(255).parse::<RepositoryName>().is_ok());
        assert_eq!("a".repeat(256).parse::<RepositoryName>(), Err(BadName::TooLong));
    }
}
