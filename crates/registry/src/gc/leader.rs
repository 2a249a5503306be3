//! Who collects: one process at a time, as far as the place can tell.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jeroboam_blobs::{Freshness, SharedBlobs, Written};
use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::gc::{Lead, Leader, Stop, lead as decide, may_act, paths};
use tracing::info;

use super::documents::{claim, read, write};
use super::{GcConfig, GcError};

/// Whether this process collects.
pub(super) enum Leading {
    Mine(Leader),
    Taken(Timestamp),
}

/// The time in which this process collects.
pub(super) struct Term {
    number: u64,
    renewed: Mutex<Timestamp>,
}

impl Term {
    pub(super) fn new(leader: &Leader) -> Self {
        Self { number: leader.term, renewed: Mutex::new(leader.renewed) }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// When this process last said that it collects.
    pub(super) fn renewed(&self) -> Timestamp {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says again that this process collects, if nobody else does by now.
    pub(super) async fn check(
        &self,
        blobs: &SharedBlobs,
        config: &GcConfig,
        me: &str,
        now: Timestamp,
    ) -> Result<(), GcError> {
        let found: Option<Leader> = read(blobs, &paths::leader()).await?.sound(&paths::leader())?;
        match decide(found.as_ref(), me, config.times, now) {
            Lead::Mine(leader) if leader.term == self.number => {
                write(blobs, &paths::leader(), &leader).await?;
                *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = now;
                Ok(())
            }
            _ => Err(Stop::Fenced.into()),
        }
    }

    /// Says so whenever half an interval has passed.
    pub(super) async fn check_when_due(
        &self,
        blobs: &SharedBlobs,
        config: &GcConfig,
        me: &str,
        now: Timestamp,
    ) -> Result<(), GcError> {
        let half = self.renewed().saturating_add(config.times.interval() / 2).unwrap_or(Timestamp::MAX);
        if now < half { Ok(()) } else { self.check(blobs, config, me, now).await }
    }

    /// Says so again and again while something takes long.
    pub(super) async fn keep<T>(
        &self,
        blobs: &SharedBlobs,
        config: &GcConfig,
        me: &str,
        clock: &dyn Clock,
        work: impl Future<Output = Result<T, jeroboam_blobs::Error>>,
    ) -> Result<T, GcError> {
        let mut work = std::pin::pin!(work);
        let mut due = tokio::time::interval(config.times.interval() / 3);
        due.tick().await;
        loop {
            tokio::select! {
                done = &mut work => {
                    self.check(blobs, config, me, clock.now()).await?;
                    return Ok(done?);
                }
                _ = due.tick() => self.check(blobs, config, me, clock.now()).await?,
            }
        }
    }

    /// Whether another process has not become the collector at the same moment, which only a store that cannot tell who was first lets happen.
    pub(super) async fn is_mine(&self, blobs: &SharedBlobs, me: &str) -> Result<bool, GcError> {
        if blobs.capabilities().one_is_first {
            return Ok(true);
        }
        let found: Option<Leader> = read(blobs, &paths::leader()).await?.sound(&paths::leader())?;
        Ok(found.is_some_and(|leader| leader.instance == me && leader.term == self.number))
    }

    /// Whether a removal may follow from this look at the clock.
    pub(super) fn may_act(&self, config: &GcConfig, now: Timestamp) -> bool {
        may_act(self.renewed(), config.times, now)
    }
}

/// Says of the collector `me`, who does nothing any more, that its word is as old as can be.
pub(super) async fn resign(blobs: &SharedBlobs, me: &str) -> Result<(), jeroboam_blobs::Error> {
    let found: Option<Leader> = read(blobs, &paths::leader()).await?.sound(&paths::leader())?;
    match found.filter(|leader| leader.instance == me) {
        Some(leader) => write(blobs, &paths::leader(), &Leader { renewed: Timestamp::UNIX_EPOCH, ..leader }).await,
        None => Ok(()),
    }
}

/// Becomes the collector, or stays it, or hears that another one is.
pub(super) async fn lead(
    blobs: &SharedBlobs,
    config: &GcConfig,
    me: &str,
    clock: &dyn Clock,
) -> Result<Leading, GcError> {
    if !blobs.capabilities().create_if_absent {
        // Some places find out what they can do when they are first asked, or first asked for it.
        blobs.probe().await?;
        let _ = claim(blobs, &paths::clock(), &clock.now()).await?;
        if !blobs.capabilities().create_if_absent && !config.only_collector {
            return Err(GcError::NotAlone);
        }
    }
    let leading = lead_now(blobs, config, me, clock.now()).await?;
    if config.check_clock && matches!(leading, Leading::Mine(_)) {
        check_clock(blobs, config, clock).await?;
    }
    Ok(leading)
}

/// Compares the store's clock with this machine's, by what was just written.
async fn check_clock(blobs: &SharedBlobs, config: &GcConfig, clock: &dyn Clock) -> Result<(), GcError> {
    let before = clock.now();
    write(blobs, &paths::clock(), &before).await?;
    let meta = blobs.head(&paths::clock(), Freshness::Newest).await?;
    let Some(modified) = meta.and_then(|meta| meta.modified) else { return Ok(()) };
    let (early, late) = (before.duration_since(modified), modified.duration_since(clock.now()));
    let apart = early.max(late);
    // Stores tell whole seconds.
    if apart.is_positive() && apart.unsigned_abs() > config.times.slack() + Duration::from_secs(2) {
        return Err(GcError::Clock { seconds: apart.as_secs() });
    }
    Ok(())
}

async fn lead_now(blobs: &SharedBlobs, config: &GcConfig, me: &str, now: Timestamp) -> Result<Leading, GcError> {
    let found: Option<Leader> = read(blobs, &paths::leader()).await?.sound(&paths::leader())?;
    match decide(found.as_ref(), me, config.times, now) {
        Lead::Taken(until) => Ok(Leading::Taken(until)),
        Lead::Mine(leader) => {
            write(blobs, &paths::leader(), &leader).await?;
            Ok(Leading::Mine(leader))
        }
        Lead::Free(mut leader) => {
            // A term may have been claimed by somebody who then went away: the next one is as good.
            let mut written = claim(blobs, &paths::term(leader.term), &leader).await?;
            for _ in 0..8 {
                if written == Written::Yes {
                    break;
                }
                let claimed: Option<Leader> = read(blobs, &paths::term(leader.term)).await?.sound("a term")?;
                if let Some(claimed) = claimed
                    && let Lead::Taken(until) = decide(Some(&claimed), me, config.times, now)
                {
                    return Ok(Leading::Taken(until));
                }
                leader.term += 1;
                written = claim(blobs, &paths::term(leader.term), &leader).await?;
            }
            if written == Written::Refused {
                return Ok(Leading::Taken(now.saturating_add(config.times.void()).unwrap_or(Timestamp::MAX)));
            }
            write(blobs, &paths::leader(), &leader).await?;
            info!(gc.term = leader.term, "collects from now on");
            Ok(Leading::Mine(leader))
        }
    }
}
