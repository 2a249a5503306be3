//! The type of a manifest of an old store that this registry does not understand, and distribution gave: it is given on as it is, and nothing is taken
//! from it.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Kind, MediaType};

/// Longest name of a type: two names of 127 characters, as they are registered.
const LONGEST: usize = 255;

/// The type of a manifest that [`Manifest::stored`](super::Manifest::stored) refuses for what stands in it, such as a descriptor without a size, or for
/// how much: its own word, else its shape. `None` of what is no manifest, or could be two kinds of them.
#[must_use]
pub fn presumed_type(bytes: &[u8]) -> Option<String> {
    let surface: Surface = serde_json::from_slice(bytes).ok()?;
    // Other documents have none: configurations of images, signatures, attestations.
    surface.schema_version.filter(|version| [1, 2].contains(version))?;
    match surface.media_type.as_deref().filter(|said| !said.is_empty()) {
        Some(said) => match MediaType::of_name(said) {
            Some(known) => surface.may_be(known.kind()).then(|| said.to_owned()),
            None => is_name(said).then(|| said.to_owned()),
        },
        None => surface.shape().map(|shape| shape.as_str().to_owned()),
    }
}

/// What says the type. Of two fields of one name the last counts, as for distribution; what else there is may be anything, as deep as it likes.
#[derive(Default)]
struct Surface {
    schema_version: Option<u64>,
    media_type: Option<String>,
    parts: Vec<Part>,
}

/// A field that says of which kind a manifest is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Config,
    Layers,
    Manifests,
    FsLayers,
    Signatures,
}

impl Part {
    fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "config" => Self::Config,
            "layers" => Self::Layers,
            "manifests" => Self::Manifests,
            "fsLayers" => Self::FsLayers,
            "signatures" => Self::Signatures,
            _ => return None,
        })
    }
}

impl Surface {
    fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    fn shape(&self) -> Option<MediaType> {
        let shape = match self.schema_version {
            Some(1) if self.has(Part::Signatures) => MediaType::DockerSchema1Signed,
            Some(1) => MediaType::DockerSchema1,
            _ if self.has(Part::Manifests) => MediaType::OciIndex,
            _ => MediaType::OciManifest,
        };
        self.may_be(shape.kind()).then_some(shape)
    }

    /// Whether it has what manifests of a kind have, and nothing that makes another kind of them.
    fn may_be(&self, kind: Kind) -> bool {
        let has = |part| self.has(part);
        match kind {
            Kind::Image => has(Part::Config) && !has(Part::Manifests),
            Kind::Index => has(Part::Manifests) && !has(Part::Config) && !has(Part::Layers),
            Kind::Schema1 => has(Part::FsLayers),
        }
    }
}

impl<'de> Deserialize<'de> for Surface {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SurfaceVisitor)
    }
}

struct SurfaceVisitor;

impl<'de> Visitor<'de> for SurfaceVisitor {
    type Value = Surface;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Surface, A::Error> {
        let mut surface = Surface::default();
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                "schemaVersion" => surface.schema_version = fields.next_value()?,
                "mediaType" => surface.media_type = fields.next_value()?,
                name => {
                    // `null` is as good as nothing.
                    let is_there = fields.next_value::<Option<IgnoredAny>>()?.is_some();
                    let part = Part::of_name(name).filter(|part| is_there && !surface.has(*part));
                    surface.parts.extend(part);
                }
            }
        }
        Ok(surface)
    }
}

/// Whether something can be the name of a type, and so can stand in a header.
fn is_name(said: &str) -> bool {
    let is_word = |word: &str| {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !word.is_empty() && word.bytes().all(is_fine)
    };
    said.len() <= LONGEST && said.split_once('/').is_some_and(|(top, sub)| is_word(top) && is_word(sub))
}
