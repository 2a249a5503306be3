//! The sandbox as one thing: started, asked where it is, stopped.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use jeroboam_model::{Clock, SystemClock};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cloud::{Cloud, CloudParts, PASSWORD};
use crate::controllers::{self, Setup};
use crate::faults::{FaultRule, Faults};
use crate::kube::kinds::ServedVersions;
use crate::kube::{Api, ApiParts, Kinds, Space, Version, seed};
use crate::random;
use crate::state::State;
use crate::tls::{self, Credential, TlsError};
use crate::workload::Host;

/// The collection of what the sandbox keeps about itself.
pub(crate) const OWN: &str = "sandbox";

/// How a sandbox is started.
#[derive(Clone)]
pub struct SandboxConfig {
    /// Where the state is kept; `None` forgets it with the process.
    pub dir: Option<PathBuf>,
    /// Forget what the directory held.
    pub fresh: bool,
    /// The address everything listens on.
    pub listen: IpAddr,
    /// The port of the identity service; 0 means the one of last time, or a free one.
    pub identity_port: u16,
    /// The port of the management cluster's API; 0 means the one of last time, or a free one.
    pub kube_port: u16,
    /// The address of the product's API that the catalogue names, with its `/v1`; empty for none.
    pub container_infra_url: String,
    /// Where all chance comes from.
    pub seed: u64,
    /// Rules for faults, in place of those of last time unless empty.
    pub faults: Vec<FaultRule>,
    /// How much faster than the real thing everything goes: 1 takes about a minute for a cluster.
    pub speed: f64,
    /// Which versions of Cluster API the management cluster serves.
    pub served: ServedVersions,
    /// The version of Kubernetes the management cluster says it is.
    pub kubernetes_version: String,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            dir: None,
            fresh: false,
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            identity_port: 0,
            kube_port: 0,
            container_infra_url: String::new(),
            seed: 0,
            faults: Vec::new(),
            speed: 10.0,
            served: ServedVersions::Both,
            kubernetes_version: "v1.34.2".to_owned(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Why a sandbox could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The state could not be opened.
    #[error("open the sandbox's state")]
    State(#[source] io::Error),
    /// A port could not be had.
    #[error("listen")]
    Listen(#[source] io::Error),
    /// The certificates could not be made.
    #[error("make the sandbox's certificates")]
    Certificates(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<TlsError> for StartError {
    fn from(error: TlsError) -> Self {
        Self::Certificates(Box::new(error))
    }
}

/// A running sandbox. Dropping it ends it, [`Sandbox::stop`] ends it and waits.
pub struct Sandbox {
    /// Where Keystone is.
    pub identity_url: String,
    /// What every user of the cloud logs in with.
    pub password: SecretString,
    /// Where the management cluster's API is.
    pub kubernetes_url: String,
    /// A kubeconfig of the management cluster's administrator.
    pub kubeconfig: SecretString,
    /// A bearer token of the management cluster's administrator.
    pub kubernetes_token: SecretString,
    /// The certificate authority of the management cluster's API, PEM.
    pub authority: String,
    /// The rules for faults.
    pub faults: Faults,
    state: State,
    cancelled: CancellationToken,
    tracker: TaskTracker,
}

// === impl Sandbox ===

impl Sandbox {
    /// Starts everything; when this returns, everything answers.
    ///
    /// # Errors
    /// When the state cannot be read, a port cannot be had or a certificate cannot be made.
    pub async fn start(config: SandboxConfig) -> Result<Self, StartError> {
        let state = match &config.dir {
            Some(dir) => State::open(dir, config.fresh).map_err(StartError::State)?,
            None => State::in_memory(),
        };
        let cancelled = CancellationToken::new();
        let tracker = TaskTracker::new();
        let faults = Faults::new(state.clone(), config.seed);
        if !config.faults.is_empty() {
            faults.clear();
            config.faults.iter().for_each(|rule| drop(faults.add(rule)));
        }

        let authority = credential(&state, "authority", || tls::authority("jeroboam-sandbox"))?;
        let admin = credential(&state, "admin", || tls::client(&authority, "admin", &["system:masters"]))?;
        let token = token(&state, config.seed);
        let port = port_of(&state, "kube_port", config.kube_port);
        let listener = tls::listen(config.listen, port).await.map_err(StartError::Listen)?;
        let address = listener.local_addr().map_err(StartError::Listen)?;
        remember_port(&state, "kube_port", address.port());
        let server = tls::server(&authority, &[&config.listen.to_string(), "127.0.0.1", "localhost"])?;
        let acceptor = tls::acceptor(&server, &authority.certificate)?;

        let space = Space::management(Kinds::management(config.served), config.seed);
        state.write(|writer| {
            seed::namespaces(&space, writer, config.clock.now());
            seed::definitions(&space, writer, config.clock.now());
        });
        let api = Api::new(ApiParts {
            state: state.clone(),
            space: space.clone(),
            clock: Arc::clone(&config.clock),
            cancelled: cancelled.clone(),
            version: Version::Fixed(config.kubernetes_version.clone()),
            admin_token: Some(token.expose_secret().to_owned()),
            faults: Some(faults.clone()),
        });
        tracker.spawn(tls::serve(listener, acceptor, api.router(), tracker.clone(), cancelled.clone()));

        let port = port_of(&state, "identity_port", config.identity_port);
        let listener = tls::listen(config.listen, port).await.map_err(StartError::Listen)?;
        let address_of_cloud = listener.local_addr().map_err(StartError::Listen)?;
        remember_port(&state, "identity_port", address_of_cloud.port());
        let cloud = Cloud::new(CloudParts {
            state: state.clone(),
            faults: faults.clone(),
            clock: Arc::clone(&config.clock),
            base_url: format!("http://{address_of_cloud}"),
            seed: config.seed,
        });
        if !config.container_infra_url.is_empty() {
            cloud.set_container_infra(&config.container_infra_url);
        }
        let ended = cancelled.clone();
        let router = cloud.router();
        tracker.spawn(async move {
            let serving = axum::serve(listener, router).with_graceful_shutdown(ended.cancelled_owned());
            if let Err(error) = serving.await {
                tracing::warn!(error = %error, "the OpenStack services ended");
            }
        });

        let host = Host {
            state: state.clone(),
            clock: Arc::clone(&config.clock),
            seed: config.seed,
            listen: config.listen,
            tracker: tracker.clone(),
            cancelled: cancelled.clone(),
        };
        tracker.spawn(host.run());
        let setup = Setup {
            state: state.clone(),
            space,
            clock: Arc::clone(&config.clock),
            seed: config.seed,
            speed: config.speed.max(0.001),
            listen: config.listen,
        };
        tracker.spawn(controllers::run(setup, cancelled.clone()));

        let kubernetes_url = format!("https://{address}");
        Ok(Self {
            identity_url: cloud.identity_url(),
            password: PASSWORD.into(),
            kubeconfig: tls::kubeconfig("jeroboam-sandbox", &kubernetes_url, &authority.certificate, &admin).into(),
            kubernetes_url,
            kubernetes_token: token,
            authority: authority.certificate,
            faults,
            state,
            cancelled,
            tracker,
        })
    }

    /// All documents of the sandbox.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Ends everything and waits until it has ended.
    pub async fn stop(self) {
        self.cancelled.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.cancelled.cancel();
    }
}

/// The credential kept under a name, made the first time.
fn credential(
    state: &State,
    name: &str,
    make: impl FnOnce() -> Result<Credential, TlsError>,
) -> Result<Credential, TlsError> {
    if let Some(kept) = state.get(OWN, name) {
        let text = |field: &str| kept[field].as_str().unwrap_or_default().to_owned();
        return Ok(Credential { certificate: text("certificate"), key: text("key").into() });
    }
    let made = make()?;
    let kept = json!({"certificate": made.certificate, "key": made.key.expose_secret()});
    state.put(OWN, name, kept);
    Ok(made)
}

fn token(state: &State, seed: u64) -> SecretString {
    let made = random::uuid(random::mix(seed, &["administrator's token"])).simple().to_string();
    let kept = state.get(OWN, "token").and_then(|kept| kept.as_str().map(str::to_owned));
    let token = kept.unwrap_or_else(|| {
        state.put(OWN, "token", Value::String(made.clone()));
        made
    });
    token.into()
}

/// The port wanted, or the one of last time.
pub(crate) fn port_of(state: &State, name: &str, wanted: u16) -> u16 {
    if wanted != 0 {
        return wanted;
    }
    state.get(OWN, name).and_then(|kept| kept.as_u64()).and_then(|port| u16::try_from(port).ok()).unwrap_or(0)
}

/// Keeps a port for the next time.
pub(crate) fn remember_port(state: &State, name: &str, port: u16) {
    state.put(OWN, name, json!(port));
}
