//! Octavia: load balancers and providers.

use http::Method;
use serde::Deserialize;

use crate::{Error, ServiceType, Session};

const SERVICE: ServiceType = ServiceType::LoadBalancer;

/// Calls to Octavia; made by [`Session::load_balancer`].
#[derive(Clone, Copy, Debug)]
pub struct LoadBalancers<'a>(&'a Session);

/// A load balancer.
#[derive(Clone, Debug, Deserialize)]
pub struct LoadBalancer {
    /// The id.
    pub id: String,
    /// The name.
    #[serde(default)]
    pub name: String,
    /// Free text: Kubernetes writes the service and cluster it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// `ACTIVE`, `PENDING_DELETE`, …
    #[serde(default)]
    pub provisioning_status: String,
    /// The port of its address.
    #[serde(default)]
    pub vip_port_id: Option<String>,
    /// Its address.
    #[serde(default)]
    pub vip_address: Option<String>,
    /// The network of its address.
    #[serde(default)]
    pub vip_network_id: Option<String>,
}

/// A kind of load balancer.
#[derive(Clone, Debug, Deserialize)]
pub struct Provider {
    /// The name.
    pub name: String,
}

impl Session {
    /// Calls to Octavia.
    #[must_use]
    pub const fn load_balancer(&self) -> LoadBalancers<'_> {
        LoadBalancers(self)
    }
}

impl LoadBalancers<'_> {
    /// The project's load balancers; `network` restricts to those with their address in one network.
    pub async fn list(&self, network: Option<&str>) -> Result<Vec<LoadBalancer>, Error> {
        let mut request = self.0.get(SERVICE, &["lbaas", "loadbalancers"]);
        if let Some(network) = network {
            request = request.query("vip_network_id", network);
        }
        request.all_pages("loadbalancers").await
    }

    /// The load balancers of one name.
    pub async fn named(&self, name: &str) -> Result<Vec<LoadBalancer>, Error> {
        let request = self.0.get(SERVICE, &["lbaas", "loadbalancers"]).query("name", name);
        let found: Vec<LoadBalancer> = request.all_pages("loadbalancers").await?;
        Ok(found.into_iter().filter(|balancer| balancer.name == name).collect())
    }

    /// Deletes a load balancer with all that is under it; `false`: it was gone already.
    pub async fn delete(&self, id: &str) -> Result<bool, Error> {
        let request = self.0.request(SERVICE, Method::DELETE, &["lbaas", "loadbalancers", id]);
        request.query("cascade", "true").gone().await
    }

    /// The kinds that the cloud offers.
    pub async fn providers(&self) -> Result<Vec<Provider>, Error> {
        self.0.get(SERVICE, &["lbaas", "providers"]).send().await?.member("providers")
    }
}
