//! What machines boot, and what follows from the system on it.

use serde_json::{Value, json};

use super::templates::arguments;
use super::{Feature, Given, Patch, Target, set};
use crate::contract::CoreVersion;
use crate::resolved::{Image, ResolvedCluster, WorkerGroup};

const IMAGE: &str = "imageUUID";
const SYSTEM: &str = "operatingSystem";

pub(super) const FEATURE: Feature = Feature { name: "image", variables, patches, cluster, group };

fn variables() -> Vec<Given> {
    vec![
        (IMAGE, json!({"type": "string", "description": "Id of the Glance image."})),
        (SYSTEM, json!({"type": "string", "enum": ["ubuntu", "flatcar"], "default": "ubuntu"})),
    ]
}

fn patches(version: CoreVersion) -> Vec<Patch> {
    let flatcar = Some(r#"{{ eq .operatingSystem "flatcar" }}"#);
    vec![
        Patch {
            name: "id",
            condition: Some("{{ if .imageUUID }}true{{ end }}"),
            changes: vec![(Target::Machines, vec![set("/spec/template/spec/image/id", IMAGE)])],
        },
        Patch {
            name: "flatcar",
            condition: flatcar,
            changes: vec![
                (Target::ControlPlane, ignition(version, "/spec/template/spec/kubeadmConfigSpec", true)),
                (Target::WorkerBootstrap, ignition(version, "/spec/template/spec", false)),
            ],
        },
    ]
}

/// Ignition knows no templates: the node's name and id come from Flatcar's metadata service, and are put into kubeadm's
/// configuration just before it is used.
fn ignition(version: CoreVersion, at: &str, control_plane: bool) -> Vec<Value> {
    let unit = "systemd:\n  units:\n  - name: kubeadm.service\n    enabled: true\n    dropins:\n    \
                - name: 10-flatcar.conf\n      contents: |\n        [Unit]\n        \
                Requires=containerd.service coreos-metadata.service\n        \
                After=containerd.service coreos-metadata.service\n        [Service]\n        \
                EnvironmentFile=/run/metadata/flatcar\n";
    let commands = [
        "export COREOS_OPENSTACK_HOSTNAME=${COREOS_OPENSTACK_HOSTNAME%.*}",
        "envsubst < /etc/kubeadm.yml > /etc/kubeadm.yml.new",
        "mv /etc/kubeadm.yml.new /etc/kubeadm.yml",
    ];
    let provider_id = "openstack:///${COREOS_OPENSTACK_INSTANCE_ID}";
    let registration = json!({
        "name": "${COREOS_OPENSTACK_HOSTNAME}",
        "kubeletExtraArgs": arguments(version, &[("cloud-provider", "external"), ("provider-id", provider_id)]),
    });
    let add = |path: &str, value: Value| json!({"op": "add", "path": format!("{at}{path}"), "value": value});
    let mut changes = vec![
        add("/format", "ignition".into()),
        add("/ignition", json!({"containerLinuxConfig": {"additionalConfig": unit}})),
        add("/preKubeadmCommands", json!(commands)),
        add("/joinConfiguration/nodeRegistration", registration.clone()),
    ];
    if control_plane {
        changes.push(add("/initConfiguration/nodeRegistration", registration));
    }
    changes
}

fn values(image: &Image) -> Vec<Given> {
    vec![(IMAGE, image.id.clone().into()), (SYSTEM, image.operating_system.as_str().into())]
}

fn cluster(cluster: &ResolvedCluster) -> Vec<Given> {
    values(&cluster.control_plane.image)
}

fn group(_: &ResolvedCluster, group: &WorkerGroup) -> Vec<Given> {
    values(&group.image)
}
