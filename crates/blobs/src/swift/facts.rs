//! What a store can do beyond what all of them do, found out by trying: names and versions do not tell.

use std::time::Duration;

use bytes::Bytes;
use jeroboam_openstack::Error as StoreError;
use jeroboam_openstack::object_store::{ObjectStore, PutOptions, Segment};
use md5::{Digest as _, Md5};
use tracing::{debug, info};
use uuid::Uuid;

use super::names::Names;

/// What was found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// `If-None-Match: *` keeps an object that is there.
    pub(crate) create_if_absent: bool,
    /// Static large objects work, and show their segments.
    pub(crate) static_objects: bool,
    /// Most segments of such an object.
    pub(crate) max_segments: usize,
}

/// What is left of a trial goes by itself.
const LIFE: Duration = Duration::from_secs(600);

/// Swift's default.
const MAX_SEGMENTS: usize = 1000;

/// Writes an object twice, and makes a large one of it.
pub(crate) async fn find_out(store: &ObjectStore, names: &Names) -> Result<Facts, StoreError> {
    let random = Uuid::new_v4().simple().to_string();
    let (plain, large) = (names.trial(&random), names.trial(&format!("{random}-large")));
    let bytes = Bytes::from_static(b"trial");
    let etag = md5_of(&bytes);
    let options = PutOptions { if_absent: true, expires_after: Some(LIFE), ..PutOptions::default() };
    let outcome = async {
        store.put(&plain, bytes.clone(), &options).await?;
        let create_if_absent = !store.put(&plain, bytes.clone(), &options).await?;
        let segment = Segment { container: store.container().to_owned(), name: plain.clone(), size: 5, etag };
        let static_objects = match store.put_static(&large, std::slice::from_ref(&segment)).await {
            Ok(()) => store.static_segments(&large).await?.is_some_and(|shown| shown.len() == 1),
            Err(error) if ObjectStore::is_away(&error) => return Err(error),
            Err(_) => false,
        };
        Ok(Facts { create_if_absent, static_objects, max_segments: MAX_SEGMENTS })
    }
    .await;
    if outcome.is_ok() {
        // What cannot be removed now is removed by the store later.
        if let Err(error) = store.remove_all(&[large, plain]).await {
            debug!("a trial object is left for a while: {error}");
        }
    }
    let mut facts = match outcome {
        Ok(facts) => facts,
        Err(error) if ObjectStore::is_away(&error) => return Err(error),
        Err(error) => {
            info!("nothing can be written to try what the store can do, so that the least is assumed: {error}");
            return Ok(Facts::default());
        }
    };
    // A smaller limit may have been set; that the store tells nothing about itself is no trouble.
    if let Ok(Some(told)) = store.info().await {
        facts.max_segments = told.max_segments.unwrap_or(MAX_SEGMENTS);
    }
    Ok(facts)
}

/// The tag of an object of these bytes.
pub(crate) fn md5_of(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
