//! How long the database may take. The engines are told, too; but a connection whose far end is gone without a word answers
//! to nobody, and only a clock on this side ends the wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{DbErr, RuntimeErr};
use sqlx::pool::PoolConnectionMetadata;
use tokio::time::timeout;

/// A connection that does not answer a ping within this is dead.
const PING_PATIENCE: Duration = Duration::from_secs(2);

/// A connection that was idle for longer is asked whether it is alive before it is used.
const PING_AFTER: Duration = Duration::from_secs(5);

/// For so long after something took too long every connection is suspected.
const DOUBT: Duration = Duration::from_secs(60);

/// The limit of one query or one transaction, and what is known of those that went beyond it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct TimeLimit {
    limit: Duration,
    exceeded: Arc<Mutex<Option<Instant>>>,
}

impl TimeLimit {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, exceeded: Arc::default() }
    }

    /// Ends a call that takes too long. The connection that it was made on is thrown away afterwards if it is dead.
    pub(crate) async fn within<T, E: From<DbErr>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let mut call = Box::pin(call);
        match timeout(self.limit, call.as_mut()).await {
            Ok(answer) => answer,
            Err(_) => {
                // Before the call is dropped, which gives its connection back.
                *self.exceeded() = Some(Instant::now());
                let words = format!("no answer within {:?}", self.limit);
                Err(DbErr::Conn(RuntimeErr::Internal(words)).into())
            }
        }
    }

    /// Whether a connection may be used; an error when it is dead.
    pub(crate) async fn before_use(
        &self,
        connection: &mut impl sqlx::Connection,
        meta: PoolConnectionMetadata,
    ) -> Result<bool, sqlx::Error> {
        if meta.idle_for < PING_AFTER && !self.is_in_doubt() {
            return Ok(true);
        }
        match timeout(PING_PATIENCE, connection.ping()).await {
            Ok(answer) => Ok(answer.is_ok()),
            Err(_) => Err(dead()),
        }
    }

    /// Whether a connection may go back to the others. The pool asks it once more without a limit, so what hangs must not get
    /// that far.
    pub(crate) async fn after_use(&self, connection: &mut impl sqlx::Connection) -> Result<bool, sqlx::Error> {
        if !self.is_in_doubt() {
            return Ok(true);
        }
        match timeout(PING_PATIENCE, connection.ping()).await {
            Ok(answer) => answer.map(|()| true),
            Err(_) => Err(dead()),
        }
    }

    fn is_in_doubt(&self) -> bool {
        self.exceeded().is_some_and(|at| at.elapsed() < DOUBT)
    }

    fn exceeded(&self) -> MutexGuard<'_, Option<Instant>> {
        self.exceeded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn dead() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the connection does not answer"))
}
