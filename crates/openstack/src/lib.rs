//! The calls we make to OpenStack: session, catalogue, identity, compute, image, network, load balancer, volume, key manager, object store.
//!
//! A [`Session`] holds who we are and finds the services; the modules below it are the calls themselves, each of them one
//! visible request with only the fields we use. [`TokenValidator`] is the other direction: who calls us.
//! Nothing here reads the environment or the clock: both are handed in.

mod access_rules;
mod auth;
mod catalog;
pub mod clouds;
mod compute;
mod error;
mod identity;
mod image;
mod key_manager;
mod load_balancer;
mod network;
pub mod object_store;
mod request;
mod session;
mod token;
mod transport;
mod validate;
mod volume;

pub use access_rules::AccessRule;
pub use auth::{Auth, DomainRef, Named, Scope, UserRef};
pub use catalog::{Catalog, CatalogService, Endpoint, Interface, ServiceType};
pub use compute::{Compute, Flavor, KeyPair, Server};
pub use error::{Error, Kind};
pub use identity::{ApplicationCredential, Identity, NewApplicationCredential, Project};
pub use image::{Image, Images};
pub use key_manager::{Container, KeyManager, SecretRef};
pub use load_balancer::{LoadBalancer, LoadBalancers, Provider};
pub use network::{FloatingIp, Network, Networks, Port, Router, SecurityGroup, Subnet};
pub use request::{Answer, Request};
pub use session::{ServiceOptions, Session, SessionConfig};
pub use token::{Token, TokenApplicationCredential, TokenInfo};
pub use transport::{RetryPolicy, TransportConfig};
pub use validate::{Presented, TokenError, TokenValidator, Validated, ValidatorConfig};
pub use volume::{Volume, VolumeType, Volumes};
