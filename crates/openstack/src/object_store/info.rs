//! `/info`: what a store says of itself. It may be switched off, and nothing depends on it.

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::{ObjectStore, SERVICE};
use crate::transport::broken;
use crate::{Error, error::Kind};

/// What we want to know of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreInfo {
    /// Most segments of a static large object.
    pub max_segments: Option<usize>,
    /// Longest listing.
    pub listing_limit: Option<usize>,
    /// Longest plain object.
    pub max_file_size: Option<u64>,
    /// Digests that signed addresses may have.
    pub temp_url_digests: Vec<String>,
    /// Whether there are signed addresses.
    pub temp_url: bool,
}

#[derive(Default, Deserialize)]
struct Wire {
    #[serde(default)]
    swift: WireSwift,
    #[serde(default)]
    slo: WireSlo,
    tempurl: Option<Value>,
}

#[derive(Default, Deserialize)]
struct WireSwift {
    container_listing_limit: Option<usize>,
    max_file_size: Option<u64>,
}

#[derive(Default, Deserialize)]
struct WireSlo {
    max_manifest_segments: Option<usize>,
}

impl ObjectStore {
    /// Asks at both places where it may be; `None` where the store does not tell.
    pub async fn info(&self) -> Result<Option<StoreInfo>, Error> {
        let entry = self.shared.access.enter(&self.shared.clock).await?;
        let client = self.client(&entry.url).await?;
        let mut candidates = vec!["/info".to_owned()];
        // A Ceph gateway has all of Swift below a prefix.
        if let Some((prefix, _)) = entry.url.path().split_once("/v1").filter(|(prefix, _)| !prefix.is_empty()) {
            candidates.insert(0, format!("{prefix}/info"));
        }
        for path in candidates {
            let mut url = entry.url.clone();
            url.set_path(&path);
            url.set_query(None);
            let request = client.get(url).timeout(self.limits().answer);
            let answer = request.send().await.map_err(|error| broken(SERVICE, error))?;
            if answer.status() != StatusCode::OK {
                continue;
            }
            let body = answer.bytes().await.map_err(|error| broken(SERVICE, error))?;
            if let Ok(wire) = serde_json::from_slice::<Wire>(&body) {
                return Ok(Some(wire.into()));
            }
        }
        Ok(None)
    }

    /// Whether the error says that the store is away, rather than that it does not want.
    #[must_use]
    pub fn is_away(error: &Error) -> bool {
        matches!(error.kind(), Kind::Unavailable | Kind::Timeout)
    }
}

impl From<Wire> for StoreInfo {
    fn from(wire: Wire) -> Self {
        let digests =
            wire.tempurl.as_ref().and_then(|section| section.get("allowed_digests")).and_then(Value::as_array);
        let digests = digests.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        Self {
            max_segments: wire.slo.max_manifest_segments,
            listing_limit: wire.swift.container_listing_limit,
            max_file_size: wire.swift.max_file_size,
            temp_url_digests: digests.collect(),
            temp_url: wire.tempurl.is_some(),
        }
    }
}
