//! Private databases for tests, on all three engines. Behind the feature `testing`.
//!
//! MariaDB and PostgreSQL are started once for each test program, on a Unix socket in a directory of their own, and end with it
//! whatever way it ends: a shell waits on a pipe that only this process holds. Each test gets a database of its own in it.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sea_orm::{ConnectionTrait, EntityTrait};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::entity::cluster;
use crate::{Store, StoreConfig};

/// The key that test stores seal with.
pub const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file.
    Sqlite,
    /// A private mariadbd.
    MariaDb,
    /// A private postgres.
    PostgreSql,
}

impl Engine {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::MariaDb, Self::PostgreSql];

    /// As `JEROBOAM_ENGINES` names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::MariaDb => "mariadb",
            Self::PostgreSql => "postgresql",
        }
    }

    /// Whether tests are to use it: all, unless `JEROBOAM_ENGINES` lists some.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "tests have no settings of their own")]
    pub fn is_wanted(self) -> bool {
        std::env::var("JEROBOAM_ENGINES")
            .map_or(true, |wanted| wanted.split(',').any(|name| name.trim() == self.name()))
    }
}

/// An empty database that is gone with this value, or with the process.
#[derive(Debug)]
pub struct TestDatabase {
    /// The engine.
    pub engine: Engine,
    /// Its address, in SQLAlchemy's form.
    pub url: SecretString,
    _dir: Option<TempDir>,
}

impl TestDatabase {
    /// An empty database.
    ///
    /// # Panics
    /// When the engine is not installed or does not start; the message names the package.
    pub async fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => {
                let dir = TempDir::new().expect("a temporary directory");
                let url = format!("sqlite:///{}", dir.path().join("store.sqlite").display());
                Self { engine, url: url.into(), _dir: Some(dir) }
            }
            Engine::MariaDb => Self::on_server(MARIADB.get_or_init(|| Server::start(engine)).await.as_ref()).await,
            Engine::PostgreSql => {
                Self::on_server(POSTGRESQL.get_or_init(|| Server::start(engine)).await.as_ref()).await
            }
        }
    }

    async fn on_server(server: Result<&Server, &String>) -> Self {
        let server = server.unwrap_or_else(|problem| panic!("{problem}"));
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        let admin = open(&server.url(server.admin_database())).await;
        // As Magnum's operators make it.
        let charset = if server.engine == Engine::MariaDb { " CHARACTER SET utf8mb3" } else { "" };
        execute(&admin, &format!("CREATE DATABASE {name}{charset}")).await;
        admin.close().await;
        Self { engine: server.engine, url: server.url(&name).into(), _dir: None }
    }

    /// The configuration of a store on this database.
    #[must_use]
    pub fn config(&self) -> StoreConfig {
        StoreConfig { key: Some(KEY.into()), ..StoreConfig::at(self.url.clone()) }
    }

    /// A store on this database with no table made yet.
    pub async fn bare(&self) -> Store {
        Store::connect(&self.config()).await.expect("a store")
    }

    /// A store on this database with all tables.
    pub async fn store(&self) -> Store {
        let store = self.bare().await;
        store.upgrade().await.expect("tables");
        store
    }
}

/// A server of one test alone, which may be cut down and raised again. It is gone with this value, or with the process.
#[derive(Debug)]
pub struct MortalServer {
    engine: Engine,
    dir: TempDir,
    command: Vec<String>,
    keeper: Option<Child>,
}

impl MortalServer {
    /// A data directory; nothing runs yet.
    ///
    /// # Panics
    /// When the engine is not installed; the message names the package.
    #[must_use]
    pub fn prepare(engine: Engine) -> Self {
        let dir = TempDir::with_prefix("jeroboam-").expect("a temporary directory");
        let as_root = fs::metadata(dir.path()).is_ok_and(|meta| meta.uid() == 0);
        // What is committed survives, as in any real deployment; the last one counts.
        let (prepared, durable) = match engine {
            Engine::PostgreSql => (postgresql(dir.path(), as_root), &["-c", "fsync=on"][..]),
            _ => (mariadb(dir.path(), as_root), &["--innodb-flush-log-at-trx-commit=1"][..]),
        };
        let mut command = prepared.unwrap_or_else(|problem| panic!("{problem}"));
        command.extend(durable.iter().map(|&text| text.to_owned()));
        Self { engine, dir, command, keeper: None }
    }

    /// The address of a database on it, in SQLAlchemy's form.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        server_url(self.engine, self.dir.path(), database)
    }

    /// Starts it, waits until it answers, and makes the database unless it is there.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn raise(&mut self, database: &str) {
        self.keeper = Some(keep(self.engine, self.dir.path(), &self.command));
        let admin = self.url(admin_database(self.engine));
        wait(self.engine, self.dir.path(), &admin).await.unwrap_or_else(|problem| panic!("{problem}"));
        let admin = open(&admin).await;
        let there = match self.engine {
            Engine::PostgreSql => format!("SELECT datname::text FROM pg_database WHERE datname = '{database}'"),
            _ => format!("SHOW DATABASES LIKE '{database}'"),
        };
        if texts(&admin, &there).await.is_empty() {
            execute(&admin, &format!("CREATE DATABASE {database}")).await;
        }
        admin.close().await;
    }

    /// `kill -9` to all of its processes.
    ///
    /// # Panics
    /// When it does not run.
    pub fn cut_down(&mut self) {
        let pid = self.pid();
        let all: Vec<_> = std::iter::once(pid).chain(children(pid)).map(|pid| pid.to_string()).collect();
        let killed = Command::new("kill").arg("-9").args(&all).stderr(Stdio::null()).status().expect("a kill command");
        // A child may have ended by itself meanwhile.
        assert!(killed.success() || all.len() > 1, "it runs");
        self.end();
    }

    /// Stops it in order. Those who use it are not waited for.
    ///
    /// # Panics
    /// When it does not run.
    pub fn stop(&mut self) {
        assert!(self.keeper.is_some(), "it runs");
        self.end();
    }

    fn pid(&self) -> u32 {
        let file = if self.engine == Engine::PostgreSql { "data/postmaster.pid" } else { "pid" };
        let text = fs::read_to_string(self.dir.path().join(file)).expect("it runs");
        text.lines().next().and_then(|line| line.trim().parse().ok()).expect("a process id")
    }

    /// The keeper ends when its standard input closes, and sees to it that the server has ended first.
    fn end(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            keeper.wait().ok();
        }
    }
}

impl Drop for MortalServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a statement on the database of a store.
///
/// # Panics
/// When the statement fails.
pub async fn execute(store: &Store, sql: &str) {
    behind_our_back(store, sql).await;
    if ["UPDATE", "DELETE", "INSERT"].iter().any(|verb| sql.trim_start().starts_with(verb)) {
        // As if it had been written by us, so that nobody shows what was there before. There may be no such tables.
        for table in ["jeroboam_cluster_version", "jeroboam_template_version"] {
            store.db.execute_unprepared(&format!("UPDATE {table} SET version = version - 1")).await.ok();
        }
    }
}

/// Runs a statement as somebody does who knows nothing of versions: what he changes is seen a few seconds later.
///
/// # Panics
/// When the statement fails.
pub async fn behind_our_back(store: &Store, sql: &str) {
    store.db.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The first column of what a query finds, which must be text.
///
/// # Panics
/// When the query fails.
pub async fn texts(store: &Store, sql: &str) -> Vec<Option<String>> {
    let statement = sea_orm::Statement::from_string(store.backend(), sql);
    let rows = store.db.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.iter().map(|row| row.try_get_by_index(0).unwrap_or_else(|error| panic!("{sql}: {error:?}"))).collect()
}

/// The id of the cluster of a row, read by the primary key through the store's own pool: the floor that reads are compared with.
///
/// # Panics
/// When the query fails or there is no such row.
pub async fn id_by_key(store: &Store, serial: i64) -> String {
    let mut sql = crate::sql::Sql::new(store.backend(), "SELECT uuid FROM cluster WHERE id = ");
    sql.bind(serial);
    let row = store.db.query_one_raw(sql.build()).await.unwrap_or_else(|error| panic!("read a row: {error}"));
    row.and_then(|row| row.try_get_by_index(0).ok()).expect("the row is there")
}

/// The status of the cluster of a row, whose whole row is read by the primary key.
///
/// # Panics
/// When the query fails or there is no such row.
pub async fn row_by_key(store: &Store, serial: i32) -> String {
    let found = cluster::Entity::find_by_id(serial).one(&store.db).await;
    let row = found.unwrap_or_else(|error| panic!("read a row: {error}")).expect("the row is there");
    row.status.unwrap_or_default()
}

static MARIADB: OnceCell<Result<Server, String>> = OnceCell::const_new();
static POSTGRESQL: OnceCell<Result<Server, String>> = OnceCell::const_new();

/// Started servers stay for the life of the test program.
struct Server {
    engine: Engine,
    dir: PathBuf,
    /// Ends the server and its directory when its standard input closes.
    _keeper: Child,
}

impl Server {
    /// What goes wrong here is kept, so that it fails every test at once and not each in its turn.
    async fn start(engine: Engine) -> Result<Self, String> {
        let dir = TempDir::with_prefix("jeroboam-").expect("a temporary directory").keep();
        let as_root = fs::metadata(&dir).is_ok_and(|meta| meta.uid() == 0);
        let command = match engine {
            Engine::MariaDb => mariadb(&dir, as_root)?,
            _ => postgresql(&dir, as_root)?,
        };
        let keeper = keep_with_dir(engine, &dir, &command);
        let server = Self { engine, _keeper: keeper, dir };
        wait(engine, &server.dir, &server.url(server.admin_database())).await?;
        Ok(server)
    }

    const fn admin_database(&self) -> &'static str {
        admin_database(self.engine)
    }

    fn url(&self, database: &str) -> String {
        server_url(self.engine, &self.dir, database)
    }
}

const fn admin_database(engine: Engine) -> &'static str {
    match engine {
        Engine::PostgreSql => "postgres",
        _ => "mysql",
    }
}

async fn wait(engine: Engine, dir: &Path, url: &str) -> Result<(), String> {
    let store = open(url).await;
    let mut last = None;
    for _ in 0..600 {
        match store.ping().await {
            Ok(()) => {
                store.close().await;
                return Ok(());
            }
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
    let end = log.lines().rev().take(5).collect::<Vec<_>>().join("\n");
    Err(format!("{} did not start: {last:?}\n{end}", engine.name()))
}

fn server_url(engine: Engine, dir: &Path, database: &str) -> String {
    let dir = dir.display();
    match engine {
        Engine::PostgreSql => format!("postgresql+psycopg2://postgres@localhost/{database}?host={dir}"),
        _ => format!("mysql+pymysql://root@localhost/{database}?charset=utf8&unix_socket={dir}/socket"),
    }
}

/// The processes that a process has started.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| {
        // pid (name) state parent …; the name may hold anything.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after = stat.rsplit_once(')').map(|(_, after)| after).unwrap_or_default();
        after.split_whitespace().nth(1) == Some(parent.to_string().as_str())
    };
    pids.filter(is_child).collect()
}

async fn open(url: &str) -> Store {
    let config = StoreConfig { max_connections: 1, ..StoreConfig::at(url.into()) };
    Store::connect(&config).await.expect("a good address")
}

/// Makes the data directory and says how the server is started.
fn mariadb(dir: &Path, as_root: bool) -> Result<Vec<String>, String> {
    let program = |name| find(name, &["/usr/sbin", "/usr/bin"], "mariadb-server");
    let data = dir.join("data");
    let user: &[&str] = if as_root { &["--user=root"] } else { &[] };
    let mut install = Command::new(program("mariadb-install-db")?);
    install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]).args(user);
    // Its scratch files have fixed names: two of it at once need a folder each.
    run(install.arg(format!("--datadir={}", data.display())).env("TMPDIR", dir), dir)?;
    let mut command = vec![program("mariadbd")?, "--no-defaults".to_owned()];
    command.extend(user.iter().map(|&text| text.to_owned()));
    command.extend([
        format!("--datadir={}", data.display()),
        format!("--socket={}/socket", dir.display()),
        format!("--pid-file={}/pid", dir.display()),
        "--skip-networking".to_owned(),
        "--max-connections=500".to_owned(),
        "--innodb-buffer-pool-size=64M".to_owned(),
        "--innodb-flush-log-at-trx-commit=0".to_owned(),
    ]);
    Ok(command)
}

/// Makes the data directory and says how the server is started. PostgreSQL refuses to run as root, so root runs it as nobody.
fn postgresql(dir: &Path, as_root: bool) -> Result<Vec<String>, String> {
    let mut folders: Vec<String> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| format!("{}/bin", entry.path().display())).collect())
        .unwrap_or_default();
    folders.sort();
    folders.reverse();
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let program = |name| find(name, &folders, "postgresql");
    const NOBODY: u32 = 65534;
    let mut prefix = Vec::new();
    if as_root {
        chown(dir, Some(NOBODY), Some(NOBODY)).expect("root may give away a directory");
        let nobody = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
        prefix.push(find("setpriv", &["/usr/bin"], "util-linux")?);
        prefix.extend(nobody);
    }
    let data = dir.join("data").display().to_string();
    let init = [program("initdb")?, "--pgdata".to_owned(), data.clone()];
    let init_more = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
    let init: Vec<String> =
        prefix.iter().cloned().chain(init).chain(init_more.iter().map(|&text| text.to_owned())).collect();
    run(Command::new(&init[0]).args(&init[1..]).current_dir(dir), dir)?;
    let serve = [program("postgres")?, "-D".to_owned(), data, "-k".to_owned(), dir.display().to_string()];
    let settings = ["listen_addresses=", "fsync=off", "max_connections=200", "shared_buffers=64MB"];
    let settings = settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting.to_owned()]);
    Ok(prefix.into_iter().chain(serve).chain(settings).collect())
}

/// Starts a server that ends when this process does, and its directory with it.
fn keep_with_dir(engine: Engine, dir: &Path, command: &[String]) -> Child {
    keep_and(engine, dir, r#"rm -rf "$dir""#, command)
}

/// Starts a server that ends when this process does.
fn keep(engine: Engine, dir: &Path, command: &[String]) -> Child {
    keep_and(engine, dir, ":", command)
}

/// Starts a server that ends when this process does; then a shell does the rest.
fn keep_and(engine: Engine, dir: &Path, rest: &str, command: &[String]) -> Child {
    const SCRIPT: &str = r#"
        trap "" HUP INT TERM
        dir=$1; signal=$2; shift 2
        cd "$dir" || exit 1
        (trap - HUP INT TERM; exec "$@") >> "$dir/log" 2>&1 &
        pid=$!
        read -r _
        kill -$signal $pid
        wait $pid
    "#;
    // Told to terminate, PostgreSQL waits for all who use it.
    let signal = if engine == Engine::PostgreSql { "INT" } else { "TERM" };
    Command::new("sh")
        .args(["-c", &format!("{SCRIPT}\n{rest}"), "sh"])
        .arg(dir)
        .arg(signal)
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}

fn run(command: &mut Command, dir: &Path) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let _ = fs::remove_dir_all(dir);
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[expect(clippy::disallowed_methods, reason = "a program is looked for where a shell would look")]
fn find(program: &str, folders: &[&str], package: &str) -> Result<String, String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut all = folders.iter().copied().chain(path.split(':')).map(|folder| Path::new(folder).join(program));
    let found = all.find(|path| path.is_file()).map(|path| path.display().to_string());
    found.ok_or_else(|| format!("{program} is not installed: `make setup` installs the Debian package {package}"))
}
