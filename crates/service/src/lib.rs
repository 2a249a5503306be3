//! What each request means: who may, what is inherited, what the cloud says to it, and the one transaction in which it
//! is accepted.
//!
//! Nothing here speaks HTTP to clients and nothing here touches the management cluster: an accepted request is rows, a
//! status and work for a reconciler.

mod certificates;
mod error;
mod names;
mod requests;

use jeroboam_model::{Caller, ClusterId, ClusterTemplate, ClusterWithGroups, NodeGroup, Page};

pub use error::{Error, Kind};
pub use requests::{
    CaCertificate, ClusterChange, ClusterProgress, GroupInCluster, Listing, NewCluster, NewNodeGroup, NewTemplate,
    NodeGroupChange, RawTaint, Resize, SignRequest, SignedCertificate, Upgrade,
};

/// The service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service {}

/// Clusters.
#[derive(Debug)]
pub struct Clusters<'a>(&'a Service);

/// Cluster templates.
#[derive(Debug)]
pub struct Templates<'a>(&'a Service);

/// Node groups.
#[derive(Debug)]
pub struct NodeGroups<'a>(&'a Service);

/// Certificates.
#[derive(Debug)]
pub struct Certificates<'a>(&'a Service);

impl Service {
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
}

fn later<T>() -> Result<T, Error> {
    Err(Error::internal("do what is not written yet", "being written"))
}

#[expect(clippy::unused_async, reason = "bodies follow within the hour")]
impl Clusters<'_> {
    /// `POST /v1/clusters`.
    pub async fn create(&self, _caller: &Caller, _new: NewCluster) -> Result<ClusterWithGroups, Error> {
        later()
    }

    /// `GET /v1/clusters/{ident}`; the ident is a uuid or a name.
    pub async fn get(&self, _caller: &Caller, _ident: &str) -> Result<ClusterWithGroups, Error> {
        later()
    }

    /// `GET /v1/clusters` and `…/detail`.
    pub async fn list(&self, _: &Caller, _: Listing, _page: &Page) -> Result<Vec<ClusterWithGroups>, Error> {
        later()
    }

    /// `PATCH /v1/clusters/{ident}`. `decide` turns the patch into a change of the cluster as it is now, and may be asked
    /// again when somebody else was faster; it refuses with [`Error::bad_request`].
    pub async fn update(
        &self,
        _caller: &Caller,
        _ident: &str,
        decide: impl Fn(&ClusterWithGroups) -> Result<ClusterChange, Error> + Send + Sync,
    ) -> Result<ClusterId, Error> {
        drop(decide);
        later()
    }

    /// `POST …/actions/resize`.
    pub async fn resize(&self, _caller: &Caller, _ident: &str, _resize: Resize) -> Result<ClusterId, Error> {
        later()
    }

    /// `POST …/actions/upgrade`.
    pub async fn upgrade(&self, _caller: &Caller, _ident: &str, _upgrade: Upgrade) -> Result<ClusterId, Error> {
        later()
    }

    /// `DELETE /v1/clusters/{ident}`.
    pub async fn delete(&self, _caller: &Caller, _ident: &str) -> Result<(), Error> {
        later()
    }

    /// `GET /v1/jeroboam/clusters/{ident}/progress`: phases and machines, with the policy of GET.
    pub async fn progress(&self, _caller: &Caller, _ident: &str) -> Result<ClusterProgress, Error> {
        later()
    }
}

#[expect(clippy::unused_async, reason = "bodies follow within the hour")]
impl Templates<'_> {
    /// `POST /v1/clustertemplates`.
    pub async fn create(&self, _caller: &Caller, _new: NewTemplate) -> Result<ClusterTemplate, Error> {
        later()
    }

    /// `GET /v1/clustertemplates/{ident}`.
    pub async fn get(&self, _caller: &Caller, _ident: &str) -> Result<ClusterTemplate, Error> {
        later()
    }

    /// `GET /v1/clustertemplates` and `…/detail`.
    pub async fn list(&self, _: &Caller, _: Listing, _page: &Page) -> Result<Vec<ClusterTemplate>, Error> {
        later()
    }

    /// `PATCH /v1/clustertemplates/{ident}`. `decide` gives the template as it is to be; ids, owner and times are kept
    /// whatever it says. It may be asked again when somebody else was faster.
    pub async fn update(
        &self,
        _caller: &Caller,
        _ident: &str,
        decide: impl Fn(&ClusterTemplate) -> Result<ClusterTemplate, Error> + Send + Sync,
    ) -> Result<ClusterTemplate, Error> {
        drop(decide);
        later()
    }

    /// `DELETE /v1/clustertemplates/{ident}`.
    pub async fn delete(&self, _caller: &Caller, _ident: &str) -> Result<(), Error> {
        later()
    }
}

#[expect(clippy::unused_async, reason = "bodies follow within the hour")]
impl NodeGroups<'_> {
    /// `GET /v1/clusters/{cluster}/nodegroups`, with the cluster that they are in.
    pub async fn list(
        &self,
        _caller: &Caller,
        _cluster: &str,
        _role: Option<&str>,
        _page: &Page,
    ) -> Result<(ClusterId, Vec<NodeGroup>), Error> {
        later()
    }

    /// `GET /v1/clusters/{cluster}/nodegroups/{group}`; the group is a number, a uuid or a name.
    pub async fn get(&self, _caller: &Caller, _cluster: &str, _group: &str) -> Result<GroupInCluster, Error> {
        later()
    }

    /// `POST /v1/clusters/{cluster}/nodegroups`.
    pub async fn create(&self, _: &Caller, _cluster: &str, _new: NewNodeGroup) -> Result<GroupInCluster, Error> {
        later()
    }

    /// `PATCH /v1/clusters/{cluster}/nodegroups/{group}`. `decide` turns the patch into a change of the group as it is.
    pub async fn update(
        &self,
        _caller: &Caller,
        _cluster: &str,
        _group: &str,
        decide: impl Fn(&NodeGroup) -> Result<NodeGroupChange, Error> + Send + Sync,
    ) -> Result<GroupInCluster, Error> {
        drop(decide);
        later()
    }

    /// `DELETE /v1/clusters/{cluster}/nodegroups/{group}`.
    pub async fn delete(&self, _caller: &Caller, _cluster: &str, _group: &str) -> Result<(), Error> {
        later()
    }
}

#[expect(clippy::unused_async, reason = "bodies follow within the hour")]
impl Certificates<'_> {
    /// `GET /v1/certificates/{cluster}?ca_cert_type=`.
    pub async fn authority(&self, _: &Caller, _cluster: &str, _kind: Option<&str>) -> Result<CaCertificate, Error> {
        later()
    }

    /// `POST /v1/certificates`.
    pub async fn sign(&self, _caller: &Caller, _request: SignRequest) -> Result<SignedCertificate, Error> {
        later()
    }
}
