//! Manifests of another registry, in their own bytes.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderName, StatusCode};
use jeroboam_model::Timestamp;
use jeroboam_oci::manifest::{MediaType, base_type};
use jeroboam_oci::{Algorithm, Digest, Reference, RepositoryName, Tag};

use super::auth::Scope;
use super::{ClientError, Remote, Result, header};

/// All types of manifests that we know, in one line: some proxies keep only the last of several.
fn accept() -> String {
    let types = [
        MediaType::OciIndex,
        MediaType::DockerList,
        MediaType::OciManifest,
        MediaType::DockerManifest,
        MediaType::DockerSchema1Signed,
        MediaType::DockerSchema1,
    ];
    types.map(MediaType::as_str).join(", ")
}

/// When and where a tag was moved, which registries of ours tell each other.
pub const STAMP: HeaderName = HeaderName::from_static("jeroboam-tag-stamp");

/// By which digest a tag is to call its manifest, where that is not the SHA-256: for registries of ours; others pass over it.
pub const TAG_DIGEST: HeaderName = HeaderName::from_static("jeroboam-tag-digest");

/// When a tag was moved to where it points, and by which region's clients.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Stamp {
    /// When.
    pub at: Timestamp,
    /// Where.
    pub origin: String,
    /// Where the tag points, or pointed before, in all regions as far as that one knows; nowhere, if it was new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Digest>,
}

impl Stamp {
    /// As it stands in the header: the time, the region, and the digest if there is one.
    #[must_use]
    pub fn to_text(&self) -> String {
        let base = self.base.as_ref().map(|base| format!(" {base}")).unwrap_or_default();
        format!("{} {}{base}", self.at, self.origin)
    }

    /// Reads the header.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (at, rest) = text.trim().split_once(' ')?;
        let (origin, base) = rest.split_once(' ').map_or((rest, None), |(origin, base)| (origin, Some(base)));
        let base = base.map(str::parse).transpose().ok()?;
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let short = !origin.is_empty() && origin.len() <= 64 && origin.bytes().all(fine);
        Some(Self { at: at.parse().ok()?, origin: short.then(|| origin.to_owned())?, base })
    }
}

/// What a registry says of a manifest without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its digest.
    pub digest: Digest,
    /// Its type.
    pub media_type: String,
    /// So many bytes, where it says so.
    pub size: Option<u64>,
    /// When the tag was moved, where it says so.
    pub stamp: Option<Stamp>,
}

/// Where a tag points.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TagState {
    /// To what; nowhere, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Since when, and by whom; also of one that was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
}

/// A manifest in its own bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawManifest {
    /// Its digest, which its bytes have.
    pub digest: Digest,
    /// Its type, as the registry says.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Bytes,
}

/// On what condition a tag is moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PutCondition {
    /// In any case.
    #[default]
    Always,
    /// Only where there is no such tag.
    Absent,
    /// Only where it points there.
    PointsTo(Digest),
}

impl Remote {
    /// What the registry says of a manifest; `None` where it has none.
    pub async fn head_manifest(&self, repository: &RepositoryName, reference: &Reference) -> Result<Option<Head>> {
        let there = self.there(repository);
        let url = self.at(&format!("/v2/{there}/manifests/{reference}"))?;
        let _turn = self.turn().await;
        let request = || self.http.head(url.clone()).header(ACCEPT, accept());
        let answer = self.send(&Scope::of(&there, "pull"), request).await?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(self.refused(format!("find {there}:{reference}"), answer).await),
        }
        let headers = answer.headers();
        let said = header(headers, "docker-content-digest").and_then(|text| text.parse().ok());
        let digest = match (said, reference) {
            (Some(digest), _) => digest,
            (None, Reference::Digest(digest)) => digest.clone(),
            // Some do not say it: then the bytes do.
            (None, Reference::Tag(_)) => {
                drop(_turn);
                let whole = self.manifest(repository, reference).await?;
                let head = |raw: RawManifest| Head {
                    size: Some(raw.bytes.len() as u64),
                    digest: raw.digest,
                    media_type: raw.media_type,
                    stamp: None,
                };
                return Ok(whole.map(head));
            }
        };
        Ok(Some(Head {
            digest,
            media_type: base_type(header(headers, "content-type").unwrap_or_default()),
            size: header(headers, "content-length").and_then(|text| text.parse().ok()),
            stamp: header(headers, STAMP.as_str()).and_then(Stamp::parse),
        }))
    }

    /// Where a tag points, and since when, if the registry tells: also of a tag that was removed.
    pub async fn tag_state(&self, repository: &RepositoryName, tag: &Tag) -> Result<TagState> {
        let there = self.there(repository);
        let url = self.at(&format!("/v2/{there}/manifests/{tag}"))?;
        let turn = self.turn().await;
        let request = || self.http.head(url.clone()).header(ACCEPT, accept()).header(STAMP, "?");
        let answer = self.send(&Scope::of(&there, "pull"), request).await?;
        let stamp = header(answer.headers(), STAMP.as_str()).and_then(Stamp::parse);
        let digest = header(answer.headers(), "docker-content-digest").and_then(|text| text.parse().ok());
        match (answer.status(), digest) {
            (StatusCode::NOT_FOUND, _) => Ok(TagState { digest: None, stamp }),
            (StatusCode::OK, Some(digest)) => Ok(TagState { digest: Some(digest), stamp }),
            (StatusCode::OK, None) => {
                drop(turn);
                let raw = self.manifest(repository, &Reference::Tag(tag.clone())).await?;
                Ok(TagState { digest: raw.map(|raw| raw.digest), stamp })
            }
            _ => Err(self.refused(format!("find {there}:{tag}"), answer).await),
        }
    }

    /// A manifest; `None` where the registry has none.
    pub async fn manifest(&self, repository: &RepositoryName, reference: &Reference) -> Result<Option<RawManifest>> {
        let there = self.there(repository);
        let url = self.at(&format!("/v2/{there}/manifests/{reference}"))?;
        let _turn = self.turn().await;
        let request = || self.http.get(url.clone()).header(ACCEPT, accept());
        let answer = self.send(&Scope::of(&there, "pull"), request).await?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(self.refused(format!("read {there}:{reference}"), answer).await),
        }
        let media_type = base_type(header(answer.headers(), "content-type").unwrap_or_default());
        let said: Option<Digest> = header(answer.headers(), "docker-content-digest").and_then(|text| text.parse().ok());
        let bytes = self.bytes(answer).await?;
        let expected = match reference {
            Reference::Digest(digest) => Some(digest.clone()),
            Reference::Tag(_) => said,
        };
        let digest = match expected {
            None => Digest::sha256(&bytes),
            Some(expected) => {
                let found = Digest::of(expected.algorithm(), &bytes);
                if found != expected {
                    return Err(ClientError::Digest { registry: self.name.clone(), expected, found });
                }
                found
            }
        };
        Ok(Some(RawManifest { digest, media_type, bytes }))
    }

    /// Pushes a manifest under its digest or a tag, which then calls it by that digest where the registry is one of ours.
    pub async fn put_manifest(
        &self,
        repository: &RepositoryName,
        tag: Option<&Tag>,
        manifest: &RawManifest,
        condition: &PutCondition,
        stamp: Option<&Stamp>,
    ) -> Result<()> {
        let there = self.there(repository);
        let reference = tag.map_or_else(|| manifest.digest.to_string(), ToString::to_string);
        let url = self.at(&format!("/v2/{there}/manifests/{reference}"))?;
        let _turn = self.turn().await;
        self.throttle.pass(manifest.bytes.len()).await;
        let request = || {
            let mut request =
                self.http.put(url.clone()).header(CONTENT_TYPE, &manifest.media_type).body(manifest.bytes.clone());
            if let Some(stamp) = stamp {
                request = request.header(STAMP, stamp.to_text());
            }
            if tag.is_some() && manifest.digest.algorithm() != Algorithm::Sha256 {
                request = request.header(TAG_DIGEST, manifest.digest.to_string());
            }
            match condition {
                PutCondition::Always => request,
                PutCondition::Absent => request.header(IF_NONE_MATCH, "*"),
                PutCondition::PointsTo(digest) => request.header(IF_MATCH, format!("\"{digest}\"")),
            }
        };
        let answer = self.send(&Scope::of(&there, "pull,push"), request).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(self.refused(format!("write {there}:{reference}"), answer).await)
    }

    /// Removes a tag or a manifest; one that is not there is as good as removed. A tag may have to point to `only`, at registries that know such a condition.
    pub async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        only: Option<&Digest>,
        stamp: Option<&Stamp>,
    ) -> Result<()> {
        let there = self.there(repository);
        let url = self.at(&format!("/v2/{there}/manifests/{reference}"))?;
        let _turn = self.turn().await;
        let request = || {
            let mut request = self.http.delete(url.clone());
            if let Some(only) = only {
                request = request.header(IF_MATCH, format!("\"{only}\""));
            }
            match stamp {
                Some(stamp) => request.header(STAMP, stamp.to_text()),
                None => request,
            }
        };
        let answer = self.send(&Scope::of(&there, "delete"), request).await?;
        let done = answer.status().is_success() || answer.status() == StatusCode::NOT_FOUND;
        if done { Ok(()) } else { Err(self.refused(format!("remove {there}:{reference}"), answer).await) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read_as_they_are_written() {
        for base in [None, Some(Digest::sha256(b"base"))] {
            let at = "2026-11-22T00:00:00.5Z".parse().expect("a time");
            let stamp = Stamp { at, origin: "region-1".to_owned(), base };
            assert_eq!(Stamp::parse(&stamp.to_text()), Some(stamp));
        }
        for text in ["", "2026-11-22T00:00:00Z", "now region", "2026-11-22T00:00:00Z ", "2026-11-22T00:00:00Z a b"] {
            assert_eq!(Stamp::parse(text), None, "{text}");
        }
    }
}
