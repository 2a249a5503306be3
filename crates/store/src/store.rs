//! The handle that everything else holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_model::*;
use secrecy::SecretString;
use tokio::sync::watch;

use crate::*;

/// What is called before and after each committing write, with the write's name.
pub type FaultHook = Arc<dyn Fn(&'static str) + Send + Sync>;

/// Magnum's tables and our own. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    changes: Arc<watch::Sender<u64>>,
}

fn not_yet<T>() -> Result<T, StoreError> {
    Err(StoreError::Schema("not written yet".to_owned()))
}

#[expect(clippy::unused_async, unused_variables, missing_docs, reason = "signatures first")]
impl Store {
    pub async fn connect(config: &StoreConfig) -> Result<Self, StoreError> { not_yet() }
    #[must_use]
    pub fn with_faults(self, hook: FaultHook) -> Self { self }
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self { self }
    pub async fn upgrade(&self) -> Result<Upgraded, StoreError> { not_yet() }
    pub async fn check(&self) -> Result<SchemaReport, StoreError> { not_yet() }
    pub async fn ping(&self) -> Result<(), StoreError> { not_yet() }
    pub async fn close(&self) {}
    pub async fn create_template(&self, new: &ClusterTemplate) -> Result<ClusterTemplate, StoreError> { not_yet() }
    pub async fn template(&self, ident: &Ident, scope: &Scope) -> Result<Option<ClusterTemplate>, StoreError> { not_yet() }
    pub async fn template_unfiltered(&self, id: TemplateId) -> Result<Option<ClusterTemplate>, StoreError> { not_yet() }
    pub async fn templates(&self, scope: &Scope, page: &Page) -> Result<Vec<ClusterTemplate>, StoreError> { not_yet() }
    pub async fn template_in_use(&self, id: TemplateId) -> Result<bool, StoreError> { not_yet() }
    pub async fn update_template(&self, was: &ClusterTemplate, now: &ClusterTemplate) -> Result<bool, StoreError> { not_yet() }
    pub async fn delete_template(&self, template: &ClusterTemplate) -> Result<TemplateDeletion, StoreError> { not_yet() }
    pub async fn create_cluster(&self, new: NewCluster, limit: u32) -> Result<Creation, StoreError> { not_yet() }
    pub async fn cluster(&self, ident: &Ident, scope: &Scope) -> Result<Option<ClusterWithGroups>, StoreError> { not_yet() }
    pub async fn clusters(&self, scope: &Scope, page: &Page) -> Result<Vec<ClusterWithGroups>, StoreError> { not_yet() }
    /// Node groups of one cluster; `role` keeps those of this role alone.
    pub async fn node_groups(&self, cluster: ClusterId, role: Option<&str>, page: &Page) -> Result<Vec<NodeGroup>, StoreError> { not_yet() }
    pub async fn work(&self, cluster: ClusterId) -> Result<Option<Work>, StoreError> { not_yet() }
    /// `None`: somebody was faster, read again.
    pub async fn accept(&self, was: &ClusterWithGroups, change: Acceptance) -> Result<Option<ClusterWithGroups>, StoreError> { not_yet() }
    pub async fn set_health(&self, was: &Cluster, health: Option<HealthStatus>, reason: BTreeMap<String, String>) -> Result<bool, StoreError> { not_yet() }
    pub async fn keypair(&self, id: KeyPairId) -> Result<Option<KeyPair>, StoreError> { not_yet() }
    pub async fn secret(&self, cluster: ClusterId, name: &str) -> Result<Option<SecretString>, StoreError> { not_yet() }
    pub async fn note_credential(&self, credential: &PendingCredential) -> Result<(), StoreError> { not_yet() }
    pub async fn forget_credential(&self, name: &str) -> Result<(), StoreError> { not_yet() }
    pub async fn pending_credentials(&self, noted_before: Timestamp) -> Result<Vec<PendingCredential>, StoreError> { not_yet() }
    pub async fn due(&self, now: Timestamp, limit: u64) -> Result<Vec<ClusterId>, StoreError> { not_yet() }
    /// Has the cluster looked at soon.
    pub async fn wake(&self, cluster: ClusterId, now: Timestamp) -> Result<bool, StoreError> { not_yet() }
    pub async fn claim(&self, cluster: ClusterId, owner: &str, now: Timestamp, ttl: Duration) -> Result<Option<Lease>, StoreError> { not_yet() }
    pub async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<Option<Lease>, StoreError> { not_yet() }
    pub async fn release(&self, lease: &Lease, next_run: Timestamp) -> Result<bool, StoreError> { not_yet() }
    pub async fn load(&self, lease: &Lease) -> Result<Option<Loaded>, StoreError> { not_yet() }
    pub async fn record(&self, lease: &Lease, revision: i64, seen: Recorded) -> Result<bool, StoreError> { not_yet() }
    pub async fn forget(&self, lease: &Lease) -> Result<bool, StoreError> { not_yet() }
    pub async fn heartbeat(&self, host: &str, binary: &str, now: Timestamp) -> Result<(), StoreError> { not_yet() }
    pub async fn services(&self) -> Result<Vec<ServiceRow>, StoreError> { not_yet() }
    pub async fn quota(&self, project: &ProjectId) -> Result<Option<u32>, StoreError> { not_yet() }
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> { self.changes.subscribe() }
}
