//! Referrers: the manifests that are about another one.
//!
//! Clients that find no such list write one under a tag made of the subject's digest. Such tags are read where a store has them, and are otherwise
//! tags like any other.

use serde::Serialize;

use crate::manifest::{Descriptor, Manifest, MediaType};
use crate::{Algorithm, Digest, Tag};

/// Most descriptors in one answer.
pub const MOST: usize = 1000;

/// Most bytes of one answer.
pub const LONGEST: usize = 4 << 20;

/// What a list of referrers says of a manifest that is about another one.
#[must_use]
pub fn descriptor(manifest: &Manifest, digest: Digest, size: u64) -> Descriptor {
    Descriptor {
        artifact_type: manifest.artifact_type.clone(),
        annotations: manifest.annotations.clone(),
        ..Descriptor::new(manifest.media_type.as_str(), digest, size)
    }
}

/// A part of a list of referrers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The document, an index as OCI has it.
    pub body: String,
    /// After which digest the next page begins, where there is one.
    pub next: Option<Digest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: &'a [&'a Descriptor],
}

/// A page that is being filled, one descriptor after the other, sorted by their digests and each once.
#[derive(Clone, Debug)]
pub struct Filling {
    /// As they are written, with commas between them.
    written: String,
    count: usize,
    /// The last one that was looked at, whether it is on the page or not.
    last: Option<Digest>,
}

impl Default for Filling {
    fn default() -> Self {
        Self::new()
    }
}

impl Filling {
    /// An empty page.
    #[must_use]
    pub fn new() -> Self {
        Self { written: String::new(), count: 0, last: None }
    }

    /// Puts a descriptor on the page if it is of this type, or none is asked for. `false`: the page is full without it.
    pub fn add(&mut self, descriptor: &Descriptor, artifact_type: Option<&str>) -> bool {
        if artifact_type.is_none_or(|wanted| descriptor.artifact_type.as_deref() == Some(wanted)) {
            let text = serde_json::to_string(descriptor).expect("texts and numbers can be written as JSON");
            // A comma stands before all but the first. One alone is given however large it is: otherwise nobody would get behind it.
            let fits = self.written.len() + text.len() < LONGEST - empty().len();
            if self.count > 0 && (self.count == MOST || !fits) {
                return false;
            }
            if self.count > 0 {
                self.written.push(',');
            }
            self.written.push_str(&text);
            self.count += 1;
        }
        self.last = Some(descriptor.digest.clone());
        true
    }

    /// The page. `more`: something comes behind the last one that was looked at.
    #[must_use]
    pub fn end(self, more: bool) -> Page {
        let body = empty().replace("[]", &format!("[{}]", self.written));
        Page { body, next: self.last.filter(|_| more) }
    }
}

/// A page with nothing on it.
fn empty() -> String {
    let index = Index { schema_version: 2, media_type: MediaType::OciIndex.as_str(), manifests: &[] };
    serde_json::to_string(&index).expect("texts and numbers can be written as JSON")
}

/// The tag under which clients keep the list where the registry has none: the algorithm, and at most 64 digits.
#[must_use]
pub fn fallback_tag(subject: &Digest) -> Tag {
    let text = format!("{}-{}", subject.algorithm(), &subject.hex()[..64]);
    text.parse().expect("letters, a dash and digits are a tag")
}

/// What a fallback tag says of its subject: the algorithm, and the first 64 digits, which are all of a SHA-256.
#[must_use]
pub fn fallback_subject(tag: &Tag) -> Option<(Algorithm, &str)> {
    let (algorithm, hex) = tag.as_str().split_once('-')?;
    let digits = hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    digits.then_some(())?;
    Some((algorithm.parse().ok()?, hex))
}

/// Whether this may be the tag of something attached to a manifest, as cosign names signatures, attestations and bills of materials:
/// `sha256-<hex>.sig`. Gives the algorithm and the digits.
#[must_use]
pub fn attached_to(tag: &Tag) -> Option<Digest> {
    let (algorithm, rest) = tag.as_str().split_once('-')?;
    let hex = rest.split('.').next()?;
    Digest::from_parts(algorithm.parse().ok()?, hex).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page behind `after` of all that are of this type, if one is asked for. Sorted by digest, each once.
    fn page(all: &[Descriptor], artifact_type: Option<&str>, after: Option<&Digest>) -> Page {
        let mut wanted: Vec<_> =
            all.iter().filter(|descriptor| after.is_none_or(|after| descriptor.digest > *after)).collect();
        wanted.sort_by(|one, other| one.digest.cmp(&other.digest));
        wanted.dedup_by(|one, other| one.digest == other.digest);
        let mut filling = Filling::new();
        let more = !wanted.into_iter().all(|descriptor| filling.add(descriptor, artifact_type));
        filling.end(more)
    }

    fn referrer(n: usize, artifact_type: Option<&str>) -> Descriptor {
        let digest = Digest::sha256(&n.to_be_bytes());
        let artifact_type = artifact_type.map(str::to_owned);
        Descriptor { artifact_type, ..Descriptor::new(MediaType::OciManifest.as_str(), digest, 7) }
    }

    fn listed(page: &Page) -> Vec<Digest> {
        let document: serde_json::Value = serde_json::from_str(&page.body).expect("it is JSON");
        assert_eq!(document["schemaVersion"], 2);
        assert_eq!(document["mediaType"], "application/vnd.oci.image.index.v1+json");
        let manifests = document["manifests"].as_array().expect("a list");
        manifests.iter().map(|m| m["digest"].as_str().expect("a text").parse().expect("a digest")).collect()
    }

    #[test]
    fn a_list_says_what_each_is() {
        let json = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"a/config","digest":"{}","size":2}},"layers":[],"annotations":{{"k":"v"}}}}"#,
            MediaType::OciManifest,
            Digest::sha256(b"{}"),
        );
        let manifest = Manifest::stored(json.as_bytes()).expect("it is a manifest");
        let digest = Digest::sha256(json.as_bytes());
        let said = descriptor(&manifest, digest.clone(), 9);
        let expected = format!(
            r#"{{"mediaType":"{}","digest":"{digest}","size":9,"artifactType":"a/config","annotations":{{"k":"v"}}}}"#,
            MediaType::OciManifest
        );
        assert_eq!(serde_json::to_string(&said).expect("JSON"), expected);
        assert_eq!(
            page(&[], None, None).body,
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#
        );
    }

    #[test]
    fn a_list_is_filtered_and_sorted() {
        let all = [referrer(1, Some("a")), referrer(2, Some("b")), referrer(3, None), referrer(1, Some("a"))];
        let mut digests: Vec<_> = all[..3].iter().map(|d| d.digest.clone()).collect();
        digests.sort();
        assert_eq!(listed(&page(&all, None, None)), digests);
        assert_eq!(listed(&page(&all, Some("b"), None)), [all[1].digest.clone()]);
        assert_eq!(listed(&page(&all, Some("c"), None)), []);
        assert_eq!(listed(&page(&all, None, Some(&digests[0]))), digests[1..]);
        assert_eq!(listed(&page(&all, None, Some(&digests[2]))), []);
    }

    #[test]
    fn a_long_list_has_pages() {
        let all: Vec<_> = (0..2500).map(|n| referrer(n, None)).collect();
        let large = |n| Descriptor { annotations: [("k".to_owned(), "x".repeat(3 << 20))].into(), ..referrer(n, None) };
        let huge = Descriptor { annotations: [("k".to_owned(), "x".repeat(5 << 20))].into(), ..referrer(7, None) };
        for (all, pages) in [(all, 3), ((0..3).map(large).collect(), 3), (vec![huge], 1)] {
            let (mut found, mut after, mut count) = (Vec::new(), None, 0);
            loop {
                let page = page(&all, None, after.as_ref());
                assert!(all.len() == 1 || page.body.len() <= LONGEST);
                found.extend(listed(&page));
                count += 1;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!((count, found.len()), (pages, all.len()));
            assert!(found.is_sorted());
        }
    }

    #[test]
    fn tags_may_speak_of_subjects() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let subject = Digest::of(algorithm, b"subject");
            let tag = fallback_tag(&subject);
            assert_eq!(fallback_subject(&tag), Some((algorithm, &subject.hex()[..64])));
        }
        let subject = Digest::sha256(b"subject");
        let signature: Tag = format!("sha256-{}.sig", subject.hex()).parse().expect("a tag");
        assert_eq!(attached_to(&signature), Some(subject.clone()));
        assert_eq!(attached_to(&fallback_tag(&subject)), Some(subject));
        assert_eq!(fallback_subject(&signature), None);
        for other in ["latest", "sha256-", "sha256-00", "md5-d41d8cd98f00b204e9800998ecf8427e"] {
            let tag: Tag = other.parse().expect("a tag");
            assert_eq!((fallback_subject(&tag), attached_to(&tag)), (None, None), "{other}");
        }
    }
}
