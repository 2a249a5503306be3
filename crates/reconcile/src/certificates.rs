//! Forgets a cluster's certificates where they are kept outside our own database.

use jeroboam_certificates::ErrorKind;
use tracing::warn;

use crate::next::Trouble;
use crate::pass::{Pass, Stopped};
use crate::run::chain;

/// All four of them. Magnum: conductor/handlers/common/cert_manager.py leaves the etcd and the front proxy authority behind.
///
/// A store that is away is waited for. One that refuses for good keeps no cluster from being deleted.
pub(crate) async fn discard(pass: &Pass<'_>) -> Result<(), Stopped> {
    let cluster = &pass.loaded.view.cluster;
    for reference in cluster.certificates.iter() {
        pass.guard.may("discard certificate")?;
        match pass.shared.certificates.discard(reference).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Away => {
                return Err(Trouble::Waiting(format!("the {}", error.place())).into());
            }
            Err(error) => warn!(
                cluster.id = %cluster.id, certificate.reference = %reference, error = %chain(&error),
                "failed to delete a certificate of a cluster that goes: it is left behind",
            ),
        }
    }
    Ok(())
}
