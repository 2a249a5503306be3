//! Lists of an upstream: the tags of a repository, and what is about a manifest.
//!
//! While the upstream answers, its list is the only one: a tag that is here alone is not given either, and whoever looks for signatures must neither miss one nor find one
//! that was taken back. Where it has no list of tags, or lets nobody read it, those that are here are given. While it does not answer, its last list counts, and after a restart what is here. That nothing is here means nothing then, and is no answer.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use jeroboam_oci::manifest::Descriptor;
use jeroboam_oci::{Digest, Tag};
use moka::future::Cache;
use tokio::time::Instant;

use super::upstream::Said;
use super::{Asked, Mirror, Mirrored, Shared};
use crate::client::{self, ClientError, Most};
use crate::store::StoreError;

/// How much is read of one list.
const MOST: Most = Most { pages: 100, bytes: 8 << 20 };

/// How long an upstream has for all pages of a list.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a list is remembered for the time in which the upstream does not answer.
const LAST: Duration = Duration::from_secs(24 * 3600);

/// Bytes of lists of each kind that are remembered.
const REMEMBERED: u64 = 32 << 20;

/// What a line takes in memory besides its text.
const LINE: usize = 64;

/// A list, and when the upstream gave it.
type Told<T> = (Instant, Arc<Vec<T>>);

type Remembered<T> = Cache<Asked, Told<T>>;

/// What upstreams said last that they have.
pub(super) struct Lists {
    tags: Remembered<Tag>,
    referrers: Remembered<Arc<Descriptor>>,
}

impl Lists {
    pub(super) fn new() -> Self {
        let referrer = |descriptor: &Arc<Descriptor>| serde_json::to_string(&**descriptor).map_or(0, |text| text.len());
        Self { tags: remember(|tag: &Tag| tag.as_str().len()), referrers: remember(referrer) }
    }
}

fn remember<T: Send + Sync + 'static>(length: fn(&T) -> usize) -> Remembered<T> {
    let weight = move |_: &Asked, told: &Told<T>| {
        let bytes: usize = told.1.iter().map(|line| length(line) + LINE).sum();
        u32::try_from(bytes).unwrap_or(u32::MAX)
    };
    Cache::builder().max_capacity(REMEMBERED).weigher(weight).time_to_live(LAST).build()
}

impl Mirror {
    /// All tags of a repository, sorted. Whoever asks may read it.
    pub async fn tags(&self, mirrored: &Mirrored) -> Result<Arc<Vec<Tag>>, StoreError> {
        let Some(shared) = &self.shared else { return Err(StoreError::RepositoryUnknown(mirrored.here.clone())) };
        let asked = mirrored.clone();
        let question = async move { asked.upstream.remote.tags_up_to(&asked.there, MOST).await };
        let said = match shared.list(mirrored, "tags/list".to_owned(), &shared.lists.tags, question).await {
            Ok(Some(tags)) => return Ok(tags),
            // distribution: what is here, also where the other one has no such list.
            Ok(None) => None,
            Err(said) => Some(said),
        };
        match (shared.store.tags(&mirrored.here).await, said) {
            (Ok(here), None) => Ok(here),
            (Ok(here), Some(_)) if !here.is_empty() => Ok(here),
            (Ok(_) | Err(StoreError::RepositoryUnknown(_)), Some(said)) => Err(mirrored.refusal(said)),
            (Err(error), _) => Err(error),
        }
    }

    /// The manifests that are about another one, sorted by their digests, those behind `after` alone. Whoever asks may read them.
    pub async fn referrers_after<'a>(
        &'a self,
        mirrored: &'a Mirrored,
        subject: &'a Digest,
        after: Option<&Digest>,
    ) -> Result<BoxStream<'a, Result<Arc<Descriptor>, StoreError>>, StoreError> {
        let Some(shared) = &self.shared else { return Ok(stream::empty().boxed()) };
        let (asked, about) = (mirrored.clone(), subject.clone());
        let question = async move {
            let found = asked.upstream.remote.referrers_up_to(&asked.there, &about, MOST).await?;
            Ok::<_, ClientError>(Some(sorted(found)))
        };
        let what = format!("referrers/{subject}");
        let said = match shared.list(mirrored, what, &shared.lists.referrers, question).await {
            Ok(list) => {
                let list = list.unwrap_or_default();
                let from = after.map_or(0, |after| list.partition_point(|one| one.digest <= *after));
                return Ok(stream::iter(from..list.len()).map(move |at| Ok(list[at].clone())).boxed());
            }
            Err(said) => said,
        };
        if said == Said::Refused {
            return Err(mirrored.refusal(said));
        }
        let mut here = shared.store.referrers_after(&mirrored.here, subject, after).await?;
        let first = here.try_next().await?;
        // Whoever wants to know whether an image is signed would take it for one that is not.
        if first.is_none() && after.is_none() {
            return Err(mirrored.refusal(said));
        }
        Ok(stream::iter(first.map(Ok)).chain(here).boxed())
    }
}

impl Mirrored {
    fn believes<T>(&self, told: &Told<T>) -> bool {
        told.0.elapsed() < self.upstream.settings.limits.check
    }
}

impl Shared {
    /// A list of the upstream; `None` where it has none. It is believed as long as a tag is, and while the upstream does not answer for as long as it is remembered.
    /// Where there is a last one nobody waits for long: the new one comes all the same, for those who ask next.
    async fn list<T: Send + Sync + 'static>(
        self: &Arc<Self>,
        mirrored: &Mirrored,
        what: String,
        lists: &Remembered<T>,
        question: impl Future<Output = client::Result<Option<Vec<T>>>> + Send + 'static,
    ) -> Result<Option<Arc<Vec<T>>>, Said> {
        let key = (mirrored.here.clone(), what);
        let last = lists.get(&key).await;
        if let Some((_, list)) = last.as_ref().filter(|told| mirrored.believes(told)) {
            return Ok(Some(list.clone()));
        }
        let Some((_, list)) = last else { return self.ask_for_list(mirrored, key, lists, question).await };
        let patience = mirrored.upstream.settings.limits.patience;
        let (shared, mirrored, lists) = (self.clone(), mirrored.clone(), lists.clone());
        let asking = self.tasks.spawn(async move {
            let asking = shared.ask_for_list(&mirrored, key, &lists, question);
            shared.cancel.run_until_cancelled(asking).await
        });
        // Otherwise it takes too long, or the registry ends.
        if let Ok(Ok(Some(told))) = tokio::time::timeout(patience, asking).await {
            return told;
        }
        Ok(Some(list))
    }

    /// Asks for a list that is not believed any more, one after the other.
    async fn ask_for_list<T: Send + Sync + 'static>(
        &self,
        mirrored: &Mirrored,
        key: Asked,
        lists: &Remembered<T>,
        question: impl Future<Output = client::Result<Option<Vec<T>>>> + Send,
    ) -> Result<Option<Arc<Vec<T>>>, Said> {
        let upstream = &mirrored.upstream;
        let turn = self.turn(&key);
        let _turn = turn.lock().await;
        let last = lists.get(&key).await;
        if let Some((_, list)) = last.as_ref().filter(|told| mirrored.believes(told)) {
            return Ok(Some(list.clone()));
        }
        if upstream.absent.get(&key).await.is_some() {
            return Ok(None);
        }
        let last_or = |said: Said| match &last {
            Some((_, list)) if said != Said::Refused => Ok(Some(list.clone())),
            _ => Err(said),
        };
        if let Some(said) = self.failed.get(&key).await {
            return last_or(said);
        }
        // That it takes long does not mean that nobody answers.
        let answer = tokio::time::timeout(PATIENCE, upstream.ask(question)).await;
        match answer.unwrap_or(Err(Said::Away)) {
            Ok(Some(list)) => {
                let list = Arc::new(list);
                lists.insert(key, (Instant::now(), list.clone())).await;
                Ok(Some(list))
            }
            Ok(None) => {
                lists.invalidate(&key).await;
                upstream.absent.insert(key, ()).await;
                Ok(None)
            }
            Err(said) => {
                self.failed.insert(key, said).await;
                last_or(said)
            }
        }
    }
}

/// Each once, as our own lists are sorted.
fn sorted(mut found: Vec<Descriptor>) -> Vec<Arc<Descriptor>> {
    found.sort_by(|one, other| one.digest.cmp(&other.digest));
    found.dedup_by(|one, other| one.digest == other.digest);
    found.into_iter().map(Arc::new).collect()
}
