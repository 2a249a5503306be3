//! Finds what a page is about.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::request::Parts;
use jeroboam_oci::pagination::Asked;
use jeroboam_oci::{Query, Reference, RepositoryName, Tag};

use super::view::{self, ManifestPage, RepositoriesPage, RepositoryPage, TagRow};
use super::{No, Shared};
use crate::access::{Action, Need};
use crate::auth::Peer;
use crate::store::StoreError;

/// Most lines of one page.
const LINES: usize = 100;
/// Manifests that are read at a time.
const AT_ONCE: usize = 8;

pub(super) async fn repositories(shared: &Shared, parts: &Parts) -> Result<String, No> {
    let peer = Peer::of(parts);
    let query = Query::parse(parts.uri.query()).map_err(|_| No::Nothing)?;
    // Who may see nothing is refused before the store has to list everything.
    shared.auth.visible(parts, &peer, &[]).await?;
    let all = shared.store.repositories().await?;
    let visible = shared.auth.visible(parts, &peer, &all).await?;
    let names: Vec<&str> = visible.iter().map(RepositoryName::as_str).collect();
    let (page, next) = cut(&names, &query);
    let names = page.iter().map(|name| (*name).to_owned()).collect();
    Ok(shared.pages.repositories(&RepositoriesPage { prefix: &shared.prefix, names, total: visible.len(), next })?)
}

pub(super) async fn repository(shared: &Shared, parts: &Parts, name: &RepositoryName) -> Result<String, No> {
    let_in(shared, parts, name).await?;
    let query = Query::parse(parts.uri.query()).map_err(|_| No::Nothing)?;
    let all = shared.store.tags(name).await?;
    let tags: Vec<&str> = all.iter().map(Tag::as_str).collect();
    let (page, next) = cut(&tags, &query);
    let page: Vec<Tag> = page.iter().filter_map(|tag| tag.parse().ok()).collect();
    let rows = stream::iter(page).map(|tag| row(shared, name, tag)).buffered(AT_ONCE).try_collect::<Vec<_>>().await?;
    let tags = rows.into_iter().flatten().collect();
    Ok(shared.pages.repository(&RepositoryPage { prefix: &shared.prefix, name, tags, total: all.len(), next })?)
}

/// Whoever looks may pull, and is somebody where what is here was had with a password.
async fn let_in(shared: &Shared, parts: &Parts, name: &RepositoryName) -> Result<(), No> {
    let needs = [Need::Repository(name.clone(), Action::Pull)];
    let actor = shared.auth.check(parts, &Peer::of(parts), &needs).await?;
    if let Some(mirrored) = shared.mirror.place(name, None) {
        shared.mirror.may_read(&mirrored, &actor)?;
    }
    Ok(())
}

/// A tag that went while we looked has no line.
async fn row(shared: &Shared, name: &RepositoryName, tag: Tag) -> Result<Option<TagRow>, StoreError> {
    match shared.store.find_manifest(name, &Reference::Tag(tag.clone())).await {
        Ok(view) => Ok(Some(TagRow::of(&tag, &view))),
        Err(StoreError::ManifestUnknown(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) async fn manifest(
    shared: &Shared,
    parts: &Parts,
    name: &RepositoryName,
    reference: &Reference,
) -> Result<String, No> {
    let_in(shared, parts, name).await?;
    let found = shared.store.find_manifest(name, reference).await?;
    let about = if matches!(reference, Reference::Tag(_)) { &found.stored.canonical } else { &found.digest };
    let referrers = shared.store.referrers_after(name, about, None).await?;
    let referrers: Vec<_> = referrers.take(LINES).map_ok(|one| view::Part::of_referrer(&one)).try_collect().await?;
    let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("registry");
    let host = parts.uri.authority().map_or(host, http::uri::Authority::as_str);
    let page = ManifestPage::of(&shared.prefix, host, name, reference, &found, referrers);
    Ok(shared.pages.manifest(&page)?)
}

/// The lines of a page after `last`, and the last of them if there are more.
fn cut<'a>(all: &[&'a str], query: &Query) -> (Vec<&'a str>, Option<String>) {
    let asked = Asked { last: query.first("last").map(str::to_owned), count: None };
    let (page, more) = asked.cut(all, LINES);
    let next = page.last().filter(|_| more).map(|last| jeroboam_oci::percent::encode(last));
    (page.to_vec(), next)
}
