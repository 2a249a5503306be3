//! What is known of an object without its bytes: the headers of an answer.

use http::HeaderMap;
use jeroboam_model::Timestamp;

use super::unquoted;

/// What the headers of an object say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectHead {
    /// The length of the body that comes, or would come.
    pub length: Option<u64>,
    /// Of an answer with a part of the object: the length of the whole.
    pub whole: Option<u64>,
    /// Of an answer with a part: where it begins.
    pub start: Option<u64>,
    /// Without quotes; of a large object no hash of its bytes.
    pub etag: Option<String>,
    /// When it was last written.
    pub modified: Option<Timestamp>,
    /// Of a dynamic large object: the container of its segments and how their names begin.
    pub manifest: Option<(String, String)>,
    /// Whether it is a static large object.
    pub is_static: bool,
    /// What others noted at it: names in lower case, without `x-object-meta-`.
    pub notes: Vec<(String, String)>,
}

impl ObjectHead {
    /// The length of the object, whatever part of it the answer has.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.whole.or(self.length)
    }

    /// Whether its bytes are in other objects.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.is_static || self.manifest.is_some()
    }

    /// What was noted under a name.
    #[must_use]
    pub fn note(&self, name: &str) -> Option<&str> {
        self.notes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let (start, whole) = text("content-range").map_or((None, None), part);
        let notes = headers.iter().filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("x-object-meta-")?;
            Some((name.to_owned(), unquoted(value.to_str().ok()?)?))
        });
        Self {
            length: text("content-length").and_then(|text| text.parse().ok()),
            whole,
            start,
            etag: text("etag").map(|etag| etag.trim_matches('"').to_owned()).filter(|etag| !etag.is_empty()),
            modified: text("x-timestamp").and_then(seconds).or_else(|| text("last-modified").and_then(http_date)),
            manifest: text("x-object-manifest").and_then(manifest),
            is_static: text("x-static-large-object").is_some_and(|text| text.eq_ignore_ascii_case("true")),
            notes: notes.collect(),
        }
    }
}

/// `bytes 5-9/20`: where it begins, and the length of the whole.
fn part(text: &str) -> (Option<u64>, Option<u64>) {
    let Some((range, whole)) = text.strip_prefix("bytes").and_then(|rest| rest.trim().split_once('/')) else {
        return (None, None);
    };
    (range.split_once('-').and_then(|(start, _)| start.trim().parse().ok()), whole.trim().parse().ok())
}

/// `container/beginning of the names`, with or without percent signs.
fn manifest(text: &str) -> Option<(String, String)> {
    let (container, prefix) = text.trim_start_matches('/').split_once('/')?;
    let (container, prefix) = (unquoted(container)?, unquoted(prefix)?);
    (!container.is_empty() && !prefix.is_empty()).then_some((container, prefix))
}

/// `1795996248.60624`
fn seconds(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    Timestamp::new(whole.parse().ok()?, digits.parse().ok()?).ok()
}

/// `Sun, 29 Nov 2026 23:50:49 GMT`
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(pairs: &[(&'static str, &'static str)]) -> ObjectHead {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
        ObjectHead::of(&pairs.collect())
    }

    #[test]
    fn a_dynamic_large_object_names_its_segments() {
        let large = head(&[
            ("content-length", "10"),
            ("x-object-manifest", "my%20reg/segments/abc/def"),
            ("etag", "\"ae80\""),
            ("x-timestamp", "1795996248.60624"),
            ("x-object-meta-moved-from", "a/b"),
        ]);
        assert_eq!(large.manifest, Some(("my reg".to_owned(), "segments/abc/def".to_owned())));
        assert_eq!((large.size(), large.etag.as_deref(), large.is_large()), (Some(10), Some("ae80"), true));
        assert_eq!(large.modified.unwrap().to_string(), "2026-11-29T23:50:48.60624Z");
        assert_eq!((large.note("moved-from"), large.note("other")), (Some("a/b"), None));
    }

    #[test]
    fn a_part_tells_the_length_of_the_whole() {
        let part = head(&[
            ("content-length", "5"),
            ("content-range", "bytes 5-9/20"),
            ("last-modified", "Sun, 29 Nov 2026 23:50:49 GMT"),
        ]);
        assert_eq!((part.length, part.whole, part.start, part.size()), (Some(5), Some(20), Some(5), Some(20)));
        assert_eq!(part.modified.unwrap().to_string(), "2026-11-29T23:50:49Z");
        let none = head(&[("content-range", "bytes */20"), ("x-object-manifest", "nothing"), ("content-length", "x")]);
        assert_eq!((none.start, none.whole, none.length, none.manifest), (None, Some(20), None, None));
    }
}
