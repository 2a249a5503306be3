//! The floating IP of a cluster's API: taken before the provider is told of the cluster, given back when the cluster is gone.
//!
//! Cluster API's OpenStack provider would take one by itself. When it reads its own object too early after it wrote it, it
//! takes a second one, keeps it for good and fails ever after; an address that we name is never doubled.

use jeroboam_model::ClusterId;
use jeroboam_openstack::{Error, FloatingIp, Session};

/// How Neutron is told whose it is. The text is all that we know it by, so that a crash leaks nothing.
fn description(cluster: ClusterId) -> String {
    format!("jeroboam: API of cluster {cluster}")
}

/// The address that is the cluster's own: the one taken earlier, or a new one.
pub(crate) async fn take(session: &Session, cluster: ClusterId, network: &str) -> Result<String, Error> {
    let description = description(cluster);
    let mut ours = session.network().floating_ips_described(&description).await?;
    ours.sort_by(|one, other| one.id.cmp(&other.id));
    if let Some(first) = ours.into_iter().next() {
        return Ok(first.floating_ip_address);
    }
    let made: FloatingIp = session.network().create_floating_ip(network, &description).await?;
    Ok(made.floating_ip_address)
}

/// Gives back what was taken for the cluster; there may be nothing.
pub(crate) async fn give_back(session: &Session, cluster: ClusterId) -> Result<(), Error> {
    for ip in session.network().floating_ips_described(&description(cluster)).await? {
        session.network().delete_floating_ip(&ip.id).await?;
    }
    Ok(())
}
