//! A Kubernetes API over HTTP on documents of the shared state: what kube clients and the real `kubectl` need, with the
//! semantics that Cluster API's clients lean on. One type serves the management cluster and every workload cluster.

mod admission;
mod apply;
mod convert;
mod discovery;
mod error;
mod fields;
pub(crate) mod kinds;
pub(crate) mod object;
mod openapi;
mod patch;
mod protobuf;
mod schema;
pub(crate) mod seed;
mod selector;
mod server;
pub(crate) mod space;
mod table;
mod target;
mod verbs;
mod watch;

pub(crate) use admission::{class_name, class_namespace, release};
pub(crate) use error::ApiError;
pub(crate) use kinds::{Kind, Kinds};
pub(crate) use server::{Api, ApiParts, Peer, Version};
pub(crate) use space::Space;
