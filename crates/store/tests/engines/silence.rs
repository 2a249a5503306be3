//! A database at the far end of a connection that has gone silent.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jeroboam_model::{Page, Scope};
use jeroboam_store::testing::{Engine, TestDatabase};
use jeroboam_store::{Store, StoreConfig, StoreError, StoreErrorKind, samples};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Far beyond every limit: who waits for so long waits for ever.
const FOR_EVER: Duration = Duration::from_secs(60);

/// Stands between a store and its server, and may stop passing anything on without closing a connection.
struct Proxy {
    dir: tempfile::TempDir,
    /// Connections with a number below this are dead.
    dead: Arc<watch::Sender<u64>>,
    accepted: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    fn start(engine: Engine, server: PathBuf) -> Self {
        let dir = tempfile::TempDir::with_prefix("jeroboam-").expect("a directory");
        let listener = UnixListener::bind(dir.path().join(socket(engine))).expect("a socket");
        let dead = Arc::new(watch::Sender::new(0));
        let mut tasks = JoinSet::new();
        let (told, accepted) = (Arc::clone(&dead), Arc::new(AtomicU64::new(0)));
        let counter = Arc::clone(&accepted);
        tasks.spawn(async move {
            let mut pipes = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.expect("a client");
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let server = UnixStream::connect(&server).await.expect("the server");
                let ((up, down), (from, to)) = (client.into_split(), server.into_split());
                pipes.spawn(pass_on(up, to, number, told.subscribe()));
                pipes.spawn(pass_on(from, down, number, told.subscribe()));
            }
        });
        Self { dir, dead, accepted, _tasks: tasks }
    }

    /// Nothing comes through any more.
    fn fall_silent(&self) {
        self.dead.send_replace(u64::MAX);
    }

    /// New connections work; those that there were stay silent.
    fn take_new_ones(&self) {
        self.dead.send_replace(self.accepted.load(Ordering::SeqCst));
    }
}

async fn pass_on(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    number: u64,
    mut dead: watch::Receiver<u64>,
) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        // What was read is swallowed while the line is dead, and nobody is told.
        if dead.wait_for(|dead| number >= *dead).await.is_err() || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

const fn socket(engine: Engine) -> &'static str {
    match engine {
        Engine::PostgreSql => ".s.PGSQL.5432",
        _ => "socket",
    }
}

/// The directory of the server's socket, and the address by way of another directory.
fn redirected(db: &TestDatabase, by_way_of: &Path) -> (PathBuf, SecretString) {
    let url = db.url.expose_secret();
    let (before, path) = url.rsplit_once('=').expect("a path at the end");
    let (dir, file) = match db.engine {
        Engine::PostgreSql => (PathBuf::from(path), String::new()),
        _ => (Path::new(path).parent().expect("a directory").to_owned(), "/socket".to_owned()),
    };
    (dir, format!("{before}={}{file}", by_way_of.display()).into())
}

pub(crate) async fn a_connection_that_goes_silent_ends_in_a_clear_error(db: TestDatabase) {
    if db.engine == Engine::Sqlite {
        return;
    }
    db.store().await.close().await;
    let (server, _) = redirected(&db, Path::new(""));
    let proxy = Proxy::start(db.engine, server.join(socket(db.engine)));
    let (_, url) = redirected(&db, proxy.dir.path());
    let second = Duration::from_secs(1);
    let config = StoreConfig { url, max_connections: 2, acquire_timeout: second, time_limit: second, ..db.config() };
    let store = Store::connect(&config).await.expect("a store");
    store.heartbeat("host", "binary", samples::noon()).await.expect("written");

    proxy.fall_silent();
    for round in 0..3 {
        let read = in_time(store.clusters(&Scope::All, &Page::first(5))).await.expect_err("silence");
        assert_eq!(read.kind(), StoreErrorKind::Unavailable, "round {round}: {read:?}");
        let written = in_time(store.heartbeat("host", "binary", samples::noon())).await.expect_err("silence");
        assert_eq!(written.kind(), StoreErrorKind::Unavailable, "round {round}: {written:?}");
    }

    // Everything that was opened so far stays dead: the store has to give it up for new connections.
    proxy.take_new_ones();
    let again = tokio::time::timeout(FOR_EVER, async {
        while store.heartbeat("host", "binary", samples::noon()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    again.await.expect("the store comes back with new connections");
}

async fn in_time<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(FOR_EVER, call).await.expect("an end")
}
