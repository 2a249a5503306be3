//! Who may do what: every endpoint asks here before it does anything.

mod peer;
mod refusal;

use http::request::Parts;

use crate::access::{Actor, Need};

pub use peer::Peer;
pub use refusal::Refusal;

/// Decides about requests. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub struct Auth {}

impl Auth {
    /// Lets everybody do everything.
    #[must_use]
    pub fn open() -> Self {
        Self {}
    }

    /// Lets a request in if it may do all of `needs`.
    ///
    /// What a mount would read from another repository is no need: whether it may is asked with [`Auth::may`], and a no there refuses nothing.
    /// The challenge names it all the same, so that clients ask for both at once.
    #[expect(clippy::unused_async, reason = "whoever has to be asked is on the network")]
    pub async fn check(&self, request: &Parts, peer: &Peer, needs: &[Need]) -> Result<Actor, Refusal> {
        let _ = (request, peer, needs);
        Ok(Actor::default())
    }

    /// Whether the same request may do this, too. Neither a line in the log nor a count of failures comes of a no.
    #[expect(clippy::unused_async, reason = "whoever has to be asked is on the network")]
    pub async fn may(&self, request: &Parts, peer: &Peer, need: &Need) -> bool {
        let _ = (request, peer, need);
        true
    }
}
