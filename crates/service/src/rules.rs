//! Rules that several requests share and that need nothing but the request.

use jeroboam_model::{Labels, NodeGroup, Status};

use crate::{Error, ServiceConfig, labels};

/// An even control plane is no better than one node less, and none is none.
pub(crate) fn control_plane_size(count: i32) -> Result<(), Error> {
    if count < 1 || count % 2 == 0 { Err(Error::EvenControlPlane(count)) } else { Ok(()) }
}

/// Clients before 1.10 take no workers for a mistake.
pub(crate) fn zero_nodes(before_1_10: bool, count: Option<i32>) -> Result<(), Error> {
    if before_1_10 && count == Some(0) { Err(Error::ZeroNodes) } else { Ok(()) }
}

/// The old storage driver needs room.
pub(crate) fn storage_driver(driver: Option<&str>, size: Option<i32>) -> Result<(), Error> {
    if driver != Some("devicemapper") || size.is_some_and(|size| size >= 3) {
        return Ok(());
    }
    let size = size.map_or_else(|| "None".to_owned(), |size| size.to_string());
    Err(Error::bad_request(format!(
        "docker volume size {size} GB is not valid, expecting minimum value 3GB for devicemapper storage driver."
    )))
}

/// GiB of the volume that nodes boot from.
pub(crate) fn boot_volume_size(given: &Labels, config: &ServiceConfig) -> Result<i64, Error> {
    let size = given.integer(labels::BOOT_VOLUME_SIZE);
    let size = size.map_err(|error| Error::bad_request(format!("Invalid label: {error}.")))?;
    Ok(size.unwrap_or(config.boot_volume_size))
}

/// Whether the group may have so many nodes.
pub(crate) fn within_bounds(group: &NodeGroup, count: i32) -> Result<(), Error> {
    if group.allows(count) && count >= 0 {
        return Ok(());
    }
    let max = group.max_node_count.map_or_else(|| "None".to_owned(), |max| max.to_string());
    Err(Error::OutOfRange { group: group.name.clone(), min: group.min_node_count, max })
}

/// The group with another size, being changed.
pub(crate) fn resized(group: &NodeGroup, count: i32) -> NodeGroup {
    NodeGroup { node_count: count, ..changing(group) }
}

/// The group while it is being changed.
pub(crate) fn changing(group: &NodeGroup) -> NodeGroup {
    NodeGroup { status: Status::UPDATE_IN_PROGRESS, status_reason: None, ..group.clone() }
}
