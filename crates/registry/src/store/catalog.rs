//! The names of all repositories.

use std::collections::BTreeSet;
use std::sync::Arc;

use jeroboam_blobs::{List, Listed};
use jeroboam_oci::RepositoryName;
use jeroboam_oci::layout::{self, InRepository, Meaning};

use super::{Result, Store};

/// How many lines of a listing are asked for at once: most of them are skipped.
const PAGE: usize = 1000;

impl Store {
    /// The names of all repositories that have a blob or a manifest, sorted.
    pub async fn repositories(&self) -> Result<Arc<Vec<RepositoryName>>> {
        // Who comes while another one lists waits for that list, or hears why there is none.
        let listed = self.cache.catalog.try_get_with((), self.listed_repositories()).await;
        let listed = listed.map_err(|error| Arc::try_unwrap(error).unwrap_or_else(|error| error.shared()))?;
        let mut all: BTreeSet<RepositoryName> = listed.iter().cloned().collect();
        self.recent.merge_repositories(&mut all);
        Ok(Arc::new(all.into_iter().collect()))
    }

    /// Looks through the listing of everything, and jumps over what belongs to a repository that is known already: at most one request for each
    /// repository, and only one for many small ones.
    async fn listed_repositories(&self) -> Result<Arc<Vec<RepositoryName>>> {
        let mut found = BTreeSet::new();
        let mut after: Option<String> = None;
        loop {
            let list = List { prefix: layout::REPOSITORIES, after: after.as_deref(), folders: false, limit: PAGE };
            let page = self.blobs.list(list).await?;
            let mut skip: Option<String> = None;
            for item in page.items {
                let Listed::Object { path, .. } = item else { continue };
                if skip.as_deref().is_some_and(|skip| path.as_str() <= skip) {
                    continue;
                }
                if let Meaning::Repository(name, InRepository::Layer(_) | InRepository::Revision(_)) =
                    layout::meaning(&path)
                {
                    // All that is the repository's own begins with `_`; names of repositories below it come before and after.
                    skip = Some(format!("{}_~", layout::repository(&name)));
                    found.insert(name);
                }
            }
            after = match (page.next, skip) {
                (None, _) => return Ok(Arc::new(found.into_iter().collect())),
                (Some(next), Some(skip)) => Some(next.max(skip)),
                (Some(next), None) => Some(next),
            };
        }
    }
}
