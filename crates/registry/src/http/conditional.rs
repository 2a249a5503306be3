//! Conditions on what a client has already, or expects.

use http::HeaderMap;
use http::header::{AsHeaderName, IF_MATCH, IF_NONE_MATCH};
use jeroboam_oci::Digest;

use crate::store::TagCondition;

/// The tags of a header, which may come in several lines, quoted or not.
fn tags(headers: &HeaderMap, name: impl AsHeaderName) -> Vec<String> {
    let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let tags = lines.flat_map(|line| line.split(',')).map(|tag| {
        let tag = tag.trim();
        tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"').to_owned()
    });
    tags.filter(|tag| !tag.is_empty()).collect()
}

/// Whether the client has what is asked for already.
pub(super) fn is_known(headers: &HeaderMap, digest: &Digest) -> bool {
    if !headers.contains_key(IF_NONE_MATCH) {
        return false;
    }
    let digest = digest.to_string();
    tags(headers, IF_NONE_MATCH).iter().any(|tag| *tag == digest || tag == "*")
}

/// On what condition a manifest is pushed or a tag removed.
pub(super) fn of_change(headers: &HeaderMap) -> TagCondition {
    if tags(headers, IF_NONE_MATCH).iter().any(|tag| tag == "*") {
        return TagCondition::Absent;
    }
    if !headers.contains_key(IF_MATCH) {
        return TagCondition::Always;
    }
    let expected = tags(headers, IF_MATCH);
    if expected.iter().any(|tag| tag == "*") {
        return TagCondition::Present;
    }
    // What is no digest is that of no manifest.
    TagCondition::PointsTo(expected.iter().filter_map(|tag| tag.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &http::HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn what_a_client_has_is_told_in_several_ways() {
        let digest = Digest::sha256(b"{}");
        for lines in [
            vec![format!("\"{digest}\"")],
            vec![digest.to_string()],
            vec![format!("W/\"{digest}\"")],
            vec!["\"x\"".to_owned(), format!("\"y\", \"{digest}\"")],
            vec!["*".to_owned()],
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert!(is_known(&headers(&IF_NONE_MATCH, &lines), &digest), "{lines:?}");
        }
        assert!(!is_known(&headers(&IF_NONE_MATCH, &["\"x\""]), &digest));
        assert!(!is_known(&HeaderMap::new(), &digest));
    }

    #[test]
    fn a_push_may_expect_something() {
        let digest = Digest::sha256(b"{}");
        assert_eq!(of_change(&HeaderMap::new()), TagCondition::Always);
        assert_eq!(of_change(&headers(&IF_NONE_MATCH, &["*"])), TagCondition::Absent);
        assert_eq!(of_change(&headers(&IF_MATCH, &["*"])), TagCondition::Present);
        let quoted = format!("\"{digest}\"");
        assert_eq!(of_change(&headers(&IF_MATCH, &[&quoted])), TagCondition::PointsTo(vec![digest]));
        assert_eq!(of_change(&headers(&IF_MATCH, &["\"x\""])), TagCondition::PointsTo(Vec::new()), "never holds");
        assert_eq!(of_change(&headers(&IF_MATCH, &[""])), TagCondition::PointsTo(Vec::new()), "never holds");
    }
}
