//! Clusters: one file for each endpoint.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod resize;
pub(crate) mod update;
pub(crate) mod upgrade;
mod view;

pub(crate) use view::{ClusterSummary, ClusterView};
