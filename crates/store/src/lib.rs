//! Magnum's tables and our own: queries, transactions, leases, migrations.

mod error;
mod store;
mod types;

pub use error::{StoreError, StoreErrorKind};
pub use store::{FaultHook, Store};
pub use types::{
    Acceptance, ClusterSeen, Creation, GroupSeen, Ident, KeyPair, Loaded, NewCluster, PendingCredential, Recorded,
    SchemaReport, ServiceRow, StoreConfig, TemplateDeletion, Upgraded,
};
