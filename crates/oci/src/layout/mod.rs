//! Where everything is in the store that distribution v2 fills, and what a path that is found there means.
//!
//! The only place that knows paths. They begin at the root of the place and have no leading slash, no empty part, no `.` and no
//! `..`: every part comes from a type that is checked. What we keep beside distribution's own is all under `_x`, which it ignores.
//! distribution writes `+`, `.` and `;` of an algorithm's name as `/`; neither algorithm that we know has any.
//!
//! Listings are sorted by the bytes of paths, not by the names in them: `a-b/…` stands before `a/…`, since `-` is less than `/`.

mod meaning;
mod own;

use crate::{Algorithm, Digest, RepositoryName, Tag, UploadId};

pub use meaning::{Folder, InRepository, Meaning, folder, meaning};
pub use own::{
    Area, OWN, area, is_referrers_complete, mirrored, mirrored_of_repository, own, referrer, referrers,
    referrers_complete, referrers_of_repository, tag_stamp,
};

/// Above everything.
pub const ROOT: &str = "docker/registry/v2/";

/// Above all blobs.
pub const BLOBS: &str = "docker/registry/v2/blobs/";

/// Above all repositories.
pub const REPOSITORIES: &str = "docker/registry/v2/repositories/";

/// The bytes of a blob, which is a layer, a configuration or a manifest alike.
#[must_use]
pub fn blob(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("{BLOBS}{}/{}/{hex}/data", digest.algorithm(), &hex[..2])
}

/// Above all blobs whose digests are made like this and begin with these two digits.
#[must_use]
pub fn blobs_shard(algorithm: Algorithm, shard: u8) -> String {
    format!("{BLOBS}{algorithm}/{shard:02x}/")
}

/// Above everything of a repository, and of the repositories whose names begin with its name and a slash.
#[must_use]
pub fn repository(name: &RepositoryName) -> String {
    format!("{REPOSITORIES}{name}/")
}

/// Above the links to all blobs of a repository. Where there is none below, distribution says that there is no such repository.
#[must_use]
pub fn layers(name: &RepositoryName) -> String {
    format!("{REPOSITORIES}{name}/_layers/")
}

/// The link to a blob of a repository. The digest of the path need not be the one in the link, which is where the blob is.
#[must_use]
pub fn layer(name: &RepositoryName, digest: &Digest) -> String {
    format!("{REPOSITORIES}{name}/_layers/{}/{}/link", digest.algorithm(), digest.hex())
}

/// Above the links to all manifests of a repository.
#[must_use]
pub fn revisions(name: &RepositoryName) -> String {
    format!("{REPOSITORIES}{name}/_manifests/revisions/")
}

/// The link to a manifest of a repository.
#[must_use]
pub fn revision(name: &RepositoryName, digest: &Digest) -> String {
    format!("{REPOSITORIES}{name}/_manifests/revisions/{}/{}/link", digest.algorithm(), digest.hex())
}

/// Above all tags of a repository.
#[must_use]
pub fn tags(name: &RepositoryName) -> String {
    format!("{REPOSITORIES}{name}/_manifests/tags/")
}

/// Above everything of a tag.
#[must_use]
pub fn tag(name: &RepositoryName, tag: &Tag) -> String {
    format!("{REPOSITORIES}{name}/_manifests/tags/{tag}/")
}

/// The link to what a tag points to.
#[must_use]
pub fn tag_current(name: &RepositoryName, tag: &Tag) -> String {
    format!("{REPOSITORIES}{name}/_manifests/tags/{tag}/current/link")
}

/// Above the links to all that a tag ever pointed to.
#[must_use]
pub fn tag_history(name: &RepositoryName, tag: &Tag) -> String {
    format!("{REPOSITORIES}{name}/_manifests/tags/{tag}/index/")
}

/// The link to something that a tag points to, or did once.
#[must_use]
pub fn tag_once(name: &RepositoryName, tag: &Tag, digest: &Digest) -> String {
    format!("{REPOSITORIES}{name}/_manifests/tags/{tag}/index/{}/{}/link", digest.algorithm(), digest.hex())
}

/// Above all of distribution's uploads into a repository.
#[must_use]
pub fn uploads(name: &RepositoryName) -> String {
    format!("{REPOSITORIES}{name}/_uploads/")
}

/// Above everything of an upload.
#[must_use]
pub fn upload(name: &RepositoryName, id: &UploadId) -> String {
    format!("{REPOSITORIES}{name}/_uploads/{id}/")
}

/// The bytes of an upload so far.
#[must_use]
pub fn upload_data(name: &RepositoryName, id: &UploadId) -> String {
    format!("{REPOSITORIES}{name}/_uploads/{id}/data")
}

/// When an upload began: RFC 3339, UTC, whole seconds.
#[must_use]
pub fn upload_started(name: &RepositoryName, id: &UploadId) -> String {
    format!("{REPOSITORIES}{name}/_uploads/{id}/startedat")
}

/// How the digest of an upload stood when it had so many bytes; see [`crate::hash_state`].
#[must_use]
pub fn upload_hash_state(name: &RepositoryName, id: &UploadId, algorithm: Algorithm, offset: u64) -> String {
    format!("{REPOSITORIES}{name}/_uploads/{id}/hashstates/{algorithm}/{offset}")
}

#[cfg(test)]
mod tests;
