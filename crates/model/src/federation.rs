//! Federations: a feature of Magnum's that was never finished. Rows can be there, and nothing makes them.

use std::collections::BTreeMap;

use uuid::Uuid;

/// Clusters that were to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Federation {
    /// Its id for good.
    pub id: Uuid,
    /// What the tenant calls it.
    pub name: Option<String>,
    /// The cluster that hosts the common API.
    pub host_cluster: Option<String>,
    /// Ids of the clusters in it.
    pub members: Vec<String>,
    /// As it stands in the row.
    pub status: Option<String>,
    /// Its reason.
    pub status_reason: Option<String>,
    /// `dns-zone` and the like.
    pub properties: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Option<crate::Timestamp>,
    /// Last change of the row.
    pub updated_at: Option<crate::Timestamp>,
}
