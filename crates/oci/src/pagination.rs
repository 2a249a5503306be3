//! Pages of lists: `n` and `last` of a request, and the link to what comes next.

use crate::Query;

/// Which page is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// At most so many; as many as there are, where nothing is said.
    pub count: Option<usize>,
    /// What comes behind this one, which need not exist.
    pub last: Option<String>,
}

/// `n` is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("n is a number, 0 or more")]
pub struct BadCount;

impl Asked {
    /// Reads `n` and `last`.
    pub fn of(query: &Query) -> Result<Self, BadCount> {
        let count = match query.first("n") {
            None => None,
            Some(text) if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) => return Err(BadCount),
            // More than we can count is more than there is.
            Some(text) => Some(text.parse().unwrap_or(usize::MAX)),
        };
        Ok(Self { count, last: query.first("last").filter(|last| !last.is_empty()).map(str::to_owned) })
    }

    /// Of sorted names, those of the page, and whether there are more. A page of none has none behind it.
    #[must_use]
    pub fn cut<'a, T: AsRef<str>>(&self, sorted: &'a [T], most: usize) -> (&'a [T], bool) {
        let from = self.last.as_deref().map_or(0, |last| sorted.partition_point(|name| name.as_ref() <= last));
        let rest = &sorted[from..];
        let count = self.count.unwrap_or(usize::MAX).min(most).min(rest.len());
        (&rest[..count], count > 0 && count < rest.len())
    }
}

/// The header `Link` to the next page: the path of the request, and its query with another `n` and `last`.
#[must_use]
pub fn link(path: &str, query: &Query, count: usize, last: &str) -> String {
    let next = query.clone().with("n", &count.to_string()).with("last", last);
    format!("<{path}?{}>; rel=\"next\"", next.to_text())
}

/// The path and query of the next page, of another registry's header `Link`.
#[must_use]
pub fn next_of_link(header: &str) -> Option<&str> {
    header.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let next = |parameter: &str| matches!(parameter.trim(), "rel=\"next\"" | "rel=next");
        parameters.split(';').any(next).then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Asked, BadCount> {
        Asked::of(&Query::parse(Some(query)).expect("it is a query"))
    }

    #[test]
    fn pages_are_cut_as_the_specification_has_them() {
        let names = ["a", "b", "d", "e"];
        for (query, page, more) in [
            ("", &names[..], false),
            ("n=2", &names[..2], true),
            ("n=4", &names[..], false),
            ("n=0", &names[..0], false),
            ("last=b", &names[2..], false),
            ("n=1&last=c", &names[2..3], true),
            ("n=99999999999999999999999&last=d", &names[3..], false),
            ("last=z&n=1", &names[4..], false),
            ("last=&n=3", &names[..3], true),
        ] {
            assert_eq!(asked(query).expect("a page").cut(&names, 1000), (page, more), "{query}");
        }
        assert_eq!(asked("n=9").expect("a page").cut(&names, 3), (&names[..3], true));
        for query in ["n=-1", "n=x", "n=", "n=%2B1", "n=1.5"] {
            assert_eq!(asked(query), Err(BadCount), "{query}");
        }
    }

    #[test]
    fn links_lead_on() {
        let query = Query::parse(Some("n=5&artifactType=a%2Fb&last=x")).expect("it is a query");
        let header = link("/v2/a/tags/list", &query, 2, "v1+");
        assert_eq!(header, r#"</v2/a/tags/list?artifactType=a%2Fb&n=2&last=v1%2B>; rel="next""#);
        assert_eq!(next_of_link(&header), Some("/v2/a/tags/list?artifactType=a%2Fb&n=2&last=v1%2B"));
        assert_eq!(next_of_link("<https://x/y>; rel=prev, </z>;rel=next"), Some("/z"));
        assert_eq!(next_of_link("nothing"), None);
    }
}
