//! What another registry has: repositories, tags, referrers.

use std::collections::BTreeMap;

use http::StatusCode;
use jeroboam_oci::manifest::{Descriptor, Manifest};
use jeroboam_oci::pagination::next_of_link;
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag, referrers};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::auth::Scope;
use super::{ClientError, Remote, Result, TagState, header};

/// Most pages of one list: a million lines.
const PAGES: usize = 1000;

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Catalog {
    repositories: Option<Vec<String>>,
}

/// Where tags of a repository point, a page of them.
#[derive(Debug, Default, serde::Serialize, Deserialize)]
pub struct Snapshot {
    /// Each tag.
    pub tags: BTreeMap<Tag, TagState>,
    /// After which the next page begins, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Tag>,
}

#[derive(Deserialize)]
struct Referrers {
    manifests: Option<Vec<Descriptor>>,
}

impl Remote {
    /// All tags of a repository; `None` where there is no such repository. What is no tag by our rules is left out.
    pub async fn tags(&self, repository: &RepositoryName) -> Result<Option<Vec<Tag>>> {
        let there = self.there(repository);
        let scope = Scope::of(&there, "pull");
        let pages = self.pages::<Tags>(&format!("/v2/{there}/tags/list?n=1000"), &scope).await?;
        let tags = |pages: Vec<Tags>| {
            let names = pages.into_iter().flat_map(|page| page.tags.unwrap_or_default());
            let mut tags: Vec<Tag> = names.filter_map(|name| name.parse().ok()).collect();
            tags.sort();
            tags.dedup();
            tags
        };
        Ok(pages.map(tags))
    }

    /// Where all tags of a repository point, and since when, from a registry of ours; `None` from any other.
    pub async fn snapshot(&self, repository: &RepositoryName) -> Result<Option<BTreeMap<Tag, TagState>>> {
        let there = self.there(repository);
        let mut url = self.at(&format!("/v2/{there}/_x/replication/"))?;
        let mut tags = BTreeMap::new();
        for _ in 0..PAGES {
            let page = match self.page::<Snapshot>(&url, &Scope::of(&there, "pull,push")).await {
                Ok(page) => page,
                // Others find a name in this path that they do not like, or a method.
                Err(ClientError::Status { status: 400 | 405, .. } | ClientError::Unreadable { .. }) => None,
                Err(error) => return Err(error),
            };
            let Some((page, _)) = page else { return Ok(None) };
            tags.extend(page.tags);
            let Some(next) = page.next else { return Ok(Some(tags)) };
            url.set_query(Some(&format!("last={next}")));
        }
        Err(self.unreadable(format!("a list has more than {PAGES} pages")))
    }

    /// All repositories.
    pub async fn repositories(&self) -> Result<Vec<RepositoryName>> {
        let pages = self.pages::<Catalog>("/v2/_catalog?n=1000", &Scope::catalog()).await?.unwrap_or_default();
        let names = pages.into_iter().flat_map(|page| page.repositories.unwrap_or_default());
        let mut names: Vec<RepositoryName> = names.filter_map(|name| name.parse().ok()).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// What is about a manifest. A registry that has no such list may have it under a tag.
    pub async fn referrers(&self, repository: &RepositoryName, subject: &Digest) -> Result<Vec<Descriptor>> {
        let there = self.there(repository);
        let scope = Scope::of(&there, "pull");
        let path = format!("/v2/{there}/referrers/{subject}");
        if let Some(pages) = self.pages::<Referrers>(&path, &scope).await? {
            return Ok(pages.into_iter().flat_map(|page| page.manifests.unwrap_or_default()).collect());
        }
        let tag = Reference::Tag(referrers::fallback_tag(subject));
        let Some(raw) = self.manifest(repository, &tag).await? else { return Ok(Vec::new()) };
        let listed =
            Manifest::stored(&raw.bytes).map_err(|why| self.unreadable(format!("its list of referrers: {why}")))?;
        Ok(listed.children().cloned().collect())
    }

    /// All pages of a list; `None` where there is no such list. Half a list is none: somebody may take what is missing for removed.
    async fn pages<T: DeserializeOwned>(&self, path: &str, scope: &Scope) -> Result<Option<Vec<T>>> {
        let mut pages = Vec::new();
        let mut url = self.at(path)?;
        for _ in 0..PAGES {
            let Some((page, next)) = self.page(&url, scope).await? else {
                if pages.is_empty() {
                    return Ok(None);
                }
                return Err(
                    self.unreadable(format!("a list ended after {} pages: the next one is not there", pages.len()))
                );
            };
            pages.push(page);
            let Some(next) = next else { return Ok(Some(pages)) };
            let next = self.here(next)?;
            if next == url {
                return Err(self.unreadable("a page of a list leads to itself".to_owned()));
            }
            url = next;
        }
        Err(self.unreadable(format!("a list has more than {PAGES} pages")))
    }

    /// The address of the next page as we reach it. Behind a proxy a registry does not always know how it is reached; where it leads elsewhere our password must not go.
    pub(super) fn here(&self, next: Url) -> Result<Url> {
        if self.is_own(&next) {
            return Ok(next);
        }
        if next.host_str() != self.url.host_str() {
            let other = next.host_str().unwrap_or_default().to_owned();
            return Err(self.unreadable(format!("a list goes on at another registry, {other:?}")));
        }
        let mut here = self.url.clone();
        here.set_path(next.path());
        here.set_query(next.query());
        Ok(here)
    }

    async fn page<T: DeserializeOwned>(&self, url: &Url, scope: &Scope) -> Result<Option<(T, Option<Url>)>> {
        let _turn = self.turn().await;
        let answer = self.send(scope, || self.http.get(url.clone())).await?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(self.refused(format!("list {}", url.path()), answer).await),
        }
        let next = header(answer.headers(), "link").and_then(next_of_link).and_then(|next| url.join(next).ok());
        let bytes = self.bytes(answer).await?;
        let page = serde_json::from_slice(&bytes).map_err(|error| self.unreadable(format!("a list: {error}")))?;
        Ok(Some((page, next)))
    }
}
