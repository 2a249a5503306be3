//! Reads a body as JSON, whatever clients call it.

use std::error::Error;

use axum::extract::{FromRequest, Request};
use http::HeaderName;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use serde_json::Value;

use super::fields::Fields;
use crate::App;
use crate::error::{ApiError, ApiResult};

/// What Magnum's `wsme` takes for JSON.
const JSON_TYPES: [&str; 4] = ["application/json", "text/javascript", "application/javascript", ""];

/// A body; `None` when it was empty.
#[derive(Debug)]
pub(crate) struct Body(Option<Value>);

/// The one argument of an operation: its name in error messages and the attributes it may have.
pub(crate) struct Argument {
    /// As Magnum calls it: `cluster`, `patch`, `nodegroup`, …
    pub(crate) name: &'static str,
    /// Attributes that may be given.
    pub(crate) known: &'static [&'static str],
    /// Attributes that exist and may not be given.
    pub(crate) read_only: &'static [&'static str],
}

impl Body {
    /// The body as an object with no attribute that does not belong there.
    pub(crate) fn fields(self, argument: &'static Argument) -> ApiResult<Fields> {
        Fields::new(argument, self.value(argument.name)?)
    }

    /// The body, which must be there.
    pub(crate) fn value(self, argument: &'static str) -> ApiResult<Value> {
        match self.0 {
            None | Some(Value::Null) => Err(ApiError::missing_argument(argument)),
            Some(value) => Ok(value),
        }
    }

    /// A body that a test made.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn of(value: Value) -> Self {
        Self(Some(value))
    }

    pub(crate) fn parse(mimetype: &str, bytes: &[u8]) -> ApiResult<Self> {
        // Magnum: the mimetype of nothing does not matter; python-magnumclient sends `application/octet-stream`.
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !JSON_TYPES.contains(&mimetype) && !mimetype.ends_with("+json") {
            return Err(ApiError::unknown_mimetype(mimetype));
        }
        let value = serde_json::from_slice(bytes);
        let value = value.map_err(|_| ApiError::bad_request("Request is not in valid JSON format"))?;
        if has_unstorable_text(&value) {
            return Err(ApiError::bad_request(format!("Request holds {UNSTORABLE}.")));
        }
        Ok(Self(Some(value)))
    }
}

/// What a request must not hold.
pub(super) const UNSTORABLE: &str =
    "characters that can not be stored: NUL, or others outside the Basic Multilingual Plane";

/// Whether a text in here does not fit into Magnum's tables: MariaDB keeps them in `utf8mb3`, PostgreSQL refuses NUL.
pub(super) fn has_unstorable_text(value: &Value) -> bool {
    let bad = |text: &str| text.chars().any(|c| c == '\0' || c > '\u{ffff}');
    match value {
        Value::String(text) => bad(text),
        Value::Array(items) => items.iter().any(has_unstorable_text),
        Value::Object(map) => map.iter().any(|(key, value)| bad(key) || has_unstorable_text(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn text(parts: &Parts, name: HeaderName) -> &str {
    parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The type without its parameters.
fn mimetype(header: &str) -> String {
    header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

impl FromRequest<App> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        let limit = app.config().max_body_bytes;
        let (parts, body) = request.into_parts();
        let announced: Option<usize> = text(&parts, CONTENT_LENGTH).parse().ok();
        if announced.is_some_and(|length| length > limit) {
            return Err(ApiError::too_large(limit));
        }
        let mimetype = mimetype(text(&parts, CONTENT_TYPE));
        let bytes = tokio::time::timeout(app.config().body_timeout, axum::body::to_bytes(body, limit)).await;
        let bytes = bytes.map_err(|_| ApiError::body_too_slow())?;
        let bytes = bytes.map_err(|error| {
            let too_large = error.source().is_some_and(<dyn Error>::is::<http_body_util::LengthLimitError>);
            if too_large { ApiError::too_large(limit) } else { ApiError::bad_request("The request broke off.") }
        })?;
        Self::parse(&mimetype, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_by_its_type_and_refused_in_one_sentence() {
        let rows: [(&str, &[u8], &str); 12] = [
            ("application/json", b"", "Missing argument: \"cluster\""),
            ("application/octet-stream", b"", "Missing argument: \"cluster\""),
            ("text/plain", b"", "Missing argument: \"cluster\""),
            ("application/json", b"null", "Missing argument: \"cluster\""),
            ("application/json", b"{", "Request is not in valid JSON format"),
            ("application/json", b"{'a': 1}", "Request is not in valid JSON format"),
            ("application/json", b"\xff\xfe", "Request is not in valid JSON format"),
            ("application/json", b"{\"a\": 1e999}", "Request is not in valid JSON format"),
            ("text/plain", b"{}", "Unknown mimetype: text/plain"),
            ("application/xml", b"<a/>", "Unknown mimetype: application/xml"),
            ("application/x-www-form-urlencoded", b"a=1", "Unknown mimetype: application/x-www-form-urlencoded"),
            (
                "application/json",
                br#"{"a": "\u0000"}"#,
                "Request holds characters that can not be stored: NUL, or others outside the Basic Multilingual Plane.",
            ),
        ];
        for (mimetype, bytes, expected) in rows {
            let read = Body::parse(mimetype, bytes).and_then(|body| body.value("cluster"));
            assert_eq!(read.expect_err(expected).detail(), expected);
        }
        for mimetype in ["application/json", "", "text/javascript", "application/json-patch+json"] {
            let read = Body::parse(mimetype, b"{\"a\": 1}").and_then(|body| body.value("cluster"));
            assert_eq!(read.expect("this is JSON"), serde_json::json!({"a": 1}), "{mimetype}");
        }
    }
}
