//! Magnum's HTTP API, version 1.
//!
//! Requests are parsed here, once, into what `service` understands, and its answers are shown here in Magnum's shapes.
//! Nothing is decided here that is not about HTTP, and no handler calls another service.

mod app;
mod config;
mod edge;
mod error;
mod health;
mod metrics;
mod openapi;
mod room;
mod root;
#[cfg(test)]
mod tests;
mod v1;
mod wire;

use axum::Router;
use tower_http::catch_panic::CatchPanicLayer;

pub use app::{App, AppParts};
pub use config::{ApiConfig, CorsConfig};
pub use metrics::HttpMetrics;
pub use openapi::document;
#[cfg(any(test, feature = "testing"))]
pub use wire::properties;

/// All routes, with everything that goes around them.
pub fn router(app: App) -> Router {
    let prefix = app.config().prefix.clone();
    let routes = Router::new()
        .merge(root::routes())
        .merge(health::routes())
        .merge(openapi::routes())
        .merge(v1::routes())
        .fallback(root::not_found)
        .method_not_allowed_fallback(root::method_not_allowed)
        .layer(CatchPanicLayer::custom(root::panicked))
        .layer(axum::middleware::from_fn_with_state(app.clone(), edge::around))
        .with_state(app);
    edge::routed(prefix, routes)
}
