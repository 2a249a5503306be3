//! What every handler has at hand.

use std::sync::Arc;

use jeroboam_openstack::TokenValidator;
use jeroboam_service::Service;

use crate::config::ApiConfig;
use crate::edge::VersionHeaders;
use crate::metrics::HttpMetrics;
use crate::room::Room;

/// The parts of an [`App`].
pub struct AppParts {
    /// What requests mean.
    pub service: Service,
    /// Who sends them.
    pub auth: TokenValidator,
    /// What the operator chose.
    pub config: ApiConfig,
    /// Where requests are counted.
    pub http_metrics: HttpMetrics,
}

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    service: Service,
    auth: TokenValidator,
    config: ApiConfig,
    http_metrics: HttpMetrics,
    version_headers: VersionHeaders,
    room: Room,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: AppParts) -> Self {
        let AppParts { service, auth, config, http_metrics } = parts;
        let version_headers = VersionHeaders::new(&config.version_service, config.versions);
        Self(Arc::new(Inner { service, auth, config, http_metrics, version_headers, room: Room::of_this_machine() }))
    }

    pub(crate) fn service(&self) -> &Service {
        &self.0.service
    }

    pub(crate) fn auth(&self) -> &TokenValidator {
        &self.0.auth
    }

    pub(crate) fn config(&self) -> &ApiConfig {
        &self.0.config
    }

    pub(crate) fn version_headers(&self) -> &VersionHeaders {
        &self.0.version_headers
    }

    pub(crate) fn room(&self) -> &Room {
        &self.0.room
    }

    pub(crate) fn http_metrics(&self) -> &HttpMetrics {
        &self.0.http_metrics
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("config", self.config()).finish_non_exhaustive()
    }
}
