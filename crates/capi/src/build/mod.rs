//! From a resolved cluster to the objects of it, in the order in which they are applied: the project's namespace and its
//! rights, the secrets that must be there first, and the Cluster with its topology.

mod project;
mod secrets;
mod topology;
mod variables;

use jeroboam_model::{ClusterId, ProjectId};
use serde_json::{Map, Value};

pub(crate) use secrets::{CLOUD_NAME, identity_secret};

use crate::names::{CLUSTER_LABEL, CLUSTER_NAME_LABEL, MANAGED_BY, MANAGED_BY_LABEL, PROJECT_LABEL, label_value};
use crate::resolved::{Credential, ResolvedCluster};
use crate::resources::{Prepared, Resources};
use crate::{ClassInfo, ClusterKey};

/// Why a class does not fit a cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Cluster API has not read the class yet, or could not.
    #[error("cluster class {class} is not ready{}", .message.as_ref().map(|m| format!(": {m}")).unwrap_or_default())]
    NotReady {
        /// Namespace and name.
        class: String,
        /// What Cluster API says about it.
        message: Option<String>,
    },
    /// The class has no worker machines.
    #[error("cluster class {class} has no worker class")]
    NoWorkerClass {
        /// Namespace and name.
        class: String,
    },
    /// The class wants something that nobody knows.
    #[error("cluster class {class} requires variable {variable}, for which there is no value")]
    NoValue {
        /// Namespace and name.
        class: String,
        /// The variable.
        variable: String,
    },
}

/// Makes the objects of a cluster. The class itself is not among them: see [`own_class`](crate::own_class()).
pub fn build(cluster: &ResolvedCluster, class: &ClassInfo) -> Result<Resources<Prepared>, BuildError> {
    if !class.ready {
        return Err(BuildError::NotReady { class: title(class), message: class.message.clone() });
    }
    let mut objects = project::objects(cluster);
    objects.extend(secrets::objects(cluster));
    objects.push(topology::cluster(cluster, class)?);
    Ok(Resources::prepared(objects))
}

fn title(class: &ClassInfo) -> String {
    format!("{}/{}", class.namespace, class.name)
}

/// The one object that says how the controllers of a cluster speak to OpenStack: for a cluster that is on its way out and has
/// got another credential to go with.
#[must_use]
pub fn cloud_config(
    key: &ClusterKey,
    id: ClusterId,
    project: &ProjectId,
    credential: &Credential,
) -> Resources<Prepared> {
    Resources::prepared(vec![secrets::identity(key, labels_of(key, id, project), credential)])
}

/// Labels of every object of one cluster.
fn labels(cluster: &ResolvedCluster) -> Map<String, Value> {
    labels_of(&cluster.key, cluster.id, &cluster.project)
}

fn labels_of(key: &ClusterKey, id: ClusterId, project: &ProjectId) -> Map<String, Value> {
    let mut labels = project_labels(project);
    labels.insert(CLUSTER_LABEL.to_owned(), id.to_string().into());
    labels.insert(CLUSTER_NAME_LABEL.to_owned(), key.name.clone().into());
    labels
}

/// Labels of what all clusters of a project share.
fn project_labels(project: &ProjectId) -> Map<String, Value> {
    let mut labels = Map::new();
    labels.insert(MANAGED_BY_LABEL.to_owned(), MANAGED_BY.into());
    labels.insert(PROJECT_LABEL.to_owned(), label_value(project.as_str()).into());
    labels
}
