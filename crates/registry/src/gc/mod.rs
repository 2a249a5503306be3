//! The garbage collection: finds what nothing refers to, announces it, and much later, if nobody was promised that it stays, takes it away.
//!
//! It runs while the registry serves, in any of its processes or by `registry gc`. What may be done when is decided by `jeroboam_oci::gc`; here it is
//! done. Whoever stops in the middle leaves at most garbage, and the next one goes on where this one was.

mod config;
pub(crate) mod documents;
mod keep;
mod leader;
pub(crate) mod leftovers;
mod mark;
pub(crate) mod pages;
mod references;
mod report;
mod sweep;
mod trash;

use std::fmt;
use std::sync::Arc;

use jeroboam_blobs::{Kind, SharedBlobs};
use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::Digest;
use jeroboam_oci::gc::{Epoch, Key, Marked, Next, Stage, Stop, next, paths};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::store::Compat;
use documents::{read, write};
use mark::Marking;

pub use config::{BadWindow, GcConfig, Window};
pub use keep::{Keeping, keep_house};
pub use leftovers::{Purged, clear_parts, purge_uploads};
pub use report::{Collected, Found, LeftOver, Report, RepositoryShare, Unreadable};
pub use sweep::{Sweeping, Teller};
pub use trash::{InTrash, Restored};

/// Candidates in one file: what each takes is small, and nobody has to hold more than one part to write it.
const PART: usize = 100_000;

/// Why nothing was collected.
#[derive(Debug, thiserror::Error)]
pub enum GcError {
    /// distribution may write into the same store, and knows nothing of promises.
    #[error("collect garbage of a store that distribution may write into: say compat: exclusive when it does not")]
    Shared,
    /// The place did not do what it was asked.
    #[error("read or write what the garbage collection has to know")]
    Blobs(#[from] jeroboam_blobs::Error),
    /// Somebody else collects.
    #[error("go on collecting: {0}")]
    Stop(#[from] Stop),
    /// Two processes that both want to collect might not find out about each other.
    #[error(
        "collect garbage: the store cannot tell which of two processes was first; say jeroboam.gc.onlycollector: true where only one process of all collects"
    )]
    NotAlone,
    /// Nothing that depends on times can be right.
    #[error(
        "collect garbage: the store's clock and this machine's differ by {seconds} s, which is more than jeroboam.gc.slack"
    )]
    Clock {
        /// By so much.
        seconds: i64,
    },
    /// Something is not in the trash.
    #[error("restore {0}: it is not in the trash")]
    NotInTrash(Digest),
}

/// What came of a step.
#[derive(Debug)]
pub enum Outcome {
    /// Another process collects, at least until then.
    Taken(Timestamp),
    /// Candidates are announced; nothing is done about them before then.
    Announced(Timestamp, Box<Report>),
    /// Candidates were announced before; nothing is done about them before then.
    Waits(Timestamp),
    /// What could go is gone.
    Swept(Box<Report>),
    /// It was told to stop, or the hours are over in which it may; the next step goes on.
    Paused(Box<Report>),
}

/// Collects garbage.
pub struct Collector {
    blobs: SharedBlobs,
    clock: Arc<dyn Clock>,
    config: GcConfig,
    me: String,
    teller: Option<Teller>,
}

impl Collector {
    /// A collector of a store. `me` is another name each time that a process begins.
    pub fn new(
        blobs: SharedBlobs,
        clock: Arc<dyn Clock>,
        compat: Compat,
        config: GcConfig,
        me: String,
    ) -> Result<Self, GcError> {
        if compat == Compat::Shared {
            return Err(GcError::Shared);
        }
        Ok(Self { blobs, clock, config, me, teller: None })
    }

    /// Has somebody hear how far a sweep is, which takes hours where there is much.
    #[must_use]
    pub fn telling(self, teller: Teller) -> Self {
        Self { teller: Some(teller), ..self }
    }

    /// Finds what nothing refers to now, and changes nothing.
    pub async fn look(&self) -> Result<Report, GcError> {
        let began = self.clock.now();
        let marking = mark::mark(&self.blobs, &self.config, &mark::Wanted::Unreferenced).await?;
        let mut report = Report::of(&marking, began, self.clock.now());
        report.dry_run = true;
        for (repository, (blobs, bytes)) in mark::links_of(&self.blobs, &marking).await? {
            report.repositories.insert(repository, RepositoryShare { blobs, bytes });
        }
        report.left_over = leftovers::clear(&self.blobs, &self.config, self.clock.now(), true).await?;
        Ok(report)
    }

    /// Does what is due. Called again and again, by whoever: it goes on where it, or another collector, stopped.
    pub async fn step(&self, stop: &CancellationToken) -> Result<Outcome, GcError> {
        let leading = match leader::lead(&self.blobs, &self.config, &self.me, &*self.clock).await? {
            leader::Leading::Mine(leader) => leader::Term::new(&leader),
            leader::Leading::Taken(until) => return Ok(Outcome::Taken(until)),
        };
        let epoch: Option<Epoch> = read(&self.blobs, &paths::epoch()).await?.sound(&paths::epoch())?;
        match next(epoch.as_ref(), self.clock.now()) {
            Next::Wait(until) => Ok(Outcome::Waits(until)),
            Next::Mark => self.announce(epoch.as_ref(), &leading).await,
            Next::MarkAgain => {
                let Some(epoch) = epoch else { return Ok(Outcome::Waits(self.clock.now())) };
                self.take_over(&epoch, &leading).await?;
                let epoch = self.mark_again(&epoch.taken_over(leading.number()), &leading).await?;
                self.sweep(epoch, &leading, stop).await
            }
            Next::Sweep => {
                let Some(epoch) = epoch else { return Ok(Outcome::Waits(self.clock.now())) };
                self.take_over(&epoch, &leading).await?;
                self.sweep(epoch.taken_over(leading.number()), &leading, stop).await
            }
        }
    }

    /// Says that this process collects no more, so that the next one need not wait.
    pub async fn resign(&self) -> Result<(), GcError> {
        Ok(leader::resign(&self.blobs, &self.me).await?)
    }

    /// What is in the trash.
    pub async fn trash(&self) -> Result<Vec<InTrash>, GcError> {
        Ok(trash::list(&self.blobs).await?)
    }

    /// Gives back what was taken away, and its links; with a manifest all that it names. Gives what came back.
    pub async fn restore(&self, digest: &Digest) -> Result<Vec<Restored>, GcError> {
        let restored = trash::restore(&self.blobs, digest).await?;
        // A sweep that goes on after a crash may come to it once more.
        if let Some(epoch) = read::<Epoch>(&self.blobs, &paths::epoch()).await?.sound(&paths::epoch())? {
            for one in &restored {
                let lease = paths::lease(epoch.number, &Key::blob(&one.digest));
                let text = self.clock.now().to_string();
                self.blobs.put(&lease, text.into(), jeroboam_blobs::Condition::Always).await?;
            }
        }
        if restored.is_empty() { Err(GcError::NotInTrash(digest.clone())) } else { Ok(restored) }
    }

    async fn take_over(&self, epoch: &Epoch, leading: &leader::Term) -> Result<(), GcError> {
        if epoch.term != leading.number() {
            info!(gc.epoch = epoch.number, gc.term = leading.number(), "goes on with what another collector began");
            write(&self.blobs, &paths::epoch(), &epoch.taken_over(leading.number())).await?;
        }
        Ok(())
    }

    async fn announce(&self, before: Option<&Epoch>, leading: &leader::Term) -> Result<Outcome, GcError> {
        let began = self.clock.now();
        let marking = self.mark(leading, &mark::Wanted::Unreferenced).await?;
        let mark = Marked { began, ended: self.clock.now() };
        let keys: Vec<_> = marking.mark.unreferenced().map(|blob| blob.key).collect();
        // The number has to be known for the paths; when it is announced counts from when all is written.
        let number = Epoch::publish(before, leading.number(), self.config.times, self.clock.now(), mark).number;
        let mut files = Vec::new();
        for (part, keys) in keys.chunks(PART).enumerate() {
            let path = paths::candidates(number, part);
            self.blobs.put(&path, documents::keys(keys), jeroboam_blobs::Condition::Always).await?;
            files.push(path);
        }
        leading.check(&self.blobs, &self.config, &self.me, self.clock.now()).await?;
        let epoch = Epoch::publish(before, leading.number(), self.config.times, self.clock.now(), mark);
        let epoch = Epoch { number, files, candidates: keys.len() as u64, ..epoch };
        write(&self.blobs, &paths::epoch(), &epoch).await?;
        let mut report = Report::of(&marking, began, self.clock.now());
        report.epoch = Some(number);
        report.left_over = leftovers::clear(&self.blobs, &self.config, self.clock.now(), false).await?;
        leftovers::forget_epochs(&self.blobs, number).await?;
        write(&self.blobs, &paths::report(), &report).await?;
        info!(gc.epoch = number, gc.candidates = epoch.candidates, "announced what may be collected");
        Ok(Outcome::Announced(epoch.settled(), Box::new(report)))
    }

    async fn mark_again(&self, epoch: &Epoch, leading: &leader::Term) -> Result<Epoch, GcError> {
        let began = self.clock.now();
        let mut candidates = documents::read_keys(&self.blobs, &epoch.files).await?;
        candidates.sort_unstable();
        let marking = self.mark(leading, &mark::Wanted::Of(candidates)).await?;
        let again = Marked { began, ended: self.clock.now() };
        let files = sweep::write_list(&self.blobs, epoch.number, &marking).await?;
        let sweeping = epoch.sweep(again, files).map_err(|soon| {
            // The clock went back since the step began.
            jeroboam_blobs::Error::new(Kind::Misuse, "begin a sweep").because(soon)
        })?;
        leading.check(&self.blobs, &self.config, &self.me, self.clock.now()).await?;
        write(&self.blobs, &paths::epoch(), &sweeping).await?;
        Ok(sweeping)
    }

    /// A mark takes long; who makes one says meanwhile that it collects.
    async fn mark(&self, leading: &leader::Term, wanted: &mark::Wanted) -> Result<Marking, GcError> {
        let marking = mark::mark(&self.blobs, &self.config, wanted);
        leading.keep(&self.blobs, &self.config, &self.me, &*self.clock, marking).await
    }

    async fn sweep(&self, epoch: Epoch, leading: &leader::Term, stop: &CancellationToken) -> Result<Outcome, GcError> {
        let mut report = Report::begun(epoch.number, self.clock.now());
        let Stage::Sweeping { files, done, .. } = epoch.stage.clone() else {
            return Ok(Outcome::Swept(Box::new(report)));
        };
        let sweeper = sweep::Sweeper {
            blobs: &self.blobs,
            clock: &*self.clock,
            config: &self.config,
            me: &self.me,
            leading,
            epoch: &epoch,
            teller: self.teller.as_ref(),
        };
        let mut position = done;
        let ended = sweeper.run(&files, &mut position, stop, &mut report.collected).await;
        report.ended = self.clock.now();
        if !matches!(ended, Ok(true)) {
            // Whoever goes on, after a failure too, begins here; one who is not the collector any more has nothing to say about it.
            if matches!(ended, Err(GcError::Stop(_))) {
                return ended.map(|_| Outcome::Paused(Box::new(report)));
            }
            let kept = sweeper.keep_position(position).await;
            ended?;
            return kept.map(|()| Outcome::Paused(Box::new(report)));
        }
        leading.check(&self.blobs, &self.config, &self.me, self.clock.now()).await?;
        write(&self.blobs, &paths::epoch(), &epoch.close(self.clock.now())).await?;
        write(&self.blobs, &paths::report(), &report).await?;
        info!(
            gc.epoch = epoch.number,
            gc.removed = report.collected.removed,
            gc.bytes = report.collected.bytes,
            gc.spared = report.collected.leased + report.collected.interrupted,
            "swept"
        );
        Ok(Outcome::Swept(Box::new(report)))
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("me", &self.me).field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
