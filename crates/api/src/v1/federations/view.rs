//! How a federation is shown.

use std::collections::BTreeMap;

use jeroboam_model::Federation;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::edge::{Link, Links};
use crate::v1::time;

/// A federation in a listing.
#[derive(Serialize, ToSchema)]
pub(crate) struct FederationSummary<'a> {
    #[schema(value_type = String, format = "uuid")]
    uuid: Uuid,
    name: Option<&'a str>,
    hostcluster_id: Option<&'a str>,
    member_ids: &'a [String],
    status: Option<&'a str>,
    properties: &'a BTreeMap<String, String>,
    links: [Link; 2],
}

/// A federation by itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct FederationView<'a> {
    #[schema(value_type = String, format = "uuid")]
    uuid: Uuid,
    name: Option<&'a str>,
    hostcluster_id: Option<&'a str>,
    member_ids: &'a [String],
    status: Option<&'a str>,
    status_reason: Option<&'a str>,
    properties: &'a BTreeMap<String, String>,
    links: [Link; 2],
    created_at: Option<String>,
    updated_at: Option<String>,
}

impl<'a> FederationSummary<'a> {
    /// One item of the short listing.
    pub(crate) fn new(federation: &'a Federation, links: &Links) -> Self {
        Self {
            uuid: federation.id,
            name: federation.name.as_deref(),
            hostcluster_id: federation.host_cluster.as_deref(),
            member_ids: &federation.members,
            status: federation.status.as_deref(),
            properties: &federation.properties,
            links: links.pair(&format!("federations/{}", federation.id)),
        }
    }
}

impl<'a> FederationView<'a> {
    /// The federation.
    pub(crate) fn new(federation: &'a Federation, links: &Links) -> Self {
        Self {
            uuid: federation.id,
            name: federation.name.as_deref(),
            hostcluster_id: federation.host_cluster.as_deref(),
            member_ids: &federation.members,
            status: federation.status.as_deref(),
            status_reason: federation.status_reason.as_deref(),
            properties: &federation.properties,
            links: links.pair(&format!("federations/{}", federation.id)),
            created_at: federation.created_at.map(time),
            updated_at: federation.updated_at.map(time),
        }
    }
}
