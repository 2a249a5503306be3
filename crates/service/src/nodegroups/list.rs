//! `GET /v1/clusters/{cluster}/nodegroups`.

use jeroboam_model::{Caller, ClusterId, NodeGroup, Page};

use super::NodeGroups;
use crate::Error;
use crate::error::{Looking, from_store};
use crate::policy::Target;

impl NodeGroups<'_> {
    /// `GET /v1/clusters/{cluster}/nodegroups`, with the id of the cluster that they are in.
    pub async fn list(
        &self,
        caller: &Caller,
        cluster: &str,
        role: Option<&str>,
        page: &Page,
    ) -> Result<(ClusterId, Vec<NodeGroup>), Error> {
        self.0.enforce(caller, "nodegroup:get_all", &Target::own(caller))?;
        self.0.enforce_wider_view(caller, "nodegroup:get_all_all_projects")?;
        let id = self.0.find_cluster(caller, cluster).await?.cluster.id;
        let groups = self.0.inner.store.node_groups(id, role, page).await;
        Ok((id, groups.map_err(|error| from_store(Looking::NodeGroups, error))?))
    }
}
