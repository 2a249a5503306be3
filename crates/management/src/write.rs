//! What is written. Every function can be called again after a crash at any point and ends in the same state.

use std::collections::BTreeSet;
use std::fmt;

use jeroboam_capi::{
    Applied, CLUSTER_NAME_LABEL, ClusterKey, MANAGED_BY, MANAGED_BY_LABEL, Object, Prepared, Resources,
};
use kube::api::{
    ApiResource, DeleteParams, GroupVersionKind, ListParams, ObjectMeta, Patch, PatchParams, Preconditions,
};
use serde_json::json;
use tracing::warn;

use crate::discovery::Role;
use crate::read::secrets;
use crate::{ErrorKind, Management, ManagementError};

/// What is still there of a cluster that is to be gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remaining(pub Vec<String>);

impl Remaining {
    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Remaining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// A namespace that we made, with the version in which it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnNamespace {
    name: String,
    uid: Option<String>,
    version: Option<String>,
}

impl Management {
    /// Applies objects in their order. Objects that are there already and the same stay untouched.
    pub async fn apply(&self, resources: Resources<Prepared>) -> Result<Resources<Applied>, ManagementError> {
        self.send(resources, false).await
    }

    /// Asks the API server and its webhooks what they would say to objects, and changes nothing.
    pub async fn dry_run(&self, resources: Resources<Prepared>) -> Result<Resources<Applied>, ManagementError> {
        self.send(resources, true).await
    }

    async fn send(&self, resources: Resources<Prepared>, dry_run: bool) -> Result<Resources<Applied>, ManagementError> {
        let mut applied = Vec::with_capacity(resources.len());
        for object in resources.into_objects() {
            let api = self.api_of(&object);
            // Every field of a prepared object is ours, so taking it from whoever set it is what is wanted; fields that we
            // do not send keep their owners.
            let params = PatchParams { force: true, dry_run, ..PatchParams::apply(&self.shared.field_manager) };
            let patch = Patch::Apply(object.value());
            let call = async { api.patch(object.name(), &params, &patch).await };
            let what = format!("apply {object}");
            let answer = if dry_run { self.call(what, call).await? } else { self.write("apply", what, call).await? };
            let mut value = serde_json::to_value(answer).unwrap_or_default();
            value["apiVersion"] = object.api_version().into();
            value["kind"] = object.kind().into();
            applied.push(Object::new(value));
        }
        Ok(Resources::applied(applied))
    }

    /// Removes the secrets of a cluster that were ours once and are no longer among what was applied; returns their names.
    pub async fn prune(&self, key: &ClusterKey, applied: &Resources<Applied>) -> Result<Vec<String>, ManagementError> {
        let wanted: BTreeSet<_> = applied.iter().filter(|o| o.kind() == "Secret").map(Object::name).collect();
        let mut removed = Vec::new();
        for name in self.own_secrets(key).await? {
            if !wanted.contains(name.as_str()) {
                self.delete("prune", &secrets(), Some(&key.namespace), &name, None).await?;
                removed.push(name);
            }
        }
        Ok(removed)
    }

    /// Sets an annotation of a machine.
    pub async fn annotate_machine(
        &self,
        key: &ClusterKey,
        machine: &str,
        annotation: &str,
        value: &str,
    ) -> Result<(), ManagementError> {
        let plan = self.plan().await?;
        for kind in plan.of(Role::Machine) {
            let api = self.api(kind, Some(&key.namespace));
            let patch = Patch::Merge(json!({"metadata": {"annotations": {annotation: value}}}));
            let params =
                PatchParams { field_manager: Some(self.shared.field_manager.clone()), ..PatchParams::default() };
            let call = async { api.patch_metadata(machine, &params, &patch).await };
            self.write("annotate machine", format!("annotate Machine {}/{machine}", key.namespace), call).await?;
        }
        Ok(())
    }

    /// Tells Cluster API to remove a cluster, and nothing else: what belongs to it goes in the right order by itself.
    /// Returns whether it was still there.
    pub async fn delete_cluster(&self, key: &ClusterKey) -> Result<bool, ManagementError> {
        let plan = self.plan().await?;
        let mut was_there = false;
        for kind in plan.of(Role::Cluster) {
            was_there |= self.delete("delete cluster", kind, Some(&key.namespace), &key.name, None).await?;
        }
        Ok(was_there)
    }

    /// Lets go of machine sets that Cluster API holds for ever. A cluster that is removed while it is made may lose a
    /// machine deployment just after that has made its set; the set's controller then looks for its owner first and never
    /// comes to the removal (seen with 1.12). Without machines there is nothing left that the finalizer guards.
    ///
    /// Worth a call while a cluster is being removed and has neither deployments nor machines. Does nothing to sets that are
    /// as they should be.
    pub async fn release_orphans(&self, key: &ClusterKey) -> Result<(), ManagementError> {
        let core = self.plan().await?.core.as_str();
        let kind = |kind: &str| ApiResource::from_gvk(&GroupVersionKind::gvk("cluster.x-k8s.io", core, kind));
        let in_namespace = |kind: &ApiResource| self.api(kind, Some(&key.namespace));
        let (sets, deployments, machines) = (
            in_namespace(&kind("MachineSet")),
            in_namespace(&kind("MachineDeployment")),
            in_namespace(&kind("Machine")),
        );
        let of_cluster = ListParams::default().labels(&format!("{CLUSTER_NAME_LABEL}={}", key.name));
        let call = async { sets.list_metadata(&of_cluster).await };
        let found = self.call(format!("list machine sets of {key}"), call).await?;
        for meta in found.items.into_iter().map(|set| set.metadata).filter(|meta| meta.deletion_timestamp.is_some()) {
            let name = meta.name.clone().unwrap_or_default();
            let owner = meta.owner_references.iter().flatten().find(|owner| owner.kind == "MachineDeployment");
            let Some(owner) = owner else { continue };
            let call = async { deployments.get_metadata_opt(&owner.name).await };
            let still_there = self.call(format!("read MachineDeployment {}", owner.name), call).await?;
            if still_there.is_some_and(|there| there.metadata.uid.as_ref() == Some(&owner.uid)) {
                continue;
            }
            let of_set = ListParams::default().limit(1).labels(&format!("cluster.x-k8s.io/set-name={name}"));
            let call = async { machines.list_metadata(&of_set).await };
            if !self.call(format!("list machines of {name}"), call).await?.items.is_empty() {
                continue;
            }
            let finalizers = meta.finalizers.unwrap_or_default();
            let others: Vec<_> = finalizers.iter().filter(|name| *name != "cluster.x-k8s.io/machineset").collect();
            // The version makes sure that nothing happened since we looked.
            let patch = json!({"metadata": {"finalizers": others, "resourceVersion": meta.resource_version}});
            let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
            let call = async { sets.patch_metadata(&name, &params, &patch).await };
            match self.write("release machine set", format!("release MachineSet {name}"), call).await {
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {}
                done => drop(done?),
            }
            warn!(cluster.namespace = key.namespace, cluster.name = key.name, "released orphaned machine set {name}");
        }
        Ok(())
    }

    /// Removes what Cluster API does not: our secrets. Does nothing while anything of the cluster is there, as the
    /// infrastructure provider needs the identity to the very end. Returns what is left; a secret that only bears the
    /// cluster's name, and is neither ours nor Cluster API's, is nobody's business.
    pub async fn delete_leftovers(&self, key: &ClusterKey) -> Result<Remaining, ManagementError> {
        let remaining = self.remaining(key).await?;
        if !remaining.is_empty() {
            return Ok(remaining);
        }
        for name in self.own_secrets(key).await? {
            self.delete("delete secret", &secrets(), Some(&key.namespace), &name, None).await?;
        }
        let left = self.secrets_with(key, &format!("{CLUSTER_NAME_LABEL}={}", key.name)).await?;
        let left = left.into_iter().filter(|meta| is_ours(meta) || is_of_cluster_api(meta));
        Ok(Remaining(left.filter_map(|meta| meta.name).map(|name| format!("Secret {name}")).collect()))
    }

    /// A namespace that we made, as it is at this moment; `None` when there is none, or it is on its way out.
    pub async fn own_namespace(&self, namespace: &str) -> Result<Option<OwnNamespace>, ManagementError> {
        let call = async { self.api(&namespaces(), None).get_metadata_opt(namespace).await };
        let Some(found) = self.call(format!("read Namespace {namespace}"), call).await? else { return Ok(None) };
        let meta = found.metadata;
        let stays = is_ours(&meta) && meta.deletion_timestamp.is_none();
        Ok(stays.then(|| OwnNamespace { name: namespace.to_owned(), uid: meta.uid, version: meta.resource_version }))
    }

    /// Removes a namespace with the rights in it, unless it holds a cluster or a secret of one that is about to be made. A
    /// conflict when anybody has touched it since it was read.
    pub async fn delete_namespace(&self, found: &OwnNamespace) -> Result<(), ManagementError> {
        let namespace = found.name.as_str();
        let one = ListParams::default().limit(1);
        let plan = self.plan().await?;
        for kind in plan.of(Role::Cluster) {
            let call = async { self.api(kind, Some(namespace)).list_metadata(&one).await };
            if !self.call(format!("list clusters of {namespace}"), call).await?.items.is_empty() {
                return Ok(());
            }
        }
        let our_secrets = one.labels(&format!("{MANAGED_BY_LABEL}={MANAGED_BY}"));
        let call = async { self.api(&secrets(), Some(namespace)).list_metadata(&our_secrets).await };
        if !self.call(format!("list secrets of {namespace}"), call).await?.items.is_empty() {
            return Ok(());
        }
        let unchanged = Preconditions { uid: found.uid.clone(), resource_version: found.version.clone() };
        self.delete("delete namespace", &namespaces(), None, namespace, Some(unchanged)).await.map(|_| ())
    }

    async fn remaining(&self, key: &ClusterKey) -> Result<Remaining, ManagementError> {
        let observed = self.fresh_observe(key).await?;
        let mut names = Vec::new();
        names.extend(observed.cluster.iter().map(|seen| format!("Cluster {}", seen.meta.name)));
        names.extend(observed.control_plane.iter().map(|seen| format!("KubeadmControlPlane {}", seen.meta.name)));
        names.extend(observed.deployments.iter().map(|seen| format!("MachineDeployment {}", seen.meta.name)));
        names.extend(observed.machines.iter().map(|seen| format!("Machine {}", seen.meta.name)));
        let infrastructure = observed.infrastructure.iter().chain(&observed.infrastructure_machines);
        names.extend(infrastructure.map(|seen| format!("{} {}", seen.kind, seen.meta.name)));
        Ok(Remaining(names))
    }

    /// Names of the secrets that we made for a cluster.
    async fn own_secrets(&self, key: &ClusterKey) -> Result<Vec<String>, ManagementError> {
        let labels = format!("{MANAGED_BY_LABEL}={MANAGED_BY},{CLUSTER_NAME_LABEL}={}", key.name);
        Ok(self.secrets_with(key, &labels).await?.into_iter().filter_map(|meta| meta.name).collect())
    }

    async fn secrets_with(&self, key: &ClusterKey, labels: &str) -> Result<Vec<ObjectMeta>, ManagementError> {
        let params = ListParams::default().labels(labels);
        let call = async { self.api(&secrets(), Some(&key.namespace)).list_metadata(&params).await };
        let found = self.call(format!("list secrets of {key}"), call).await?;
        Ok(found.items.into_iter().map(|secret| secret.metadata).collect())
    }

    /// Deletes one object; whether it was there.
    async fn delete(
        &self,
        point: &'static str,
        kind: &ApiResource,
        namespace: Option<&str>,
        name: &str,
        preconditions: Option<Preconditions>,
    ) -> Result<bool, ManagementError> {
        let api = self.api(kind, namespace);
        let params = DeleteParams { preconditions, ..DeleteParams::background() };
        let call = async { api.delete(name, &params).await };
        let what = format!("delete {} {name}", kind.kind);
        match self.write(point, what, call).await {
            Ok(_) => Ok(true),
            Err(ManagementError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn namespaces() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Namespace"))
}

fn is_ours(meta: &ObjectMeta) -> bool {
    meta.labels.iter().flatten().any(|(name, value)| name == MANAGED_BY_LABEL && value == MANAGED_BY)
}

/// Whether it goes by itself, once what it belongs to is gone.
fn is_of_cluster_api(meta: &ObjectMeta) -> bool {
    meta.owner_references
        .iter()
        .flatten()
        .any(|owner| owner.api_version.split('/').next().is_some_and(|group| group.ends_with("cluster.x-k8s.io")))
}
