//! What repositories, blobs, manifests, tags and uploads mean, over a place of objects that distribution v2 may have filled.
//!
//! No HTTP here, and no path is put together here: those come from `jeroboam_oci::layout`. What can be lost in a crash is garbage and never a
//! promise: bytes are durable before a link leads to them, a link before a tag does, and a tag before anybody is told.

mod error;

pub use error::{BodyError, Result, StoreError};
