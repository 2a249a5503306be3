//! Where the services are: Keystone's catalogue, with the names that each kind of service goes by.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;
use serde::Deserialize;

/// The services we talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ServiceType {
    /// Keystone.
    Identity,
    /// Nova.
    Compute,
    /// Glance.
    Image,
    /// Neutron.
    Network,
    /// Octavia.
    LoadBalancer,
    /// Cinder.
    BlockStorage,
    /// Barbican.
    KeyManager,
    /// Magnum, or we ourselves.
    ContainerInfra,
    /// Swift.
    ObjectStore,
    /// Heat.
    Orchestration,
}

impl ServiceType {
    /// The official type first, then what older catalogues say (service-types-authority).
    #[must_use]
    pub const fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Identity => &["identity"],
            Self::Compute => &["compute"],
            Self::Image => &["image"],
            Self::Network => &["network"],
            Self::LoadBalancer => &["load-balancer"],
            Self::BlockStorage => &["block-storage", "block-store", "volumev3", "volume"],
            Self::KeyManager => &["key-manager"],
            Self::ContainerInfra => {
                &["container-infra", "container-infrastructure-management", "container-infrastructure"]
            }
            Self::ObjectStore => &["object-store"],
            Self::Orchestration => &["orchestration"],
        }
    }

    /// The official type.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.aliases()[0]
    }

    /// The version that is appended to an endpoint which names none.
    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::Identity | Self::BlockStorage => "v3",
            Self::Compute => "v2.1",
            Self::Image | Self::LoadBalancer => "v2",
            Self::Network => "v2.0",
            Self::KeyManager | Self::ContainerInfra | Self::ObjectStore | Self::Orchestration => "v1",
        }
    }
}

impl fmt::Display for ServiceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which of a service's endpoints is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interface {
    /// For everybody.
    #[default]
    Public,
    /// Inside the cloud.
    Internal,
    /// For administrators.
    Admin,
}

impl Interface {
    /// Keystone's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Interface {
    type Err = crate::Error;

    /// Takes `public` and the older `publicURL`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = text.trim().to_ascii_lowercase();
        match word.strip_suffix("url").unwrap_or(&word) {
            "public" => Ok(Self::Public),
            "internal" => Ok(Self::Internal),
            "admin" => Ok(Self::Admin),
            _ => Err(crate::Error::Settings(format!("{text:?} is no interface, expected public, internal or admin"))),
        }
    }
}

/// The services and their endpoints that came with a token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Catalog(pub Vec<CatalogService>);

/// One service of the catalogue.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CatalogService {
    /// The type, official or older.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The name.
    #[serde(default)]
    pub name: String,
    /// Its endpoints in all regions.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint of a service.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Endpoint {
    /// `public`, `internal`, `admin`.
    #[serde(default)]
    pub interface: String,
    /// The region's id.
    #[serde(default)]
    pub region_id: Option<String>,
    /// The region's older field.
    #[serde(default)]
    pub region: Option<String>,
    /// The address.
    #[serde(default)]
    pub url: String,
}

impl Catalog {
    /// The address of a service as the catalogue has it; a version is appended where the address has none.
    #[must_use]
    pub fn endpoint(&self, service: ServiceType, interface: Interface, region: Option<&str>) -> Option<Url> {
        let url = self.raw_endpoint(service, interface, region)?;
        versioned(url, service)
    }

    /// The address exactly as the catalogue has it.
    #[must_use]
    pub fn raw_endpoint(&self, service: ServiceType, interface: Interface, region: Option<&str>) -> Option<&str> {
        let of_type = |alias: &'static &'static str| self.0.iter().filter(move |entry| entry.kind == *alias);
        let candidates = service.aliases().iter().flat_map(|alias| of_type(alias));
        let fits = |endpoint: &&Endpoint| {
            let here = endpoint.region_id.as_deref().or(endpoint.region.as_deref());
            endpoint.interface == interface.as_str() && (region.is_none() || here == region)
        };
        candidates.flat_map(|entry| &entry.endpoints).find(fits).map(|endpoint| endpoint.url.as_str())
    }

    /// The regions that have any endpoint, in order of appearance.
    #[must_use]
    pub fn regions(&self) -> Vec<&str> {
        let mut regions = Vec::new();
        for endpoint in self.0.iter().flat_map(|service| &service.endpoints) {
            if let Some(region) = endpoint.region_id.as_deref().or(endpoint.region.as_deref())
                && !regions.contains(&region)
            {
                regions.push(region);
            }
        }
        regions
    }
}

/// An endpoint's address with the API version that we speak.
pub(crate) fn versioned(url: &str, service: ServiceType) -> Option<Url> {
    let mut url: Url = url.trim().parse().ok()?;
    let has_version = url.path_segments()?.any(is_version);
    let mut path = url.path_segments_mut().ok()?;
    path.pop_if_empty();
    if !has_version {
        path.push(service.version());
    }
    drop(path);
    Some(url)
}

fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_digit()) && rest.chars().all(|c| c.is_ascii_digit() || c == '.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        let endpoint = |interface: &str, region: &str, url: &str| serde_json::json!({"id": "e", "interface": interface, "region_id": region, "region": region, "url": url});
        serde_json::from_value(serde_json::json!([
            {"type": "network", "name": "neutron", "endpoints": [
                endpoint("public", "east", "http://east:9696/"), endpoint("public", "west", "http://west:9696"),
                endpoint("internal", "west", "http://west-internal:9696/networking")]},
            {"type": "volumev3", "name": "cinderv3", "endpoints": [endpoint("public", "east", "http://e/volume/v3/p1")]},
            {"type": "compute", "endpoints": [endpoint("public", "east", "http://e/compute/v2.1")]},
            {"type": "container-infra", "endpoints": [endpoint("public", "east", "http://e:9511/v1/")]},
        ]))
        .unwrap()
    }

    #[test]
    fn an_endpoint_is_found_by_type_alias_interface_and_region() {
        use Interface::{Admin, Internal, Public};
        for (service, interface, region, wanted) in [
            (ServiceType::Network, Public, None, Some("http://east:9696/v2.0")),
            (ServiceType::Network, Public, Some("west"), Some("http://west:9696/v2.0")),
            (ServiceType::Network, Internal, Some("west"), Some("http://west-internal:9696/networking/v2.0")),
            (ServiceType::Network, Admin, None, None),
            (ServiceType::Network, Public, Some("north"), None),
            (ServiceType::BlockStorage, Public, Some("east"), Some("http://e/volume/v3/p1")),
            (ServiceType::Compute, Public, None, Some("http://e/compute/v2.1")),
            (ServiceType::ContainerInfra, Public, None, Some("http://e:9511/v1")),
            (ServiceType::Image, Public, None, None),
        ] {
            let found = catalog().endpoint(service, interface, region).map(String::from);
            assert_eq!(found.as_deref(), wanted, "{service} {interface} {region:?}");
        }
        assert_eq!(catalog().regions(), ["east", "west"]);
    }

    #[test]
    fn an_interface_is_read_with_and_without_its_old_suffix() {
        assert_eq!("publicURL".parse::<Interface>().unwrap(), Interface::Public);
        assert_eq!("internal".parse::<Interface>().unwrap(), Interface::Internal);
        assert!("outside".parse::<Interface>().is_err());
    }
}
