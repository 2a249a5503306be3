//! Certificates: one file for each endpoint.

pub(crate) mod get;
pub(crate) mod rotate;
pub(crate) mod sign;
