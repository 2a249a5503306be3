//! What goes into the store and what comes out, where the nouns of `model` alone do not say it.

use std::collections::BTreeMap;
use std::time::Duration;

use jeroboam_model::{
    CertificateRefs, ClusterId, ClusterTemplate, ClusterWithGroups, HealthStatus, KeyPairId, Labels, NodeGroup,
    NodeGroupId, Operation, Progress, ProjectId, Removal, Status, TemplateId, Timestamp, UserId, looks_like_uuid,
};
use secrecy::SecretString;
use uuid::Uuid;

/// Where the database is and how it is used.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// SQLAlchemy's form or sqlx's: `mysql+pymysql://…`, `postgresql+psycopg2://…`, `sqlite:////path`, `sqlite::memory:`.
    pub url: SecretString,
    /// Connections at most.
    pub max_connections: u32,
    /// How long a call waits for a connection before it says [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    pub acquire_timeout: Duration,
    /// How long a query or a transaction may take, retries included, before it is
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable): a connection may hang without a word.
    pub time_limit: Duration,
    /// 32 bytes in base64 that seal the secrets of clusters. Without it no secret can be kept.
    pub key: Option<SecretString>,
}

impl StoreConfig {
    /// Eight connections, ten seconds to get one, thirty to be done, no key.
    #[must_use]
    pub const fn at(url: SecretString) -> Self {
        let (acquire_timeout, time_limit) = (Duration::from_secs(10), Duration::from_secs(30));
        Self { url, max_connections: 8, acquire_timeout, time_limit, key: None }
    }
}

/// How a request names a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ident {
    /// By its id.
    Id(Uuid),
    /// By the number of its row.
    Serial(i64),
    /// By its name; the database compares, so MariaDB disregards case and trailing blanks. Magnum does so, too.
    Name(String),
}

impl Ident {
    /// A cluster in a URL or a body: a uuid or a name.
    #[must_use]
    pub fn cluster(text: &str) -> Self {
        Self::id_or_name(text)
    }

    /// A template in a URL or an upgrade's body: a uuid or a name.
    #[must_use]
    pub fn template(text: &str) -> Self {
        Self::id_or_name(text)
    }

    /// A template in the body that makes a cluster, which may also give the number of its row.
    #[must_use]
    pub fn template_for_create(text: &str) -> Self {
        Self::serial_or(text)
    }

    /// A node group anywhere: the number of its row, a uuid or a name.
    #[must_use]
    pub fn nodegroup(text: &str) -> Self {
        Self::serial_or(text)
    }

    /// Picks the named group out of a cluster's. A name is unique there; it is compared exactly.
    #[must_use]
    pub fn find_group<'a>(&self, groups: &'a [NodeGroup]) -> Option<&'a NodeGroup> {
        let named = |alike: fn(&str, &str) -> bool, name: &str| groups.iter().find(|group| alike(&group.name, name));
        match self {
            Self::Id(id) => groups.iter().find(|group| group.id.uuid() == *id),
            Self::Serial(serial) => groups.iter().find(|group| group.serial == *serial),
            // Magnum: the collation of its tables tells no large letters from small ones.
            Self::Name(name) => named(|a, b| a == b, name).or_else(|| named(str::eq_ignore_ascii_case, name)),
        }
    }

    // Magnum: oslo.utils `strutils.is_int_like` takes a text whose number prints as the same text.
    fn serial_or(text: &str) -> Self {
        match text.parse::<i64>() {
            Ok(serial) if serial.to_string() == text => Self::Serial(serial),
            _ => Self::id_or_name(text),
        }
    }

    fn id_or_name(text: &str) -> Self {
        let id = looks_like_uuid(text).then(|| text.parse::<ClusterId>().ok()).flatten();
        id.map_or_else(|| Self::Name(text.to_owned()), |id| Self::Id(id.uuid()))
    }
}

/// A certificate with its private key, as a row of `x509keypair`.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// Its id; the `*_cert_ref` columns of clusters point here.
    pub id: KeyPairId,
    /// PEM.
    pub certificate: String,
    /// PKCS#8 PEM, encrypted with the passphrase. Magnum keeps it so.
    pub private_key: SecretString,
    /// Opens the private key.
    pub passphrase: SecretString,
    /// PEM of the chain, where there is one.
    pub intermediates: Option<String>,
    /// Whose it is.
    pub project: ProjectId,
    /// Who made it.
    pub user: UserId,
}

/// A cluster that a request has asked for: everything that one transaction writes.
#[derive(Clone, Debug)]
pub struct NewCluster {
    /// The cluster; its serial is ignored.
    pub cluster: jeroboam_model::Cluster,
    /// Its node groups; their serials are ignored.
    pub groups: Vec<NodeGroup>,
    /// Its certificates.
    pub key_pairs: Vec<KeyPair>,
    /// What the driver will need and nobody may read: names and values.
    pub secrets: Vec<(String, SecretString)>,
    /// When the creation will be given up.
    pub deadline: Option<Timestamp>,
    /// Name of the [`PendingCredential`] that belongs to this cluster from now on; its row goes in the same transaction.
    pub credential: Option<String>,
}

/// What became of a new cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Creation {
    /// It is accepted.
    Created(Box<ClusterWithGroups>),
    /// The project has as many clusters as it may; nothing was written.
    OverQuota {
        /// How many those are.
        limit: u32,
    },
    /// Its template was deleted meanwhile; nothing was written.
    NoTemplate,
    /// Its application credential was taken for a left one and is being revoked; nothing was written.
    CredentialRevoked,
}

/// A request that changes a cluster, as one transaction writes it.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// What is to be done.
    pub operation: Operation,
    /// The cluster's status from now on.
    pub status: Status,
    /// Its reason.
    pub status_reason: Option<String>,
    /// When it was accepted.
    pub began: Timestamp,
    /// When it will be given up.
    pub deadline: Option<Timestamp>,
    /// Another template, for an upgrade.
    pub template: Option<TemplateId>,
    /// Other labels.
    pub labels: Option<Labels>,
    /// Other certificates, for a rotation. The rows of the old ones stay until the cluster goes.
    pub certificates: Option<CertificateRefs>,
    /// Certificates to keep.
    pub key_pairs: Vec<KeyPair>,
    /// Secrets to keep, over those of the same name.
    pub secrets: Vec<(String, SecretString)>,
    /// Node groups to add; their serials are ignored.
    pub added_groups: Vec<NodeGroup>,
    /// Node groups as they shall be. Written are counts, bounds, image, labels, node labels, taints, status and reason.
    pub changed_groups: Vec<NodeGroup>,
    /// Nodes to take away first, on top of those that still wait.
    pub removals: Vec<Removal>,
    /// Name of the [`PendingCredential`] that belongs to the cluster from now on; its row goes in the same transaction.
    pub credential: Option<String>,
    /// The credential that the cluster gives up for it, noted so that it is revoked some time.
    pub given_up: Option<PendingCredential>,
}

impl Acceptance {
    /// A request that changes nothing but what is to be done.
    #[must_use]
    pub const fn of(operation: Operation, status: Status, began: Timestamp) -> Self {
        Self {
            operation,
            status,
            status_reason: None,
            began,
            deadline: None,
            template: None,
            labels: None,
            certificates: None,
            key_pairs: Vec::new(),
            secrets: Vec::new(),
            added_groups: Vec::new(),
            changed_groups: Vec::new(),
            removals: Vec::new(),
            credential: None,
            given_up: None,
        }
    }
}

/// What became of a template that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateDeletion {
    /// It is gone.
    Deleted,
    /// Clusters follow it; it stays.
    InUse,
    /// It was gone already.
    Gone,
}

/// What became of a request to change a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateUpdate {
    /// It is written.
    Written,
    /// It is not what it was: somebody else changed or deleted it.
    Moved,
    /// Clusters follow it, and the change is none that they could bear; it stays.
    InUse,
}

/// All that a reconciler needs to begin, read under its lease.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The cluster as the API shows it.
    pub view: ClusterWithGroups,
    /// What is to be done.
    pub work: jeroboam_model::Work,
    /// The template it follows; `None` when that is gone.
    pub template: Option<ClusterTemplate>,
}

/// What a reconciler found out and did. A `None` leaves what is there; an `Option` within an `Option` can also clear it.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The cluster's columns.
    pub cluster: Option<ClusterSeen>,
    /// Columns of node groups.
    pub groups: Vec<GroupSeen>,
    /// Node groups that are gone for good.
    pub removed_groups: Vec<NodeGroupId>,
    /// What remains to be done.
    pub operation: Option<Operation>,
    /// Another deadline.
    pub deadline: Option<Option<Timestamp>>,
    /// Failed attempts in a row.
    pub attempts: Option<i32>,
    /// What is seen of the machines.
    pub progress: Option<Progress>,
    /// The nodes that still are to be taken away first.
    pub removals: Option<Vec<Removal>>,
    /// Secrets to keep, over those of the same name.
    pub secrets: Vec<(String, SecretString)>,
}

/// What a reconciler says of a cluster: the row holds this afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSeen {
    /// State of the last operation.
    pub status: Status,
    /// Progress or cause.
    pub status_reason: Option<String>,
    /// Whether it works.
    pub health_status: Option<HealthStatus>,
    /// What was looked at.
    pub health_status_reason: BTreeMap<String, String>,
    /// `https://host:port`.
    pub api_address: Option<String>,
    /// The Kubernetes version that runs.
    pub coe_version: Option<String>,
    /// The name of its objects in the management cluster.
    pub stack_id: Option<String>,
}

impl From<&jeroboam_model::Cluster> for ClusterSeen {
    fn from(cluster: &jeroboam_model::Cluster) -> Self {
        Self {
            status: cluster.status,
            status_reason: cluster.status_reason.clone(),
            health_status: cluster.health_status,
            health_status_reason: cluster.health_status_reason.clone(),
            api_address: cluster.api_address.clone(),
            coe_version: cluster.coe_version.clone(),
            stack_id: cluster.stack_id.clone(),
        }
    }
}

/// What a reconciler says of a node group: the row holds this afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSeen {
    /// The group.
    pub id: NodeGroupId,
    /// State of the last operation.
    pub status: Status,
    /// Progress or cause.
    pub status_reason: Option<String>,
    /// How many nodes are wanted, where an autoscaler decides that; `None` leaves it.
    pub node_count: Option<i32>,
    /// Internal addresses of the nodes that are there.
    pub node_addresses: Vec<String>,
    /// Shown to clients; the cluster's.
    pub stack_id: Option<String>,
}

impl From<&NodeGroup> for GroupSeen {
    fn from(group: &NodeGroup) -> Self {
        Self {
            id: group.id,
            status: group.status,
            status_reason: group.status_reason.clone(),
            node_count: None,
            node_addresses: group.node_addresses.clone(),
            stack_id: group.stack_id.clone(),
        }
    }
}

/// An application credential that is about to be made, or was made for a cluster that is not committed yet.
///
/// Noted before the call to Keystone and completed with id and secret after it; gone with the commit of the cluster. What
/// remains after a crash is found by [`Store::pending_credentials`](crate::Store::pending_credentials), condemned, so that no
/// cluster takes it over after all, and revoked.
#[derive(Clone, Debug)]
pub struct PendingCredential {
    /// The credential's name at Keystone, unique.
    pub name: String,
    /// The cluster it is meant for.
    pub cluster: ClusterId,
    /// The project it is for.
    pub project: ProjectId,
    /// The user it speaks for.
    pub user: UserId,
    /// Keystone's id, once it is known.
    pub id: Option<String>,
    /// Its secret, once it is known; kept sealed.
    pub secret: Option<SecretString>,
    /// When it was first noted.
    pub noted: Timestamp,
}

/// A process that serves or works, as the service listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRow {
    /// Number of the row.
    pub serial: i64,
    /// The machine.
    pub host: Option<String>,
    /// The program.
    pub binary: Option<String>,
    /// How often it reported.
    pub report_count: i32,
    /// Whether it was taken out of use.
    pub disabled: bool,
    /// Why.
    pub disabled_reason: Option<String>,
    /// Its last report.
    pub last_seen_up: Option<Timestamp>,
    /// Whether it is to be taken as down.
    pub forced_down: bool,
    /// Its first report.
    pub created_at: Option<Timestamp>,
    /// The last change of the row.
    pub updated_at: Option<Timestamp>,
}

/// What an upgrade of the tables did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgraded {
    /// Whether the database was new and Magnum's tables were made.
    pub created_magnum: bool,
    /// The steps that were applied, in order; empty when all was there.
    pub applied: Vec<String>,
}

/// How the tables are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaReport {
    /// `SQLite`, `MariaDB` or `PostgreSQL`.
    pub engine: &'static str,
    /// Magnum's revision, as `alembic_version` says it.
    pub magnum_revision: Option<String>,
    /// Tables and columns that Magnum's part lacks, as `table` or `table.column`.
    pub missing: Vec<String>,
    /// Steps of our own that have not been applied.
    pub pending: Vec<String>,
    /// When the database was handed back to Magnum, which then owns it.
    pub handed_back: Option<Timestamp>,
}

impl std::fmt::Display for Upgraded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.created_magnum {
            f.write_str("made Magnum's tables; ")?;
        }
        if self.applied.is_empty() {
            return f.write_str("nothing was missing");
        }
        write!(f, "applied {}", self.applied.join(", "))
    }
}

impl std::fmt::Display for SchemaReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let revision = self.magnum_revision.as_deref().unwrap_or("none");
        write!(f, "{}, Magnum's revision: {revision}", self.engine)?;
        if !self.missing.is_empty() {
            write!(f, "\nmissing of Magnum's tables: {}", self.missing.join(", "))?;
        }
        if !self.pending.is_empty() {
            write!(f, "\nsteps of ours to apply: {}", self.pending.join(", "))?;
        }
        if let Some(since) = self.handed_back {
            write!(f, "\nhanded back to Magnum at {since}")?;
        }
        if self.is_usable() {
            f.write_str("\nready to be served")?;
        }
        Ok(())
    }
}

impl SchemaReport {
    /// Whether the service can run on these tables.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.missing.is_empty() && self.pending.is_empty() && self.handed_back.is_none()
    }
}
