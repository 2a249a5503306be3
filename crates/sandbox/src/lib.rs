//! A pretend cloud on loopback: OpenStack services, a Kubernetes API with simulated Cluster API, workload clusters.

mod journal;
pub mod state;

pub use state::{Change, Document, Forgotten, State, Writer};
