//! Who sends a request, in keystonemiddleware's words when it is nobody we know.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use jeroboam_model::Caller;
use jeroboam_openstack::{Presented, TokenError};
use secrecy::SecretString;

use super::around::global_id;
use crate::App;
use crate::error::{ApiError, ApiResult};

/// The caller of a request that was let in.
#[derive(Clone, Debug)]
pub(crate) struct Who(Arc<Caller>);

impl std::ops::Deref for Who {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl FromRequestParts<App> for Who {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> ApiResult<Self> {
        // Only a route that was forgotten here can be without a caller, and then nobody is let in.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal("a route without a caller"))
    }
}

/// Checks the token and notes whose it is.
pub(super) async fn authenticate(app: &App, request: &mut Request, request_id: &str) -> ApiResult<()> {
    let user_token = token(request.headers(), "x-auth-token");
    let service_token = token(request.headers(), "x-service-token");
    let shown = Presented {
        token: user_token.as_ref(),
        service_token: service_token.as_ref(),
        method: request.method(),
        path: request.uri().path(),
    };
    let validated = app.auth().validate(&shown).await.map_err(|error| refusal(app, error))?;
    let user_token = user_token.ok_or_else(|| refusal(app, TokenError::Missing))?;
    let mut caller = validated.user.caller(user_token, request_id.to_owned());
    caller.global_request_id = global_id(request.headers()).map(str::to_owned);
    caller.is_admin = app.service().is_admin(&caller);
    let span = tracing::Span::current();
    span.record("user.id", caller.user.as_str());
    if let Some(project) = &caller.project {
        span.record("project.id", project.as_str());
    }
    request.extensions_mut().insert(Who(Arc::new(caller)));
    Ok(())
}

fn token(headers: &HeaderMap, name: &str) -> Option<SecretString> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then(|| SecretString::from(value))
}

fn refusal(app: &App, error: TokenError) -> ApiError {
    if matches!(error, TokenError::Unavailable(_)) {
        return ApiError::keystone_away(error);
    }
    tracing::debug!(reason = %error, "refused a request without a good token");
    let challenge = format!("Keystone uri=\"{}\"", app.config().www_authenticate_uri);
    ApiError::unauthenticated(HeaderValue::from_str(&challenge).unwrap_or(HeaderValue::from_static("Keystone")))
}
