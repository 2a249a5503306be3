//! A registry on every node, at `localhost:5000`: a cache before the store, and what a cluster needs to run one.

mod cache;
mod containerd;
mod manifest;
mod unit;

pub use cache::{NodeCache, NodeCacheSettings};
pub use containerd::{Hosts, hosts};
pub use manifest::{Credentials, NodeSettings, resources, yaml};
pub use unit::unit;

#[cfg(test)]
mod tests;
