//! From a path that a listing shows back to what it means.

use super::own::Area;
use super::{BLOBS, OWN, REPOSITORIES};
use crate::{Algorithm, Digest, RepositoryName, Tag, UploadId};

/// What the path of an object means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// The bytes of a blob.
    Blob(Digest),
    /// Something of a repository.
    Repository(RepositoryName, InRepository),
    /// Something of ours, and the rest of its path.
    Own(Area, &'a str),
    /// Nothing that distribution or we write; it is left alone.
    Foreign,
}

/// What an object of a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InRepository {
    /// The link to a blob.
    Layer(Digest),
    /// The link to a manifest.
    Revision(Digest),
    /// The link to what a tag points to.
    TagCurrent(Tag),
    /// The link to something that a tag points to, or did once.
    TagOnce(Tag, Digest),
    /// The bytes of an upload.
    UploadData(UploadId),
    /// When an upload began.
    UploadStarted(UploadId),
    /// How the digest of an upload stood at an offset.
    UploadHashState(UploadId, Algorithm, u64),
}

/// What a folder means, which a listing shows with a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folder {
    /// A repository, or only the beginning of the name of others.
    Repository(RepositoryName),
    /// Above the links to blobs, by which distribution knows a repository.
    Layers(RepositoryName),
    /// Above manifests and tags.
    Manifests(RepositoryName),
    /// Above uploads.
    Uploads(RepositoryName),
    /// A tag.
    Tag(RepositoryName, Tag),
    /// An upload.
    Upload(RepositoryName, UploadId),
    /// Anything else.
    Other,
}

/// What the path of an object means.
#[must_use]
pub fn meaning(path: &str) -> Meaning<'_> {
    let found = if let Some(rest) = path.strip_prefix(BLOBS) {
        blob(rest).map(Meaning::Blob)
    } else if let Some(rest) = path.strip_prefix(REPOSITORIES) {
        named(rest).and_then(|(name, rest)| Some(Meaning::Repository(name, in_repository(rest)?)))
    } else if let Some((area, rest)) = path.strip_prefix(OWN).and_then(|rest| rest.split_once('/')) {
        Area::of_name(area).map(|area| Meaning::Own(area, rest))
    } else {
        None
    };
    found.unwrap_or(Meaning::Foreign)
}

fn blob(rest: &str) -> Option<Digest> {
    let (algorithm, rest) = rest.split_once('/')?;
    let (shard, rest) = rest.split_once('/')?;
    let hex = rest.strip_suffix("/data")?;
    let digest = digest(algorithm, hex)?;
    hex.starts_with(shard).then_some(())?;
    (shard.len() == 2).then_some(digest)
}

fn digest(algorithm: &str, hex: &str) -> Option<Digest> {
    Digest::from_parts(algorithm.parse().ok()?, hex).ok()
}

/// A digest as `<algorithm>/<hex>/link`.
fn linked(rest: &str) -> Option<Digest> {
    let (algorithm, rest) = rest.split_once('/')?;
    digest(algorithm, rest.strip_suffix("/link")?)
}

/// The name of a repository, which ends where a part begins with `_`, and what comes then.
fn named(rest: &str) -> Option<(RepositoryName, &str)> {
    let end = rest.find("/_")?;
    Some((rest[..end].parse().ok()?, &rest[end + 1..]))
}

fn in_repository(rest: &str) -> Option<InRepository> {
    if let Some(rest) = rest.strip_prefix("_layers/") {
        return Some(InRepository::Layer(linked(rest)?));
    }
    if let Some(rest) = rest.strip_prefix("_manifests/revisions/") {
        return Some(InRepository::Revision(linked(rest)?));
    }
    if let Some(rest) = rest.strip_prefix("_manifests/tags/") {
        let (tag, rest) = rest.split_once('/')?;
        let tag = tag.parse().ok()?;
        return match rest {
            "current/link" => Some(InRepository::TagCurrent(tag)),
            _ => Some(InRepository::TagOnce(tag, linked(rest.strip_prefix("index/")?)?)),
        };
    }
    let (id, rest) = rest.strip_prefix("_uploads/")?.split_once('/')?;
    let id = id.parse().ok()?;
    match rest {
        "data" => Some(InRepository::UploadData(id)),
        "startedat" => Some(InRepository::UploadStarted(id)),
        _ => {
            let (algorithm, offset) = rest.strip_prefix("hashstates/")?.split_once('/')?;
            let number = offset.parse::<u64>().ok().filter(|number| number.to_string() == offset)?;
            Some(InRepository::UploadHashState(id, algorithm.parse().ok()?, number))
        }
    }
}

/// What a folder means.
#[must_use]
pub fn folder(path: &str) -> Folder {
    path.strip_prefix(REPOSITORIES)
        .and_then(|rest| rest.strip_suffix('/'))
        .and_then(of_repositories)
        .unwrap_or(Folder::Other)
}

fn of_repositories(rest: &str) -> Option<Folder> {
    let Some((name, rest)) = named(rest) else { return Some(Folder::Repository(rest.parse().ok()?)) };
    match rest {
        "_layers" => return Some(Folder::Layers(name)),
        "_manifests" => return Some(Folder::Manifests(name)),
        "_uploads" => return Some(Folder::Uploads(name)),
        _ => {}
    }
    match rest.strip_prefix("_manifests/tags/") {
        Some(tag) => Some(Folder::Tag(name, tag.parse().ok()?)),
        None => Some(Folder::Upload(name, rest.strip_prefix("_uploads/")?.parse().ok()?)),
    }
}
