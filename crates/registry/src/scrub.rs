//! Reads blobs and compares their digests, slowly, and begins where it stopped.
//!
//! A blob whose bytes are others, or that has none, is moved to quarantine, where nobody reads it; the next push brings it anew.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jeroboam_blobs::{Freshness, List, Listed, Result, SharedBlobs};
use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::layout::{self, Area, Meaning};
use jeroboam_oci::{Digest, Hasher};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::gc::documents::{read, write};
use crate::repair::quarantine;

/// So many blobs are listed at once; after each page it is written down how far it came.
const PAGE: usize = 500;

/// So many wrong blobs are told one by one.
const TOLD: usize = 1_000;

/// How blobs are compared with their digests.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScrubConfig {
    /// Most bytes that are read in a second; `None`: as fast as the place gives them.
    pub bytes_per_second: Option<u64>,
    /// Whether wrong ones stay where they are.
    pub dry_run: bool,
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
    /// The last blob that was read; `None` once it came to the end.
    pub after: Option<String>,
    /// Whether it came to the end.
    pub ended: bool,
}

/// Where it is written down how far it came.
fn progress() -> String {
    layout::own(Area::Gc, &["scrub"])
}

/// Goes on comparing until the end, or until told to stop.
pub async fn scrub(
    blobs: &SharedBlobs,
    clock: &Arc<dyn Clock>,
    config: ScrubConfig,
    stop: &CancellationToken,
) -> Result<Scrubbed> {
    let before: Option<Scrubbed> = read(blobs, &progress()).await?.sound(&progress())?;
    let fresh = || Scrubbed { began: clock.now(), ..Scrubbed::default() };
    let mut scrubbed = before.filter(|before| !before.ended).unwrap_or_else(fresh);
    loop {
        let list = List { prefix: layout::BLOBS, after: scrubbed.after.as_deref(), folders: false, limit: PAGE };
        let page = blobs.list(list).await?;
        for item in page.items {
            if stop.is_cancelled() {
                write(blobs, &progress(), &scrubbed).await?;
                return Ok(scrubbed);
            }
            let Listed::Object { path, .. } = item else { continue };
            if let Meaning::Blob(digest) = layout::meaning(&path) {
                compare(blobs, config, &digest, &mut scrubbed).await?;
            }
            scrubbed.after = Some(path);
        }
        if page.next.is_none() {
            scrubbed.after = None;
            scrubbed.ended = true;
        }
        write(blobs, &progress(), &scrubbed).await?;
        if scrubbed.ended {
            info!(
                scrub.blobs = scrubbed.blobs,
                scrub.bytes = scrubbed.bytes,
                scrub.wrong = scrubbed.wrong.len(),
                "scrubbed"
            );
            return Ok(scrubbed);
        }
        scrubbed.after = page.next;
    }
}

async fn compare(blobs: &SharedBlobs, config: ScrubConfig, digest: &Digest, scrubbed: &mut Scrubbed) -> Result<()> {
    let Some(mut object) = blobs.read(&layout::blob(digest), None, Freshness::Any).await? else { return Ok(()) };
    let mut hasher = Hasher::new(digest.algorithm());
    while let Some(piece) = object.body.next().await {
        let piece = piece?;
        hasher.update(&piece);
        scrubbed.bytes += piece.len() as u64;
        if let Some(rate) = config.bytes_per_second.filter(|rate| *rate > 0) {
            tokio::time::sleep(Duration::from_secs_f64(piece.len() as f64 / rate as f64)).await;
        }
    }
    scrubbed.blobs += 1;
    let found = hasher.finish();
    if found != *digest {
        error!(blob.digest = %digest, blob.found = %found, "a blob has other bytes than its digest says");
        if scrubbed.wrong.len() < TOLD {
            scrubbed.wrong.push(digest.clone());
        }
        if !config.dry_run {
            quarantine(blobs, digest).await?;
        }
    }
    Ok(())
}

impl fmt::Display for Scrubbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} blobs with {} bytes were read", self.blobs, self.bytes)?;
        for digest in &self.wrong {
            writeln!(f, "{digest} had other bytes: push what names it again")?;
        }
        writeln!(f, "{}", if self.ended { "that is all" } else { "the next one goes on from here" })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jeroboam_blobs::{Condition, Memory};
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
        let stop = CancellationToken::new();
        let dry = ScrubConfig { dry_run: true, ..ScrubConfig::default() };
        assert_eq!(scrub(&blobs, &clock, dry, &stop).await.unwrap().wrong, std::slice::from_ref(&digest));
        let scrubbed = scrub(&blobs, &clock, ScrubConfig::default(), &stop).await.unwrap();
        assert_eq!((scrubbed.blobs, scrubbed.bytes, scrubbed.ended), (3, 11, true));
        assert!(blobs.head(&layout::blob(&digest), Freshness::Any).await.unwrap().is_none());
        let aside = layout::own(Area::Quarantine, &["sha256", digest.hex()]);
        assert!(blobs.head(&aside, Freshness::Any).await.unwrap().is_some());
        assert_eq!(scrub(&blobs, &clock, ScrubConfig::default(), &stop).await.unwrap().wrong, []);
    }

    #[tokio::test]
    async fn it_goes_on_where_it_stopped() {
        let (blobs, clock) = place().await;
        let stopped = CancellationToken::new();
        stopped.cancel();
        let first = scrub(&blobs, &clock, ScrubConfig::default(), &stopped).await.unwrap();
        assert_eq!((first.blobs, first.ended), (0, false));
        let half = Scrubbed { blobs: 2, after: Some(last(&blobs).await), ..first };
        write(&blobs, &progress(), &half).await.unwrap();
        let rest = scrub(&blobs, &clock, ScrubConfig::default(), &CancellationToken::new()).await.unwrap();
        assert_eq!((rest.blobs, rest.ended), (3, true), "one was left");
    }

    /// The last blob but one.
    async fn last(blobs: &SharedBlobs) -> String {
        let mut paths = Vec::new();
        crate::gc::pages::each_object(blobs, layout::BLOBS, |entry| paths.push(entry.path)).await.unwrap();
        paths.remove(1)
    }
}
