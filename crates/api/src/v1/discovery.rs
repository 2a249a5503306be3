//! `GET /v1`: what there is.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::edge::{Link, Links};
use crate::error::ApiResult;
use crate::wire::Query;

/// What version 1 has.
#[derive(Serialize, ToSchema)]
pub(crate) struct Version1 {
    id: &'static str,
    media_types: [MediaType; 1],
    links: [Link; 2],
    clustertemplates: [Link; 2],
    clusters: [Link; 2],
    quotas: [Link; 2],
    certificates: [Link; 2],
    mservices: [Link; 2],
    stats: [Link; 2],
    federations: [Link; 2],
    nodegroups: [Link; 2],
    credentials: [Link; 2],
}

/// A media type.
#[derive(Serialize, ToSchema)]
struct MediaType {
    base: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// What version 1 has. Needs no token.
#[utoipa::path(get, path = "/v1", tag = "versions", responses((status = 200, body = Version1)))]
pub(crate) async fn resources(links: Links, query: Query) -> ApiResult<Json<Version1>> {
    query.only(&[])?;
    let pair = |resource: &str| links.pair(&format!("{resource}/"));
    let describedby = Link {
        href: "http://docs.openstack.org/developer/magnum/dev/api-spec-v1.html".to_owned(),
        rel: "describedby",
        kind: Some("text/html"),
    };
    Ok(Json(Version1 {
        id: "v1",
        media_types: [MediaType { base: "application/json", kind: "application/vnd.openstack.magnum.v1+json" }],
        links: [Link::new(format!("{}/v1/", links.base()), "self"), describedby],
        clustertemplates: pair("clustertemplates"),
        clusters: pair("clusters"),
        quotas: pair("quotas"),
        certificates: pair("certificates"),
        mservices: pair("mservices"),
        stats: pair("stats"),
        federations: pair("federations"),
        // Magnum: the braces are in the answer.
        nodegroups: links.pair("clusters/{cluster_id}/nodegroups"),
        credentials: pair("credentials"),
    }))
}
