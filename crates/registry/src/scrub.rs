//! Reads blobs and compares their digests, slowly, and begins where it stopped.
//!
//! A blob whose bytes are others, or that has none, is moved to quarantine, where nobody reads it; the next push brings it anew.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jeroboam_blobs::{Error, Freshness, List, Listed, Result, SharedBlobs};
use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::layout::{self, Area, Meaning};
use jeroboam_oci::{Digest, Hasher};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::gc::documents::{read, write};
use crate::http::failure::chain;
use crate::inspect::digest_of_bytes;
use crate::repair::quarantine;
use crate::store::Store;

/// So many blobs are listed at once.
const PAGE: usize = 500;

/// So many wrong blobs are told one by one.
const TOLD: usize = 1_000;

/// How often it is written down how far it came.
const OFTEN: Duration = Duration::from_secs(60);

/// Who has written nothing for so long has gone.
const GONE: Duration = Duration::from_secs(600);

/// How blobs are compared with their digests.
#[derive(Clone, Debug, Default)]
pub struct ScrubConfig {
    /// Most bytes that are read in a second; `None`: as fast as the place gives them.
    pub bytes_per_second: Option<u64>,
    /// Whether wrong ones stay where they are.
    pub dry_run: bool,
    /// The process, another name each time that one begins.
    pub me: String,
}

/// What was found, since the first blob.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrubbed {
    /// When it began with the first blob.
    pub began: Timestamp,
    /// Blobs that were read.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs with other bytes.
    pub wrong: Vec<Digest>,
    /// Blobs that the place could not give, although it answers.
    #[serde(default)]
    pub unreadable: Vec<Digest>,
    /// The last blob that was read; `None` once it came to the end.
    pub after: Option<String>,
    /// Whether it came to the end.
    pub ended: bool,
    /// Who reads, or read last.
    #[serde(default)]
    pub by: String,
    /// When that was written down.
    #[serde(default)]
    pub written: Timestamp,
}

/// When a process may scrub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Now,
    /// Not before then: another one does, or it was done not long ago.
    After(Timestamp),
}

impl Scrubbed {
    /// Whether all that was read is as its digest says.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.wrong.is_empty() && self.unreadable.is_empty()
    }

    /// Whether it is `me`'s turn, where somebody who has done it all rests for `rest`.
    #[must_use]
    pub fn turn(&self, me: &str, rest: Duration, now: Timestamp) -> Turn {
        let rest = if self.ended { rest } else { GONE };
        let until = self.written.saturating_add(rest).unwrap_or(Timestamp::MAX);
        if (self.by == me && !self.ended) || until <= now { Turn::Now } else { Turn::After(until) }
    }
}

/// Where it is written down how far it came.
fn progress() -> String {
    layout::own(Area::Gc, &["scrub"])
}

/// How far it came, if anybody has begun.
pub async fn last(blobs: &SharedBlobs) -> Result<Option<Scrubbed>> {
    read(blobs, &progress()).await?.sound(&progress())
}

/// Goes on comparing until the end, or until told to stop. What is moved away is forgotten by `store`, if there is one that serves.
pub async fn scrub(
    blobs: &SharedBlobs,
    clock: &Arc<dyn Clock>,
    config: &ScrubConfig,
    store: Option<&Store>,
    stop: &CancellationToken,
) -> Result<Scrubbed> {
    let fresh = || Scrubbed { began: clock.now(), ..Scrubbed::default() };
    let scrubbed = last(blobs).await?.filter(|before| !before.ended).unwrap_or_else(fresh);
    let mut scrubber = Scrubber { blobs, clock, config, store, scrubbed };
    scrubber.write(clock.now()).await?;
    let ended = scrubber.run(stop).await;
    if ended.is_err() || !scrubber.scrubbed.ended {
        // Whoever goes on need not wait until this one's word is old.
        let wrote = scrubber.write(Timestamp::UNIX_EPOCH).await;
        ended.and(wrote)?;
    }
    Ok(scrubber.scrubbed)
}

/// Why the reading of a blob broke off.
enum Broke {
    /// Something is wrong with the blob, or with the place.
    Blob(Error),
    /// How far it came could not be written down: a store without room says nothing of what it has.
    Record(Error),
}

impl From<Error> for Broke {
    fn from(error: Error) -> Self {
        Self::Blob(error)
    }
}

struct Scrubber<'a> {
    blobs: &'a SharedBlobs,
    clock: &'a Arc<dyn Clock>,
    config: &'a ScrubConfig,
    store: Option<&'a Store>,
    scrubbed: Scrubbed,
}

impl Scrubber<'_> {
    async fn run(&mut self, stop: &CancellationToken) -> Result<()> {
        loop {
            let after = self.scrubbed.after.clone();
            let list = List { prefix: layout::BLOBS, after: after.as_deref(), folders: false, limit: PAGE };
            let page = self.blobs.list(list).await?;
            for item in page.items {
                let Listed::Object { path, .. } = item else { continue };
                if let Meaning::Blob(digest) = layout::meaning(&path) {
                    match self.compare(&digest, stop).await {
                        Ok(true) => {}
                        Ok(false) => return Ok(()),
                        Err(Broke::Blob(error)) => self.could_not_read(digest, error).await?,
                        Err(Broke::Record(error)) => return Err(error),
                    }
                }
                self.scrubbed.after = Some(path);
                self.write_when_due().await?;
            }
            if page.next.is_none() {
                break;
            }
            self.scrubbed.after = page.next;
        }
        self.scrubbed.after = None;
        self.scrubbed.ended = true;
        self.write(self.clock.now()).await?;
        let Scrubbed { blobs, bytes, wrong, .. } = &self.scrubbed;
        info!(scrub.blobs = blobs, scrub.bytes = bytes, scrub.wrong = wrong.len(), "all blobs were compared");
        Ok(())
    }

    async fn write(&mut self, written: Timestamp) -> Result<()> {
        self.scrubbed.by.clone_from(&self.config.me);
        self.scrubbed.written = written;
        write(self.blobs, &progress(), &self.scrubbed).await
    }

    async fn write_when_due(&mut self) -> Result<()> {
        let due = self.scrubbed.written.saturating_add(OFTEN).unwrap_or(Timestamp::MAX);
        let now = self.clock.now();
        if now < due { Ok(()) } else { self.write(now).await }
    }

    /// Reads one blob. `false`: it was told to stop before the end of it.
    async fn compare(&mut self, digest: &Digest, stop: &CancellationToken) -> std::result::Result<bool, Broke> {
        let Some(mut object) = self.blobs.read(&layout::blob(digest), None, Freshness::Any).await? else {
            return Ok(!stop.is_cancelled());
        };
        let (mut hasher, mut bytes) = (Hasher::new(digest.algorithm()), 0);
        loop {
            if stop.is_cancelled() {
                return Ok(false);
            }
            let Some(piece) = object.body.next().await else { break };
            let piece = piece?;
            hasher.update(&piece);
            bytes += piece.len() as u64;
            if let Some(rate) = self.config.bytes_per_second.filter(|rate| *rate > 0) {
                let pause = Duration::from_secs_f64(piece.len() as f64 / rate as f64);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => {}
                }
            }
            self.write_when_due().await.map_err(Broke::Record)?;
        }
        self.scrubbed.blobs += 1;
        self.scrubbed.bytes += bytes;
        let found = hasher.finish();
        if found != *digest {
            self.found_wrong(digest, &found).await?;
        }
        Ok(true)
    }

    /// One blob that cannot be read does not keep the others from being read; a place that is away does.
    async fn could_not_read(&mut self, digest: Digest, why: Error) -> Result<()> {
        if self.blobs.probe().await.is_err() {
            return Err(why);
        }
        error!(blob.digest = %digest, error = chain(&why), "a blob cannot be read");
        if self.scrubbed.unreadable.len() < TOLD {
            self.scrubbed.unreadable.push(digest);
        }
        Ok(())
    }

    async fn found_wrong(&mut self, digest: &Digest, found: &Digest) -> Result<()> {
        if self.config.dry_run {
            // Read once more: a disk or a network that is wrong once is not always.
            if digest_of_bytes(self.blobs, digest).await?.is_none_or(|found| found == *digest) {
                return Ok(());
            }
        } else if !quarantine(self.blobs, digest).await? {
            return Ok(());
        } else if let Some(store) = self.store {
            store.forget_blobs(std::slice::from_ref(digest)).await;
        }
        error!(blob.digest = %digest, blob.found = %found, "a blob has other bytes than its digest says");
        if self.scrubbed.wrong.len() < TOLD {
            self.scrubbed.wrong.push(digest.clone());
        }
        Ok(())
    }
}

impl fmt::Display for Scrubbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} blobs with {} bytes were read", self.blobs, self.bytes)?;
        for digest in &self.wrong {
            writeln!(f, "{digest} has other bytes: push what names it again")?;
        }
        for digest in &self.unreadable {
            writeln!(f, "{digest} could not be read: see what the disk or the store says of it")?;
        }
        writeln!(f, "{}", if self.ended { "that is all" } else { "the next one goes on from here" })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jeroboam_blobs::{Condition, Fault, Faults, Memory, Operation, Told};
    use jeroboam_model::ManualClock;

    use super::*;

    async fn place() -> (SharedBlobs, Arc<dyn Clock>) {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let blobs: SharedBlobs = Arc::new(Memory::new(clock.clone()));
        for text in ["one", "two", "three"] {
            let path = layout::blob(&Digest::sha256(text.as_bytes()));
            blobs.put(&path, Bytes::from(text), Condition::Always).await.unwrap();
        }
        (blobs, clock)
    }

    #[tokio::test]
    async fn other_bytes_are_moved_to_quarantine_and_a_push_is_taken() {
        let (blobs, clock) = place().await;
        let digest = Digest::sha256(b"two");
        blobs.put(&layout::blob(&digest), Bytes::from_static(b"tow"), Condition::Always).await.unwrap();
        let (stop, wet) = (CancellationToken::new(), ScrubConfig::default());
        let dry = ScrubConfig { dry_run: true, ..ScrubConfig::default() };
        assert_eq!(scrub(&blobs, &clock, &dry, None, &stop).await.unwrap().wrong, std::slice::from_ref(&digest));
        let scrubbed = scrub(&blobs, &clock, &wet, None, &stop).await.unwrap();
        assert_eq!((scrubbed.blobs, scrubbed.bytes, scrubbed.ended), (3, 11, true));
        assert!(blobs.head(&layout::blob(&digest), Freshness::Any).await.unwrap().is_none());
        let aside = layout::own(Area::Quarantine, &["sha256", digest.hex()]);
        assert!(blobs.head(&aside, Freshness::Any).await.unwrap().is_some());
        assert_eq!(scrub(&blobs, &clock, &wet, None, &stop).await.unwrap().wrong, []);
    }

    #[tokio::test]
    async fn it_goes_on_where_it_stopped() {
        let (blobs, clock) = place().await;
        let stopped = CancellationToken::new();
        stopped.cancel();
        let config = ScrubConfig::default();
        let first = scrub(&blobs, &clock, &config, None, &stopped).await.unwrap();
        assert_eq!((first.blobs, first.ended), (0, false));
        let half = Scrubbed { blobs: 2, after: Some(last(&blobs).await), ..first };
        write(&blobs, &progress(), &half).await.unwrap();
        let rest = scrub(&blobs, &clock, &config, None, &CancellationToken::new()).await.unwrap();
        assert_eq!((rest.blobs, rest.ended), (3, true), "one was left");
    }

    /// A clock on which a minute passes each time that somebody looks.
    struct Hasty(ManualClock);

    impl Clock for Hasty {
        fn now(&self) -> Timestamp {
            self.0.advance(OFTEN);
            self.0.now()
        }
    }

    #[tokio::test]
    async fn a_store_without_room_for_the_record_is_no_blob_that_cannot_be_read() {
        let (blobs, _) = place().await;
        let clock: Arc<dyn Clock> = Arc::new(Hasty(ManualClock::at(Timestamp::UNIX_EPOCH)));
        let faults = Faults::new(blobs);
        let blobs: SharedBlobs = Arc::new(faults.clone());
        // What went before, its own record, the list, the first blob, and how far it came meanwhile.
        faults.plan(Some(Fault { call: 5, told: Told::Before, dies: false }));
        let (config, go) = (ScrubConfig::default(), CancellationToken::new());
        scrub(&blobs, &clock, &config, None, &go).await.unwrap_err();
        let [reads, writes] = [Operation::Read, Operation::Put].map(|what| faults.counts().get(&what).copied());
        assert_eq!((reads, writes), (Some(2), Some(3)), "the second of the writes failed, within the first blob");
        let scrubbed = scrub(&blobs, &clock, &config, None, &go).await.unwrap();
        assert_eq!((scrubbed.blobs, scrubbed.ended, scrubbed.is_fine()), (3, true, true), "{scrubbed}");
    }

    #[test]
    fn one_process_scrubs_and_then_all_rest() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (hour, busy) =
            (Duration::from_secs(3600), Scrubbed { by: "a".to_owned(), written: at(0), ..Scrubbed::default() });
        assert_eq!(busy.turn("b", hour, at(599)), Turn::After(at(600)), "another one reads");
        assert_eq!((busy.turn("a", hour, at(1)), busy.turn("b", hour, at(600))), (Turn::Now, Turn::Now));
        let ended = Scrubbed { ended: true, ..busy };
        assert_eq!(ended.turn("a", hour, at(601)), Turn::After(at(3600)));
        assert_eq!(ended.turn("b", hour, at(3600)), Turn::Now);
    }

    /// The last blob but one.
    async fn last(blobs: &SharedBlobs) -> String {
        let mut paths = Vec::new();
        crate::gc::pages::each_object(blobs, layout::BLOBS, |entry| paths.push(entry.path)).await.unwrap();
        paths.remove(1)
    }
}
