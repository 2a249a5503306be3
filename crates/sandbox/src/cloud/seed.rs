//! What the cloud has from the beginning.

use serde_json::{Value, json};

use super::{Cloud, REGION, image};
use crate::random;

/// The password of every user that is there from the beginning. This cloud is for trying things out on loopback.
pub const PASSWORD: &str = "secret";

/// A public key that is there from the beginning; nobody has its private half.
const PUBLIC_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGpPGtBgyoXgBEtaCeM34v0Ia1oeL7td146sGcXLsozB demo@sandbox";

/// Who can log in from the beginning.
#[derive(Clone, Debug)]
pub struct Seeded {
    /// Keystone.
    pub auth_url: String,
    /// The region.
    pub region: String,
    /// The users: name, the project of the same role in life, and whether it is an administrator.
    pub users: Vec<SeededUser>,
}

/// A user that is there from the beginning, with [`PASSWORD`].
#[derive(Clone, Debug)]
pub struct SeededUser {
    /// The user's name, which is also its cloud's name in `clouds.yaml`.
    pub name: String,
    /// The user's id.
    pub id: String,
    /// The project's name.
    pub project: String,
    /// The project's id.
    pub project_id: String,
}

impl Seeded {
    /// A `clouds.yaml` with one cloud per user.
    #[must_use]
    pub fn clouds_yaml(&self) -> String {
        let cloud = |user: &SeededUser| {
            format!(
                "  {name}:\n    auth:\n      auth_url: {url}\n      username: {name}\n      password: {PASSWORD}\n      \
                 project_name: {project}\n      user_domain_id: default\n      project_domain_id: default\n    \
                 region_name: {region}\n    interface: public\n    identity_api_version: 3\n",
                name = user.name,
                url = self.auth_url,
                project = user.project,
                region = self.region,
            )
        };
        format!("clouds:\n{}", self.users.iter().map(cloud).collect::<String>())
    }
}

/// User, project, roles there.
const USERS: [(&str, &str, &[&str]); 3] = [
    ("admin", "admin", &["admin", "member", "reader"]),
    ("demo", "demo", &["member", "reader", "load-balancer_member"]),
    ("magnum", "service", &["admin", "service"]),
];

const ROLES: [&str; 6] = ["admin", "manager", "member", "reader", "service", "load-balancer_member"];

/// Name, id, processors, MiB of memory, GiB of disk.
const FLAVORS: [(&str, &str, u64, u64, u64); 4] = [
    ("m1.small", "2", 1, 2048, 20),
    ("m1.medium", "3", 2, 4096, 40),
    ("m1.large", "4", 4, 8192, 80),
    ("m1.volume", "5", 2, 4096, 0),
];

const RELEASES: [&str; 3] = ["v1.33.5", "v1.34.2", "v1.35.0"];

pub(super) fn seeded(cloud: &Cloud) -> Seeded {
    let user = |(name, project, _): &(&str, &str, &[&str])| SeededUser {
        name: (*name).to_owned(),
        id: plain(cloud, "user", name),
        project: (*project).to_owned(),
        project_id: plain(cloud, "project", project),
    };
    Seeded { auth_url: cloud.identity_url(), region: REGION.to_owned(), users: USERS.iter().map(user).collect() }
}

/// Puts everything there, once in the life of a state.
pub(super) fn plant(cloud: &Cloud) {
    if cloud.state().get("domain", "default").is_some() {
        return;
    }
    plant_identity(cloud);
    plant_images(cloud);
    plant_flavors(cloud);
    plant_networks(cloud);
    for (name, is_default) in [("standard", true), ("ssd", false)] {
        let id = dashed(cloud, "volumetype", name);
        let kind = json!({"id": id, "name": name, "description": null, "is_public": true, "extra_specs": {},
            "qos_specs_id": null, "os-volume-type-access:is_public": true, "_default": is_default});
        cloud.state().put("volumetype", &id, kind);
    }
    let demo = plain(cloud, "user", "demo");
    if let Some(keypair) = cloud.keypair_document(&demo, "demo", PUBLIC_KEY) {
        cloud.state().put("keypair", &format!("{demo}/demo"), keypair);
    }
}

fn plant_identity(cloud: &Cloud) {
    let state = cloud.state();
    let domain =
        json!({"id": "default", "name": "Default", "enabled": true, "description": "", "options": {}, "links": {}});
    for name in ROLES {
        let id = plain(cloud, "role", name);
        state.put(
            "role",
            &id,
            json!({"id": id, "name": name, "domain_id": null, "description": null, "options": {}, "links": {}}),
        );
    }
    for (name, project, roles) in USERS {
        let (user_id, project_id) = (plain(cloud, "user", name), plain(cloud, "project", project));
        let user = json!({"id": user_id, "name": name, "domain_id": "default", "enabled": true, "options": {},
            "password_expires_at": null, "links": {}, "_password": PASSWORD});
        state.put("user", &user_id, user);
        let project = json!({"id": project_id, "name": project, "domain_id": "default", "parent_id": "default", "enabled": true,
            "is_domain": false, "description": "", "options": {}, "tags": [], "links": {}});
        state.put("project", &project_id, project);
        for role in roles {
            cloud.assign("project", &project_id, &user_id, &plain(cloud, "role", role));
        }
    }
    let (admin, role) = (plain(cloud, "user", "admin"), plain(cloud, "role", "admin"));
    cloud.assign("system", "all", &admin, &role);
    cloud.assign("domain", "default", &admin, &role);
    cloud.assign("project", &plain(cloud, "project", "demo"), &admin, &role);
    // Last: it says that all of this is there.
    state.put("domain", "default", domain);
}

fn plant_images(cloud: &Cloud) {
    let kubernetes = RELEASES.map(|release| {
        (
            format!("ubuntu-kube-{release}"),
            json!({"os_distro": "ubuntu", "os_version": "24.04", "kube_version": release}),
        )
    });
    for (name, properties) in kubernetes.into_iter().chain([("cirros".to_owned(), json!({}))]) {
        let id = dashed(cloud, "image", &name);
        let mut image = json!({"id": id, "name": name, "visibility": "public", "status": "active", "size": 1_073_741_824_u64,
            "owner": plain(cloud, "project", "admin")});
        if let (Some(image), Value::Object(properties)) = (image.as_object_mut(), properties) {
            image.extend(properties);
            image::complete(image, &cloud.stamp());
        }
        cloud.state().put("image", &id, image);
    }
}

fn plant_flavors(cloud: &Cloud) {
    for (name, id, vcpus, ram, disk) in FLAVORS {
        let flavor = json!({"id": id, "name": name, "vcpus": vcpus, "ram": ram, "disk": disk, "swap": 0, "rxtx_factor": 1.0,
            "OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": false, "os-flavor-access:is_public": true,
            "description": null, "extra_specs": {}, "links": []});
        cloud.state().put("flavor", id, flavor);
    }
}

fn plant_networks(cloud: &Cloud) {
    let state = cloud.state();
    let admin = plain(cloud, "project", "admin");
    let (network, subnet) = (dashed(cloud, "network", "public"), dashed(cloud, "subnet", "public-subnet"));
    let now = cloud.stamp();
    state.put(
        "network",
        &network,
        json!({"id": network, "name": "public", "router:external": true, "shared": false,
        "is_default": true, "admin_state_up": true, "status": "ACTIVE", "project_id": admin, "tenant_id": admin,
        "created_at": now, "updated_at": now}),
    );
    state.put(
        "subnet",
        &subnet,
        json!({"id": subnet, "name": "public-subnet", "network_id": network, "cidr": "172.24.0.0/16",
        "ip_version": 4, "router:external": true, "enable_dhcp": false, "gateway_ip": "172.24.0.1", "project_id": admin, "tenant_id": admin,
        "allocation_pools": [{"start": "172.24.4.2", "end": "172.24.20.250"}], "created_at": now, "updated_at": now}),
    );
    for (_, project, _) in USERS {
        let (id, project) = (dashed(cloud, "securitygroup", project), plain(cloud, "project", project));
        state.put(
            "securitygroup",
            &id,
            json!({"id": id, "name": "default", "description": "Default security group",
            "project_id": project, "tenant_id": project, "created_at": now, "updated_at": now}),
        );
    }
}

fn dashed(cloud: &Cloud, kind: &str, name: &str) -> String {
    random::uuid(random::mix(cloud.parts.seed, &[kind, name])).to_string()
}

fn plain(cloud: &Cloud, kind: &str, name: &str) -> String {
    random::uuid(random::mix(cloud.parts.seed, &[kind, name])).simple().to_string()
}
