//! Manifests: read as far as a registry has to understand them.
//!
//! The bytes of a manifest are stored and given as they came; what is read here is never written again. Fields that we do not know may be anything.
//! What clients could understand in two ways is refused: a type that differs from the header, layers beside manifests, a field twice.

mod descriptor;
mod limits;
mod media_type;
mod presumed;
mod wire;

use std::collections::BTreeMap;

use crate::Digest;

pub use descriptor::{Descriptor, Platform};
pub use limits::{DEEPEST, MOST};
pub use media_type::{Kind, MediaType, base_type, is_foreign};
pub use presumed::presumed_type;

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its type: from its own words, else from whoever pushed it, else from its shape.
    pub media_type: MediaType,
    /// All that it names, its subject excluded, in its order.
    pub references: Vec<Named>,
    /// The manifest that it is about, which need not exist.
    pub subject: Option<Descriptor>,
    /// What it is, as referrers are told: its own word, else the type of an image's configuration.
    pub artifact_type: Option<String>,
    /// What else it says of itself.
    pub annotations: BTreeMap<String, String>,
}

/// As what a manifest names something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The configuration of an image.
    Config,
    /// A layer of an image.
    Layer,
    /// A manifest of an index.
    Child,
}

/// Something that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// As what.
    pub role: Role,
    /// What is said of it.
    pub descriptor: Descriptor,
}

impl Named {
    /// Whether it is had from elsewhere, so that a push is fine without it.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        let blob = self.role != Role::Child;
        blob && (!self.descriptor.urls.is_empty() || is_foreign(&self.descriptor.media_type))
    }
}

/// Why something is no manifest that a registry takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadManifest {
    /// Lists or objects too deep within each other.
    #[error("its lists and objects are nested deeper than {DEEPEST}")]
    TooDeep,
    /// Too many descriptors.
    #[error("it names more than {MOST} others")]
    TooMany,
    /// It is no JSON, or not with the fields of a manifest.
    #[error("it is not as manifests are: {0}")]
    Form(String),
    /// The header says something else than the manifest.
    #[error("its mediaType is {said}, and its Content-Type is {header}")]
    Disagrees {
        /// What the manifest says.
        said: String,
        /// What the header says.
        header: String,
    },
    /// A type that is none of a manifest.
    #[error("{0} is no type of manifest that this registry stores")]
    UnknownType(String),
    /// Docker's first form is no longer taken.
    #[error("schema 1 is not taken any more: push with a newer client")]
    Schema1,
    /// `schemaVersion` is not 2.
    #[error("its schemaVersion is not 2")]
    Version,
    /// It has parts of an image and of an index, or of the one that its type does not mean.
    #[error("it has {0}, which its type does not have")]
    Misplaced(&'static str),
    /// It lacks a part.
    #[error("it has no {0}")]
    Lacks(&'static str),
}

impl Manifest {
    /// Reads a manifest that is pushed with this `Content-Type`, which may be absent.
    pub fn pushed(bytes: &[u8], content_type: Option<&str>) -> Result<Self, BadManifest> {
        // What is not looked at need not be text for whoever reads it here, and has to be for others.
        if let Err(error) = std::str::from_utf8(bytes) {
            return Err(BadManifest::Form(format!("it is not UTF-8: {error}")));
        }
        let document = wire::Document::read(bytes)?;
        let header = content_type.map(base_type).filter(|header| !header.is_empty());
        let said = document.media_type.clone().filter(|said| !said.is_empty());
        let name = match (said, header) {
            (Some(said), Some(header)) if said != header => {
                return Err(BadManifest::Disagrees { said: wire::short(said), header: wire::short(header) });
            }
            (Some(name), _) | (None, Some(name)) => name,
            (None, None) => document.shape()?.as_str().to_owned(),
        };
        let media_type = MediaType::of_name(&name).ok_or_else(|| BadManifest::UnknownType(wire::short(name)))?;
        if media_type.kind() == Kind::Schema1 || document.schema_version == Some(1) {
            return Err(BadManifest::Schema1);
        }
        // distribution ends its garbage collection at a manifest without it.
        if document.schema_version != Some(2) {
            return Err(BadManifest::Version);
        }
        document.understood_as(media_type)
    }

    /// Reads a manifest that is in the store, where nothing says its type but itself.
    pub fn stored(bytes: &[u8]) -> Result<Self, BadManifest> {
        let document = wire::Document::read(bytes)?;
        let media_type = match document.media_type.as_deref().filter(|said| !said.is_empty()) {
            Some(said) => {
                MediaType::of_name(said).ok_or_else(|| BadManifest::UnknownType(wire::short(said.to_owned())))?
            }
            None => document.shape()?,
        };
        document.understood_as(media_type)
    }

    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.media_type.kind()
    }

    /// The blobs that it names, and that have to be there unless [`Named::is_elsewhere`].
    pub fn blobs(&self) -> impl Iterator<Item = &Named> {
        self.references.iter().filter(|named| named.role != Role::Child)
    }

    /// The manifests that it names.
    pub fn children(&self) -> impl Iterator<Item = &Descriptor> {
        self.references.iter().filter(|named| named.role == Role::Child).map(|named| &named.descriptor)
    }

    /// The digests of all that it names, each once, its subject excluded: what stays as long as it does.
    #[must_use]
    pub fn keeps(&self) -> Vec<&Digest> {
        let mut digests: Vec<_> = self.references.iter().map(|named| &named.descriptor.digest).collect();
        digests.sort();
        digests.dedup();
        digests
    }

    /// The configuration of an image.
    #[must_use]
    pub fn config(&self) -> Option<&Descriptor> {
        self.references.iter().find(|named| named.role == Role::Config).map(|named| &named.descriptor)
    }
}

#[cfg(test)]
mod tests;
