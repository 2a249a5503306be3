//! The nouns of the service and the rules that need nothing but themselves: ids, labels, releases, states.
//!
//! No I/O, no wire format, no column names. Everything that comes from outside is parsed into these types at the edge;
//! inside, a value is right because of its type.

mod caller;
mod clock;
mod cluster;
mod driver;
mod excerpt;
mod federation;
mod ids;
mod labels;
mod nodegroup;
mod page;
mod quota;
mod release;
pub mod secrets;
mod shown;
mod status;
mod template;
mod work;

pub use caller::{Caller, Scope};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use cluster::{CertificateRefs, Cluster, ClusterWithGroups};
pub use driver::{DriverFamily, Keeper};
pub use excerpt::excerpt;
pub use federation::Federation;
pub use ids::{
    BadId, CertificateRef, ClusterId, KeyPairId, NodeGroupId, ProjectId, TemplateId, UserId, looks_like_uuid,
};
pub use labels::{BadLabel, LabelDiff, Labels};
pub use nodegroup::{NodeGroup, Role, Taint, TaintEffect};
pub use page::{Page, SortDirection};
pub use quota::{CLUSTER_RESOURCE, Quota, Stats};
pub use release::{BadRelease, KubeRelease, UpgradeRefused};
pub use shown::{ShownCluster, ShownGroup};
pub use status::{BadStatus, HealthStatus, Stage, Status, Verb};
pub use template::{ClusterTemplate, ServerType};
pub use work::{Fence, Lease, MachineView, Operation, Progress, Removal, Work};
