//! Brings one tag or manifest of a target to where this registry stands.

use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};
use tracing::{debug, info, warn};

use super::conflict::{Verdict, judge};
use super::target::Target;
use super::{Change, Changed, Shared};
use crate::client::{ClientError, PutCondition, RawManifest, Result, TagState, Trouble};
use crate::copy::{Attached, Copy, Tally};
use crate::images::Images;

/// How often a tag is tried that somebody else moves meanwhile.
const TRIES: usize = 5;

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// The target is as this registry is.
    There,
    /// It is not, and need not be: the other side is right, nobody is, or there is nothing to bring any more.
    Elsewhere,
}

pub(super) async fn apply(shared: &Shared, target: &Target, change: &Change) -> Result<Became> {
    let repository = &change.repository;
    match &change.what {
        Changed::Tag(tag) => apply_tag(shared, target, repository, tag).await,
        Changed::Manifest(digest) => {
            let copied = copy(shared, target, repository, digest).await?;
            // One that is gone or damaged here says nothing about the other side.
            Ok(copied.map_or(Became::Elsewhere, |_| Became::There))
        }
        Changed::Removed(digest) => remove(shared, target, repository, digest).await,
    }
}

async fn apply_tag(shared: &Shared, target: &Target, repository: &RepositoryName, tag: &Tag) -> Result<Became> {
    for _ in 0..TRIES {
        let ours = shared.state(repository, tag).await?;
        let theirs = target.remote.tag_state(repository, tag).await?;
        let verdict = judge(shared.settings.rule_of(repository), &ours, &theirs);
        debug!(target.name = target.name, repository = %repository, %tag, ?verdict, "a tag was compared");
        let done = match verdict {
            Verdict::Same => Ok(Became::There),
            Verdict::Theirs => return Ok(Became::Elsewhere),
            Verdict::Conflict => {
                warn!(
                    target.name = target.name, repository = %repository, %tag, ?ours, ?theirs,
                    "a tag was moved in two regions, and the rule says that neither wins"
                );
                return Ok(Became::Elsewhere);
            }
            Verdict::Ours => match &ours.digest {
                Some(digest) => move_tag(shared, target, repository, tag, digest, &ours, &theirs).await,
                None if shared.settings.deletes => {
                    let (reference, stamp) = (Reference::Tag(tag.clone()), ours.stamp.as_ref());
                    let removed = target.remote.delete_manifest(repository, &reference, theirs.digest.as_ref(), stamp);
                    removed.await.map(|()| Became::There)
                }
                None => return Ok(Became::Elsewhere),
            },
        };
        match done {
            Ok(Became::There) => {
                shared.common(repository, tag, &ours).await?;
                return Ok(Became::There);
            }
            // Somebody moved it meanwhile: it is judged again.
            Err(error) if error.trouble() == Trouble::Conflict => {}
            other => return other,
        }
    }
    Err(ClientError::Source(format!("tag {tag} of {repository} is moved faster than it can be copied")))
}

async fn move_tag(
    shared: &Shared,
    target: &Target,
    repository: &RepositoryName,
    tag: &Tag,
    digest: &Digest,
    ours: &TagState,
    theirs: &TagState,
) -> Result<Became> {
    let Some(mut raw) = copy(shared, target, repository, digest).await? else {
        // It was removed meanwhile; that is a change of its own.
        return Ok(Became::Elsewhere);
    };
    let condition = match &theirs.digest {
        None => PutCondition::Absent,
        Some(digest) => PutCondition::PointsTo(digest.clone()),
    };
    // What the tag calls it here it is called there, unless it has been moved meanwhile.
    let store = shared.local.store();
    if let Some(name) = store.tag_name(repository, tag).await?
        && store.sorted_by(repository, &name).await?.as_ref() == Some(digest)
    {
        raw.digest = name;
    }
    target.remote.put_manifest(repository, Some(tag), &raw, &condition, ours.stamp.as_ref()).await?;
    Ok(Became::There)
}

/// Takes away there what a client removed here, unless it has come back here, or a tag leads to it there that is not ours to take.
async fn remove(shared: &Shared, target: &Target, repository: &RepositoryName, digest: &Digest) -> Result<Became> {
    let reference = Reference::Digest(digest.clone());
    if !shared.settings.deletes || shared.local.head(repository, &reference).await?.is_some() {
        return Ok(Became::Elsewhere);
    }
    for (tag, theirs) in target.remote.snapshot(repository).await?.unwrap_or_default() {
        if theirs.digest.as_ref() != Some(digest) {
            continue;
        }
        let ours = shared.state(repository, &tag).await?;
        if ours.digest.is_none() && judge(shared.settings.rule_of(repository), &ours, &theirs) == Verdict::Ours {
            return Err(ClientError::Source(format!("tag {tag} of {repository} goes there before {digest} does")));
        }
        info!(target.name = target.name, repository = %repository, %digest, %tag, "a manifest stays there: a tag leads to it");
        return Ok(Became::Elsewhere);
    }
    target.remote.delete_manifest(repository, &reference, None, Some(&shared.stamp_now())).await?;
    Ok(Became::There)
}

async fn copy(
    shared: &Shared,
    target: &Target,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<RawManifest>> {
    let (tally, stamp) = (Tally::default(), shared.stamp_now());
    // Each tag is brought for itself, also one that belongs to a manifest: the rule judges which one stays.
    let attached = Attached::default();
    let copy = Copy {
        from: &shared.local,
        from_repository: repository,
        to: &target.remote,
        to_repository: repository,
        mount_from: &[],
        referrers: true,
        attached: &attached,
        stamp: Some(&stamp),
        tally: &tally,
    };
    let raw = copy.closure(digest).await?;
    if tally.manifests() > 0 {
        info!(
            target.name = target.name, repository = %repository, %digest,
            manifests = tally.manifests(), blobs = tally.blobs(), bytes = tally.bytes(),
            "copied a manifest to {}", target.name
        );
    }
    Ok(raw)
}
