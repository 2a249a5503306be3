//! The distribution specification, asked for over HTTP by a suite that knows nothing of how the registry is made.

use std::sync::Arc;

use jeroboam_blobs::{Directory, Memory, SharedBlobs};
use jeroboam_conformance::{Options, Version, run};
use jeroboam_model::{Clock, SystemClock};
use jeroboam_registry::auth::{Auth, Peer};
use jeroboam_registry::config::Children;
use jeroboam_registry::events::Events;
use jeroboam_registry::http::{HttpConfig, Registry, service};
use jeroboam_registry::leases::{GRACE, Leases};
use jeroboam_registry::store::{Compat, Store, StoreConfig};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A registry on a free port of the loopback that allows all that it can, and takes images and indexes of which parts are elsewhere.
async fn registry(blobs: SharedBlobs, compat: Compat) -> (String, JoinSet<()>) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sparse = StoreConfig { children: Children::None, sparse_images: true, ..StoreConfig::default() };
    let config = StoreConfig { compat, delete_enabled: true, ..sparse };
    let leases = Arc::new(Leases::in_memory(Arc::clone(&clock), GRACE));
    let store = Arc::new(Store::new(blobs, clock, leases, config));
    let registry = Registry::new(store, Auth::open(), Events::silent(), HttpConfig::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let peer = Peer { address: Some(address.ip()), ..Peer::default() };
    let served = service(registry).layer(axum::Extension(peer)).into_make_service();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, served).await.expect("it serves") });
    (format!("http://{address}"), tasks)
}

/// Nothing fails and nothing is skipped: every optional part is there.
async fn conforms(blobs: SharedBlobs, compat: Compat, version: Version) {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let (url, _tasks) = registry(blobs, compat).await;
    let report = run(Options::new(url.parse().expect("an address"), version)).await.expect("a report");
    assert!(report.counts.fail == 0 && report.counts.skip == 0, "{}", report.text(false));
    assert!(report.counts.pass > 700, "{}", report.text(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_on_a_directory_is_what_version_1_1_says() {
    let folder = tempfile::tempdir().unwrap();
    conforms(Arc::new(Directory::open(folder.path()).await.unwrap()), Compat::Shared, Version::V1_1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_on_a_directory_is_what_has_been_added_since() {
    for compat in [Compat::Shared, Compat::Exclusive] {
        let folder = tempfile::tempdir().unwrap();
        conforms(Arc::new(Directory::open(folder.path()).await.unwrap()), compat, Version::Dev).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_in_memory_is_what_has_been_added_since() {
    conforms(Arc::new(Memory::default()), Compat::Shared, Version::Dev).await;
}
