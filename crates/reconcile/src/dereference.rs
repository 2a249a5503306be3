//! Looks up in the cloud what a cluster names, with the cluster's own application credential: what its nodes may not see
//! is not found here either. Reads, and judges nothing.

use jeroboam_capi::Credential;
use jeroboam_openstack::{Auth, Error, Kind, Session};

use crate::next::Trouble;
use crate::resolve::{ImageFacts, Inputs, References};

/// The service's session with the cluster's credential in place of its own.
pub(crate) fn session_of(service: &Session, credential: &Credential) -> Session {
    service.for_auth(Auth::ApplicationCredential { id: credential.id.clone(), secret: credential.secret.clone() })
}

/// Finds everything that is referred to.
pub(crate) async fn look_up(session: &Session, references: &References) -> Result<Inputs, Error> {
    let mut inputs = Inputs::default();
    for name in &references.images {
        let image = session.image().find(name).await?;
        let facts = ImageFacts {
            os_distro: image.os_distro().map(str::to_owned),
            kube_version: image.kube_version().map(str::to_owned),
            id: image.id,
        };
        inputs.images.insert(name.clone(), facts);
    }
    for name in &references.flavors {
        inputs.flavors.insert(name.clone(), session.compute().flavor(name).await?.name);
    }
    if let Some(name) = &references.external_network {
        inputs.external_network = Some(session.network().network(name, Some(true)).await?.id);
    }
    if let Some(name) = &references.fixed_network {
        inputs.fixed_network = Some(session.network().network(name, None).await?.id);
    }
    if let Some(name) = &references.fixed_subnet {
        let subnet = session.network().subnet(name, inputs.fixed_network.as_deref()).await?;
        // A subnet alone says its network, too.
        inputs.fixed_network = Some(subnet.network_id);
        inputs.fixed_subnet = Some(subnet.id);
    }
    Ok(inputs)
}

/// What an answer of the cloud means for the cluster. What is away comes back; what is not there does not.
pub(crate) fn trouble(error: &Error) -> Trouble {
    match error.kind() {
        Kind::NotFound | Kind::Ambiguous | Kind::Forbidden => Trouble::Impossible(error.to_string()),
        Kind::Unauthorized => Trouble::Waiting(format!(
            "the cluster's application credential to be accepted: {error}; if it was revoked, all that is left is to delete \
             the cluster with a token of its project"
        )),
        // Away, too slow, confused: all of it may pass.
        _ => Trouble::Waiting(format!("OpenStack: {error}")),
    }
}
