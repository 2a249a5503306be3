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

/// How much of a list is read. A longer one is an error, as half a list is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// Pages.
    pub pages: usize,
    /// Bytes of all of them.
    pub bytes: usize,
}

impl Default for Most {
    fn default() -> Self {
        // A million lines.
        Self { pages: 1000, bytes: 256 << 20 }
    }
}

/// A page of a list.
struct Page<T> {
    list: T,
    bytes: usize,
    /// Where the next one is, if there is one.
    next: Option<Url>,
}

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
        self.tags_up_to(repository, Most::default()).await
    }

    /// The same of a list that is not longer.
    pub async fn tags_up_to(&self, repository: &RepositoryName, most: Most) -> Result<Option<Vec<Tag>>> {
        let there = self.there(repository);
        let scope = Scope::of(&there, "pull");
        let pages = self.pages::<Tags>(&format!("/v2/{there}/tags/list?n=1000"), &scope, most).await?;
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
        let most = Most::default().pages;
        for _ in 0..most {
            let page = match self.page::<Snapshot>(&url, &Scope::of(&there, "pull,push")).await {
                Ok(page) => page,
                // Others find a name in this path that they do not like, or a method.
                Err(ClientError::Status { status: 400 | 405, .. } | ClientError::Unreadable { .. }) => None,
                Err(error) => return Err(error),
            };
            let Some(Page { list, .. }) = page else { return Ok(None) };
            tags.extend(list.tags);
            let Some(next) = list.next else { return Ok(Some(tags)) };
            url.set_query(Some(&format!("last={next}")));
        }
        Err(self.unreadable(format!("a list has more than {most} pages")))
    }

    /// All repositories.
    pub async fn repositories(&self) -> Result<Vec<RepositoryName>> {
        let pages = self.pages::<Catalog>("/v2/_catalog?n=1000", &Scope::catalog(), Most::default()).await?;
        let names = pages.unwrap_or_default().into_iter().flat_map(|page| page.repositories.unwrap_or_default());
        let mut names: Vec<RepositoryName> = names.filter_map(|name| name.parse().ok()).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// What is about a manifest. A registry that has no such list may have it under a tag.
    pub async fn referrers(&self, repository: &RepositoryName, subject: &Digest) -> Result<Vec<Descriptor>> {
        self.referrers_up_to(repository, subject, Most::default()).await
    }

    /// The same of a list that is not longer.
    pub async fn referrers_up_to(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        most: Most,
    ) -> Result<Vec<Descriptor>> {
        let there = self.there(repository);
        let scope = Scope::of(&there, "pull");
        let path = format!("/v2/{there}/referrers/{subject}");
        match self.pages::<Referrers>(&path, &scope, most).await {
            Ok(Some(pages)) => {
                return Ok(pages.into_iter().flat_map(|page| page.manifests.unwrap_or_default()).collect());
            }
            // Older ones find a name in this path that they do not like, or a method.
            Ok(None) | Err(ClientError::Status { status: 400 | 405 | 406, .. }) => {}
            Err(error) => return Err(error),
        }
        let tag = Reference::Tag(referrers::fallback_tag(subject));
        let Some(raw) = self.manifest(repository, &tag).await? else { return Ok(Vec::new()) };
        let listed =
            Manifest::stored(&raw.bytes).map_err(|why| self.unreadable(format!("its list of referrers: {why}")))?;
        Ok(listed.children().cloned().collect())
    }

    /// All pages of a list; `None` where there is no such list. Half a list is none: somebody may take what is missing for removed.
    async fn pages<T: DeserializeOwned>(&self, path: &str, scope: &Scope, most: Most) -> Result<Option<Vec<T>>> {
        let (mut pages, mut length) = (Vec::new(), 0);
        let mut url = self.at(path)?;
        for _ in 0..most.pages {
            let Some(Page { list, bytes, next }) = self.page(&url, scope).await? else {
                if pages.is_empty() {
                    return Ok(None);
                }
                return Err(
                    self.unreadable(format!("a list ended after {} pages: the next one is not there", pages.len()))
                );
            };
            length += bytes;
            if length > most.bytes {
                return Err(self.unreadable(format!("a list has more than {} bytes", most.bytes)));
            }
            pages.push(list);
            let Some(next) = next else { return Ok(Some(pages)) };
            let next = self.here(next)?;
            if next == url {
                return Err(self.unreadable("a page of a list leads to itself".to_owned()));
            }
            url = next;
        }
        Err(self.unreadable(format!("a list has more than {} pages", most.pages)))
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

    async fn page<T: DeserializeOwned>(&self, url: &Url, scope: &Scope) -> Result<Option<Page<T>>> {
        let _turn = self.turn().await;
        let answer = self.send(scope, || self.http.get(url.clone())).await?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(self.refused(format!("list {}", url.path()), answer).await),
        }
        let next = header(answer.headers(), "link").and_then(next_of_link).and_then(|next| url.join(next).ok());
        let bytes = self.bytes(answer).await?;
        let list = serde_json::from_slice(&bytes).map_err(|error| self.unreadable(format!("a list: {error}")))?;
        Ok(Some(Page { list, bytes: bytes.len(), next }))
    }
}
