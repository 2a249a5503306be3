//! The names of all repositories.

use std::collections::BTreeSet;
use std::sync::Arc;

use jeroboam_blobs::{List, Listed};
use jeroboam_oci::RepositoryName;
use jeroboam_oci::layout::{self, InRepository, Meaning};

use super::tags::PAGE;
use super::{Result, Store};

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
    /// repository, and only one for many small ones. Pages are as long as places give them; most of their lines are skipped.
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jeroboam_blobs::{Condition, Faults, Memory, Operation, SharedBlobs};
    use jeroboam_model::{Clock, SystemClock};
    use jeroboam_oci::Digest;

    use super::*;
    use crate::leases::{GRACE, Leases};
    use crate::store::StoreConfig;

    #[tokio::test]
    async fn a_page_of_many_objects_is_enough_for_many_repositories() {
        let faults = Faults::new(Arc::new(Memory::default()));
        let blobs: SharedBlobs = Arc::new(faults.clone());
        for repository in 0..50 {
            let name: RepositoryName = format!("team/app-{repository:02}").parse().unwrap();
            for blob in 0..100_u8 {
                let path = layout::layer(&name, &Digest::sha256(&[blob]));
                blobs.put(&path, Bytes::new(), Condition::Always).await.unwrap();
            }
        }
        faults.forget_counts();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let leases = Arc::new(Leases::in_memory(clock.clone(), GRACE));
        let store = Store::new(blobs, clock, leases, StoreConfig::default());
        assert_eq!(store.repositories().await.unwrap().len(), 50);
        assert_eq!(faults.counts().get(&Operation::List), Some(&1), "5000 objects are one page");
    }
}
