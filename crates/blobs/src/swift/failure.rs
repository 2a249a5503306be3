//! What a store's refusal means to a registry.

use jeroboam_openstack::{Error as StoreError, Kind as StoreKind};

use crate::{Error, Kind};

/// What kind of trouble it is.
pub(crate) fn kind(error: &StoreError) -> Kind {
    match (error.status(), error.kind()) {
        // A quota of the container or the account, a cluster without room.
        (Some(413 | 507), _) => Kind::NoRoom,
        (_, StoreKind::Unavailable | StoreKind::Timeout) => Kind::Unavailable,
        // Two wrote at the same moment.
        (_, StoreKind::Conflict) => Kind::Unavailable,
        (None, StoreKind::Bad) if matches!(error, StoreError::Unreadable { .. }) => Kind::Broken,
        // Ours to mend by hand: credentials, roles, a trust, a container, an endpoint.
        _ => Kind::Refused,
    }
}

/// The error of an attempt: `what` reads after "failed to".
pub(crate) fn failed(what: String, error: StoreError) -> Error {
    let (kind, wait) = (kind(&error), error.retry_after());
    let failed = Error::new(kind, what).because(error);
    match wait {
        Some(wait) => failed.after(wait),
        None => failed,
    }
}
