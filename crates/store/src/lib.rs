//! Magnum's tables and our own: queries, transactions, leases, migrations.
//!
//! A [`Store`] speaks SQLite, MariaDB and PostgreSQL alike. Reads say `None` when there is nothing; writes name the state that
//! they start from and say `false` or `None` when it is no longer so. Magnum's tables are read and written as Magnum does it, so
//! that Magnum can be started again on them at any moment; our own begin with `jeroboam_`. Nothing here decides what a request
//! means or calls another service.

mod accept;
mod adoption;
mod clusters;
mod columns;
mod create;
mod entity;
mod error;
mod federations;
mod json;
mod keeper;
mod lease;
mod limit;
mod migrate;
#[cfg(feature = "testing")]
pub mod oracle;
mod page;
mod quotas;
mod reader;
mod record;
mod rows;
#[cfg(feature = "testing")]
pub mod samples;
mod seal;
mod secrets;
mod seen;
mod services;
mod shown;
mod sql;
mod storable;
mod store;
mod templates;
#[cfg(feature = "testing")]
pub mod testing;
mod together;
mod types;
mod unreadable;
mod url;
mod writes;

pub use adoption::{Examination, Finding, Gravity, HandBack, PROCESS_REPORTS};
pub use error::{StoreError, StoreErrorKind, Unfit};
pub use store::{FaultHook, Store};
pub use types::{
    Acceptance, ClusterSeen, Creation, GroupSeen, Ident, KeyPair, Loaded, NewCluster, PendingCredential, Recorded,
    SchemaReport, ServiceRow, StoreConfig, TemplateDeletion, TemplateUpdate, Upgraded,
};
