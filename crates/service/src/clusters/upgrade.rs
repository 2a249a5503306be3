//! `POST …/actions/upgrade`: a cluster moves to another template, and with it to another Kubernetes release.

use jeroboam_model::{
    Caller, Cluster, ClusterId, ClusterTemplate, ClusterWithGroups, KubeRelease, Labels, NodeGroup, Operation, Status,
    Verb,
};
use jeroboam_notify::Action;
use jeroboam_store::{Acceptance, Ident};

use super::resize::group_of;
use super::{ATTEMPTS, Clusters};
use crate::drivers::{self, Wanted};
use crate::error::{Looking, from_store};
use crate::policy::Target;
use crate::{Error, Service, Upgrade, cloud, labels};

impl Clusters<'_> {
    /// `POST …/actions/upgrade`. All node groups move together: Cluster API keeps a cluster at one release.
    ///
    /// A failed update may be upgraded, which Magnum does not allow: it is the way out when the template was at fault.
    pub async fn upgrade(&self, caller: &Caller, ident: &str, upgrade: Upgrade) -> Result<ClusterId, Error> {
        self.0.enforce_wider_view(caller, "cluster:upgrade_all_projects")?;
        if upgrade.max_batch_size.is_some_and(|size| size < 1) {
            return Err(Error::bad_request("max_batch_size has to be at least 1."));
        }
        for _ in 0..ATTEMPTS {
            let was = self.0.find_cluster(caller, ident).await?;
            self.0.enforce(caller, "cluster:upgrade", &Target::cluster(&was.cluster))?;
            self.0.ours(&was.cluster).await?;
            let status = was.cluster.status;
            let yes = status.is_settled() || status == Status::UPDATE_FAILED;
            self.0.allowed_or_told(caller, &was, yes, "Upgrading a cluster")?;
            let change = self.0.upgrade_of(caller, &was, &upgrade).await?;
            if self.0.accept(&was, change).await?.is_some() {
                self.0.told(caller, Action::Update, &was);
                return Ok(was.cluster.id);
            }
        }
        Err(Error::Contended(format!("Cluster {ident}")))
    }
}

impl Service {
    async fn upgrade_of(
        &self,
        caller: &Caller,
        was: &ClusterWithGroups,
        upgrade: &Upgrade,
    ) -> Result<Acceptance, Error> {
        let ident = Ident::template(&upgrade.template);
        let next = self.template_to_follow(caller, &upgrade.template, &ident).await?;
        let old = self.inner.store.template_unfiltered(was.cluster.template).await;
        let old = old.map_err(|error| from_store(Looking::Templates, error))?;
        stays_with_template(was, upgrade, &next, old.as_ref())?;
        drivers::resolve(&Wanted::by(&next), &self.inner.settings)?;

        let old_labels = old.as_ref().map_or_else(Labels::default, |old| old.labels.clone());
        let carried = labels::carried_over(&was.cluster.labels, &old_labels, &next.labels);
        labels::check(&carried)?;
        let image_name = next.image_id.as_deref();
        let image_name = image_name.ok_or_else(|| Error::bad_request("The cluster template names no image."))?;
        let cloud = self.cloud(caller);
        let image = cloud.image(image_name).await?;
        let release = cloud::release(image_name, &image, &carried)?;
        for from in releases(&was.cluster) {
            from.may_upgrade_to(&release).map_err(|error| Error::bad_request(format!("{error}.")))?;
        }

        let mut change = Acceptance::of(Operation::Upgrade, Status::UPDATE_IN_PROGRESS, self.now());
        change.deadline = Some(self.now() + self.inner.settings.update_timeout);
        change.template = Some(next.id);
        change.changed_groups = was.groups.iter().map(|group| moved(group, &was.cluster, &carried, &next)).collect();
        change.labels = Some(carried);
        Ok(change)
    }
}

/// A group beside the default ones can't lead the cluster to another template.
fn stays_with_template(
    was: &ClusterWithGroups,
    upgrade: &Upgrade,
    next: &ClusterTemplate,
    old: Option<&ClusterTemplate>,
) -> Result<(), Error> {
    let group = match &upgrade.nodegroup {
        Some(name) => group_of(was, Some(name))?,
        None => return Ok(()),
    };
    if group.is_default || next.id == was.cluster.template {
        return Ok(());
    }
    let template = old.and_then(|old| old.name.clone()).unwrap_or_else(|| was.cluster.template.to_string());
    Err(Error::GroupLeavesTemplate { group: group.name.clone(), template })
}

/// What runs and what was wanted last: the management cluster refuses to go back from either.
fn releases(cluster: &Cluster) -> Vec<KubeRelease> {
    let known = [cluster.coe_version.as_deref(), cluster.labels.text(labels::KUBE_TAG)];
    known.into_iter().flatten().filter_map(|text| text.parse().ok()).collect()
}

/// A group as it follows its cluster to the new template. Groups on their way out are left to go.
fn moved(group: &NodeGroup, cluster: &Cluster, carried: &Labels, next: &ClusterTemplate) -> NodeGroup {
    let mut group = group.clone();
    group.labels = labels::carried_over(&group.labels, &cluster.labels, carried);
    group.image_id.clone_from(&next.image_id);
    if group.status.verb() != Verb::Delete {
        group.status = Status::UPDATE_IN_PROGRESS;
        group.status_reason = None;
    }
    group
}
