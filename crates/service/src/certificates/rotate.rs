//! `PATCH /v1/certificates/{cluster}`: other authorities for a cluster.

use jeroboam_model::{Caller, ClusterId};

use super::Certificates;
use crate::Error;
use crate::error::{Looking, from_store};
use crate::policy::Target;

impl Certificates<'_> {
    /// `PATCH /v1/certificates/{cluster}`: refused before anything is changed, because no driver can do it. Magnum notices that
    /// only when the new authorities are stored.
    pub async fn rotate(&self, caller: &Caller, cluster: &str) -> Result<ClusterId, Error> {
        let was = self.0.find_cluster(caller, cluster).await?;
        let found = &was.cluster;
        self.0.enforce(caller, "certificate:rotate_ca", &Target::cluster(found))?;
        let template = self.0.inner.store.template_unfiltered(found.template).await;
        let template = template.map_err(|error| from_store(Looking::Templates, error))?;
        if template.is_some_and(|template| template.tls_disabled) {
            return Err(Error::bad_request("Rotating the CA certificate on a non-TLS cluster is not supported"));
        }
        self.0.allowed_or_told(caller, &was, found.status.is_settled(), "Updating a cluster")?;
        Err(Error::bad_request("'rotate_ca_certificate' is not supported by this driver."))
    }
}
