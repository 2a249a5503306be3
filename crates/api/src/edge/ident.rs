//! Names and ids in paths.

use axum::extract::{FromRequestParts, Path};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::App;
use crate::error::{ApiError, ApiResult};

/// The parts of a path that name things. A path that can't be decoded leads nowhere: 404.
pub(crate) struct Ident<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Ident<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let path = Path::from_request_parts(parts, app).await;
        path.map(|Path(ident)| Self(ident)).map_err(|_| ApiError::routing(StatusCode::NOT_FOUND))
    }
}
