//! `/info`: what a store says of itself. It may be switched off, and nothing depends on it.

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::{ObjectStore, SERVICE};
use crate::Error;
use crate::transport::broken;

/// What we want to know of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreInfo {
    /// Most segments of a static large object.
    pub max_segments: Option<usize>,
    /// Whether it is Swift itself, rather than what speaks its language.
    pub is_swift: bool,
    /// Longest plain object.
    pub max_file_size: Option<u64>,
    /// Most lines of a page of a listing.
    pub longest_page: Option<usize>,
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
    version: Option<String>,
    account_listing_limit: Option<usize>,
    container_listing_limit: Option<usize>,
    max_file_size: Option<u64>,
}

impl WireSwift {
    /// A Ceph gateway tells its own version there, and no limit of listings of the account.
    fn is_itself(&self) -> bool {
        let version = self.version.as_deref().unwrap_or_default();
        version.starts_with("2.") && self.account_listing_limit.is_some()
    }
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
        error.is_temporary()
    }
}

impl From<Wire> for StoreInfo {
    fn from(wire: Wire) -> Self {
        let digests =
            wire.tempurl.as_ref().and_then(|section| section.get("allowed_digests")).and_then(Value::as_array);
        let digests = digests.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        Self {
            max_segments: wire.slo.max_manifest_segments,
            is_swift: wire.swift.is_itself(),
            max_file_size: wire.swift.max_file_size,
            longest_page: wire.swift.container_listing_limit,
            temp_url_digests: digests.collect(),
            temp_url: wire.tempurl.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swift_is_told_from_what_speaks_its_language() {
        for (text, is_swift) in [
            (
                r#"{"swift": {"version": "2.30.1", "container_listing_limit": 10000, "account_listing_limit": 10000}}"#,
                true,
            ),
            (
                r#"{"swift": {"version": "16.2.15", "container_listing_limit": 10000, "max_object_name_size": 1024}}"#,
                false,
            ),
            (r#"{"swift": {"version": "20.1.0", "account_listing_limit": 10000}}"#, false),
            (r#"{"swift": {"account_listing_limit": 10000}}"#, false),
            (r#"{"slo": {}}"#, false),
        ] {
            let wire: Wire = serde_json::from_str(text).expect("JSON");
            assert_eq!(StoreInfo::from(wire).is_swift, is_swift, "{text}");
        }
    }
}
