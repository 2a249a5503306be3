//! What a `HEAD` of a manifest tells, noted at the tag that points to it: then it is one request to the place of objects, and not two.

use std::sync::Arc;

use jeroboam_oci::manifest::Manifest;
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};

use super::StoredManifest;
use crate::store::{Result, Store, StoreError};

/// A manifest without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Its type.
    pub media_type: Arc<str>,
    /// So many bytes.
    pub size: u64,
}

impl Outline {
    fn of(stored: &StoredManifest) -> Self {
        Self { media_type: stored.media_type.clone(), size: stored.bytes.len() as u64 }
    }

    /// The note of a manifest that whoever reads its bytes takes for the same.
    pub(super) fn note(size: u64, manifest: &Manifest) -> String {
        format!("{size} {}", manifest.media_type.as_str())
    }

    /// What a note says, if it is one of ours.
    pub(super) fn read(note: &str) -> Option<Self> {
        let (size, media_type) = note.split_once(' ')?;
        let is_one = !media_type.is_empty() && media_type.bytes().all(|byte| byte.is_ascii_graphic());
        let size = size.parse().ok().filter(|_| is_one)?;
        Some(Self { media_type: media_type.into(), size })
    }
}

impl Store {
    /// Finds the manifest that a tag points to, without its bytes where what is noted at the tag is enough: that they are gone shows when somebody wants
    /// them, and then here, too.
    pub async fn outline(&self, repository: &RepositoryName, tag: &Tag) -> Result<(Digest, Outline)> {
        let unknown = || StoreError::ManifestUnknown(Reference::Tag(tag.clone()));
        let target = self.tag_name(repository, tag).await?.ok_or_else(unknown)?;
        let canonical = self.sorted_by(repository, &target).await?.ok_or_else(unknown)?;
        let outline = match self.cache.outlines.get(&target).filter(|_| !self.suspects.are_doubted(&canonical)) {
            Some(outline) => outline,
            None => Outline::of(&*self.load_manifest(&canonical).await?.ok_or_else(unknown)?),
        };
        Ok((target, outline))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_and_what_others_note_is_not() {
        let bytes = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        let manifest = Manifest::stored(bytes).expect("a manifest");
        let note = Outline::note(bytes.len() as u64, &manifest);
        assert_eq!(note, format!("{} application/vnd.oci.image.index.v1+json", bytes.len()));
        let outline = Outline { media_type: manifest.media_type.as_str().into(), size: bytes.len() as u64 };
        assert_eq!(Outline::read(&note), Some(outline));
        for other in ["", "5", "5 ", "x a/b", "-1 a/b", "5 a b", "5 a\r\nb", "18446744073709551616 a/b"] {
            assert_eq!(Outline::read(other), None, "{other:?}");
        }
    }
}
