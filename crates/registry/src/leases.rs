//! What this process has promised of blobs, so that nobody collects them while a client relies on the answer.
//!
//! **First the promise, then the look, then the answer.** Whoever is about to tell a client that a blob is in a repository (a HEAD that finds it, a
//! mount, the end of an upload, a manifest that names it) calls [`Leases::promise`], then looks whether it is there, or writes it, and then answers.
//! In another order the blob may go between the look and the promise.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::{Digest, RepositoryName};

/// How long a promise holds unless told otherwise.
pub const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// So many promises are remembered; what is forgotten is only looked for once more.
const REMEMBERED: usize = 100_000;

/// What was promised before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Held {
    /// This process has promised it before, and the promise still holds: what was seen since then is still there.
    Already,
    /// It had not: what was seen before now says nothing. Look at the store itself, not into a cache.
    Anew,
}

/// Why nothing can be promised now. The client is told that the registry is unavailable, and when to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// We have not read for too long what is about to be collected.
    #[error("promise a blob: what is being collected has not been read for too long")]
    OutOfTouch,
    /// The blob is being collected at this moment.
    #[error("promise a blob: it is being collected at this moment")]
    BeingCollected,
    /// The promise could not be written down.
    #[error("promise a blob: the store does not take it down")]
    NotWritten,
}

impl NotNow {
    /// When it is worth to ask again.
    #[must_use]
    pub fn retry_after(self) -> Duration {
        match self {
            Self::BeingCollected => Duration::from_secs(2),
            Self::OutOfTouch | Self::NotWritten => Duration::from_secs(10),
        }
    }
}

/// The promises of this process.
pub struct Leases {
    clock: Arc<dyn Clock>,
    grace: Duration,
    until: Mutex<HashMap<(RepositoryName, Digest), Timestamp>>,
}

impl Leases {
    /// Promises that nobody but this process knows: for a store that nothing is collected from.
    #[must_use]
    pub fn in_memory(clock: Arc<dyn Clock>, grace: Duration) -> Self {
        Self { clock, grace, until: Mutex::new(HashMap::new()) }
    }

    /// Promises that `digest`, if it is in `repository` when looked for after this, stays there for the grace time. The digest is that by which the
    /// store sorts it (what its link says), not an alias.
    #[expect(clippy::unused_async, reason = "a promise of what is about to be collected is written into the store")]
    pub async fn promise(&self, repository: &RepositoryName, digest: &Digest) -> Result<Held, NotNow> {
        let now = self.clock.now();
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= REMEMBERED {
            until.retain(|_, until| *until > now);
            if until.len() >= REMEMBERED {
                until.clear();
            }
        }
        let before = until.insert((repository.clone(), digest.clone()), now + self.grace);
        Ok(if before.is_some_and(|until| until > now) { Held::Already } else { Held::Anew })
    }
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").field("grace", &self.grace).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use jeroboam_model::ManualClock;

    use super::*;

    #[tokio::test]
    async fn a_promise_holds_for_the_grace_time() {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let leases = Leases::in_memory(clock.clone(), Duration::from_secs(60));
        let repository = "team/app".parse().unwrap();
        let digest = Digest::sha256(b"layer");
        assert_eq!(leases.promise(&repository, &digest).await, Ok(Held::Anew));
        clock.advance(Duration::from_secs(59));
        assert_eq!(leases.promise(&repository, &digest).await, Ok(Held::Already));
        clock.advance(Duration::from_secs(60));
        assert_eq!(leases.promise(&repository, &digest).await, Ok(Held::Anew), "it had ended");
        assert_eq!(leases.promise(&"other".parse().unwrap(), &digest).await, Ok(Held::Anew), "of a repository");
    }
}
