//! Takes away what two marks found unreferenced, one after the other, unless somebody was promised that it stays.

use std::time::Duration;

use bytes::Bytes;
use jeroboam_blobs::{Condition, Freshness, SharedBlobs, Written};
use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::gc::{Epoch, Facts, Issue, Key, Spared, Stop, Verdict, Warrant, judge, paths};
use jeroboam_oci::layout;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::documents::{claim, read, read_bytes};
use super::leader::Term;
use super::mark::Marking;
use super::references::digest_of;
use super::{Collected, GcConfig, GcError, trash};

/// So many lines in a part of the list.
const PART: usize = 5_000;

/// After so many lines the progress is told.
const TELL: u64 = 1_000;

/// A line of the list of what is collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) key: Key,
    pub(super) size: u64,
    /// The links to it.
    pub(super) links: Vec<String>,
}

/// Writes the list of what is collected.
pub(super) async fn write_list(
    blobs: &SharedBlobs,
    number: u64,
    marking: &Marking,
) -> jeroboam_blobs::Result<Vec<String>> {
    let lines: Vec<Line> = marking
        .mark
        .unreferenced()
        .map(|blob| {
            let linked = marking.links.get(&blob.key).map(Vec::as_slice).unwrap_or_default();
            let names = linked.iter().filter_map(|repository| marking.repositories.get(*repository as usize));
            let links = names.map(|name| layout::layer(name, &digest_of(&blob.key))).collect();
            Line { key: blob.key, size: blob.size, links }
        })
        .collect();
    let mut files = Vec::new();
    for (part, lines) in lines.chunks(PART).enumerate() {
        let mut text = Vec::new();
        for line in lines {
            let written = serde_json::to_writer(&mut text, line);
            written.map_err(|error| {
                jeroboam_blobs::Error::new(jeroboam_blobs::Kind::Misuse, "write the list").because(error)
            })?;
            text.push(b'\n');
        }
        let path = paths::list(number, part);
        blobs.put(&path, Bytes::from(text), Condition::Always).await?;
        files.push(path);
    }
    Ok(files)
}

pub(super) struct Sweeper<'a> {
    pub(super) blobs: &'a SharedBlobs,
    pub(super) clock: &'a dyn Clock,
    pub(super) config: &'a GcConfig,
    pub(super) me: &'a str,
    pub(super) leading: &'a Term,
    pub(super) epoch: &'a Epoch,
}

impl Sweeper<'_> {
    /// Goes through the list from a line on. Gives how far it came, and whether that is the end.
    pub(super) async fn run(
        &self,
        files: &[String],
        from: u64,
        stop: &CancellationToken,
        collected: &mut Collected,
    ) -> Result<(u64, bool), GcError> {
        let mut position = 0;
        for file in files {
            let bytes = read_bytes(self.blobs, file, Freshness::Newest).await?.unwrap_or_default();
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            for line in lines {
                if position >= from {
                    let may_go_on = self.config.window.is_none_or(|window| window.holds(self.clock.now()));
                    if stop.is_cancelled() || !may_go_on {
                        return Ok((position, false));
                    }
                    let line: Line = serde_json::from_slice(line).map_err(|error| {
                        jeroboam_blobs::Error::new(jeroboam_blobs::Kind::Broken, format!("read {file}")).because(error)
                    })?;
                    self.collect(&line, collected).await?;
                    self.pause(stop).await;
                }
                position += 1;
                if position % TELL == 0 {
                    info!(gc.epoch = self.epoch.number, gc.done = position, gc.removed = collected.removed, "sweeping");
                }
            }
        }
        Ok((position, true))
    }

    async fn pause(&self, stop: &CancellationToken) {
        if let Some(per_second) = self.config.per_second.filter(|per_second| *per_second > 0) {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1) / per_second) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn collect(&self, line: &Line, collected: &mut Collected) -> Result<(), GcError> {
        self.leading.check_when_due(self.blobs, self.config, self.me, self.clock.now()).await?;
        let warrant_path = paths::warrant(self.epoch.number, &line.key);
        let issue = self.issue(&warrant_path).await?;
        let lease = self.blobs.head(&paths::lease(self.epoch.number, &line.key), Freshness::Newest).await?.is_some();
        let announced: Option<Epoch> = read(self.blobs, &paths::epoch()).await?.sound(&paths::epoch())?;
        let epoch_is_ours =
            announced.is_some_and(|epoch| epoch.number == self.epoch.number && epoch.term == self.leading.number());
        let issued = matches!(issue, Issue::Ours(_));
        let facts = Facts { issue, lease, renewed: self.leading.renewed(), epoch_is_ours };
        let now = self.clock.now();
        let verdict = judge(&facts, self.config.times, now);
        match verdict {
            Verdict::Remove => self.remove(line, now, collected).await?,
            Verdict::Spare(Spared::Leased) => collected.leased += 1,
            Verdict::Spare(Spared::Interrupted) => collected.interrupted += 1,
            Verdict::Stop(stop) => return Err(stop.into()),
        }
        debug!(gc.key = %line.key, ?verdict, "judged");
        if issued {
            // It is decided; whoever waits need not wait any longer.
            self.blobs.delete(&[warrant_path]).await?;
        }
        Ok(())
    }

    async fn issue(&self, path: &str) -> Result<Issue, GcError> {
        let now = self.clock.now();
        if !self.leading.may_act(self.config, now) {
            return Err(Stop::Fenced.into());
        }
        let warrant = Warrant { term: self.leading.number(), written: now };
        Ok(match claim(self.blobs, path, &warrant).await? {
            Written::Yes => Issue::Ours(warrant),
            Written::Refused => Issue::Found,
        })
    }

    /// The links go first, so that nobody finds a link to nothing where a crash comes between.
    async fn remove(&self, line: &Line, now: Timestamp, collected: &mut Collected) -> Result<(), GcError> {
        let digest = digest_of(&line.key);
        let path = layout::blob(&digest);
        if self.config.trash.is_some() {
            if !trash::keep(self.blobs, &digest, &line.links, now).await? {
                collected.gone += 1;
            }
        } else {
            if !line.links.is_empty() {
                self.blobs.delete(&line.links).await?;
            }
            self.blobs.delete(&[path]).await?;
        }
        collected.removed += 1;
        collected.bytes += line.size;
        collected.links += line.links.len() as u64;
        Ok(())
    }
}
