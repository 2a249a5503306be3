//! The one place where a refusal becomes a status and a body.
//!
//! Handlers return an [`ApiError`]; it travels outwards as an extension of an empty response, and the outermost layer
//! writes the body, because only that layer knows the request's id. The caller sees one sentence and never an inner
//! message; the chain of causes is logged there, once.

use std::error::Error as StdError;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

/// What handlers return.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

/// A refusal on its way out.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    form: Form,
    detail: String,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// Which body says it.
#[derive(Debug)]
enum Form {
    /// Magnum's envelope with code and text.
    Envelope,
    /// Magnum's envelope with nothing in it: no handler was reached.
    Routing,
    /// The version that was asked for is none of ours.
    Microversion { min: String, max: String },
    /// keystonemiddleware's answer to a token that does not do.
    Unauthenticated { challenge: HeaderValue },
    /// keystonemiddleware's answer while Keystone is away.
    KeystoneAway,
}

impl ApiError {
    fn envelope(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, form: Form::Envelope, detail: detail.into(), cause: None }
    }

    /// 400 with this sentence.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::envelope(StatusCode::BAD_REQUEST, detail)
    }

    /// 400: an argument of the operation is not there.
    pub(crate) fn missing_argument(argument: &str) -> Self {
        Self::bad_request(format!("Missing argument: \"{argument}\""))
    }

    /// 400 about one attribute, in WSME's words.
    pub(crate) fn invalid(attribute: &str, value: &str, why: &str) -> Self {
        Self::bad_request(format!("Invalid input for field/attribute {attribute}. Value: '{value}'. {why}"))
    }

    /// 500 with a sentence that tells nothing.
    pub(crate) fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::envelope(StatusCode::INTERNAL_SERVER_ERROR, "The service failed to answer. Its log tells more.")
            .because(cause)
    }

    /// 503: the request took longer than it may.
    pub(crate) fn timed_out() -> Self {
        let detail = "The service could not answer in time, please try again later.";
        Self::envelope(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// 408.
    pub(crate) fn body_too_slow() -> Self {
        Self::envelope(StatusCode::REQUEST_TIMEOUT, "The body of the request did not arrive in time.")
    }

    /// 413.
    pub(crate) fn too_large(limit: usize) -> Self {
        let detail = format!("Request is too large. A body may have no more than {limit} bytes.");
        Self::envelope(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 415.
    pub(crate) fn unknown_mimetype(mimetype: &str) -> Self {
        Self::envelope(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("Unknown mimetype: {mimetype}"))
    }

    /// An answer of the router: 404, 405, 406 without words.
    pub(crate) fn routing(status: StatusCode) -> Self {
        Self { status, form: Form::Routing, detail: String::new(), cause: None }
    }

    /// 406 for a version that is well written and not ours.
    pub(crate) fn microversion(min: String, max: String) -> Self {
        let form = Form::Microversion { min, max };
        Self { status: StatusCode::NOT_ACCEPTABLE, form, detail: String::new(), cause: None }
    }

    /// 401.
    pub(crate) fn unauthenticated(challenge: HeaderValue) -> Self {
        let form = Form::Unauthenticated { challenge };
        Self { status: StatusCode::UNAUTHORIZED, form, detail: String::new(), cause: None }
    }

    /// 503 in keystonemiddleware's words.
    pub(crate) fn keystone_away(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let form = Form::KeystoneAway;
        Self { status: StatusCode::SERVICE_UNAVAILABLE, form, detail: String::new(), cause: None }.because(cause)
    }

    /// What went wrong inside, for the log alone.
    #[must_use]
    pub(crate) fn because(self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// The sentence that the caller sees.
    pub(crate) fn into_detail(self) -> String {
        self.detail
    }

    /// The sentence, to look at.
    #[cfg(test)]
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The whole chain of causes in one line; empty when there is none.
    pub(crate) fn chain(&self) -> String {
        let mut next: Option<&dyn StdError> = self.cause.as_deref().map(|cause| cause as &dyn StdError);
        let mut chain = Vec::new();
        while let Some(error) = next {
            chain.push(error.to_string());
            next = error.source();
        }
        chain.join(": ")
    }

    /// Writes the body, now that the request's id is known.
    pub(crate) fn render(&self, request_id: &str) -> Response {
        let mut response = match &self.form {
            Form::Envelope => {
                let code = if self.status.is_server_error() { "server" } else { "client" };
                self.json(&Errors::one(request_id, code, self.status, &self.detail))
            }
            Form::Routing => self.json(&Errors::one(request_id, "", self.status, "")),
            Form::Microversion { min, max } => self.json(&Unsupported::new(min, max)),
            Form::Unauthenticated { challenge } => {
                let mut response = self.json(&Unauthenticated::default());
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
                response
            }
            Form::KeystoneAway => {
                let text = "The Keystone service is temporarily unavailable.";
                let html = format!(
                    "<html>\n <head>\n  <title>503 Service Unavailable</title>\n </head>\n <body>\n  \
                     <h1>503 Service Unavailable</h1>\n  {text}<br /><br />\n\n </body>\n</html>"
                );
                ([(CONTENT_TYPE, "text/html; charset=UTF-8")], html).into_response()
            }
        };
        *response.status_mut() = self.status;
        response
    }

    fn json<T: Serialize>(&self, body: &T) -> Response {
        let text = serde_json::to_vec(body).unwrap_or_default();
        ([(CONTENT_TYPE, "application/json")], text).into_response()
    }
}

impl From<jeroboam_service::Error> for ApiError {
    fn from(error: jeroboam_service::Error) -> Self {
        use jeroboam_service::Kind;
        let status = match error.kind() {
            Kind::BadRequest => StatusCode::BAD_REQUEST,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let refusal = Self::envelope(status, error.to_string());
        if status.is_server_error() { refusal.because(error) } else { refusal }
    }
}

/// The refusal that a response carries until it is rendered.
#[derive(Clone)]
pub(crate) struct Carried(pub(crate) Arc<ApiError>);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(Carried(Arc::new(self)));
        response
    }
}

/// Takes `HEAD` out of the methods that axum says a route has: there is none here. Magnum: pecan answers HEAD with 405.
pub(crate) fn without_head(mut response: Response) -> Response {
    let allowed = response.headers().get(ALLOW).and_then(|value| value.to_str().ok());
    let methods = allowed.map(|methods| {
        let methods = methods.split(',').map(str::trim).filter(|method| *method != "HEAD");
        let mut methods: Vec<_> = methods.collect();
        methods.sort_unstable();
        methods.join(", ")
    });
    if let Some(value) = methods.and_then(|methods| HeaderValue::from_str(&methods).ok()) {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}

/// Magnum's error envelope.
#[derive(Serialize, ToSchema)]
pub(crate) struct Errors<'a> {
    errors: [OneError<'a>; 1],
}

/// One error.
#[derive(Serialize, ToSchema)]
struct OneError<'a> {
    /// The id of the request, as in the header `x-openstack-request-id`.
    request_id: &'a str,
    /// `client`, `server`, or nothing for routing errors.
    code: &'a str,
    /// The HTTP status.
    status: u16,
    /// The detail up to its first full stop.
    title: &'a str,
    /// What is wrong.
    detail: &'a str,
    links: [String; 0],
}

impl<'a> Errors<'a> {
    fn one(request_id: &'a str, code: &'a str, status: StatusCode, detail: &'a str) -> Self {
        let title = detail.split('.').next().unwrap_or_default();
        let status = status.as_u16();
        Self { errors: [OneError { request_id, code, status, title, detail, links: [] }] }
    }
}

/// The answer to a version that is well written and not offered.
#[derive(Serialize, ToSchema)]
pub(crate) struct Unsupported<'a> {
    errors: [UnsupportedVersion<'a>; 1],
}

#[derive(Serialize, ToSchema)]
struct UnsupportedVersion<'a> {
    max_version: &'a str,
    min_version: &'a str,
    code: &'static str,
    links: [HelpLink; 1],
    title: &'static str,
}

#[derive(Serialize, ToSchema)]
struct HelpLink {
    rel: &'static str,
    href: &'static str,
}

impl<'a> Unsupported<'a> {
    fn new(min_version: &'a str, max_version: &'a str) -> Self {
        let href = "http://docs.openstack.org/api-guide/compute/microversions.html";
        let code = "magnum.microversion-unsupported";
        let title = "Requested microversion is unsupported";
        let links = [HelpLink { rel: "help", href }];
        Self { errors: [UnsupportedVersion { max_version, min_version, code, links, title }] }
    }
}

/// keystonemiddleware's answer to a token that does not do.
#[derive(Serialize, Default, ToSchema)]
pub(crate) struct Unauthenticated {
    error: UnauthenticatedError,
}

#[derive(Serialize, ToSchema)]
struct UnauthenticatedError {
    code: u16,
    title: &'static str,
    message: &'static str,
}

impl Default for UnauthenticatedError {
    fn default() -> Self {
        let message = "The request you have made requires authentication.";
        Self { code: 401, title: "Unauthorized", message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(error: ApiError) -> String {
        let response = error.render("req-1");
        let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.expect("a body in memory");
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn every_form_has_its_body() {
        let rows = [
            (
                ApiError::bad_request("No. Really."),
                r#"{"errors":[{"request_id":"req-1","code":"client","status":400,"title":"No","detail":"No. Really.","links":[]}]}"#,
            ),
            (
                ApiError::routing(StatusCode::NOT_FOUND),
                r#"{"errors":[{"request_id":"req-1","code":"","status":404,"title":"","detail":"","links":[]}]}"#,
            ),
            (
                ApiError::microversion("1.1".into(), "1.14".into()),
                r#"{"errors":[{"max_version":"1.14","min_version":"1.1","code":"magnum.microversion-unsupported","links":[{"rel":"help","href":"http://docs.openstack.org/api-guide/compute/microversions.html"}],"title":"Requested microversion is unsupported"}]}"#,
            ),
            (
                ApiError::unauthenticated(HeaderValue::from_static("Keystone")),
                r#"{"error":{"code":401,"title":"Unauthorized","message":"The request you have made requires authentication."}}"#,
            ),
        ];
        for (error, expected) in rows {
            assert_eq!(body(error).await, expected);
        }
    }

    #[tokio::test]
    async fn a_cause_is_for_the_log_alone() {
        let error = ApiError::internal(std::io::Error::other("disk /var on fire"));
        assert_eq!(error.chain(), "disk /var on fire");
        assert!(!body(error).await.contains("disk"));
    }
}
