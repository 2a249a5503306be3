//! What we keep beside distribution's own.

use std::fmt::Write as _;

use super::ROOT;
use crate::{Digest, RepositoryName, Tag};

/// Above everything that is ours.
pub const OWN: &str = "docker/registry/v2/_x/";

/// What is kept, one folder each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// Uploads that go on.
    Sessions,
    /// Promises that a blob stays, which the garbage collection keeps.
    Leases,
    /// What the garbage collection has to know the next time.
    Gc,
    /// What the garbage collection took away and may give back.
    Trash,
    /// Blobs whose bytes are not what their digest says.
    Quarantine,
    /// Manifests by what they are about.
    Referrers,
    /// What has to be sent to other registries.
    Replication,
    /// What has to be told to those who want to know.
    Events,
    /// What a pull-through cache knows of where it has something from.
    Mirror,
    /// What projects use.
    Quota,
}

impl Area {
    const ALL: [Self; 10] = [
        Self::Sessions,
        Self::Leases,
        Self::Gc,
        Self::Trash,
        Self::Quarantine,
        Self::Referrers,
        Self::Replication,
        Self::Events,
        Self::Mirror,
        Self::Quota,
    ];

    /// Its folder's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Leases => "leases",
            Self::Gc => "gc",
            Self::Trash => "trash",
            Self::Quarantine => "quarantine",
            Self::Referrers => "referrers",
            Self::Replication => "replication",
            Self::Events => "events",
            Self::Mirror => "mirror",
            Self::Quota => "quota",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|area| area.name() == name)
    }
}

/// Above everything of an area.
#[must_use]
pub fn area(area: Area) -> String {
    format!("{ROOT}_x/{}/", area.name())
}

/// A path of an area. Whatever is in a part comes out as a part: what a path cannot hold is written as `%` and two digits, slashes included.
/// Names of repositories may be too long for that; they are several parts.
#[must_use]
pub fn own(area: Area, parts: &[&str]) -> String {
    let mut path = format!("{ROOT}_x/{}", area.name());
    for part in parts {
        path.push('/');
        push_part(&mut path, part);
    }
    path
}

fn push_part(path: &mut String, part: &str) {
    match part {
        // A part is never empty, and none of those that lead elsewhere.
        "" => path.push('%'),
        "." => path.push_str("%2e"),
        ".." => path.push_str("%2e%2e"),
        _ => {
            for byte in part.bytes() {
                if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'@' | b'=') {
                    path.push(char::from(byte));
                } else {
                    let _ = write!(path, "%{byte:02x}");
                }
            }
        }
    }
}

/// Above all that is known of what manifests of a repository are about.
#[must_use]
pub fn referrers_of_repository(name: &RepositoryName) -> String {
    format!("{OWN}referrers/{name}/_subjects/")
}

/// When all manifests of a repository were last looked at for what they are about: RFC 3339.
#[must_use]
pub fn referrers_complete(name: &RepositoryName) -> String {
    format!("{OWN}referrers/{name}/_complete")
}

/// Whether a path is of such a mark.
#[must_use]
pub fn is_referrers_complete(path: &str) -> bool {
    path.strip_prefix(OWN).is_some_and(|rest| rest.starts_with("referrers/") && rest.ends_with("/_complete"))
}

/// Above what is known of manifests that are about another one.
#[must_use]
pub fn referrers(name: &RepositoryName, subject: &Digest) -> String {
    format!("{OWN}referrers/{name}/_subjects/{}/{}/", subject.algorithm(), subject.hex())
}

/// What is known of a manifest that is about another one: its descriptor.
#[must_use]
pub fn referrer(name: &RepositoryName, subject: &Digest, manifest: &Digest) -> String {
    let (subject_s, manifest_s) = (subject.algorithm(), manifest.algorithm());
    format!("{OWN}referrers/{name}/_subjects/{subject_s}/{}/{manifest_s}/{}", subject.hex(), manifest.hex())
}

/// When and by whose clients a tag was moved to where it points, or removed.
#[must_use]
pub fn tag_stamp(name: &RepositoryName, tag: &Tag) -> String {
    format!("{OWN}replication/@tags/{name}/_tags/{tag}")
}

/// When a pull-through cache last gave a manifest of a repository.
#[must_use]
pub fn mirrored(name: &RepositoryName, digest: &Digest) -> String {
    format!("{OWN}mirror/{name}/_manifests/{}/{}", digest.algorithm(), digest.hex())
}

/// Above what a pull-through cache knows of a repository's manifests.
#[must_use]
pub fn mirrored_of_repository(name: &RepositoryName) -> String {
    format!("{OWN}mirror/{name}/_manifests/")
}
