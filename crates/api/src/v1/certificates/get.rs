//! `GET /v1/certificates/{cluster}`.

use axum::Json;
use axum::extract::State;
use jeroboam_model::ClusterId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::edge::{Ident, Link, Links, Who};
use crate::error::ApiResult;
use crate::wire::Query;

/// A certificate authority's certificate.
#[derive(Serialize, ToSchema)]
pub(crate) struct CaView {
    #[schema(value_type = String, format = "uuid")]
    cluster_uuid: ClusterId,
    links: [Link; 2],
    pem: String,
}

/// The certificate of one of a cluster's authorities.
#[utoipa::path(get, path = "/v1/certificates/{cluster}", tag = "certificates",
    params(("cluster" = String, Path, description = "uuid or name"),
           ("ca_cert_type" = Option<String>, Query,
            description = "`etcd`, `front_proxy` or `front-proxy`; everything else is Kubernetes' own")),
    responses((status = 200, body = CaView), (status = 404), (status = 409)))]
pub(crate) async fn get(
    State(app): State<App>,
    who: Who,
    links: Links,
    Ident(cluster): Ident<String>,
    query: Query,
) -> ApiResult<Json<CaView>> {
    query.only(&["ca_cert_type"])?;
    let authority = app.service().certificates().authority(&who, &cluster, query.get("ca_cert_type")).await?;
    let links = links.pair(&format!("certificates/{}", authority.cluster));
    Ok(Json(CaView { cluster_uuid: authority.cluster, links, pem: authority.pem }))
}
