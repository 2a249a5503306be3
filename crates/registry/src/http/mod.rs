//! The API over HTTP: what a path and a method mean, who may ask, and the words of the answer.
//!
//! It has no listener of its own. Handlers are short, since what a request means is in `store`; there is one file for each endpoint. The request is
//! let in before a byte of its body is read, so that a client that waits for `100 Continue` sends nothing in vain.

mod blob;
mod body;
mod catalog;
mod conditional;
mod config;
mod dispatch;
mod extensions;
pub(crate) mod failure;
pub(crate) mod location;
mod manifest_delete;
mod manifest_get;
mod manifest_put;
mod referrers;
mod replication;
mod reply;
mod tags;
mod tell;
mod upload;
mod upload_start;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use http::{Request, Response};

use crate::auth::Auth;
use crate::events::Events;
use crate::mirror::Mirror;
use crate::replicate::Replication;
use crate::store::Store;

pub use config::{BadNetwork, BadWarning, HttpConfig, Network, Redirect, warnings};
pub use failure::Failure;

/// A registry that answers requests. Clones are the same registry.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Arc<Store>,
    auth: Auth,
    events: Events,
    mirror: Mirror,
    replication: Replication,
    config: Arc<HttpConfig>,
}

impl Registry {
    /// A registry over a store.
    #[must_use]
    pub fn new(store: Arc<Store>, auth: Auth, events: Events, config: HttpConfig) -> Self {
        let (mirror, replication) = (Mirror::none(), Replication::none());
        Self { store, auth, events, mirror, replication, config: Arc::new(config) }
    }

    /// The same as a cache of other registries.
    #[must_use]
    pub fn with_mirror(self, mirror: Mirror) -> Self {
        Self { mirror, ..self }
    }

    /// What it is a cache of.
    pub(crate) fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// The same with other regions that are kept alike.
    #[must_use]
    pub fn with_replication(self, replication: Replication) -> Self {
        Self { replication, ..self }
    }

    /// What it serves.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// How it answers.
    pub(crate) fn config(&self) -> &Arc<HttpConfig> {
        &self.config
    }

    /// Answers a request of any path. Whoever serves puts an [`crate::auth::Peer`] into the request's extensions.
    pub async fn respond(&self, request: Request<Body>) -> Response<Body> {
        dispatch::respond(self, request).await
    }
}

/// All that a registry answers, for whoever serves it: everything below `/v2` and, with an error, everything else.
pub fn service(registry: Registry) -> Router {
    async fn respond(State(registry): State<Registry>, request: Request<Body>) -> Response<Body> {
        registry.respond(request).await
    }
    Router::new().fallback(respond).with_state(registry)
}

#[cfg(test)]
mod tests;
