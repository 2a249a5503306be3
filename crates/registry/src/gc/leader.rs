//! Who collects: one process at a time, as far as the place can tell.

use std::future::Future;
use std::sync::Mutex;
use std::sync::PoisonError;

use jeroboam_blobs::{SharedBlobs, Written};
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

    /// Whether a removal may follow from this look at the clock.
    pub(super) fn may_act(&self, config: &GcConfig, now: Timestamp) -> bool {
        may_act(self.renewed(), config.times, now)
    }
}

/// Becomes the collector, or stays it, or hears that another one is.
pub(super) async fn lead(blobs: &SharedBlobs, config: &GcConfig, me: &str, now: Timestamp) -> Result<Leading, GcError> {
    let found: Option<Leader> = read(blobs, &paths::leader()).await?.sound(&paths::leader())?;
    match decide(found.as_ref(), me, config.times, now) {
        Lead::Taken(until) => Ok(Leading::Taken(until)),
        Lead::Mine(leader) => {
            write(blobs, &paths::leader(), &leader).await?;
            Ok(Leading::Mine(leader))
        }
        Lead::Free(mut leader) => {
            let may_tell = blobs.capabilities().create_if_absent;
            if !may_tell && !config.only_collector {
                // Two may think that they are the one; that this costs work and no blobs is what the rest of the protocol is for.
                info!(
                    "the place cannot tell which of two collectors was first: tell one process that it is the only one"
                );
            }
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
