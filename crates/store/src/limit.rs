//! How long the database may take. The engines are told, too; but a connection whose far end is gone without a word answers
//! to nobody, and only a clock on this side ends the wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{DbErr, RuntimeErr};
use sqlx::pool::PoolConnectionMetadata;
use sqlx::{AssertSqlSafe, ColumnIndex, Connection, Database, Decode, Executor, Row as _, Type};
use tokio::time::timeout;

/// A connection that does not answer a ping within this is dead.
const PING_PATIENCE: Duration = Duration::from_secs(2);

/// A connection that was idle for longer is asked whether it is alive before it is used.
const PING_AFTER: Duration = Duration::from_secs(5);

/// For so long after something took too long every connection is suspected.
const DOUBT: Duration = Duration::from_secs(60);

/// For so long after a call was given up, connections that come back are looked at: one of them is that on which it was made.
const LOOK_AFTER: Duration = Duration::from_secs(10);

/// The limit of one query or one transaction, and what is known of those that went beyond it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct TimeLimit {
    limit: Duration,
    exceeded: LastTime,
    given_up: LastTime,
}

/// When something last happened.
#[derive(Clone, Debug, Default)]
struct LastTime(Arc<Mutex<Option<Instant>>>);

/// Remembers that a call was given up, unless it came to an end.
struct Unfinished<'a>(Option<&'a LastTime>);

impl TimeLimit {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, exceeded: LastTime::default(), given_up: LastTime::default() }
    }

    /// Ends a call that takes too long. The connection that it was made on is thrown away afterwards if it is dead.
    pub(crate) async fn within<T, E: From<DbErr>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let mut call = Box::pin(call);
        // It goes before the call, which gives its connection back.
        let mut unfinished = Unfinished(Some(&self.given_up));
        let answer = timeout(self.limit, call.as_mut()).await;
        unfinished.0 = None;
        match answer {
            Ok(answer) => answer,
            Err(_) => {
                // Before the call is dropped, which gives its connection back.
                self.exceeded.is_now();
                let words = format!("no answer within {:?}", self.limit);
                Err(DbErr::Conn(RuntimeErr::Internal(words)).into())
            }
        }
    }

    /// Whether a connection may be used; an error when it is dead.
    pub(crate) async fn before_use(
        &self,
        connection: &mut impl Connection,
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
    /// that far. A BEGIN whose answer came too late is undone.
    ///
    /// A call that is given up between a statement's preparation and its answer leaves SQLx's connections to MariaDB an answer
    /// behind, and whoever came next would be told what the one before had asked. So it is asked for a word of its own.
    pub(crate) async fn after_use<DB>(&self, connection: &mut DB::Connection) -> Result<bool, sqlx::Error>
    where
        DB: Database,
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
        for<'r> String: Decode<'r, DB> + Type<DB>,
        usize: ColumnIndex<DB::Row>,
    {
        if !self.is_in_doubt() && !self.given_up.is_within(LOOK_AFTER) {
            return Ok(true);
        }
        let word = uuid::Uuid::new_v4().to_string();
        let asked = async {
            connection.execute("ROLLBACK").await?;
            let row = connection.fetch_one(AssertSqlSafe(format!("SELECT '{word}'"))).await?;
            row.try_get::<String, _>(0)
        };
        match timeout(PING_PATIENCE, asked).await {
            Ok(Ok(said)) if said == word => Ok(true),
            Ok(Ok(_)) => Err(sqlx::Error::Protocol("the answer is another question's".to_owned())),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(dead()),
        }
    }

    fn is_in_doubt(&self) -> bool {
        self.exceeded.is_within(DOUBT)
    }
}

impl LastTime {
    fn is_now(&self) {
        *self.time() = Some(Instant::now());
    }

    fn is_within(&self, time: Duration) -> bool {
        self.time().is_some_and(|at| at.elapsed() < time)
    }

    fn time(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(given_up) = self.0 {
            given_up.is_now();
        }
    }
}

fn dead() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the connection does not answer"))
}
