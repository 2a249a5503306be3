//! How the Kubernetes API is reached: load balancer, floating IP, who may connect, what its certificate names.

use serde_json::{Value, json};

use super::{Feature, Given, Patch, Target, render, same_as_cluster, set};
use crate::contract::CoreVersion;
use crate::resolved::ResolvedCluster;

const BALANCER: &str = "apiServerLoadBalancer";
const NO_FLOATING_IP: &str = "disableAPIServerFloatingIP";
const FLOATING_IP: &str = "apiServerFloatingIP";
const CIDRS: &str = "apiServerAllowedCidrs";
const NAMES: &str = "apiServerCertSANs";

pub(super) const FEATURE: Feature =
    Feature { name: "api-endpoint", variables, patches, cluster, group: same_as_cluster };

fn variables() -> Vec<Given> {
    let text = || json!({"type": "string"});
    let texts = || json!({"type": "array", "items": {"type": "string"}});
    let balancer = json!({
        "type": "object",
        "required": ["enabled"],
        "properties": {
            "enabled": {"type": "boolean"},
            "provider": text(),
            "flavor": text(),
            "availabilityZone": text(),
        },
    });
    vec![
        (BALANCER, balancer),
        (NO_FLOATING_IP, json!({"type": "boolean", "default": false})),
        (FLOATING_IP, text()),
        (CIDRS, texts()),
        (NAMES, texts()),
    ]
}

fn patches(_: CoreVersion) -> Vec<Patch> {
    let spec = |field: &str| format!("/spec/template/spec/{field}");
    vec![
        Patch {
            name: "load-balancer",
            condition: Some("{{ if .apiServerLoadBalancer }}true{{ end }}"),
            changes: vec![(Target::Cluster, vec![set(&spec("apiServerLoadBalancer"), BALANCER)])],
        },
        Patch {
            name: "allowed-cidrs",
            condition: Some(
                "{{ if and .apiServerAllowedCidrs .apiServerLoadBalancer }}\
                 {{ if .apiServerLoadBalancer.enabled }}true{{ end }}{{ end }}",
            ),
            changes: vec![(Target::Cluster, vec![set(&spec("apiServerLoadBalancer/allowedCIDRs"), CIDRS)])],
        },
        Patch {
            name: "no-floating-ip",
            condition: Some("{{ if .disableAPIServerFloatingIP }}true{{ end }}"),
            changes: vec![(Target::Cluster, vec![set(&spec("disableAPIServerFloatingIP"), NO_FLOATING_IP)])],
        },
        Patch {
            name: "floating-ip",
            condition: Some("{{ if .apiServerFloatingIP }}true{{ end }}"),
            changes: vec![(Target::Cluster, vec![set(&spec("apiServerFloatingIP"), FLOATING_IP)])],
        },
        Patch {
            name: "names",
            condition: Some("{{ if .apiServerCertSANs }}true{{ end }}"),
            changes: vec![(
                Target::ControlPlane,
                vec![render(
                    &spec("kubeadmConfigSpec/clusterConfiguration/apiServer/certSANs"),
                    "- localhost\n- 127.0.0.1\n{{ range .apiServerCertSANs }}- {{ . | quote }}\n{{ end }}",
                )],
            )],
        },
    ]
}

fn cluster(cluster: &ResolvedCluster) -> Vec<Given> {
    let api = &cluster.api;
    let mut balancer = json!({"enabled": api.load_balancer});
    if api.load_balancer {
        let optional =
            [("provider", &api.provider), ("flavor", &api.lb_flavor), ("availabilityZone", &api.lb_availability_zone)];
        for (field, value) in optional {
            if let Some(value) = value {
                balancer[field] = Value::from(value.clone());
            }
        }
    }
    let mut values = vec![(BALANCER, balancer), (NO_FLOATING_IP, (!api.floating_ip).into())];
    values.extend(api.floating_ip_address.as_ref().map(|address| (FLOATING_IP, address.clone().into())));
    if !api.allowed_cidrs.is_empty() {
        values.push((CIDRS, json!(api.allowed_cidrs)));
    }
    if !api.cert_sans.is_empty() {
        values.push((NAMES, json!(api.cert_sans)));
    }
    values
}
