//! The management cluster's API, as far as it takes to change an object and to see whether there is one.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// A client of it.
#[derive(Clone)]
pub(crate) struct Kube {
    http: reqwest::Client,
    base: String,
}

/// A cluster's objects.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Kube {
    /// Reads the pretend cloud's kubeconfig, which is JSON.
    pub(crate) fn of(kubeconfig: &str) -> Result<Self> {
        let config: Value = serde_json::from_str(kubeconfig).context("read the kubeconfig")?;
        let (cluster, user) = (&config["clusters"][0]["cluster"], &config["users"][0]["user"]);
        let decoded =
            |value: &Value| STANDARD.decode(value.as_str().unwrap_or_default()).context("read the kubeconfig");
        let authority = reqwest::Certificate::from_pem(&decoded(&cluster["certificate-authority-data"])?)?;
        let mut identity = decoded(&user["client-certificate-data"])?;
        identity.extend(decoded(&user["client-key-data"])?);
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .tls_certs_only([authority])
            .identity(reqwest::Identity::from_pem(&identity)?)
            .build()?;
        let base = cluster["server"].as_str().context("the kubeconfig has no server")?;
        Ok(Self { http, base: format!("{base}/apis/cluster.x-k8s.io/v1beta2") })
    }

    /// Whether the Cluster object is there.
    pub(crate) async fn has(&self, objects: &Objects) -> Result<bool> {
        let answer = self.http.get(self.url(objects, "clusters", &objects.name)).send().await?;
        match answer.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            other => bail!("the management cluster answered {other}"),
        }
    }

    /// Keeps the controllers' hands off a cluster, so that what is written into it stays.
    pub(crate) async fn pause(&self, objects: &Objects) -> Result<()> {
        self.set_paused(objects, true).await
    }

    /// Lets the controllers go on.
    pub(crate) async fn resume(&self, objects: &Objects) -> Result<()> {
        self.set_paused(objects, false).await
    }

    async fn set_paused(&self, objects: &Objects, paused: bool) -> Result<()> {
        let patch = json!({"spec": {"paused": paused}});
        self.patch(&self.url(objects, "clusters", &objects.name), &patch).await
    }

    /// A machine of the cluster that has become a node.
    pub(crate) async fn machine(&self, objects: &Objects) -> Result<Machine> {
        let selector = format!("labelSelector=cluster.x-k8s.io/cluster-name%3D{}", objects.name);
        let answer = self.http.get(format!("{}?{selector}", self.url(objects, "machines", ""))).send().await?;
        let list: Value = answer.json().await?;
        let mut found = list["items"].as_array().into_iter().flatten().filter_map(|machine| {
            let conditions = machine["status"]["conditions"].as_array()?.clone();
            let name = machine["metadata"]["name"].as_str()?;
            conditions.iter().any(|one| one["type"] == NODE_HEALTHY && one["status"] == "True").then_some(())?;
            Some(Machine { url: format!("{}/status", self.url(objects, "machines", name)), conditions })
        });
        found.next().with_context(|| format!("{} has no machine with a healthy node", objects.name))
    }

    /// Writes a machine's condition `NodeHealthy`.
    pub(crate) async fn say_healthy(&self, machine: &Machine, healthy: bool) -> Result<()> {
        let mut conditions = machine.conditions.clone();
        for one in conditions.iter_mut().filter(|one| one["type"] == NODE_HEALTHY) {
            one["status"] = if healthy { "True" } else { "False" }.into();
        }
        self.patch(&machine.url, &json!({"status": {"conditions": conditions}})).await
    }

    async fn patch(&self, url: &str, patch: &Value) -> Result<()> {
        let request = self.http.patch(url).header("content-type", "application/merge-patch+json");
        let answer = request.body(patch.to_string()).send().await?;
        if !answer.status().is_success() {
            bail!("{url} was answered with {}: {}", answer.status(), answer.text().await?);
        }
        Ok(())
    }

    fn url(&self, objects: &Objects, plural: &str, name: &str) -> String {
        let url = format!("{}/namespaces/{}/{plural}", self.base, objects.namespace);
        if name.is_empty() { url } else { format!("{url}/{name}") }
    }
}

/// A machine and the conditions that it had.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    url: String,
    conditions: Vec<Value>,
}

const NODE_HEALTHY: &str = "NodeHealthy";
