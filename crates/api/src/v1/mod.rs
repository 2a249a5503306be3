//! `/v1`: what Magnum has, and what we add under `/v1/jeroboam`.

pub(crate) mod certificates;
pub(crate) mod clusters;
pub(crate) mod clustertemplates;
pub(crate) mod discovery;
pub(crate) mod mservices;
pub(crate) mod nodegroups;
pub(crate) mod progress;
pub(crate) mod versions;

use axum::Router;
use axum::routing::{get, post};
use jeroboam_model::{ClusterId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::error::ApiError;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v1", get(discovery::resources))
        .route("/v1/clusters", get(clusters::list::list).post(clusters::create::create))
        .route("/v1/clusters/detail", get(clusters::list::detail))
        .route(
            "/v1/clusters/{cluster}",
            get(clusters::get::get).patch(clusters::update::update).delete(clusters::delete::delete),
        )
        .route("/v1/clusters/{cluster}/actions/resize", post(clusters::resize::resize))
        .route("/v1/clusters/{cluster}/actions/upgrade", post(clusters::upgrade::upgrade))
        .route("/v1/clusters/{cluster}/nodegroups", get(nodegroups::list::list).post(nodegroups::create::create))
        .route(
            "/v1/clusters/{cluster}/nodegroups/{nodegroup}",
            get(nodegroups::get::get).patch(nodegroups::update::update).delete(nodegroups::delete::delete),
        )
        .route("/v1/clustertemplates", get(clustertemplates::list::list).post(clustertemplates::create::create))
        .route("/v1/clustertemplates/detail", get(clustertemplates::list::detail))
        .route(
            "/v1/clustertemplates/{template}",
            get(clustertemplates::get::get)
                .patch(clustertemplates::update::update)
                .delete(clustertemplates::delete::delete),
        )
        .route("/v1/certificates", post(certificates::sign::sign))
        .route("/v1/certificates/{cluster}", get(certificates::get::get).patch(certificates::rotate::rotate))
        .route("/v1/mservices", get(mservices::list))
        .route("/v1/jeroboam/clusters/{cluster}/progress", get(progress::progress))
}

/// An accepted request: the cluster whose state tells how it goes on.
#[derive(Serialize, ToSchema)]
pub(crate) struct Accepted {
    #[schema(value_type = String, format = "uuid")]
    uuid: ClusterId,
}

impl From<ClusterId> for Accepted {
    fn from(uuid: ClusterId) -> Self {
        Self { uuid }
    }
}

/// An instant as Magnum writes it: whole seconds with an offset.
fn time(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// A refusal within a decision that the service asks for.
fn refused(error: ApiError) -> jeroboam_service::Error {
    jeroboam_service::Error::bad_request(error.into_detail())
}
