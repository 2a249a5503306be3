//! The OCI registry: distribution's API over a directory, a bucket or a Swift container that distribution may have filled.

pub mod access;
pub mod auth;
pub mod config;
pub mod events;
pub mod gc;
pub mod hand_back;
pub mod http;
pub mod inspect;
pub mod leases;
pub mod page;
pub mod repair;
pub mod retention;
pub mod scrub;
pub mod serve;
pub mod store;
