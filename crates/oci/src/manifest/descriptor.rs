//! Descriptors: what a manifest says of something else.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::Digest;

/// What a manifest says of something else: its type, its digest, its size. Fields that we do not know are not kept: the bytes of a manifest are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The type; empty where none is given.
    #[serde(default, deserialize_with = "or_default")]
    pub media_type: String,
    /// The digest.
    pub digest: Digest,
    /// So many bytes.
    pub size: u64,
    /// Where else it can be had.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// What it is, where the type does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What else is said of it.
    #[serde(default, deserialize_with = "texts", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// On what it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

/// On what an image runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// Such as `amd64`.
    #[serde(default, deserialize_with = "or_default")]
    pub architecture: String,
    /// Such as `linux`.
    #[serde(default, deserialize_with = "or_default")]
    pub os: String,
    /// Such as `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Descriptor {
    /// A descriptor without anything that need not be.
    #[must_use]
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            urls: Vec::new(),
            artifact_type: None,
            annotations: BTreeMap::new(),
            platform: None,
        }
    }
}

/// Go writes `null` for lists and maps that nobody filled.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Annotations are texts. Docker's manifests have none by their specification, so what else stands there harms nobody and is not looked at.
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let all: Option<BTreeMap<String, serde_json::Value>> = Option::deserialize(deserializer)?;
    let texts = all.unwrap_or_default().into_iter().filter_map(|(name, value)| match value {
        serde_json::Value::String(text) => Some((name, text)),
        _ => None,
    });
    Ok(texts.collect())
}
