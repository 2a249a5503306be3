//! Goes around every routed request: its id, its log line and its numbers outside; token, version and `Accept` inside.

use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ORIGIN, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jeroboam_oslo::{BadVersion, Microversion, VersionRange};
use tokio::time::{Instant as Deadline, timeout_at};
use tracing::field::Empty;
use tracing::{Instrument, debug, error, info, info_span};
use uuid::Uuid;

use super::accept::takes_json;
use super::auth::authenticate;
use super::cors;
use super::path::{PUBLIC, Surface, normal_request};
use crate::App;
use crate::error::{ApiError, ApiResult, Carried, without_head};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");
const MINIMUM: HeaderName = HeaderName::from_static("openstack-api-minimum-version");
const MAXIMUM: HeaderName = HeaderName::from_static("openstack-api-maximum-version");
const VERSION: HeaderName = HeaderName::from_static("openstack-api-version");

/// Puts the path in order before `routes` sees it.
pub(crate) fn routed(prefix: String, routes: Router) -> Router {
    // axum names the methods of a route outside of everything that goes around it.
    let honest = tower::util::MapResponse::new(routes, without_head);
    let normal = tower::util::MapRequest::new(honest, move |request| normal_request(&prefix, request));
    Router::new().fallback_service(normal)
}

/// The middleware.
pub(crate) async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let request_id = format!("req-{}", Uuid::new_v4());
    let span = info_span!(
        "request",
        request.id = %request_id,
        request.global_id = global_id(request.headers()),
        user.id = Empty,
        project.id = Empty
    );
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    // What a preflight asks is answered inside.
    let origin = request.headers().get(ORIGIN).filter(|_| method != Method::OPTIONS).cloned();
    let answered = async {
        let response = inside(&app, &request_id, request, next).await;
        let mut response = finish(response, &request_id);
        cors::decorate(&app.config().cors, origin.as_ref(), response.headers_mut());
        let status = response.status().as_u16();
        let seconds = began.elapsed().as_secs_f64();
        if method.is_safe() && status < 400 {
            debug!(http.method = %method, http.path = path, http.status = status, duration_seconds = seconds, "answered {method} {path} with {status}");
        } else {
            info!(http.method = %method, http.path = path, http.status = status, duration_seconds = seconds, "answered {method} {path} with {status}");
        }
        let route = route.as_ref().map_or("", MatchedPath::as_str);
        app.http_metrics().answered(&method, route, status, began.elapsed());
        response
    };
    answered.instrument(span).await
}

/// The id that another service of the cloud has for what it does here. oslo.middleware takes nothing else for one.
pub(super) fn global_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let digits = id.strip_prefix("req-")?;
    let uuid = Uuid::try_parse(digits).ok()?;
    (uuid.as_hyphenated().to_string() == digits).then_some(id)
}

async fn inside(app: &App, request_id: &str, mut request: Request, next: Next) -> Response {
    let surface = Surface::of(request.uri().path());
    let end = Deadline::now() + app.config().request_timeout;
    if surface == Surface::Own {
        return in_time(end, request, next).await;
    }
    if request.method() == Method::OPTIONS {
        // Magnum: oslo.middleware's `cors` makes a 200 of whatever the rest says to this.
        return (StatusCode::OK, cors::preflight(&app.config().cors, request.headers())).into_response();
    }
    let needs_token = !PUBLIC.contains(&request.uri().path());
    if needs_token {
        let known = timeout_at(end, authenticate(app, &mut request, request_id)).await;
        let known = known.unwrap_or_else(|_| Err(ApiError::keystone_away("keystone did not answer in time")));
        if let Err(refusal) = known {
            return refusal.into_response();
        }
    }
    if surface == Surface::Root {
        return match acceptable(&request) {
            Ok(()) => in_time(end, request, next).await,
            Err(refusal) => refusal.into_response(),
        };
    }
    let range = app.config().versions;
    let header = request.headers().get(VERSION).map(|value| value.to_str().unwrap_or_default());
    let (version, refusal) = match range.negotiate(header) {
        Ok(version) => (version, acceptable(&request).err()),
        Err(BadVersion::Malformed) => return ApiError::routing(StatusCode::NOT_ACCEPTABLE).into_response(),
        Err(BadVersion::Unsupported(version)) => {
            (version, Some(ApiError::microversion(range.min.to_string(), range.max.to_string())))
        }
    };
    let mut response = match refusal {
        Some(refusal) => refusal.into_response(),
        None => {
            request.extensions_mut().insert(version);
            in_time(end, request, next).await
        }
    };
    app.version_headers().put(version, &mut response);
    response
}

/// Runs the handler no longer than a request may take, the token's check included.
async fn in_time(end: Deadline, request: Request, next: Next) -> Response {
    let answer = timeout_at(end, next.run(request)).await;
    answer.unwrap_or_else(|_| ApiError::timed_out().into_response())
}

fn acceptable(request: &Request) -> ApiResult<()> {
    // A NUL is in no name, and PostgreSQL would not even look for it.
    if request.uri().path().contains("%00") {
        return Err(ApiError::routing(StatusCode::NOT_FOUND));
    }
    if takes_json(request.headers()) { Ok(()) } else { Err(ApiError::routing(StatusCode::NOT_ACCEPTABLE)) }
}

/// Writes the body of a refusal, logs what is behind it, and names the request.
fn finish(mut response: Response, request_id: &str) -> Response {
    if let Some(Carried(refusal)) = response.extensions_mut().remove() {
        if response.status().is_server_error() {
            error!(cause = refusal.chain(), "failed to answer a request");
        }
        let mut rendered = refusal.render(request_id);
        for (name, value) in response.headers() {
            if name != CONTENT_LENGTH && name != CONTENT_TYPE {
                rendered.headers_mut().insert(name, value.clone());
            }
        }
        response = rendered;
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The headers about versions, made once.
#[derive(Debug)]
pub(crate) struct VersionHeaders {
    service: String,
    range: VersionRange,
    minimum: HeaderValue,
    maximum: HeaderValue,
    /// One for each minor version of the range, in order.
    versions: Vec<HeaderValue>,
}

impl VersionHeaders {
    /// The headers for a range. `service` is the name that they carry.
    pub(crate) fn new(service: &str, range: VersionRange) -> Self {
        let value = |version| version_value(service, version);
        let minors = range.min.minor..=range.max.minor;
        let versions = minors.map(|minor| value(Microversion::new(range.min.major, minor))).collect();
        Self { service: service.to_owned(), range, minimum: value(range.min), maximum: value(range.max), versions }
    }

    fn put(&self, version: Microversion, response: &mut Response) {
        let offered = version.major == self.range.min.major && version.minor >= self.range.min.minor;
        let known = usize::from(version.minor.saturating_sub(self.range.min.minor));
        let known = self.versions.get(known).filter(|_| offered).cloned();
        let headers = response.headers_mut();
        headers.insert(MINIMUM, self.minimum.clone());
        headers.insert(MAXIMUM, self.maximum.clone());
        headers.insert(VERSION, known.unwrap_or_else(|| version_value(&self.service, version)));
        headers.insert(VARY, HeaderValue::from_static("OpenStack-API-Version"));
    }
}

fn version_value(service: &str, version: Microversion) -> HeaderValue {
    HeaderValue::from_str(&format!("{service} {version}")).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_of_openstacks_form_is_taken_for_a_global_one() {
        let good = "req-0f2a3b4c-1111-4222-8333-0123456789ab";
        let rows = [
            (good, Some(good)),
            ("0f2a3b4c-1111-4222-8333-0123456789ab", None),
            ("req-0F2A3B4C-1111-4222-8333-0123456789AB", None),
            ("req-0f2a3b4c1111422283330123456789ab", None),
            ("req-x", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let headers = HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(text))]);
            assert_eq!(global_id(&headers), expected, "{text}");
        }
        assert_eq!(global_id(&HeaderMap::new()), None);
    }
}
