//! The catalogue: every service on this port, and the product where it listens.

use serde_json::{Value, json};

use super::{Cloud, REGION};
use crate::random;

/// Collection of the endpoints that are not our own.
pub(super) const EXTRA: &str = "catalog_extra";

/// Type, name, path.
const SERVICES: [(&str, &str, &str); 7] = [
    ("identity", "keystone", "/v3"),
    ("compute", "nova", "/compute/v2.1"),
    ("image", "glance", "/image"),
    ("network", "neutron", "/network"),
    ("load-balancer", "octavia", "/load-balancer"),
    ("block-storage", "cinder", "/volume/v3"),
    ("key-manager", "barbican", "/key-manager"),
];

/// A service of the catalogue.
struct Service {
    kind: String,
    name: String,
    url: String,
}

impl Cloud {
    /// The catalogue as tokens carry it.
    pub(super) fn catalog(&self) -> Value {
        let entry = |service: &Service| {
            let endpoints: Vec<Value> = INTERFACES.iter().map(|interface| endpoint(service, interface)).collect();
            json!({"id": service_id(&service.kind), "type": service.kind, "name": service.name, "endpoints": endpoints})
        };
        self.catalog_services().iter().map(entry).collect()
    }

    /// Keystone's list of services.
    pub(super) fn services(&self) -> Vec<Value> {
        let entry = |service: &Service| {
            json!({"id": service_id(&service.kind), "type": service.kind, "name": service.name, "enabled": true,
                "description": "", "links": {}})
        };
        self.catalog_services().iter().map(entry).collect()
    }

    /// Keystone's list of endpoints.
    pub(super) fn endpoints(&self) -> Vec<Value> {
        let of_service = |service: &Service| {
            INTERFACES.map(|interface| {
                let mut endpoint = endpoint(service, interface);
                endpoint["service_id"] = json!(service_id(&service.kind));
                endpoint["enabled"] = json!(true);
                endpoint
            })
        };
        self.catalog_services().iter().flat_map(of_service).collect()
    }

    fn catalog_services(&self) -> Vec<Service> {
        let own = SERVICES.iter().map(|(kind, name, path)| Service {
            kind: (*kind).to_owned(),
            name: (*name).to_owned(),
            url: format!("{}{path}", self.base_url()),
        });
        let extra = self.state().list(EXTRA).into_iter().map(|(kind, document)| Service {
            kind: kind.to_string(),
            name: if &*kind == "container-infra" { "magnum".to_owned() } else { kind.to_string() },
            url: document["url"].as_str().unwrap_or_default().to_owned(),
        });
        own.chain(extra).collect()
    }
}

const INTERFACES: [&str; 3] = ["public", "internal", "admin"];

fn service_id(kind: &str) -> String {
    random::uuid(random::mix(0, &["service", kind])).simple().to_string()
}

fn endpoint(service: &Service, interface: &str) -> Value {
    let id = random::uuid(random::mix(0, &["endpoint", &service.kind, interface])).simple().to_string();
    json!({"id": id, "interface": interface, "region": REGION, "region_id": REGION, "url": service.url})
}
