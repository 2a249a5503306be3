//! The pretend cloud, a private database and the service between them, each a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jeroboam_store::Store;
use jeroboam_store::testing::{Engine, KEY, TestDatabase};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kube::Kube;
use crate::process::Process;
use crate::start;

/// Everything that the service needs.
pub(crate) struct Bed {
    pub(crate) dir: TempDir,
    pub(crate) database: TestDatabase,
    _cloud: Process,
    api_port: u16,
    binary: PathBuf,
}

impl Bed {
    /// Starts the pretend cloud and makes an empty database with its tables.
    pub(crate) async fn new(binary: &Path, engine: Engine) -> Result<Self> {
        let dir = TempDir::with_prefix("jeroboam-bench-").context("make a folder")?;
        let database = TestDatabase::new(engine).await;
        let api_port = free_port()?;
        let data = dir.path().join("cloud");
        let port = api_port.to_string();
        let args = ["sandbox", "--dir", &data.display().to_string(), "--api-port", &port];
        let mut cloud = Process::start(binary, &args, dir.path(), "cloud")?;
        let ready = data.join("magnum.conf");
        cloud.until("the pretend cloud", Duration::from_millis(20), || std::future::ready(ready.exists())).await?;
        let more = format!(
            "[database]\nconnection = {}\n\n[jeroboam]\nencryption_key = {KEY}\n\n[quotas]\nmax_clusters_per_project = 100000\n",
            database.url.expose_secret()
        );
        std::fs::write(dir.path().join("bench.conf"), more).context("write a configuration")?;
        Ok(Self { database, _cloud: cloud, api_port, binary: binary.to_owned(), dir })
    }

    /// The database, with all tables.
    pub(crate) async fn store(&self) -> Store {
        self.database.store().await
    }

    /// Starts the service as `role` and waits for nothing.
    pub(crate) fn launch(&self, role: &str, name: &str) -> Result<Process> {
        let first = self.dir.path().join("cloud/magnum.conf").display().to_string();
        let second = self.dir.path().join("bench.conf").display().to_string();
        let args = [role, "--config-file", &first, "--config-file", &second];
        Process::start(&self.binary, &args, self.dir.path(), name)
    }

    /// Starts the service as `role` and waits until it answers.
    pub(crate) async fn service(&self, role: &str, name: &str) -> Result<Process> {
        let mut process = self.launch(role, name)?;
        process.until("the service", Duration::from_millis(20), || start::answers(self.address(), "/")).await?;
        Ok(process)
    }

    /// Where the service answers.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.api_port))
    }

    /// The management cluster.
    pub(crate) fn kube(&self) -> Result<Kube> {
        let text = std::fs::read_to_string(self.dir.path().join("cloud/kubeconfig")).context("read the kubeconfig")?;
        Kube::of(&text)
    }

    /// Logs the pretend cloud's tenant in.
    pub(crate) async fn tenant(&self) -> Result<Tenant> {
        Tenant::log_in(&self.dir.path().join("cloud"), self.address()).await
    }
}

/// Somebody with a token.
#[derive(Clone)]
pub(crate) struct Tenant {
    http: reqwest::Client,
    base: String,
    pub(crate) token: String,
    pub(crate) project: String,
    pub(crate) user: String,
}

impl Tenant {
    /// Logs the tenant of the pretend cloud in whose files are in a folder, to speak with the service at an address.
    pub(crate) async fn log_in(cloud: &Path, address: SocketAddr) -> Result<Self> {
        let text = std::fs::read_to_string(cloud.join("clouds.yaml")).context("read clouds.yaml")?;
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.trim_start().strip_prefix(key)).context("read clouds.yaml")?;
            anyhow::Ok(line.trim_start_matches(": ").trim().trim_matches('"').to_owned())
        };
        let domain = json!({"name": "Default"});
        let user = json!({"name": "demo", "domain": domain, "password": value("password")?});
        let body = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "demo", "domain": domain}}}});
        let http = client()?;
        let answer = http.post(format!("{}/auth/tokens", value("auth_url")?)).json(&body).send().await?;
        let token = answer.headers().get("x-subject-token").and_then(|value| value.to_str().ok());
        let token = token.context("Keystone gave no token")?.to_owned();
        let body: Value = answer.json().await.context("read the token")?;
        let project = body["token"]["project"]["id"].as_str().context("the token has no project")?.to_owned();
        let user = body["token"]["user"]["id"].as_str().context("the token has no user")?.to_owned();
        Ok(Self { http, base: format!("http://{address}/v1"), token, project, user })
    }

    /// One call; its answer must have the status.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        status: StatusCode,
    ) -> Result<Value> {
        let request = self.http.request(method, format!("{}{path}", self.base)).header("x-auth-token", &self.token);
        let request = request.header("openstack-api-version", "container-infra latest");
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await.with_context(|| format!("ask for {path}"))?;
        let given = answer.status();
        let text = answer.text().await.with_context(|| format!("ask for {path}"))?;
        if given != status {
            bail!("{path} was answered with {given} and not with {status}: {text}");
        }
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text).context("read an answer")? })
    }

    /// One cluster.
    pub(crate) async fn cluster(&self, id: &str) -> Result<Value> {
        self.ask(Method::GET, &format!("/clusters/{id}"), None, StatusCode::OK).await
    }
}

/// What a template of the pretend cloud needs.
pub(crate) fn template(name: &str) -> Value {
    json!({"name": name, "coe": "kubernetes", "image_id": "ubuntu-kube-v1.33.5", "external_network_id": "public",
        "flavor_id": "m1.small", "master_flavor_id": "m1.medium", "dns_nameserver": "9.9.9.9",
        "master_lb_enabled": true, "floating_ip_enabled": true, "network_driver": "calico"})
}

/// Never through a proxy: all is on this machine.
fn client() -> Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().context("make an HTTP client")
}

fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("find a free port")?;
    Ok(listener.local_addr().context("find a free port")?.port())
}
