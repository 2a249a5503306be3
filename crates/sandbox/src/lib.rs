//! A pretend cloud on loopback: OpenStack services, a Kubernetes API with simulated Cluster API, workload clusters.

pub mod cloud;
mod faults;
mod journal;
mod kube;
mod random;
mod sandbox;
mod tls;
pub mod state;

pub use faults::{Fault, FaultRule, Faults};
pub use kube::kinds::ServedVersions;
pub use sandbox::{Sandbox, SandboxConfig, StartError};
pub use state::{Change, Document, Forgotten, State, Writer};
