//! Query strings: what stands behind the question mark.

use crate::percent::{self, BadEncoding};

/// Most parameters that a query may have: a hundred tags, and what else there is.
const MOST: usize = 128;

/// The parameters of a query, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

/// Why a query is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// It has too many parameters.
    #[error("a query has at most {MOST} parameters")]
    TooMany,
    /// A parameter is encoded wrongly.
    #[error(transparent)]
    Encoding(#[from] BadEncoding),
}

impl Query {
    /// Reads what stands behind the question mark; nothing is as good as an empty query.
    pub fn parse(text: Option<&str>) -> Result<Self, BadQuery> {
        let mut pairs = Vec::new();
        for part in text.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            if pairs.len() == MOST {
                return Err(BadQuery::TooMany);
            }
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            pairs.push((percent::decode_query(name)?, percent::decode_query(value)?));
        }
        Ok(Self(pairs))
    }

    /// The first parameter of that name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All parameters of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The query with parameters of that name replaced by one at its end.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The query as it is written, without the question mark.
    #[must_use]
    pub fn to_text(&self) -> String {
        let pairs = self.0.iter().map(|(name, value)| format!("{}={}", percent::encode(name), percent::encode(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_in_any_order_and_written_again() {
        let query = Query::parse(Some("_state=a%2Bb&digest=sha256%3Aab&tag=1&tag=2&flag")).expect("it is a query");
        assert_eq!(query.first("digest"), Some("sha256:ab"));
        assert_eq!(query.first("_state"), Some("a+b"));
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.first("flag"), Some(""));
        assert_eq!(query.first("nothing"), None);
        assert_eq!(query.with("tag", "3 4").to_text(), "_state=a%2Bb&digest=sha256%3Aab&flag=&tag=3%204");
        assert_eq!(Query::parse(None), Ok(Query::default()));
        assert_eq!(Query::parse(Some(&"t&".repeat(129))), Err(BadQuery::TooMany));
        assert_eq!(Query::parse(Some("a=%")), Err(BadQuery::Encoding(BadEncoding)));
    }
}
