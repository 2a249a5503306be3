//! `PATCH /v1/credentials/{cluster}`: another application credential for a cluster.

use jeroboam_model::{Caller, ClusterId};
use jeroboam_store::Ident;

use super::{Clusters, allowed};
use crate::Error;
use crate::error::{Looking, from_store};
use crate::policy::Target;

impl Clusters<'_> {
    /// `PATCH /v1/credentials/{cluster}`. The rule lets no administrator act for other projects, so their clusters are out of
    /// sight here. Refused before anything is changed, because no driver can do it.
    pub async fn rotate_credential(&self, caller: &Caller, ident: &str) -> Result<ClusterId, Error> {
        self.0.enforce(caller, "credential:rotate", &Target::own(caller))?;
        let found = self.0.inner.store.cluster(&Ident::cluster(ident), &caller.scope()).await;
        let found = found.map_err(|error| from_store(Looking::Clusters, error))?;
        let cluster = found.ok_or_else(|| Error::NoCluster(ident.to_owned()))?.cluster;
        allowed(cluster.status.may_be_resized(), "Rotating the credential of a cluster", cluster.status)?;
        Err(Error::bad_request("Credential rotation is not supported by driver."))
    }
}
