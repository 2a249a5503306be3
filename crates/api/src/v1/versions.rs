//! The microversions that change something.

use http::StatusCode;
use jeroboam_oslo::Microversion;

use crate::error::{ApiError, ApiResult};

/// PATCH of a cluster takes `rollback`.
pub(crate) const ROLLBACK: Microversion = Microversion::new(1, 3);
/// Clusters are resized; upgrades are routed, and refused with words.
pub(crate) const RESIZE: Microversion = Microversion::new(1, 7);
/// Clusters are upgraded.
pub(crate) const UPGRADE: Microversion = Microversion::new(1, 8);
/// Node groups.
pub(crate) const NODEGROUPS: Microversion = Microversion::new(1, 9);
/// Groups may be empty, and an unknown template is not found.
pub(crate) const ZERO_NODES: Microversion = Microversion::new(1, 10);
/// Credentials of clusters are rotated.
pub(crate) const CREDENTIALS: Microversion = Microversion::new(1, 12);
/// `stack_id` is called `cluster_id`.
pub(crate) const CLUSTER_ID: Microversion = Microversion::new(1, 13);

/// Refuses with the router's 406 what older clients can't know.
pub(crate) fn since(needed: Microversion, version: Microversion) -> ApiResult<()> {
    if version >= needed { Ok(()) } else { Err(ApiError::routing(StatusCode::NOT_ACCEPTABLE)) }
}
