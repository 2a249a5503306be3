//! Neutron: networks, subnets, routers, ports, floating IPs.

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::request::{is_name, only};
use crate::{Error, ServiceType, Session};

const SERVICE: ServiceType = ServiceType::Network;

/// Calls to Neutron; made by [`Session::network`].
#[derive(Clone, Copy, Debug)]
pub struct Networks<'a>(&'a Session);

/// A network.
#[derive(Clone, Debug, Deserialize)]
pub struct Network {
    /// The id.
    pub id: String,
    /// The name; several may share one.
    #[serde(default)]
    pub name: String,
    /// Whether it leads out and has floating IPs.
    #[serde(rename = "router:external", default)]
    pub external: bool,
    /// Ids of its subnets.
    #[serde(default)]
    pub subnets: Vec<String>,
}

/// A subnet.
#[derive(Clone, Debug, Deserialize)]
pub struct Subnet {
    /// The id.
    pub id: String,
    /// The name.
    #[serde(default)]
    pub name: String,
    /// The network it is of.
    pub network_id: String,
    /// The addresses, such as `10.0.0.0/24`.
    pub cidr: String,
    /// 4 or 6.
    #[serde(default)]
    pub ip_version: u8,
}

/// A router.
#[derive(Clone, Debug, Deserialize)]
pub struct Router {
    /// The id.
    pub id: String,
    /// The name.
    #[serde(default)]
    pub name: String,
}

/// A port.
#[derive(Clone, Debug, Deserialize)]
pub struct Port {
    /// The id.
    pub id: String,
    /// The name.
    #[serde(default)]
    pub name: String,
    /// What it belongs to.
    #[serde(default)]
    pub device_id: String,
    /// The kind of thing it belongs to.
    #[serde(default)]
    pub device_owner: String,
    /// The network it is in.
    #[serde(default)]
    pub network_id: String,
}

/// A floating IP.
#[derive(Clone, Debug, Deserialize)]
pub struct FloatingIp {
    /// The id.
    pub id: String,
    /// The address.
    pub floating_ip_address: String,
    /// The port it leads to.
    #[serde(default)]
    pub port_id: Option<String>,
    /// Free text: Kubernetes writes the service it is for.
    #[serde(default)]
    pub description: String,
}

/// A security group.
#[derive(Clone, Debug, Deserialize)]
pub struct SecurityGroup {
    /// The id.
    pub id: String,
    /// The name.
    #[serde(default)]
    pub name: String,
}

impl Session {
    /// Calls to Neutron.
    #[must_use]
    pub const fn network(&self) -> Networks<'_> {
        Networks(self)
    }
}

impl Networks<'_> {
    /// A network by id, then by name; `external` restricts to those that do or do not lead out.
    pub async fn network(&self, ident: &str, external: Option<bool>) -> Result<Network, Error> {
        let what = if external == Some(true) { "external network" } else { "network" };
        let external = external.map(|external| ("router:external", if external { "true" } else { "false" }));
        self.find("networks", what, ident, external.as_slice(), |network: &Network| &network.name).await
    }

    /// A subnet by id, then by name; `network` restricts to those of one network.
    pub async fn subnet(&self, ident: &str, network: Option<&str>) -> Result<Subnet, Error> {
        let network = network.map(|id| ("network_id", id));
        self.find("subnets", "subnet", ident, network.as_slice(), |subnet: &Subnet| &subnet.name).await
    }

    /// A router by id, then by name.
    pub async fn router(&self, ident: &str) -> Result<Router, Error> {
        self.find("routers", "router", ident, &[], |router: &Router| &router.name).await
    }

    /// A security group by id, then by name.
    pub async fn security_group(&self, ident: &str) -> Result<SecurityGroup, Error> {
        self.find("security-groups", "security group", ident, &[], |group: &SecurityGroup| &group.name).await
    }

    /// The subnets of a network.
    pub async fn subnets_of(&self, network: &str) -> Result<Vec<Subnet>, Error> {
        self.list("subnets", &[("network_id", network)]).await
    }

    /// The ports of a server, router or load balancer.
    pub async fn ports_of(&self, device: &str) -> Result<Vec<Port>, Error> {
        self.list("ports", &[("device_id", device)]).await
    }

    /// The floating IPs that lead to a port.
    pub async fn floating_ips_of(&self, port: &str) -> Result<Vec<FloatingIp>, Error> {
        self.list("floatingips", &[("port_id", port)]).await
    }

    /// A floating IP of the project by its address.
    pub async fn floating_ip_at(&self, address: &str) -> Result<Option<FloatingIp>, Error> {
        let found: Vec<FloatingIp> = self.list("floatingips", &[("floating_ip_address", address)]).await?;
        Ok(found.into_iter().find(|ip| ip.floating_ip_address == address))
    }

    /// The floating IPs of the project whose description is exactly this.
    pub async fn floating_ips_described(&self, description: &str) -> Result<Vec<FloatingIp>, Error> {
        let found: Vec<FloatingIp> = self.list("floatingips", &[("description", description)]).await?;
        Ok(found.into_iter().filter(|ip| ip.description == description).collect())
    }

    /// Takes a floating IP of an external network, by the network's id.
    pub async fn create_floating_ip(&self, network: &str, description: &str) -> Result<FloatingIp, Error> {
        let body = json!({"floatingip": {"floating_network_id": network, "description": description}});
        self.0.request(SERVICE, Method::POST, &["floatingips"]).json(body).send().await?.member("floatingip")
    }

    /// The networks that lead out of the cloud, as far as the project sees them.
    pub async fn external_networks(&self) -> Result<Vec<Network>, Error> {
        self.list("networks", &[("router:external", "true")]).await
    }

    /// Gives a floating IP back; `false`: it was gone already.
    pub async fn delete_floating_ip(&self, id: &str) -> Result<bool, Error> {
        self.0.request(SERVICE, Method::DELETE, &["floatingips", id]).gone().await
    }

    async fn find<T: DeserializeOwned>(
        &self,
        collection: &str,
        what: &'static str,
        ident: &str,
        filters: &[(&str, &str)],
        name: impl Fn(&T) -> &String,
    ) -> Result<T, Error> {
        if !is_name(ident) {
            return Err(Error::not_found(SERVICE, what, ident));
        }
        let by_id: Vec<T> = self.list(collection, &[filters, &[("id", ident)]].concat()).await?;
        if let Some(found) = by_id.into_iter().next() {
            return Ok(found);
        }
        let named: Vec<T> = self.list(collection, &[filters, &[("name", ident)]].concat()).await?;
        only(SERVICE, what, ident, named.into_iter().filter(|item| name(item) == ident).collect())
    }

    async fn list<T: DeserializeOwned>(&self, collection: &str, filters: &[(&str, &str)]) -> Result<Vec<T>, Error> {
        let mut request = self.0.get(SERVICE, &[collection]);
        for (name, value) in filters {
            request = request.query(name, *value);
        }
        request.all_pages(&collection.replace('-', "_")).await
    }
}
