//! The OpenStack half: Keystone, Nova, Glance, Neutron, Octavia, Cinder and a little Barbican, over real HTTP on one port.
//!
//! Every resource is a document in the shared state, in the shape that OpenStack has on the wire; members that begin with
//! an underscore are ours and are never shown. What a service does not do here it answers as the real one does when asked
//! for something unknown, so that a client notices.

mod access;
mod answer;
mod catalog;
mod compute;
mod documents;
mod fault_layer;
mod identity;
mod image;
mod key_manager;
mod keypair;
mod load_balancer;
mod network;
mod refusal;
mod seed;
mod volume;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use jeroboam_model::{Clock, Timestamp};
use serde_json::json;

pub use seed::{PASSWORD, Seeded};

use crate::faults::Faults;
use crate::state::State;

/// The region that all services are in.
pub const REGION: &str = "RegionOne";

/// What the services need.
#[derive(Clone)]
pub struct CloudParts {
    /// The memory.
    pub state: State,
    /// What goes wrong.
    pub faults: Faults,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where the services listen: `http://127.0.0.1:1234`.
    pub base_url: String,
    /// Decides the ids of what is there from the beginning.
    pub seed: u64,
}

impl std::fmt::Debug for CloudParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CloudParts").field("base_url", &self.base_url).field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// The services of the pretend cloud. Clones are the same cloud.
#[derive(Clone, Debug)]
pub struct Cloud {
    parts: Arc<CloudParts>,
}

impl Cloud {
    /// The cloud on a state; projects, users, images and flavors are put there unless they were before.
    #[must_use]
    pub fn new(parts: CloudParts) -> Self {
        let cloud = Self { parts: Arc::new(parts) };
        seed::plant(&cloud);
        cloud
    }

    /// All services.
    pub fn router(&self) -> Router {
        let services = Router::new()
            .merge(identity::router())
            .nest("/compute", compute::router())
            .nest("/image", image::router())
            .nest("/network", network::router())
            .nest("/load-balancer", load_balancer::router())
            .nest("/volume", volume::router())
            .nest("/key-manager", key_manager::router())
            .fallback(refusal::unknown_path)
            .method_not_allowed_fallback(refusal::wrong_method)
            .layer(middleware::from_fn_with_state(self.clone(), fault_layer::strike));
        services.merge(fault_layer::router()).with_state(self.clone())
    }

    /// Keystone's address.
    #[must_use]
    pub fn identity_url(&self) -> String {
        format!("{}/v3", self.parts.base_url)
    }

    /// Puts the product into the catalogue: the address where its API listens, with its `/v1`.
    pub fn set_container_infra(&self, url: &str) {
        self.state().put(catalog::EXTRA, "container-infra", json!({"url": url.trim_end_matches('/')}));
    }

    /// The users, projects and passwords that are there from the beginning.
    #[must_use]
    pub fn seeded(&self) -> Seeded {
        seed::seeded(self)
    }

    pub(crate) fn state(&self) -> &State {
        &self.parts.state
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// The time as the services other than Keystone write it.
    fn stamp(&self) -> String {
        self.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    fn base_url(&self) -> &str {
        &self.parts.base_url
    }
}
