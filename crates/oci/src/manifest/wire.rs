//! The fields of all kinds of manifests in one document, and what they mean once the type is known.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::descriptor::{or_default, texts};
use super::limits::{MOST, TOO_MANY, bounded, shallow};
use super::{BadManifest, Descriptor, Kind, Manifest, MediaType, Named, Role};
use crate::Digest;

/// A manifest as it is written. `null` is as good as nothing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    #[serde(default)]
    pub(super) schema_version: Option<u64>,
    #[serde(default)]
    pub(super) media_type: Option<String>,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default, deserialize_with = "bounded")]
    layers: Option<Vec<Descriptor>>,
    #[serde(default, deserialize_with = "bounded")]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default, deserialize_with = "bounded")]
    fs_layers: Option<Vec<FsLayer>>,
    #[serde(default, deserialize_with = "or_default")]
    signatures: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(default)]
    subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "texts")]
    annotations: BTreeMap<String, String>,
}

/// A layer of Docker's first form.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FsLayer {
    blob_sum: Digest,
}

impl Document {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BadManifest> {
        if !shallow(bytes) {
            return Err(BadManifest::TooDeep);
        }
        serde_json::from_slice(bytes).map_err(|error| {
            let why = error.to_string();
            if why.starts_with(TOO_MANY) { BadManifest::TooMany } else { BadManifest::Form(short(why)) }
        })
    }

    /// The type that it looks like, where nobody says it.
    pub(super) fn shape(&self) -> Result<MediaType, BadManifest> {
        if self.schema_version == Some(1) {
            return Ok(match self.signatures {
                Some(_) => MediaType::DockerSchema1Signed,
                None => MediaType::DockerSchema1,
            });
        }
        match (&self.manifests, &self.config) {
            (Some(_), _) => Ok(MediaType::OciIndex),
            (None, Some(_)) => Ok(MediaType::OciManifest),
            (None, None) => Err(BadManifest::Lacks("config and no manifests")),
        }
    }

    pub(super) fn understood_as(self, media_type: MediaType) -> Result<Manifest, BadManifest> {
        let config_type = self.config.as_ref().map(|config| config.media_type.clone());
        let fallback = config_type.filter(|_| media_type.kind() == Kind::Image);
        let not_empty = |text: &String| !text.is_empty();
        let artifact_type = self.artifact_type.clone().filter(not_empty).or(fallback).filter(not_empty);
        let (subject, annotations) = (self.subject.clone(), self.annotations.clone());
        let references = match media_type.kind() {
            Kind::Image => self.image()?,
            Kind::Index => self.index()?,
            Kind::Schema1 => self.schema1()?,
        };
        if references.len() + usize::from(subject.is_some()) > MOST {
            return Err(BadManifest::TooMany);
        }
        Ok(Manifest { media_type, references, subject, artifact_type, annotations })
    }

    fn image(self) -> Result<Vec<Named>, BadManifest> {
        if self.manifests.is_some() {
            return Err(BadManifest::Misplaced("manifests"));
        }
        let config = self.config.ok_or(BadManifest::Lacks("config"))?;
        let layers = self.layers.unwrap_or_default();
        let named = |role| move |descriptor| Named { role, descriptor };
        Ok(std::iter::once(config).map(named(Role::Config)).chain(layers.into_iter().map(named(Role::Layer))).collect())
    }

    fn index(self) -> Result<Vec<Named>, BadManifest> {
        if self.config.is_some() {
            return Err(BadManifest::Misplaced("config"));
        }
        if self.layers.is_some() {
            return Err(BadManifest::Misplaced("layers"));
        }
        let children = self.manifests.ok_or(BadManifest::Lacks("manifests"))?;
        Ok(children.into_iter().map(|descriptor| Named { role: Role::Child, descriptor }).collect())
    }

    /// Sizes are not said there.
    fn schema1(self) -> Result<Vec<Named>, BadManifest> {
        let layers = self.fs_layers.ok_or(BadManifest::Lacks("fsLayers"))?;
        let named = |layer: FsLayer| Named { role: Role::Layer, descriptor: Descriptor::new("", layer.blob_sum, 0) };
        Ok(layers.into_iter().map(named).collect())
    }
}

/// What stands in an answer is one short sentence, whatever was in the manifest.
pub(super) fn short(mut why: String) -> String {
    const LONGEST: usize = 120;
    if why.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| why.is_char_boundary(*at)).unwrap_or_default();
        why.truncate(end);
        why.push('…');
    }
    why
}
