//! Cinder: volume types and volumes.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;

use crate::error::Kind;
use crate::{Error, ServiceType, Session};

const SERVICE: ServiceType = ServiceType::BlockStorage;

/// Calls to Cinder; made by [`Session::volume`].
#[derive(Clone, Copy, Debug)]
pub struct Volumes<'a>(&'a Session);

/// A volume type.
#[derive(Clone, Debug, Deserialize)]
pub struct VolumeType {
    /// The id.
    pub id: String,
    /// The name, unique in the cloud.
    pub name: String,
}

/// A volume.
#[derive(Clone, Debug, Deserialize)]
pub struct Volume {
    /// The id.
    pub id: String,
    /// The name.
    #[serde(default)]
    pub name: Option<String>,
    /// `available`, `in-use`, …
    #[serde(default)]
    pub status: String,
    /// What it was tagged with.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

impl Session {
    /// Calls to Cinder.
    #[must_use]
    pub const fn volume(&self) -> Volumes<'_> {
        Volumes(self)
    }
}

impl Volumes<'_> {
    /// A volume type by id, then by name. Cinder can not be asked for a type's name, so the list is read.
    pub async fn volume_type(&self, ident: &str) -> Result<VolumeType, Error> {
        match self.0.get(SERVICE, &["types", ident]).send().await {
            Ok(answer) => return answer.member("volume_type"),
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Bad) => {}
            Err(error) => return Err(error),
        }
        let list = self.0.get(SERVICE, &["types"]);
        let named = list.find_in_pages("volume_types", |kind: &VolumeType| kind.name == ident).await?;
        named.ok_or_else(|| Error::not_found(SERVICE, "volume type", ident))
    }

    /// The type that volumes get when none is asked for; `None` where the cloud sets none.
    pub async fn default_volume_type(&self) -> Result<Option<VolumeType>, Error> {
        match self.0.get(SERVICE, &["types", "default"]).send().await {
            Ok(answer) => answer.member("volume_type").map(Some),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The project's volumes that are tagged with `key` = `value`.
    pub async fn volumes_tagged(&self, key: &str, value: &str) -> Result<Vec<Volume>, Error> {
        let filter = serde_json::json!({key: value}).to_string();
        let request = self.0.get(SERVICE, &["volumes", "detail"]).query("metadata", filter);
        let found: Vec<Volume> = request.all_pages("volumes").await?;
        Ok(found.into_iter().filter(|volume| volume.metadata.get(key).is_some_and(|found| found == value)).collect())
    }

    /// Deletes a volume; `false`: it was gone already.
    pub async fn delete_volume(&self, id: &str) -> Result<bool, Error> {
        self.0.request(SERVICE, Method::DELETE, &["volumes", id]).gone().await
    }
}
