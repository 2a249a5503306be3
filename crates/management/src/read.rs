//! What is read: observations, classes, kubeconfigs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::try_join_all;
use jeroboam_capi::{CLUSTER_NAME_LABEL, ClassInfo, ClusterKey, Observed};
use kube::api::{ApiResource, GroupVersionKind, ListParams};
use secrecy::SecretString;
use serde_json::Value;

use crate::cache::Seen;
use crate::discovery::Role;
use crate::{Management, ManagementError};

impl Management {
    /// What the watches have seen of a cluster; `None` until all of them have listed once.
    #[must_use]
    pub fn observe(&self, key: &ClusterKey) -> Option<Observed> {
        self.ready().then(|| self.shared.cache.observe(key))
    }

    /// What there is of a cluster at this moment, asked of the API server itself.
    pub async fn fresh_observe(&self, key: &ClusterKey) -> Result<Observed, ManagementError> {
        let plan = self.plan().await?;
        let lists = plan.kinds.iter().map(|(role, kind)| self.list(*role, kind, key));
        let mut observed = Observed::default();
        try_join_all(lists).await?.into_iter().flatten().for_each(|seen| seen.put(&mut observed));
        Ok(observed)
    }

    /// A ClusterClass; `None` when there is none of that name.
    pub async fn class(&self, namespace: &str, name: &str) -> Result<Option<ClassInfo>, ManagementError> {
        let version = self.plan().await?.core;
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("cluster.x-k8s.io", version.as_str(), "ClusterClass"));
        let call = async { self.api(&kind, Some(namespace)).get_opt(name).await };
        let found = self.call(format!("read ClusterClass {namespace}/{name}"), call).await?;
        let value = found.and_then(|object| serde_json::to_value(object).ok());
        Ok(value.and_then(|mut value| {
            value["apiVersion"] = kind.api_version.clone().into();
            ClassInfo::read(&value)
        }))
    }

    /// The administrator's kubeconfig of a cluster; `None` until Cluster API has made it.
    pub async fn kubeconfig(&self, key: &ClusterKey) -> Result<Option<SecretString>, ManagementError> {
        let name = format!("{}-kubeconfig", key.name);
        let call = async { self.api(&secrets(), Some(&key.namespace)).get_opt(&name).await };
        let secret = self.call(format!("read Secret {}/{name}", key.namespace), call).await?;
        let encoded =
            secret.and_then(|secret| secret.data.pointer("/data/value").and_then(Value::as_str).map(str::to_owned));
        let decoded = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
        Ok(decoded.and_then(|bytes| String::from_utf8(bytes).ok()).map(SecretString::from))
    }

    async fn list(&self, role: Role, kind: &ApiResource, key: &ClusterKey) -> Result<Vec<Seen>, ManagementError> {
        let api = self.api(kind, Some(&key.namespace));
        let what = format!("list {} of {key}", kind.kind);
        let values: Vec<_> = if role == Role::Cluster {
            self.call(what, async { api.get_opt(&key.name).await }).await?.into_iter().collect()
        } else {
            let ours = ListParams::default().labels(&format!("{CLUSTER_NAME_LABEL}={}", key.name));
            self.call(what, async { api.list(&ours).await }).await?.items
        };
        let read = |object| crate::watch::read(role, kind, object);
        Ok(values.into_iter().filter_map(read).collect())
    }
}

pub(crate) fn secrets() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Secret"))
}
