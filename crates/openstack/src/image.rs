//! Glance: images and their properties.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::error::Kind;
use crate::request::{is_id, is_name, only};
use crate::{Error, ServiceType, Session};

const SERVICE: ServiceType = ServiceType::Image;

/// Calls to Glance; made by [`Session::image`].
#[derive(Clone, Copy, Debug)]
pub struct Images<'a>(&'a Session);

/// An image.
#[derive(Clone, Debug, Deserialize)]
pub struct Image {
    /// The id.
    pub id: String,
    /// The name; several may share one.
    #[serde(default)]
    pub name: Option<String>,
    /// `active` once it can be used.
    #[serde(default)]
    pub status: String,
    /// Smallest root disk in GiB.
    #[serde(default)]
    pub min_disk: u64,
    /// Smallest memory in MiB.
    #[serde(default)]
    pub min_ram: u64,
    /// Size in bytes.
    #[serde(default)]
    pub size: Option<u64>,
    /// Everything else that Glance says, the properties among it.
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

impl Image {
    /// A property that is text.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.rest.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// The operating system: what makes an image usable for clusters.
    #[must_use]
    pub fn os_distro(&self) -> Option<&str> {
        self.property("os_distro")
    }

    /// The Kubernetes version that is in the image.
    #[must_use]
    pub fn kube_version(&self) -> Option<&str> {
        self.property("kube_version")
    }
}

impl Session {
    /// Calls to Glance.
    #[must_use]
    pub const fn image(&self) -> Images<'_> {
        Images(self)
    }
}

impl Images<'_> {
    /// An image by id, then by name.
    pub async fn find(&self, ident: &str) -> Result<Image, Error> {
        if !is_name(ident) {
            return Err(Error::not_found(SERVICE, "image", ident));
        }
        if is_id(ident) {
            match self.0.get(SERVICE, &["images", ident]).send().await {
                Ok(answer) => return answer.json(),
                Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Bad) => {}
                Err(error) => return Err(error),
            }
        }
        let list = self.0.get(SERVICE, &["images"]).query("name", ident).query("limit", "100");
        let found: Vec<Image> = list.all_pages("images").await?;
        let named = found.into_iter().filter(|image| image.name.as_deref() == Some(ident)).collect();
        only(SERVICE, "image", ident, named)
    }
}
