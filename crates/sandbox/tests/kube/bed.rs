//! A sandbox and a client for its management cluster.

use std::path::Path;
use std::time::{Duration, Instant};

use jeroboam_sandbox::{Sandbox, SandboxConfig};
use reqwest::{Method, Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

pub(crate) const CORE: &str = "/apis/cluster.x-k8s.io/v1beta2";
pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
pub(crate) const APPLY: &str = "application/apply-patch+yaml";

pub(crate) struct Bed {
    pub(crate) sandbox: Sandbox,
    client: reqwest::Client,
}

pub(crate) fn config() -> SandboxConfig {
    SandboxConfig { speed: 200.0, ..SandboxConfig::default() }
}

impl Bed {
    pub(crate) async fn start() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn in_dir(dir: &Path) -> Self {
        Self::with(SandboxConfig { dir: Some(dir.to_owned()), ..config() }).await
    }

    pub(crate) async fn with(config: SandboxConfig) -> Self {
        let sandbox = Sandbox::start(config).await.unwrap();
        let authority = reqwest::Certificate::from_pem(sandbox.authority.as_bytes()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([authority]).no_proxy().build().unwrap();
        Self { sandbox, client }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.sandbox.kubernetes_url);
        self.client
            .request(method, url)
            .bearer_auth(self.sandbox.kubernetes_token.expose_secret())
            .header("user-agent", "tester/1")
    }

    /// What somebody without a name is told.
    pub(crate) async fn anonymous(&self, path: &str) -> StatusCode {
        let url = format!("{}{path}", self.sandbox.kubernetes_url);
        self.client.get(url).send().await.unwrap().status()
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(body).send().await.unwrap()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::PUT, path).json(body).send().await.unwrap()).await
    }

    pub(crate) async fn patch(&self, path: &str, kind: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.request(Method::PATCH, path).header("content-type", kind).body(body.to_string());
        answer(request.send().await.unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::DELETE, path).send().await.unwrap()).await
    }

    pub(crate) async fn namespace(&self, name: &str) {
        let (status, _) = self.post("/api/v1/namespaces", &json!({"metadata": {"name": name}})).await;
        assert_eq!(status, StatusCode::CREATED);
    }

    /// A namespace with a class of plain machines, without load balancer or templates.
    pub(crate) async fn class(&self, namespace: &str) {
        self.namespace(namespace).await;
        let class = json!({
            "metadata": {"name": "plain"},
            "spec": {
                "infrastructure": {"templateRef": {"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "OpenStackClusterTemplate", "name": "plain"}},
                "controlPlane": {"healthCheck": {}},
                "workers": {"machineDeployments": [{"class": "workers"}]},
                "variables": [
                    {"name": "flavor", "required": true, "schema": {"openAPIV3Schema": {"type": "string"}}},
                    {"name": "size", "schema": {"openAPIV3Schema": {"type": "integer", "default": 3, "minimum": 1}}},
                ],
                "patches": [{
                    "name": "flavor",
                    "definitions": [{
                        "selector": {
                            "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "OpenStackMachineTemplate",
                            "matchResources": {"controlPlane": true, "machineDeploymentClass": {"names": ["workers"]}},
                        },
                        "jsonPatches": [{"op": "add", "path": "/spec/template/spec/flavor", "valueFrom": {"variable": "flavor"}}],
                    }],
                }],
            },
        });
        let (status, body) = self.post(&format!("{CORE}/namespaces/{namespace}/clusterclasses"), &class).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let template = json!({
            "metadata": {"name": "plain"},
            "spec": {"template": {"spec": {
                "apiServerLoadBalancer": {"enabled": true}, "managedSubnets": [{"cidr": "10.6.0.0/24"}],
                "managedSecurityGroups": {}, "identityRef": {"name": "none", "cloudName": "default"},
            }}},
        });
        let path =
            format!("/apis/infrastructure.cluster.x-k8s.io/v1beta1/namespaces/{namespace}/openstackclustertemplates");
        assert_eq!(self.post(&path, &template).await.0, StatusCode::CREATED);
    }

    /// Waits until what is at a path is as wanted; `Null` stands for nothing there.
    pub(crate) async fn until(&self, what: &str, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let (status, body) = self.get(path).await;
            let seen = if status == StatusCode::NOT_FOUND { Value::Null } else { body };
            if wanted(&seen) {
                return seen;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "waiting for {what}: {seen:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a cluster is all that its present generation asks for.
    pub(crate) async fn until_complete(&self, path: &str) -> Value {
        self.until("the cluster to be complete", path, is_complete).await
    }
}

pub(crate) async fn answer(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

pub(crate) fn cluster(name: &str, control_plane: u32, workers: u32) -> Value {
    json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": {"name": name},
        "spec": {"topology": {
            "classRef": {"name": "plain"}, "version": "v1.33.5", "controlPlane": {"replicas": control_plane},
            "workers": {"machineDeployments": [{"class": "workers", "name": "w", "replicas": workers}]},
            "variables": [{"name": "flavor", "value": "m1.small"}],
        }},
    })
}

pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let all = object["status"]["conditions"].as_array();
    all.and_then(|all| all.iter().find(|one| one["type"] == kind)).unwrap_or(&Value::Null)
}

pub(crate) fn is(object: &Value, kind: &str, status: &str) -> bool {
    condition(object, kind)["status"] == status
}

/// What a careful reader of Cluster API's status calls complete.
pub(crate) fn is_complete(cluster: &Value) -> bool {
    let topology = condition(cluster, "TopologyReconciled");
    let flags = ["RollingOut", "ScalingUp", "ScalingDown"].iter().all(|flag| is(cluster, flag, "False"));
    let counts = |part: &str, wanted: &Value| {
        let status = &cluster["status"][part];
        ["desiredReplicas", "replicas", "upToDateReplicas", "availableReplicas"]
            .iter()
            .all(|field| status[*field] == *wanted)
    };
    let spec = &cluster["spec"]["topology"];
    let workers = spec["workers"]["machineDeployments"].as_array().cloned().unwrap_or_default();
    let workers: u64 = workers.iter().filter_map(|part| part["replicas"].as_u64()).sum();
    topology["status"] == "True"
        && topology["observedGeneration"] == cluster["metadata"]["generation"]
        && is(cluster, "Available", "True")
        && flags
        && counts("controlPlane", &spec["controlPlane"]["replicas"])
        && counts("workers", &json!(workers))
}
