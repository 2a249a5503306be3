//! The handle that everything else holds: a pool, and one way to write through it.

use std::sync::Arc;
use std::time::Duration;

use jeroboam_model::{Clock, SystemClock};
use sea_orm::prelude::DateTime;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, SqliteTransactionMode,
    SqlxMySqlConnector, SqlxPostgresConnector, SqlxSqliteConnector, Statement, TransactionOptions, TransactionTrait,
};
use secrecy::ExposeSecret;
use sqlx::ConnectOptions as _;
use sqlx::Executor as _;
use sqlx::pool::PoolOptions;
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::clusters::Statements;
use crate::error::{connection_died, worth_another_try};
use crate::limit::TimeLimit;
use crate::reader::Reader;
use crate::rows::database_time;
use crate::seal::Sealer;
use crate::shown::Memory;
use crate::url::Target;
use crate::{StoreConfig, StoreError};

/// A transaction as its steps hold it. Shared and not lent: a borrowed one keeps the compiler from seeing that a task may
/// write.
pub(crate) type Tx = Arc<DatabaseTransaction>;

/// What is called before and after each committing write, with the write's name.
pub type FaultHook = Arc<dyn Fn(&'static str) + Send + Sync>;

/// Magnum's tables and our own. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) db: DatabaseConnection,
    pub(crate) sealer: Option<Arc<Sealer>>,
    pub(crate) statements: Arc<Statements>,
    pub(crate) memory: Arc<Memory>,
    connections: u32,
    limit: TimeLimit,
    /// Where to connect to for what may take long. Not for SQLite, which knows no limits and perhaps only one connection.
    elsewhere: Option<Arc<StoreConfig>>,
    clock: Arc<dyn Clock>,
    faults: Option<FaultHook>,
    changes: Arc<watch::Sender<u64>>,
    /// SQLite has one writer at a time; here the others of this process wait in line.
    gate: Option<Arc<Mutex<()>>>,
    /// Transactions that are about to begin.
    beginnings: TaskTracker,
}

/// A connection on which statements may take as long as they take.
pub(crate) struct Patient {
    db: DatabaseConnection,
    own: bool,
}

impl Patient {
    pub(crate) const fn db(&self) -> &DatabaseConnection {
        &self.db
    }

    pub(crate) async fn close(self) {
        if self.own
            && let Err(error) = self.db.close().await
        {
            warn!(error = %error, "could not close the database connections");
        }
    }
}

/// How a transaction ends.
pub(crate) enum Then<T> {
    /// Keep what was written.
    Commit(T),
    /// Write nothing.
    Undo(T),
}

/// How often a transaction is tried that the engine breaks off for the sake of another. Galera does so at the commit.
const TRIES: u32 = 12;

/// How long what changes tables waits for those who use them. Whoever comes meanwhile waits behind it.
const TABLE_PATIENCE: Duration = Duration::from_secs(60);

/// A statement that takes longer is logged.
const SLOW: Duration = Duration::from_secs(2);

impl Store {
    /// A store on the database that the configuration names. It is connected to when it is first used, so this succeeds while
    /// the database is down.
    // A pool can be made only where there is a runtime, which `async` makes sure of.
    #[expect(clippy::unused_async, reason = "callers are bound to be within a runtime")]
    pub async fn connect(config: &StoreConfig) -> Result<Self, StoreError> {
        let sealer = config.key.as_ref().map(Sealer::new).transpose()?.map(Arc::new);
        let target = Target::parse(config.url.expose_secret())?;
        let gate = matches!(target, Target::Sqlite { .. }).then(|| Arc::new(Mutex::new(())));
        let limit = TimeLimit::new(config.time_limit);
        let elsewhere = gate.is_none().then(|| Arc::new(config.clone()));
        let db = pool(target, config, &limit, &Limits::of(config.time_limit));
        let statements = Arc::new(Statements::new(db.get_database_backend()));
        let changes = Arc::new(watch::Sender::new(0));
        Ok(Self {
            sealer,
            statements,
            memory: Arc::new(Memory::new(db.get_database_backend())),
            db,
            connections: config.max_connections,
            limit,
            elsewhere,
            clock: Arc::new(SystemClock),
            faults: None,
            changes,
            gate,
            beginnings: TaskTracker::new(),
        })
    }

    /// The same store with a hook that is called just before and just after each committing write.
    #[must_use]
    pub fn with_faults(self, hook: FaultHook) -> Self {
        Self { faults: Some(hook), ..self }
    }

    /// The same store with another clock for the `updated_at` columns.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.reader().query_one_raw(Statement::from_string(self.backend(), "SELECT 1")).await?;
        Ok(())
    }

    /// Ends all connections. Calls after it fail.
    pub async fn close(&self) {
        if let Err(error) = self.db.close_by_ref().await {
            warn!(error = %error, "could not close the database connections");
        }
    }

    /// Counts the requests that this process has accepted: it changes with each.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// The time for an `updated_at` column.
    pub(crate) fn now(&self) -> DateTime {
        database_time(self.clock.now())
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.db.get_database_backend()
    }

    /// The pool, for reading outside of a transaction.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { db: &self.db, connections: self.connections, limit: &self.limit }
    }

    /// Ends a call that takes too long.
    pub(crate) async fn in_time<T, E>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, StoreError>
    where
        E: From<DbErr> + Into<StoreError>,
    {
        self.limit.within(call).await.map_err(Into::into)
    }

    /// A connection for what may take longer than any request: changing the tables of a large database.
    pub(crate) fn patient(&self) -> Result<Patient, StoreError> {
        let Some(config) = &self.elsewhere else { return Ok(Patient { db: self.db.clone(), own: false }) };
        let target = Target::parse(config.url.expose_secret())?;
        let config = StoreConfig { max_connections: 1, ..StoreConfig::clone(config) };
        Ok(Patient { db: pool(target, &config, &self.limit, &Limits::PATIENT), own: true })
    }

    /// Runs the steps as one transaction, again from the start when the engine breaks it off for the sake of another one.
    /// Every query of the steps goes through the transaction that they are handed. All of it together has its time.
    pub(crate) async fn write<T, F, Fut>(&self, name: &'static str, steps: F) -> Result<T, StoreError>
    where
        T: Send,
        F: Fn(Tx) -> Fut + Send + Sync,
        Fut: Future<Output = Result<Then<T>, StoreError>> + Send,
    {
        let tries = async {
            let mut tried = 1;
            loop {
                match self.write_once(name, &steps).await {
                    Err(error) if tried < TRIES && worth_another_try(&error) => {
                        // Spread by something that differs between those that clash.
                        let spread = u64::from(uuid::Uuid::new_v4().as_fields().0 % 16);
                        tokio::time::sleep(Duration::from_millis(u64::from(tried) * (2 + spread))).await;
                        tried += 1;
                    }
                    done => return done,
                }
            }
        };
        self.limit.within(tries).await
    }

    async fn write_once<T, F, Fut>(&self, name: &'static str, steps: &F) -> Result<T, StoreError>
    where
        T: Send,
        F: Fn(Tx) -> Fut + Send + Sync,
        Fut: Future<Output = Result<Then<T>, StoreError>> + Send,
    {
        let _turn = self.turn().await;
        let transaction = Arc::new(self.begin().await?);
        let done = steps(Arc::clone(&transaction)).await;
        // The steps are over and with them every other hold on the transaction.
        let Some(transaction) = Arc::into_inner(transaction) else {
            return Err(StoreError::Schema("a transaction outlived its steps".to_owned()));
        };
        match done {
            Ok(Then::Commit(value)) => {
                self.fault(name);
                transaction.commit().await?;
                self.fault(name);
                Ok(value)
            }
            Ok(Then::Undo(value)) => {
                transaction.rollback().await?;
                Ok(value)
            }
            Err(error) => {
                // The first error counts; a connection that can't roll back is closed by the pool.
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    }

    /// Begins a transaction, on another connection where one turns out to have died: nothing has been written yet.
    ///
    /// In a task of its own, which goes on when nobody waits any more: SQLx knows a transaction only after the answer to its
    /// BEGIN. Given up before, it would stay open on a connection that is lent to others.
    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        // SQLite takes the write lock at the start: a transaction that reads first and writes later can't be overtaken.
        let immediate = (self.backend() == DbBackend::Sqlite).then_some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode: immediate, ..Default::default() };
        let (db, connections, limit) = (self.db.clone(), self.connections, self.limit.clone());
        let tries = async move {
            for _ in 0..connections {
                match db.begin_with_options(options).await {
                    Err(error) if connection_died(&error) => {}
                    answer => return answer,
                }
            }
            db.begin_with_options(options).await
        };
        let begun = self.beginnings.spawn(async move { limit.within(tries).await }).await;
        begun.unwrap_or_else(|stopped| Err(DbErr::Conn(RuntimeErr::Internal(stopped.to_string()))))
    }

    /// Waits until no other write of this process is under way. SQLite only.
    pub(crate) async fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        match &self.gate {
            Some(gate) => Some(gate.lock().await),
            None => None,
        }
    }

    fn fault(&self, name: &'static str) {
        if let Some(hook) = &self.faults {
            hook(name);
        }
    }
}

fn pool(target: Target, config: &StoreConfig, limit: &TimeLimit, limits: &Limits) -> DatabaseConnection {
    let (level, slow) = (log::LevelFilter::Off, log::LevelFilter::Warn);
    match target {
        Target::Sqlite { options, in_memory } => {
            let options = options.log_statements(level).log_slow_statements(slow, SLOW);
            let pool = sized(PoolOptions::<sqlx::Sqlite>::new(), config).test_before_acquire(false);
            // A database in memory lives and dies with its one connection.
            let pool = if in_memory { pool.max_connections(1).idle_timeout(None).max_lifetime(None) } else { pool };
            SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.connect_lazy_with(options))
        }
        Target::MySql(options) => {
            let options = options.log_statements(level).log_slow_statements(slow, SLOW);
            let options = options.pipes_as_concat(false).no_engine_substitution(false);
            let pool = sized(PoolOptions::<sqlx::MySql>::new(), config);
            let (before, after) = (limit.clone(), limit.clone());
            let pool = pool.before_acquire(move |connection, meta| {
                let limit = before.clone();
                Box::pin(async move { limit.before_use(connection, meta).await })
            });
            let pool = pool.after_release(move |connection, _| {
                let limit = after.clone();
                Box::pin(async move { limit.after_use::<sqlx::MySql>(connection).await })
            });
            // Magnum: oslo.db `mysql_sql_mode` is TRADITIONAL, which refuses a text that a column can't hold. Each
            // statement sees what is committed: counting under a lock must see what the one before committed.
            let limits = limits.for_mariadb();
            let pool = pool.after_connect(move |connection, _| {
                let limits = limits.clone();
                Box::pin(async move {
                    connection.execute("SET SESSION sql_mode = 'TRADITIONAL'").await?;
                    connection.execute(sqlx::AssertSqlSafe(limits)).await?;
                    connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
                    Ok(())
                })
            });
            SqlxMySqlConnector::from_sqlx_mysql_pool(pool.connect_lazy_with(options))
        }
        Target::Postgres(options) => {
            let options = options.log_statements(level).log_slow_statements(slow, SLOW);
            let options = options.options(limits.for_postgres());
            let pool = sized(PoolOptions::<sqlx::Postgres>::new(), config);
            let (before, after) = (limit.clone(), limit.clone());
            let pool = pool.before_acquire(move |connection, meta| {
                let limit = before.clone();
                Box::pin(async move { limit.before_use(connection, meta).await })
            });
            let pool = pool.after_release(move |connection, _| {
                let limit = after.clone();
                Box::pin(async move { limit.after_use::<sqlx::Postgres>(connection).await })
            });
            SqlxPostgresConnector::from_sqlx_postgres_pool(pool.connect_lazy_with(options))
        }
    }
}

fn sized<DB: sqlx::Database>(pool: PoolOptions<DB>, config: &StoreConfig) -> PoolOptions<DB> {
    pool.max_connections(config.max_connections.max(1))
        .acquire_timeout(config.acquire_timeout)
        .test_before_acquire(false)
}

/// What the engines are told to bear.
struct Limits {
    /// How long a statement may take; zero is for ever.
    statement: Duration,
    /// How long it may wait for what others have locked.
    lock: Duration,
    /// How long a transaction may do nothing: its client may be gone, and its rows would stay locked.
    idle: Duration,
}

impl Limits {
    const PATIENT: Self = Self { statement: Duration::ZERO, lock: TABLE_PATIENCE, idle: TABLE_PATIENCE };

    /// For statements that have so much time on this side of the connection.
    fn of(limit: Duration) -> Self {
        Self { statement: limit, lock: limit / 3, idle: limit * 2 }
    }

    /// MySQL knows the limits of waiting alone and takes the rest for a comment.
    fn for_mariadb(&self) -> String {
        let seconds = |time: Duration| if time.is_zero() { 0 } else { time.as_secs().max(1) };
        let (statement, lock, idle) = (seconds(self.statement), seconds(self.lock), seconds(self.idle));
        format!(
            "SET SESSION innodb_lock_wait_timeout = {lock}, lock_wait_timeout = {lock} \
             /*M! , max_statement_time = {statement}, idle_transaction_timeout = {idle} */"
        )
    }

    /// In milliseconds.
    fn for_postgres(&self) -> [(&'static str, String); 3] {
        let millis = |time: Duration| if time.is_zero() { 0 } else { time.as_millis().max(1) }.to_string();
        [
            ("statement_timeout", millis(self.statement)),
            ("lock_timeout", millis(self.lock)),
            ("idle_in_transaction_session_timeout", millis(self.idle)),
        ]
    }
}
