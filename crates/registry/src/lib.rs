//! The OCI registry: distribution's API over a directory, a bucket or a Swift container that distribution may have filled.

pub mod access;
pub mod around;
pub mod auth;
mod background;
#[cfg(test)]
mod bed;
pub mod bundle;
pub mod client;
pub mod config;
pub mod copy;
pub mod events;
pub mod gc;
pub mod hand_back;
pub mod hits;
pub mod http;
pub mod images;
pub mod inspect;
mod journal;
pub mod leases;
pub mod mirror;
pub mod node;
pub mod page;
mod pattern;
pub mod repair;
pub mod replicate;
pub mod retention;
pub mod scrub;
pub mod serve;
pub mod store;
pub mod sync;
