//! Looks at a problem again, under exact names: a registry may serve while its store is read, and what was pushed or deleted meanwhile is no problem.

use jeroboam_blobs::{Freshness, List, Result, SharedBlobs};
use jeroboam_oci::{Digest, RepositoryName, Tag, layout, link};

use super::Problem;
use crate::gc::documents::read_bytes;

/// What a link says now.
enum Link {
    Absent,
    Torn,
    To(Digest),
}

async fn read_link(blobs: &SharedBlobs, path: &str) -> Result<Link> {
    let Some(bytes) = read_bytes(blobs, path, Freshness::Newest).await? else { return Ok(Link::Absent) };
    Ok(link::parse(&bytes).map_or(Link::Torn, Link::To))
}

async fn is_torn(blobs: &SharedBlobs, path: &str) -> Result<bool> {
    Ok(matches!(read_link(blobs, path).await?, Link::Torn))
}

async fn leads_to(blobs: &SharedBlobs, path: &str, digest: &Digest) -> Result<bool> {
    Ok(matches!(read_link(blobs, path).await?, Link::To(found) if found == *digest))
}

/// Whether a tag leads to a manifest, under whichever of its digests.
async fn tag_leads_to(blobs: &SharedBlobs, repository: &RepositoryName, tag: &Tag, manifest: &Digest) -> Result<bool> {
    match read_link(blobs, &layout::tag_current(repository, tag)).await? {
        Link::To(found) if found == *manifest => Ok(true),
        Link::To(found) if found.algorithm() != manifest.algorithm() => {
            leads_to(blobs, &layout::revision(repository, &found), manifest).await
        }
        _ => Ok(false),
    }
}

/// Whether a tag still leads to a manifest; where none did, whether the repository still has a link to that.
async fn is_had(
    blobs: &SharedBlobs,
    repository: &RepositoryName,
    tag: Option<&Tag>,
    manifest: &Digest,
) -> Result<bool> {
    match tag {
        Some(tag) => tag_leads_to(blobs, repository, tag, manifest).await,
        None => Ok(!matches!(read_link(blobs, &layout::revision(repository, manifest)).await?, Link::Absent)),
    }
}

/// Bytes of a blob; `None` where there is none.
async fn size(blobs: &SharedBlobs, digest: &Digest) -> Result<Option<u64>> {
    Ok(blobs.head(&layout::blob(digest), Freshness::Newest).await?.map(|meta| meta.size))
}

/// What came of a call about one object: an error is only that object's where the place answers others.
pub(crate) async fn of_one<T>(blobs: &SharedBlobs, outcome: Result<T>) -> Result<std::result::Result<T, String>> {
    match outcome {
        Ok(found) => Ok(Ok(found)),
        Err(error) if blobs.probe().await.is_ok() => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Whether a problem is still there; `None` where that cannot be said.
pub(crate) async fn is_still(blobs: &SharedBlobs, problem: &Problem) -> Result<Option<bool>> {
    let looked = look(blobs, problem).await;
    Ok(of_one(blobs, looked).await?.ok())
}

async fn look(blobs: &SharedBlobs, problem: &Problem) -> Result<bool> {
    match problem {
        Problem::TornTag { repository, tag, .. } => is_torn(blobs, &layout::tag_current(repository, tag)).await,
        Problem::TagWithoutManifest { repository, tag, manifest, .. } => {
            if !tag_leads_to(blobs, repository, tag, manifest).await? {
                return Ok(false);
            }
            match read_link(blobs, &layout::revision(repository, manifest)).await? {
                // One of another digest leads to the bytes.
                Link::To(found) => Ok(size(blobs, &found).await?.unwrap_or(0) == 0),
                _ => Ok(true),
            }
        }
        Problem::TagNotWhole { repository, tag, manifest, .. } => is_had(blobs, repository, Some(tag), manifest).await,
        Problem::ManifestNotWhole { repository, manifest, .. } => is_had(blobs, repository, None, manifest).await,
        Problem::WrongSize { repository, tag, manifest, .. } => is_had(blobs, repository, tag.as_ref(), manifest).await,
        Problem::PartWithoutLink { repository, tag, manifest, digest, is_manifest } => {
            // One tag stands for all that need it, and may have been moved.
            let linked = is_had(blobs, repository, None, manifest).await?;
            if !linked && !is_had(blobs, repository, tag.as_ref(), manifest).await? {
                return Ok(false);
            }
            let as_manifest =
                *is_manifest && matches!(read_link(blobs, &layout::revision(repository, digest)).await?, Link::To(_));
            let as_blob = matches!(read_link(blobs, &layout::layer(repository, digest)).await?, Link::To(_));
            Ok(!as_manifest && !as_blob)
        }
        Problem::TornRevision { repository, digest, .. } => is_torn(blobs, &layout::revision(repository, digest)).await,
        Problem::TornLayer { repository, digest, .. } => is_torn(blobs, &layout::layer(repository, digest)).await,
        Problem::RevisionToNothing { repository, manifest } => {
            let linked = !matches!(read_link(blobs, &layout::revision(repository, manifest)).await?, Link::Absent);
            Ok(linked && size(blobs, manifest).await?.unwrap_or(0) == 0)
        }
        Problem::LayerToNothing { repository, digest } => {
            let linked = !matches!(read_link(blobs, &layout::layer(repository, digest)).await?, Link::Absent);
            Ok(linked && size(blobs, digest).await?.is_none())
        }
        Problem::EmptyBlob { digest } => Ok(size(blobs, digest).await? == Some(0)),
        // Its bytes were read a moment ago, and nobody writes them again where they are.
        Problem::WrongBytes { digest, .. } => Ok(size(blobs, digest).await?.is_some()),
        Problem::Unreadable { path, .. } => Ok(read_bytes(blobs, path, Freshness::Newest).await.is_err()),
        Problem::Unlisted { repository, .. } => {
            let prefix = layout::layers(repository);
            let page = blobs.list(List { prefix: &prefix, after: None, folders: false, limit: 1 }).await?;
            Ok(page.items.is_empty())
        }
    }
}
