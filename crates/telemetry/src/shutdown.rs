//! Told to stop, the process finishes what it does and ends.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Owner of the tasks of the process, and the word that they shall end.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Nothing runs and nothing shall end yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What tasks look at to know that they shall end.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Where tasks are spawned.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Makes SIGTERM and SIGINT mean the end.
    pub fn listen(&self) -> io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let token = self.token.clone();
        self.tasks.spawn(async move {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
                () = token.cancelled() => return,
            };
            tracing::info!(signal = name, "stopping");
            token.cancel();
        });
        Ok(())
    }

    /// Says that everything shall end.
    pub fn begin(&self) {
        self.token.cancel();
    }

    /// Resolves when somebody said so.
    pub async fn begun(&self) {
        self.token.cancelled().await;
    }

    /// Waits for the tasks. `false`: some were still running when the time was up.
    pub async fn finish(&self, patience: Duration) -> bool {
        self.token.cancel();
        self.tasks.close();
        tokio::time::timeout(patience, self.tasks.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tasks_are_waited_for_and_stubborn_ones_are_left() {
        let good = Shutdown::new();
        let token = good.token();
        good.tasks().spawn(async move { token.cancelled().await });
        assert!(good.finish(Duration::from_secs(5)).await);

        let stubborn = Shutdown::new();
        stubborn.tasks().spawn(std::future::pending::<()>());
        assert!(!stubborn.finish(Duration::from_secs(5)).await);
    }

    #[tokio::test]
    async fn a_clone_ends_with_the_others() {
        let shutdown = Shutdown::new();
        shutdown.listen().expect("signals");
        let clone = shutdown.clone();
        clone.begin();
        shutdown.begun().await;
        assert!(shutdown.finish(Duration::from_secs(5)).await, "the listener ends too");
    }
}
