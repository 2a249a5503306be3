//! A pretend cloud on loopback: OpenStack services, a Kubernetes API with simulated Cluster API, workload clusters.

pub mod cloud;
mod controllers;
mod faults;
mod journal;
mod kube;
mod random;
mod sandbox;
pub mod state;
mod tls;
mod workload;

pub use faults::{Fault, FaultRule, Faults};
pub use kube::kinds::ServedVersions;
pub use sandbox::{Sandbox, SandboxConfig, StartError};
pub use state::{Change, Document, Forgotten, State, Writer};
