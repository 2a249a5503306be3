//! The management cluster: what Cluster API runs on.
//!
//! Everything that is written goes through [`Management::apply`] and its siblings, with a time-out on every call; everything
//! that is read between writes comes from caches that one watch per kind keeps current. What is cached is not the object
//! but the few fields that [`jeroboam_capi::Observed`] has. Nothing here decides anything.

mod backoff;
mod cache;
mod config;
mod dirty;
mod discovery;
mod error;
mod events;
mod read;
mod watch;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_capi::{CoreVersion, Object};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use tokio::sync::watch as signal;

pub use config::{KubeconfigSource, ManagementConfig};
pub use dirty::Dirty;
pub use error::{ErrorKind, ManagementError};
pub use write::{OwnNamespace, Remaining};

use cache::Cache;
use discovery::Plan;

/// Called just before and just after each write, with the write's name. Tests kill the process in it.
pub type FaultHook = Arc<dyn Fn(&'static str) + Send + Sync>;

/// A handle on the management cluster; clones share everything.
#[derive(Clone)]
pub struct Management {
    shared: Arc<Shared>,
    faults: Option<FaultHook>,
}

struct Shared {
    client: Client,
    field_manager: String,
    call_timeout: Duration,
    rediscover_every: Duration,
    cache: Cache,
    dirty: Dirty,
    plan: signal::Sender<Option<Plan>>,
    ready: signal::Sender<bool>,
}

impl Management {
    /// Reads the kubeconfig. Does not speak to the API server, which may be away.
    pub async fn new(config: ManagementConfig) -> Result<Self, ManagementError> {
        let client = config.client().await?;
        let dirty = Dirty::default();
        let shared = Shared {
            client,
            field_manager: config.field_manager,
            call_timeout: config.call_timeout,
            rediscover_every: config.rediscover_every,
            cache: Cache::new(dirty.clone()),
            dirty,
            plan: signal::Sender::new(None),
            ready: signal::Sender::new(false),
        };
        Ok(Self { shared: Arc::new(shared), faults: None })
    }

    /// The same with a hook around every write.
    #[must_use]
    pub fn with_faults(self, hook: FaultHook) -> Self {
        Self { faults: Some(hook), ..self }
    }

    /// The clusters that changed since they were last asked for.
    #[must_use]
    pub fn dirty(&self) -> Dirty {
        self.shared.dirty.clone()
    }

    /// Whether every watch has listed once, so that what is not in the caches is not there.
    #[must_use]
    pub fn ready(&self) -> bool {
        *self.shared.ready.borrow()
    }

    /// Waits until [`ready`](Self::ready).
    pub async fn wait_ready(&self) {
        // The sender lives as long as we do.
        let _ = self.shared.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// The version of Cluster API's kinds that is spoken: the newest that is served.
    pub async fn served(&self) -> Result<CoreVersion, ManagementError> {
        Ok(self.plan().await?.core)
    }

    /// Whether the API server answers.
    pub async fn ping(&self) -> Result<(), ManagementError> {
        self.call("ping", self.shared.client.apiserver_version()).await.map(|_| ())
    }

    /// The plan of the watches, or one made for this call while there is none.
    async fn plan(&self) -> Result<Plan, ManagementError> {
        if let Some(plan) = self.shared.plan.borrow().clone() {
            return Ok(plan);
        }
        let plan = self.discover().await?;
        self.shared.plan.send_if_modified(|known| known.is_none().then(|| *known = Some(plan.clone())).is_some());
        Ok(plan)
    }

    /// The API of one object's kind.
    fn api_of(&self, object: &Object) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk(object.group(), object.version(), object.kind());
        self.api(&ApiResource::from_gvk(&kind), object.namespace())
    }

    fn api(&self, kind: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
        let client = self.shared.client.clone();
        match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, kind),
            None => Api::all_with(client, kind),
        }
    }

    /// Gives a call its time and its error a name.
    async fn call<T>(
        &self,
        what: impl Into<String>,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, ManagementError> {
        let what = what.into();
        match tokio::time::timeout(self.shared.call_timeout, call).await {
            Ok(result) => result.map_err(|source| ManagementError::of(what, source)),
            Err(_) => Err(ManagementError::TimedOut { what, after: self.shared.call_timeout }),
        }
    }

    /// A call that writes.
    async fn write<T>(
        &self,
        point: &'static str,
        what: impl Into<String>,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, ManagementError> {
        self.pass(point);
        let result = self.call(what, call).await;
        self.pass(point);
        result
    }

    fn pass(&self, point: &'static str) {
        if let Some(hook) = &self.faults {
            hook(point);
        }
    }
}

impl fmt::Debug for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Management").field("ready", &self.ready()).finish_non_exhaustive()
    }
}
