//! What answers are held against.

use jeroboam_oci::Digest;
use reqwest::StatusCode;
use serde_json::Value;

use crate::client::Answer;
use crate::stop::{Verdict, fail};

/// Codes of errors that the specification has.
const CODES: &[&str] = &[
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
];

/// How much of a body is shown.
const SHOWN: usize = 160;

impl Answer {
    /// Fails unless the status is one of these.
    pub(crate) fn status(&self, expected: &[u16]) -> Verdict {
        if expected.contains(&self.status.as_u16()) {
            return Ok(());
        }
        let expected: Vec<_> = expected.iter().map(u16::to_string).collect();
        let body: String = String::from_utf8_lossy(&self.body).chars().take(SHOWN).collect();
        let body = body.replace(['\n', '\r'], " ");
        let said = format!("{}: {} where {} was expected", self.asked, self.status.as_u16(), expected.join(" or "));
        fail(format!("{said} {body}").trim_end())
    }

    /// Fails unless a header has this value.
    pub(crate) fn header_is(&self, name: &str, expected: &str) -> Verdict {
        match self.header(name) {
            Some(value) if value == expected => Ok(()),
            Some(value) => fail(format!("{}: {name} is {value} where {expected} was expected", self.asked)),
            None => fail(format!("{}: no {name} where {expected} was expected", self.asked)),
        }
    }

    /// Fails if the answer names another digest, or none although it has to.
    pub(crate) fn names_digest(&self, expected: &Digest, has_to: bool) -> Verdict {
        match self.header("docker-content-digest") {
            None if !has_to => Ok(()),
            _ => self.header_is("docker-content-digest", &expected.to_string()),
        }
    }

    /// Fails unless the body is these bytes.
    pub(crate) fn body_is(&self, expected: &[u8]) -> Verdict {
        if self.body == expected {
            return Ok(());
        }
        fail(format!("{}: {} bytes that are not the {} expected ones", self.asked, self.body.len(), expected.len()))
    }

    /// Fails unless a session says that it has so many bytes. Of none, a range can say no more than where it begins.
    pub(crate) fn has_received(&self, bytes: usize) -> Verdict {
        if let Some(last) = bytes.checked_sub(1) {
            return self.header_is("range", &format!("0-{last}"));
        }
        let said = self.header("range").unwrap_or_default();
        let begins = said.strip_prefix("0-").is_some_and(|last| last.parse::<i64>().is_ok());
        if begins { Ok(()) } else { fail(format!("{}: the Range of a new session is {said:?}", self.asked)) }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Verdict<Value> {
        serde_json::from_slice(&self.body).or_else(|error| fail(format!("{}: no JSON: {error}", self.asked)))
    }

    /// The codes of the errors in the body; none where it is no body of errors.
    pub(crate) fn codes(&self) -> Vec<String> {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().filter_map(|error| error["code"].as_str()).map(str::to_owned).collect()
    }

    /// Fails unless the body says what is wrong, with a code that the specification has.
    pub(crate) fn says_why(&self) -> Verdict {
        let codes = self.codes();
        if codes.iter().any(|code| CODES.contains(&code.as_str())) {
            return Ok(());
        }
        fail(format!("{}: {} without a code of the specification", self.asked, self.status.as_u16()))
    }

    /// Whether the registry says that it does not do this at all.
    pub(crate) fn is_unsupported(&self) -> bool {
        let refused = matches!(self.status, StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED);
        refused || self.status == StatusCode::NOT_IMPLEMENTED
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::header::{HeaderMap, HeaderValue, RANGE};

    use super::*;

    #[test]
    fn a_session_says_how_much_it_has_and_of_nothing_where_it_begins() {
        for (bytes, range, is_right) in [
            (0, "0-0", true),
            (0, "0--1", true),
            (0, "bytes=0-0", false),
            (0, "", false),
            (10, "0-9", true),
            (10, "0-10", false),
            (10, "", false),
        ] {
            let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static(range))]);
            let (url, status) = ("http://r/".parse().unwrap(), StatusCode::NO_CONTENT);
            let answer = Answer { asked: "GET /".to_owned(), url, status, headers, body: Bytes::new() };
            assert_eq!(answer.has_received(bytes).is_ok(), is_right, "{bytes} {range}");
        }
    }
}
