//! What stands on the pages.

use jeroboam_oci::manifest::{Descriptor, Manifest, Role};
use jeroboam_oci::{Reference, RepositoryName, Tag};
use serde::Serialize;

use crate::store::ManifestView;

/// The list of repositories.
#[derive(Serialize)]
pub(super) struct RepositoriesPage<'a> {
    pub(super) prefix: &'a str,
    pub(super) names: Vec<String>,
    pub(super) total: usize,
    pub(super) next: Option<String>,
}

/// The tags of one.
#[derive(Serialize)]
pub(super) struct RepositoryPage<'a> {
    pub(super) prefix: &'a str,
    pub(super) name: &'a RepositoryName,
    pub(super) tags: Vec<TagRow>,
    pub(super) total: usize,
    pub(super) next: Option<String>,
}

/// A tag.
#[derive(Serialize)]
pub(super) struct TagRow {
    tag: String,
    digest: String,
    kind: String,
    size: String,
    platforms: String,
}

impl TagRow {
    pub(super) fn of(tag: &Tag, view: &ManifestView) -> Self {
        let manifest = view.stored.manifest.as_ref();
        let platforms = manifest.into_iter().flat_map(Manifest::children).filter_map(platform);
        Self {
            tag: tag.to_string(),
            digest: view.digest.to_string(),
            kind: view.stored.media_type.to_string(),
            size: shown(whole(view)),
            platforms: platforms.collect::<Vec<_>>().join(", "),
        }
    }
}

/// What a manifest is made of.
#[derive(Serialize)]
pub(super) struct ManifestPage<'a> {
    prefix: &'a str,
    name: &'a RepositoryName,
    title: String,
    pull: String,
    digest: String,
    media_type: String,
    artifact_type: Option<String>,
    size: String,
    subject: Option<String>,
    annotations: Vec<(String, String)>,
    parts: Vec<Part>,
    referrers: Vec<Part>,
}

/// Something that a manifest names, or that names it.
#[derive(Serialize)]
pub(super) struct Part {
    role: &'static str,
    digest: String,
    media_type: String,
    size: String,
    platform: Option<String>,
    /// Whether it has a page of its own.
    is_manifest: bool,
}

impl Part {
    fn of(role: &'static str, descriptor: &Descriptor, is_manifest: bool) -> Self {
        Self {
            role,
            digest: descriptor.digest.to_string(),
            media_type: descriptor.artifact_type.clone().unwrap_or_else(|| descriptor.media_type.clone()),
            size: shown(descriptor.size),
            platform: platform(descriptor),
            is_manifest,
        }
    }

    pub(super) fn of_referrer(descriptor: &Descriptor) -> Self {
        Self::of("referrer", descriptor, true)
    }
}

impl<'a> ManifestPage<'a> {
    pub(super) fn of(
        prefix: &'a str,
        host: &str,
        name: &'a RepositoryName,
        reference: &Reference,
        view: &ManifestView,
        referrers: Vec<Part>,
    ) -> Self {
        let mark = if matches!(reference, Reference::Tag(_)) { ':' } else { '@' };
        let manifest = view.stored.manifest.as_ref();
        let parts = manifest.iter().flat_map(|manifest| &manifest.references).map(|named| {
            let (role, is_manifest) = match named.role {
                Role::Config => ("config", false),
                Role::Layer => ("layer", false),
                Role::Child => ("manifest", true),
            };
            Part::of(role, &named.descriptor, is_manifest)
        });
        let annotations = manifest.iter().flat_map(|manifest| &manifest.annotations);
        Self {
            prefix,
            name,
            title: format!("{name}{mark}{reference}"),
            pull: format!("{host}/{name}{mark}{reference}"),
            digest: view.digest.to_string(),
            media_type: view.stored.media_type.to_string(),
            artifact_type: manifest.and_then(|manifest| manifest.artifact_type.clone()),
            size: shown(whole(view)),
            subject: manifest.and_then(|manifest| manifest.subject.as_ref()).map(|subject| subject.digest.to_string()),
            annotations: annotations.map(|(name, value)| (name.clone(), value.clone())).collect(),
            parts: parts.collect(),
            referrers,
        }
    }
}

/// Bytes of a manifest and of all that it names.
fn whole(view: &ManifestView) -> u64 {
    let own = u64::try_from(view.stored.bytes.len()).unwrap_or(u64::MAX);
    let named = view.stored.manifest.iter().flat_map(|manifest| &manifest.references);
    named.fold(own, |sum, named| sum.saturating_add(named.descriptor.size))
}

fn platform(descriptor: &Descriptor) -> Option<String> {
    let platform = descriptor.platform.as_ref()?;
    let variant = platform.variant.as_deref().map(|variant| format!("/{variant}")).unwrap_or_default();
    Some(format!("{}/{}{variant}", platform.os, platform.architecture))
}

/// A number of bytes for people.
pub(crate) fn shown(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut at = 0;
    let mut tenths = bytes.saturating_mul(10) / 1024;
    while tenths >= 10_240 && at + 1 < UNITS.len() {
        tenths /= 1024;
        at += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[at])
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn sizes_are_for_people() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1 << 20, "1.0 MiB"),
            (5_368_709_122, "5.0 GiB"),
        ] {
            assert_eq!(shown(bytes), text);
        }
    }
}
