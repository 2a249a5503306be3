//! Paths of requests.
//!
//! They are matched from the right, because the name of a repository may itself have parts such as `blobs` or `manifests`. Nothing
//! here knows methods: whether something is read or written matters only to [`BadRoute::code`].

use crate::percent::{self, BadEncoding};
use crate::{BadDigest, BadName, BadTag, BadUploadId, Digest, ErrorCode, Reference, RepositoryName, Tag, UploadId};

/// What a path of `/v2/…` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/v2/`: whether there is a registry, and whether it lets the client in.
    Base,
    /// `/v2`, which leads to `/v2/`.
    BaseWithoutSlash,
    /// `/v2/_catalog`: the names of all repositories.
    Catalog,
    /// `/v2/_oci/ext/discover`: what there is beside the specification.
    Extensions,
    /// `/v2/<name>/tags/list`.
    Tags(RepositoryName),
    /// `/v2/<name>/manifests/<tag or digest>`.
    Manifest(RepositoryName, Reference),
    /// `/v2/<name>/blobs/<digest>`.
    Blob(RepositoryName, Digest),
    /// `/v2/<name>/blobs/uploads/`: where uploads begin.
    Uploads(RepositoryName),
    /// `/v2/<name>/blobs/uploads/<id>`.
    Upload(RepositoryName, UploadId),
    /// `/v2/<name>/referrers/<digest>`.
    Referrers(RepositoryName, Digest),
    /// `/v2/<name>/_x/replication/<digest>`: in which places a manifest is, with all that it names.
    Replication(RepositoryName, Digest),
    /// `/v2/<name>/_x/replication/`: where all tags point, and since when.
    Snapshot(RepositoryName),
}

/// Why a path means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRoute {
    /// There is no such path.
    #[error("there is nothing under this path")]
    Nothing,
    /// It is encoded wrongly.
    #[error(transparent)]
    Encoding(#[from] BadEncoding),
    /// The repository has no name.
    #[error(transparent)]
    Name(#[from] BadName),
    /// It names a manifest by something that is neither tag nor digest.
    #[error(transparent)]
    Tag(#[from] BadTag),
    /// It has a digest that is none.
    #[error(transparent)]
    Digest(#[from] BadDigest),
    /// It has an upload that is none.
    #[error(transparent)]
    Upload(#[from] BadUploadId),
}

impl BadRoute {
    /// What the client reads; `reading` is `GET` and `HEAD`, where a name that cannot be is a name that is not there. No code of the specification
    /// means that there is no such path: it is `404` without one, which is `None`.
    #[must_use]
    pub fn code(self, reading: bool) -> Option<ErrorCode> {
        match self {
            Self::Nothing => None,
            Self::Encoding(_) | Self::Name(_) if reading => Some(ErrorCode::NameUnknown),
            Self::Encoding(_) | Self::Name(_) => Some(ErrorCode::NameInvalid),
            Self::Tag(_) if reading => Some(ErrorCode::ManifestUnknown),
            Self::Tag(_) => Some(ErrorCode::TagInvalid),
            Self::Digest(_) => Some(ErrorCode::DigestInvalid),
            Self::Upload(_) => Some(ErrorCode::BlobUploadUnknown),
        }
    }
}

impl Route {
    /// The repository that it is about.
    #[must_use]
    pub fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Base | Self::BaseWithoutSlash | Self::Catalog | Self::Extensions => None,
            Self::Tags(name)
            | Self::Manifest(name, _)
            | Self::Blob(name, _)
            | Self::Uploads(name)
            | Self::Upload(name, _)
            | Self::Referrers(name, _)
            | Self::Replication(name, _)
            | Self::Snapshot(name) => Some(name),
        }
    }

    /// The path, as clients are told it.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Base => "/v2/".to_owned(),
            Self::BaseWithoutSlash => "/v2".to_owned(),
            Self::Catalog => "/v2/_catalog".to_owned(),
            Self::Extensions => "/v2/_oci/ext/discover".to_owned(),
            Self::Tags(name) => format!("/v2/{name}/tags/list"),
            Self::Manifest(name, reference) => format!("/v2/{name}/manifests/{reference}"),
            Self::Blob(name, digest) => format!("/v2/{name}/blobs/{digest}"),
            Self::Uploads(name) => format!("/v2/{name}/blobs/uploads/"),
            Self::Upload(name, id) => format!("/v2/{name}/blobs/uploads/{id}"),
            Self::Referrers(name, digest) => format!("/v2/{name}/referrers/{digest}"),
            Self::Replication(name, digest) => format!("/v2/{name}/_x/replication/{digest}"),
            Self::Snapshot(name) => format!("/v2/{name}/_x/replication/"),
        }
    }
}

/// Finds what a path means, query excluded.
pub fn parse_route(path: &str) -> Result<Route, BadRoute> {
    let path = percent::decode(path)?;
    let rest = match path.strip_prefix("/v2") {
        Some("") => return Ok(Route::BaseWithoutSlash),
        Some("/") => return Ok(Route::Base),
        Some("/_catalog") => return Ok(Route::Catalog),
        Some("/_oci/ext/discover") => return Ok(Route::Extensions),
        Some(rest) => rest.strip_prefix('/').ok_or(BadRoute::Nothing)?,
        None => return Err(BadRoute::Nothing),
    };
    let (before, last) = cut(rest)?;
    let (before, second) = cut(before)?;
    match (second, last) {
        ("tags", "list") => Ok(Route::Tags(before.parse()?)),
        ("manifests", reference) => Ok(Route::Manifest(before.parse()?, parse_reference(reference)?)),
        ("referrers", digest) => Ok(Route::Referrers(before.parse()?, digest.parse()?)),
        ("blobs", "uploads") => Ok(Route::Uploads(before.parse()?)),
        ("blobs", digest) => Ok(Route::Blob(before.parse()?, digest.parse()?)),
        ("uploads", id) => match (cut(before)?, id) {
            ((name, "blobs"), "") => Ok(Route::Uploads(name.parse()?)),
            ((name, "blobs"), id) => Ok(Route::Upload(name.parse()?, id.parse()?)),
            _ => Err(BadRoute::Nothing),
        },
        ("replication", digest) => match cut(before)? {
            (name, "_x") if digest.is_empty() => Ok(Route::Snapshot(name.parse()?)),
            (name, "_x") => Ok(Route::Replication(name.parse()?, digest.parse()?)),
            _ => Err(BadRoute::Nothing),
        },
        _ => Err(BadRoute::Nothing),
    }
}

/// What stands before the last slash and what behind; before it there may be nothing left.
fn cut(path: &str) -> Result<(&str, &str), BadRoute> {
    match path.rsplit_once('/') {
        Some(parts) => Ok(parts),
        None if path.is_empty() => Err(BadRoute::Nothing),
        None => Ok(("", path)),
    }
}

fn parse_reference(text: &str) -> Result<Reference, BadRoute> {
    if text.contains(':') { Ok(Reference::Digest(text.parse()?)) } else { Ok(Reference::Tag(text.parse::<Tag>()?)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    const ID: &str = "0197a1b2-0000-4000-8000-000000000000";

    #[track_caller]
    fn check(path: &str, route: Result<Route, BadRoute>) {
        assert_eq!(parse_route(path), route, "{path}");
        if let Ok(route) = route {
            assert_eq!(parse_route(&route.path()), Ok(route), "its own path means the same");
        }
    }

    fn name(text: &str) -> RepositoryName {
        text.parse().expect("it is a name")
    }

    #[test]
    fn paths_are_matched_from_the_right() {
        let digest: Digest = DIGEST.parse().expect("it is a digest");
        let id: UploadId = ID.parse().expect("it is an upload");
        let tag = |text: &str| Reference::Tag(text.parse().expect("it is a tag"));
        check("/v2", Ok(Route::BaseWithoutSlash));
        check("/v2/", Ok(Route::Base));
        check("/v2/_catalog", Ok(Route::Catalog));
        check("/v2/_oci/ext/discover", Ok(Route::Extensions));
        check("/v2/a/b/tags/list", Ok(Route::Tags(name("a/b"))));
        check("/v2/tags/tags/list", Ok(Route::Tags(name("tags"))));
        check("/v2/a/manifests/v1.0", Ok(Route::Manifest(name("a"), tag("v1.0"))));
        check("/v2/a/manifests/list", Ok(Route::Manifest(name("a"), tag("list"))));
        check("/v2/a/blobs/uploads/manifests/x", Ok(Route::Manifest(name("a/blobs/uploads"), tag("x"))));
        check("/v2/a/manifests/tags/list", Ok(Route::Tags(name("a/manifests"))));
        check(&format!("/v2/a/manifests/{DIGEST}"), Ok(Route::Manifest(name("a"), Reference::Digest(digest.clone()))));
        check(&format!("/v2/a/blobs/{DIGEST}"), Ok(Route::Blob(name("a"), digest.clone())));
        check(&format!("/v2/a/blobs/{}", DIGEST.replace(':', "%3A")), Ok(Route::Blob(name("a"), digest.clone())));
        check(&format!("/v2/a%2Fb/blobs/{DIGEST}"), Ok(Route::Blob(name("a/b"), digest.clone())));
        check("/v2/a/blobs/uploads/", Ok(Route::Uploads(name("a"))));
        check("/v2/a/blobs/uploads", Ok(Route::Uploads(name("a"))));
        check("/v2/a/manifests/v1/blobs/uploads/", Ok(Route::Uploads(name("a/manifests/v1"))));
        check(&format!("/v2/a/blobs/uploads/{ID}"), Ok(Route::Upload(name("a"), id)));
        check(&format!("/v2/a/referrers/{DIGEST}"), Ok(Route::Referrers(name("a"), digest.clone())));
        check(&format!("/v2/a/_x/replication/{DIGEST}"), Ok(Route::Replication(name("a"), digest)));
        check("/v2/a/b/_x/replication/", Ok(Route::Snapshot(name("a/b"))));
    }

    #[test]
    fn what_means_nothing_says_why() {
        for path in ["", "/", "/v1/", "/v1/a", "/v2a", "/v20/", "/v2/a", "/v2/a/b/c", "/v2/a/tags", "/v2/a/tags/list/"]
        {
            check(path, Err(BadRoute::Nothing));
        }
        for path in ["/v2//", "/v2/uploads/x", "/v2/a/uploads/x", "/v2/a/replication/x", "/v2/_catalog/", "/v2/x/"] {
            check(path, Err(BadRoute::Nothing));
        }
        let form = Err(BadRoute::Name(BadName::Form));
        for path in
            ["/v2/Foo/tags/list", "/v2/tags/list", "/v2//tags/list", "/v2/a/../b/manifests/x", "/v2/a%00/tags/list"]
        {
            check(path, form.clone());
        }
        check("/v2/a%2F..%2Fb/tags/list", form);
        check("/v2/a%zz/tags/list", Err(BadRoute::Encoding(BadEncoding)));
        check("/v2/a/manifests/", Err(BadRoute::Tag(BadTag)));
        check("/v2/a/manifests/.x", Err(BadRoute::Tag(BadTag)));
        check("/v2/a/manifests/sha256:totallywrong", Err(BadRoute::Digest(BadDigest::Hex)));
        check("/v2/a/manifests/md5:00", Err(BadRoute::Digest(BadDigest::Algorithm)));
        check("/v2/a/blobs/", Err(BadRoute::Digest(BadDigest::Form)));
        check("/v2/a/blobs/x", Err(BadRoute::Digest(BadDigest::Form)));
        check("/v2/a/referrers/x", Err(BadRoute::Digest(BadDigest::Form)));
        check("/v2/a/blobs/uploads/..", Err(BadRoute::Upload(BadUploadId)));
        assert_eq!(BadRoute::Name(BadName::Form).code(true), Some(ErrorCode::NameUnknown));
        assert_eq!(BadRoute::Name(BadName::Form).code(false), Some(ErrorCode::NameInvalid));
    }
}
