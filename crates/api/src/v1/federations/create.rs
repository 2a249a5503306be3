//! `POST /v1/federations`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jeroboam_service::NewFederation;
use utoipa::ToSchema;

use super::FederationView;
use crate::App;
use crate::edge::{Links, Who};
use crate::error::ApiResult;
use crate::wire::{Argument, Body, Fields, Length, Query, cluster_name};

const FEDERATION: Argument = Argument {
    name: "federation",
    known: &["uuid", "name", "hostcluster_id", "member_ids", "status", "status_reason", "properties"],
    read_only: &["links", "created_at", "updated_at"],
};

/// A federation that is to be made.
#[derive(Debug, ToSchema)]
pub(crate) struct CreateFederation {
    /// uuid or name of the cluster that would host it.
    hostcluster_id: Option<String>,
    /// `dns-zone` has to be among them.
    properties: Option<BTreeMap<String, String>>,
}

impl CreateFederation {
    fn parse(fields: &Fields) -> ApiResult<Self> {
        fields.uuid("uuid")?;
        cluster_name(fields)?;
        fields.texts("member_ids")?;
        Ok(Self {
            hostcluster_id: fields.text("hostcluster_id", Length::COLUMN)?,
            properties: fields.map("properties")?,
        })
    }
}

/// Would make a federation; says what is wrong with the request, and else that there are none.
#[utoipa::path(post, path = "/v1/federations", tag = "federations", request_body = CreateFederation,
    responses((status = 202, body = FederationView), (status = 400), (status = 403), (status = 404)))]
pub(crate) async fn create(
    State(app): State<App>,
    who: Who,
    links: Links,
    query: Query,
    body: Body,
) -> ApiResult<Response> {
    query.only(&[])?;
    let CreateFederation { hostcluster_id: host_cluster, properties } =
        CreateFederation::parse(&body.fields(&FEDERATION)?)?;
    let made = app.service().federations().create(&who, NewFederation { host_cluster, properties }).await?;
    Ok((StatusCode::ACCEPTED, Json(FederationView::new(&made, &links))).into_response())
}
