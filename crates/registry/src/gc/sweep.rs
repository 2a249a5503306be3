//! Takes away what two marks found unreferenced, one after the other, unless somebody was promised that it stays.

use std::time::Duration;

use bytes::Bytes;
use jeroboam_blobs::{Condition, Freshness, SharedBlobs, Written};
use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::gc::{Epoch, Facts, Issue, Key, Spared, Stop, Verdict, Warrant, judge, paths};
use jeroboam_oci::layout;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::documents::{claim, read, read_list, write};
use super::leader::Term;
use super::mark::Marking;
use super::references::digest_of;
use super::{Collected, GcConfig, GcError, trash};

/// A part of the list ends with the line that makes it so long, in bytes.
const PART: usize = 4 << 20;

/// After so many lines it is told and written down how far it is.
const TELL: u64 = 500;

/// So many links are removed in one go.
const LINKS: usize = 1_000;

/// How far a sweep is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweeping {
    /// What was announced.
    pub candidates: u64,
    /// So many of them are decided. Those that something refers to by now count at the end.
    pub done: u64,
    /// What this step has collected so far: it begins with nothing.
    pub collected: Collected,
}

/// Hears how far a sweep is: when a step begins, now and then, and when the step ends.
pub type Teller = Box<dyn Fn(Sweeping) + Send + Sync>;

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
    let mut lines = marking
        .mark
        .unreferenced()
        .map(|blob| {
            let linked = marking.links.get(&blob.key).map(Vec::as_slice).unwrap_or_default();
            let names = linked.iter().filter_map(|repository| marking.repositories.get(*repository as usize));
            let aliases = marking.alias_links.get(&blob.key).into_iter().flatten().cloned();
            let links = aliases.chain(names.map(|name| layout::layer(name, &digest_of(&blob.key)))).collect();
            Line { key: blob.key, size: blob.size, links }
        })
        .peekable();
    let mut files = Vec::new();
    while lines.peek().is_some() {
        let path = paths::list(number, files.len());
        blobs.put(&path, part_of(&mut lines)?, Condition::Always).await?;
        files.push(path);
    }
    Ok(files)
}

/// As many lines as make a part.
fn part_of(lines: &mut impl Iterator<Item = Line>) -> jeroboam_blobs::Result<Bytes> {
    let mut text = Vec::new();
    while text.len() < PART
        && let Some(line) = lines.next()
    {
        serde_json::to_writer(&mut text, &line).map_err(|error| {
            jeroboam_blobs::Error::new(jeroboam_blobs::Kind::Misuse, "write the list").because(error)
        })?;
        text.push(b'\n');
    }
    Ok(text.into())
}

pub(super) struct Sweeper<'a> {
    pub(super) blobs: &'a SharedBlobs,
    pub(super) clock: &'a dyn Clock,
    pub(super) config: &'a GcConfig,
    pub(super) me: &'a str,
    pub(super) leading: &'a Term,
    pub(super) epoch: &'a Epoch,
    pub(super) teller: Option<&'a Teller>,
}

impl Sweeper<'_> {
    /// Goes through the list from a line on, and says in `done` how far it is, also where it fails. Gives whether it came to the end.
    pub(super) async fn run(
        &self,
        files: &[String],
        done: &mut u64,
        stop: &CancellationToken,
        collected: &mut Collected,
    ) -> Result<bool, GcError> {
        self.tell(*done, collected);
        let ended = self.go_through(files, done, stop, collected).await;
        self.tell(if matches!(ended, Ok(true)) { self.epoch.candidates } else { *done }, collected);
        ended
    }

    fn tell(&self, done: u64, collected: &Collected) {
        if let Some(teller) = self.teller {
            teller(Sweeping { candidates: self.epoch.candidates, done, collected: *collected });
        }
    }

    async fn go_through(
        &self,
        files: &[String],
        done: &mut u64,
        stop: &CancellationToken,
        collected: &mut Collected,
    ) -> Result<bool, GcError> {
        let (from, mut position) = (*done, 0);
        for file in files {
            let bytes = read_list(self.blobs, file).await?;
            let broken = |what: &str| jeroboam_blobs::Error::new(jeroboam_blobs::Kind::Broken, what.to_owned());
            let Some(bytes) = bytes else {
                // What stood in it is found again by the next mark.
                warn!(path = %file, "a list of what is collected is not there: its garbage stays until the next run");
                continue;
            };
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            for line in lines {
                if position >= from {
                    let may_go_on = self.config.window.is_none_or(|window| window.holds(self.clock.now()));
                    if stop.is_cancelled() || !may_go_on {
                        return Ok(false);
                    }
                    let line: Line =
                        serde_json::from_slice(line).map_err(|error| broken(&format!("read {file}")).because(error))?;
                    self.collect(&line, collected).await?;
                    self.pause(stop).await;
                    *done = position + 1;
                    if done.is_multiple_of(TELL) {
                        info!(
                            gc.epoch = self.epoch.number,
                            gc.done = *done,
                            gc.removed = collected.removed,
                            "sweeping"
                        );
                        self.tell(*done, collected);
                        // Whoever goes on after a crash begins here.
                        self.keep_position(*done).await?;
                    }
                }
                position += 1;
            }
        }
        Ok(true)
    }

    /// Writes down how far it is, where this is still the collector and the announcement is still the one that it works at.
    pub(super) async fn keep_position(&self, done: u64) -> Result<(), GcError> {
        self.leading.check(self.blobs, self.config, self.me, self.clock.now()).await?;
        let announced: Option<Epoch> = read(self.blobs, &paths::epoch()).await?.sound(&paths::epoch())?;
        let is_ours = |epoch: &Epoch| epoch.number == self.epoch.number && epoch.term == self.leading.number();
        if !announced.as_ref().is_some_and(is_ours) {
            return Err(Stop::Overtaken.into());
        }
        // What was read since then took its time.
        if !self.leading.may_act(self.config, self.clock.now()) {
            return Err(Stop::Fenced.into());
        }
        Ok(write(self.blobs, &paths::epoch(), &self.epoch.at(done)).await?)
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
        let epoch_is_ours = announced
            .is_some_and(|epoch| epoch.number == self.epoch.number && epoch.term == self.leading.number())
            && self.leading.is_mine(self.blobs, self.me).await?;
        let issued = matches!(issue, Issue::Ours(_));
        let facts = Facts { issue, lease, renewed: self.leading.renewed(), epoch_is_ours };
        let now = self.clock.now();
        let verdict = judge(&facts, self.config.times, now);
        match verdict {
            Verdict::Remove => {
                let Issue::Ours(warrant) = &facts.issue else { return Ok(()) };
                self.remove(line, warrant, collected).await?;
            }
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
    async fn remove(&self, line: &Line, warrant: &Warrant, collected: &mut Collected) -> Result<(), GcError> {
        let digest = digest_of(&line.key);
        let path = layout::blob(&digest);
        if let Some(kept) = self.config.trash {
            trash::label(self.blobs, &digest, &line.links, kept, self.clock.now()).await?;
        }
        for links in line.links.chunks(LINKS) {
            self.blobs.delete(links).await?;
        }
        // Links may be many. Whoever waits for a warrant that is old goes on without it, and finds the bytes and no link.
        if !self.is_good(warrant) {
            collected.interrupted += 1;
            return Ok(());
        }
        if self.config.trash.is_none() {
            self.blobs.delete(&[path]).await?;
        } else if !trash::keep(self.blobs, &digest).await? {
            collected.gone += 1;
            return Ok(());
        } else if !self.is_good(warrant) {
            // To move it took so long that somebody may have gone on, and relies on it by now.
            warn!(blob.digest = %digest, "a blob took too long to move to the trash, and is given back");
            trash::restore(self.blobs, &digest).await?;
            collected.interrupted += 1;
            return Ok(());
        }
        collected.removed += 1;
        collected.bytes += line.size;
        collected.links += line.links.len() as u64;
        Ok(())
    }

    /// Whether whoever waits for this warrant still waits.
    fn is_good(&self, warrant: &Warrant) -> bool {
        let now = self.clock.now();
        let until = warrant.written.saturating_add(self.config.times.interval()).unwrap_or(Timestamp::MAX);
        now <= until && self.leading.may_act(self.config, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_by_its_length_and_loses_nothing() {
        let line = |number: u8, links: usize| Line {
            key: Key::from([number; 32]),
            size: 1,
            links: vec!["docker/registry/v2/repositories/some/name/_layers/sha256/link".to_owned(); links],
        };
        // The second alone is longer than a part.
        let all = vec![line(1, 3), line(2, 200_000), line(3, 0), line(4, 70_000), line(5, 1)];
        let (mut lines, mut parts) = (all.clone().into_iter().peekable(), Vec::new());
        while lines.peek().is_some() {
            parts.push(part_of(&mut lines).expect("written"));
        }
        let read = |part: &Bytes| -> Vec<Line> {
            let lines = part.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| serde_json::from_slice(line).expect("a line")).collect()
        };
        let read: Vec<Vec<Line>> = parts.iter().map(read).collect();
        assert_eq!(read.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
        assert_eq!(read.concat(), all);
    }
}
