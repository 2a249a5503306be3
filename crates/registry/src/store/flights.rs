//! Pushes of the same bytes at the same moment: one of them writes, and the others notice.
//!
//! Nobody waits for another client's bytes, which may never come. Each writes for itself until the first is done; the others then only check
//! theirs, and drop what they have written.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jeroboam_oci::Digest;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

/// The pushes of a process.
#[derive(Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<Digest, Arc<Flight>>>>);

#[derive(Default)]
struct Flight {
    landed: AtomicBool,
    landing: AsyncMutex<()>,
}

/// One push among those of the same bytes.
pub(super) struct Seat {
    flights: Arc<Mutex<HashMap<Digest, Arc<Flight>>>>,
    digest: Digest,
    flight: Arc<Flight>,
}

impl Flights {
    pub(super) fn board(&self, digest: &Digest) -> Seat {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let flight = flights.entry(digest.clone()).or_default().clone();
        Seat { flights: self.0.clone(), digest: digest.clone(), flight }
    }
}

impl Seat {
    /// Whether somebody else has made the same bytes appear since we began.
    pub(super) fn landed(&self) -> bool {
        self.flight.landed.load(Ordering::Acquire)
    }

    /// Waits until nobody else makes the same bytes appear. Ask [`Self::landed`] then.
    pub(super) async fn landing(&self) -> MutexGuard<'_, ()> {
        self.flight.landing.lock().await
    }

    /// Says that the bytes are there.
    pub(super) fn land(&self) {
        self.flight.landed.store(true, Ordering::Release);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // Ours and that of the map: nobody else is on board.
        if Arc::strong_count(&self.flight) == 2 {
            flights.remove(&self.digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_push_knows_of_the_others_while_it_lasts() {
        let flights = Flights::default();
        let digest = Digest::sha256(b"layer");
        let (first, second) = (flights.board(&digest), flights.board(&digest));
        {
            let _landing = first.landing().await;
            assert!(!first.landed());
            first.land();
        }
        assert!(second.landed());
        drop(first);
        assert!(flights.board(&digest).landed(), "while somebody is on board");
        drop(second);
        assert!(!flights.board(&digest).landed(), "what is collected later may have to be written again");
        assert!(flights.0.lock().unwrap().is_empty(), "nothing is left behind");
    }
}
