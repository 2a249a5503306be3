//! Where the management cluster is and how we speak to it.

use std::path::PathBuf;
use std::time::Duration;

use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use secrecy::{ExposeSecret as _, SecretString};

use crate::ManagementError;

/// Where the API server and its credentials come from.
#[derive(Clone, Debug)]
pub enum KubeconfigSource {
    /// A kubeconfig file; tokens, client certificates and credential programs all work.
    File(PathBuf),
    /// A kubeconfig's text.
    Text(SecretString),
    /// The service account of the pod that we run in.
    InCluster,
}

/// Settings of a [`Management`](crate::Management).
#[derive(Clone, Debug)]
pub struct ManagementConfig {
    /// Where it is.
    pub kubeconfig: KubeconfigSource,
    /// The kubeconfig's context; its current one when `None`.
    pub context: Option<String>,
    /// Longest time for a connection to be made.
    pub connect_timeout: Duration,
    /// Longest time for one call.
    pub call_timeout: Duration,
    /// How often is looked for kinds that have come or gone.
    pub rediscover_every: Duration,
    /// Who we are in `metadata.managedFields`.
    pub field_manager: String,
}

impl ManagementConfig {
    /// The usual settings.
    #[must_use]
    pub fn new(kubeconfig: KubeconfigSource) -> Self {
        Self {
            kubeconfig,
            context: None,
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(30),
            rediscover_every: Duration::from_secs(60),
            field_manager: "jeroboam".to_owned(),
        }
    }

    pub(crate) async fn client(&self) -> Result<Client, ManagementError> {
        let unusable = |source: Box<dyn std::error::Error + Send + Sync>| ManagementError::Config { source };
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let mut config = match &self.kubeconfig {
            KubeconfigSource::InCluster => Config::incluster().map_err(|e| unusable(e.into()))?,
            KubeconfigSource::File(path) => {
                let file = Kubeconfig::read_from(path).map_err(|e| unusable(e.into()))?;
                Config::from_custom_kubeconfig(file, &options).await.map_err(|e| unusable(e.into()))?
            }
            KubeconfigSource::Text(text) => {
                let file = Kubeconfig::from_yaml(text.expose_secret()).map_err(|e| unusable(e.into()))?;
                Config::from_custom_kubeconfig(file, &options).await.map_err(|e| unusable(e.into()))?
            }
        };
        config.connect_timeout = Some(self.connect_timeout);
        // Retrying is the reconciler's business: it knows what else there is to do.
        config.default_retry = false;
        Client::try_from(config).map_err(|e| unusable(e.into()))
    }
}
