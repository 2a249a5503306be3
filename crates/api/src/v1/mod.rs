//! `/v1`: what Magnum has, and what we add under `/v1/jeroboam`.

pub(crate) mod certificates;
pub(crate) mod clusters;
pub(crate) mod clustertemplates;
pub(crate) mod credentials;
pub(crate) mod discovery;
pub(crate) mod federations;
pub(crate) mod mservices;
pub(crate) mod nodegroups;
pub(crate) mod progress;
pub(crate) mod quotas;
pub(crate) mod stats;
pub(crate) mod versions;

use std::future::Ready;

use axum::Router;
use axum::routing::{get, patch, post};
use jeroboam_model::{ClusterId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::error::ApiError;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v1", get(discovery::resources))
        .route("/v1/clusters", {
            let collection = get(clusters::list::list).post(clusters::create::create);
            collection.patch(lacks("cluster_ident")).delete(lacks("cluster_ident"))
        })
        .route("/v1/clusters/detail", get(clusters::list::detail))
        .route(
            "/v1/clusters/{cluster}",
            get(clusters::get::get).patch(clusters::update::update).delete(clusters::delete::delete),
        )
        .route("/v1/clusters/{cluster}/actions/resize", post(clusters::resize::resize))
        .route("/v1/clusters/{cluster}/actions/upgrade", post(clusters::upgrade::upgrade))
        .route("/v1/clusters/{cluster}/nodegroups", {
            let collection = get(nodegroups::list::list).post(nodegroups::create::create);
            collection.patch(lacks("nodegroup_id")).delete(lacks("nodegroup_id"))
        })
        .route(
            "/v1/clusters/{cluster}/nodegroups/{nodegroup}",
            get(nodegroups::get::get).patch(nodegroups::update::update).delete(nodegroups::delete::delete),
        )
        .route("/v1/clustertemplates", {
            let collection = get(clustertemplates::list::list).post(clustertemplates::create::create);
            collection.patch(lacks("cluster_template_ident")).delete(lacks("cluster_template_ident"))
        })
        .route("/v1/clustertemplates/detail", get(clustertemplates::list::detail))
        .route(
            "/v1/clustertemplates/{template}",
            get(clustertemplates::get::get)
                .patch(clustertemplates::update::update)
                .delete(clustertemplates::delete::delete),
        )
        .route("/v1/certificates", post(certificates::sign::sign).patch(lacks("cluster_ident")))
        .route("/v1/certificates/{cluster}", get(certificates::get::get).patch(certificates::rotate::rotate))
        .route("/v1/credentials", patch(lacks("cluster_ident")))
        .route("/v1/credentials/{cluster}", patch(credentials::rotate))
        .route("/v1/quotas", {
            let collection = get(quotas::list::list).post(quotas::create::create);
            collection.patch(lacks("project_id")).delete(lacks("project_id"))
        })
        .route("/v1/quotas/{project}", get(lacks("resource")).patch(lacks("resource")).delete(lacks("resource")))
        .route(
            "/v1/quotas/{project}/{resource}",
            get(quotas::get::get).patch(quotas::update::update).delete(quotas::delete::delete),
        )
        .route("/v1/stats", get(stats::stats))
        .route("/v1/federations", {
            let collection = get(federations::list::list).post(federations::create::create);
            collection.patch(lacks("federation_ident")).delete(lacks("federation_ident"))
        })
        .route("/v1/federations/detail", get(federations::list::detail))
        .route(
            "/v1/federations/{federation}",
            get(federations::get::get).patch(federations::update::update).delete(federations::delete::delete),
        )
        .route("/v1/mservices", get(mservices::list))
        .route("/v1/jeroboam/clusters/{cluster}/progress", get(progress::progress))
}

/// The answer of a method that is there, on a path that names too little for it.
///
/// Magnum: pecan finds the method of the resource, and the method misses an argument.
fn lacks(argument: &'static str) -> impl Fn() -> Ready<ApiError> + Clone {
    move || std::future::ready(ApiError::missing_argument(argument))
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
