//! What each request means: who may, what is inherited, what the cloud says to it, and the one transaction in which it
//! is accepted.
//!
//! Nothing here speaks HTTP to clients and nothing here touches the management cluster: an accepted request is rows, a
//! status and work for a reconciler.

mod certificates;
mod cloud;
mod clusters;
mod config;
mod credential;
mod drivers;
mod error;
mod federations;
mod keeper;
mod labels;
mod names;
mod nodegroups;
mod policy;
mod processes;
#[cfg(any(test, feature = "testing"))]
pub mod properties;
mod quotas;
mod requests;
mod rules;
mod templates;

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;

use jeroboam_certificates::Certificates as KeptCertificates;
use jeroboam_model::Clock;
use jeroboam_openstack::Session;
use jeroboam_oslo::Enforcer;
use jeroboam_store::Store;
use tokio::sync::Semaphore;

pub use certificates::{Certificates, SigningRules};
pub use clusters::Clusters;
pub use config::ServiceConfig;
pub use error::{Error, Kind};
pub use federations::{Federations, NewFederation};
pub use jeroboam_notify::Notifier;
pub use nodegroups::NodeGroups;
pub use policy::credentials;
pub use processes::Process;
pub use quotas::{Limit, Quotas};
pub use requests::{
    CaCertificate, ClusterChange, ClusterProgress, GroupInCluster, Listing, NewCluster, NewNodeGroup, NewTemplate,
    NodeGroupChange, RawTaint, Resize, SignRequest, SignedCertificate, Upgrade,
};
pub use templates::Templates;

/// What a service is made of.
#[derive(Clone)]
pub struct ServiceParts {
    /// The database.
    pub store: Store,
    /// Our own session with OpenStack; calls in a caller's name share its connections, region and interface.
    pub session: Session,
    /// The policy rules.
    pub policy: Arc<Enforcer>,
    /// What the operator set.
    pub settings: ServiceConfig,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Tells others of what is asked for.
    pub notifier: Notifier,
}

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    inner: Arc<ServiceParts>,
    kept_certificates: KeptCertificates,
    /// As many as there are processors: making keys takes one for a while.
    key_turns: Arc<Semaphore>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl Service {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: ServiceParts) -> Self {
        let settings = parts.settings.certificates.clone();
        let kept_certificates = KeptCertificates::new(settings, parts.store.clone(), parts.session.clone());
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let key_turns = Arc::new(Semaphore::new(processors));
        Self { inner: Arc::new(parts), kept_certificates, key_turns }
    }

    /// The parts, for health checks and the like.
    #[must_use]
    pub fn parts(&self) -> &ServiceParts {
        &self.inner
    }

    /// Clusters.
    #[must_use]
    pub const fn clusters(&self) -> Clusters<'_> {
        Clusters(self)
    }

    /// Cluster templates.
    #[must_use]
    pub const fn templates(&self) -> Templates<'_> {
        Templates(self)
    }

    /// Node groups.
    #[must_use]
    pub const fn nodegroups(&self) -> NodeGroups<'_> {
        NodeGroups(self)
    }

    /// Certificates.
    #[must_use]
    pub const fn certificates(&self) -> Certificates<'_> {
        Certificates(self)
    }

    /// Quotas.
    #[must_use]
    pub const fn quotas(&self) -> Quotas<'_> {
        Quotas(self)
    }

    /// Federations.
    #[must_use]
    pub const fn federations(&self) -> Federations<'_> {
        Federations(self)
    }
}
