//! Addresses of databases: as SQLAlchemy writes them in `[database] connection`, and as sqlx does.

use std::str::FromStr;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use url::Url;

use crate::StoreError;

/// What to connect to.
#[derive(Debug)]
pub(crate) enum Target {
    Sqlite { options: SqliteConnectOptions, in_memory: bool },
    MySql(MySqlConnectOptions),
    Postgres(PgConnectOptions),
}

/// How long a writer waits for another process's write to end. SQLite only.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// How many rows a connection's thread may be ahead of who reads them: as many as a page has, so that it seldom waits. SQLite only.
const ROWS_AHEAD: usize = 1024;

impl Target {
    /// Reads an address. The error never repeats it: it holds a password.
    pub(crate) fn parse(text: &str) -> Result<Self, StoreError> {
        let scheme = text.split(':').next().unwrap_or_default();
        match scheme.split('+').next().unwrap_or_default() {
            "sqlite" => Ok(sqlite(text)),
            "mysql" | "mariadb" => mysql(&with_scheme(text, "mysql")?).map(Self::MySql),
            "postgresql" | "postgres" => postgres(&with_scheme(text, "postgres")?).map(Self::Postgres),
            other => Err(bad(format!("{other:?} is none of sqlite, mysql, postgresql"))),
        }
    }
}

fn bad(problem: impl Into<String>) -> StoreError {
    StoreError::BadUrl(problem.into())
}

fn with_scheme(text: &str, scheme: &str) -> Result<Url, StoreError> {
    let (_, rest) = text.split_once(':').unwrap_or_default();
    // SQLAlchemy takes `user@/database`, where the host stands in the query or is not needed at all.
    let rest = rest.replacen("@/", "@localhost/", 1);
    Url::parse(&format!("{scheme}:{rest}")).map_err(|error| bad(error.to_string()))
}

/// `sqlite:////absolute`, `sqlite:///relative`, `sqlite://` and `sqlite:///:memory:` are SQLAlchemy's; `sqlite:path` and
/// `sqlite::memory:` are sqlx's.
fn sqlite(text: &str) -> Target {
    let (_, rest) = text.split_once(':').unwrap_or_default();
    let path = rest.split('?').next().unwrap_or_default();
    let path = match path.strip_prefix("//") {
        Some("") => ":memory:",
        Some(path) => path.strip_prefix('/').unwrap_or(path),
        None => path,
    };
    let in_memory = path == ":memory:";
    let options = SqliteConnectOptions::new()
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .row_buffer_size(ROWS_AHEAD)
        // With a write-ahead log readers never wait for the writer. NORMAL then syncs at checkpoints and not at each commit:
        // whatever kills the process, nothing that was committed is lost and nothing is torn. Only the machine losing
        // power can take the last moments, and a machine whose power must not matter runs one of the other two engines.
        .synchronous(SqliteSynchronous::Normal);
    let options =
        if in_memory { options.in_memory(true) } else { options.filename(path).journal_mode(SqliteJournalMode::Wal) };
    Target::Sqlite { options, in_memory }
}

/// The options that PyMySQL takes from the query; all others are for Python alone.
fn mysql(url: &Url) -> Result<MySqlConnectOptions, StoreError> {
    let mut plain = url.clone();
    plain.set_query(None);
    let mut options = MySqlConnectOptions::from_str(plain.as_str()).map_err(|_| bad("not a MySQL address"))?;
    let mut verify_identity = false;
    for (name, value) in url.query_pairs() {
        options = match name.as_ref() {
            "unix_socket" => options.socket(value.as_ref()),
            // Magnum: a CA is enough for PyMySQL to check the certificate, though not the name in it.
            "ssl_ca" => options.ssl_ca(value.as_ref()).ssl_mode(MySqlSslMode::VerifyCa),
            "ssl_cert" => options.ssl_client_cert(value.as_ref()),
            "ssl_key" => options.ssl_client_key(value.as_ref()),
            "ssl_verify_identity" => {
                verify_identity = matches!(value.to_lowercase().as_str(), "true" | "1");
                options
            }
            "read_default_file" => from_option_file(options, value.as_ref())?,
            _ => options,
        };
    }
    Ok(if verify_identity { options.ssl_mode(MySqlSslMode::VerifyIdentity) } else { options })
}

/// The `[client]` group of a `my.cnf`.
fn from_option_file(mut options: MySqlConnectOptions, path: &str) -> Result<MySqlConnectOptions, StoreError> {
    let text = std::fs::read_to_string(path).map_err(|error| bad(format!("read {path}: {error}")))?;
    let mut in_client = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            in_client = line == "[client]";
        }
        let Some((name, value)) = line.split_once('=').filter(|_| in_client) else { continue };
        let value = value.trim().trim_matches(['"', '\'']);
        options = match name.trim().replace('_', "-").as_str() {
            "user" => options.username(value),
            "password" => options.password(value),
            "host" => options.host(value),
            "port" => options.port(value.parse().map_err(|_| bad(format!("the port in {path} is no number")))?),
            "socket" => options.socket(value),
            "ssl-ca" => options.ssl_ca(value).ssl_mode(MySqlSslMode::VerifyCa),
            "ssl-cert" => options.ssl_client_cert(value),
            "ssl-key" => options.ssl_client_key(value),
            _ => options,
        };
    }
    Ok(options)
}

/// The options of libpq that sqlx knows, too; all others are left out.
fn postgres(url: &Url) -> Result<PgConnectOptions, StoreError> {
    const KNOWN: [&str; 12] = [
        "application_name",
        "dbname",
        "host",
        "hostaddr",
        "options",
        "password",
        "port",
        "sslcert",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "user",
    ];
    let mut plain = url.clone();
    let pairs: Vec<_> = url.query_pairs().filter(|(name, _)| KNOWN.contains(&name.as_ref())).collect();
    plain.set_query(None);
    if !pairs.is_empty() {
        plain.query_pairs_mut().extend_pairs(pairs);
    }
    let options = PgConnectOptions::from_str(plain.as_str()).map_err(|_| bad("not a PostgreSQL address"))?;
    Ok(options.options([("default_transaction_isolation", "read committed")]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_sqlite_are_read_as_sqlalchemy_reads_them() {
        for (text, path) in [
            ("sqlite:////var/lib/magnum/magnum.sqlite", "/var/lib/magnum/magnum.sqlite"),
            ("sqlite:///magnum.sqlite", "magnum.sqlite"),
            ("sqlite:/var/x", "/var/x"),
            ("sqlite:x?mode=rwc", "x"),
            ("sqlite+pysqlite:////x", "/x"),
        ] {
            let Ok(Target::Sqlite { options, in_memory }) = Target::parse(text) else { panic!("{text}") };
            assert_eq!((options.get_filename().to_str(), in_memory), (Some(path), false), "{text}");
        }
        for text in ["sqlite://", "sqlite:///:memory:", "sqlite::memory:"] {
            assert!(matches!(Target::parse(text), Ok(Target::Sqlite { in_memory: true, .. })), "{text}");
        }
    }

    #[test]
    fn addresses_of_mariadb_are_read_as_pymysql_reads_them() {
        let text = "mysql+pymysql://magnum:p%40ss@db:3307/magnum?charset=utf8&ssl_ca=/ca.pem&unix_socket=/run/s";
        let Ok(Target::MySql(options)) = Target::parse(text) else { panic!("not read") };
        assert_eq!((options.get_host(), options.get_port(), options.get_username()), ("db", 3307, "magnum"));
        assert_eq!(options.get_database(), Some("magnum"));
        assert!(matches!(options.get_ssl_mode(), MySqlSslMode::VerifyCa));
        assert_eq!(options.get_socket().and_then(|path| path.to_str()), Some("/run/s"));
        let Ok(Target::MySql(options)) = Target::parse("mysql://u@h/d?ssl_verify_identity=true&ssl_ca=/x") else {
            panic!("not read")
        };
        assert!(matches!(options.get_ssl_mode(), MySqlSslMode::VerifyIdentity));
    }

    #[test]
    fn addresses_of_postgresql_are_read_as_psycopg_reads_them() {
        let text = "postgresql+psycopg2://magnum:secret@/magnum?host=/run/postgresql&client_encoding=utf8";
        let Ok(Target::Postgres(options)) = Target::parse(text) else { panic!("not read") };
        assert_eq!(options.get_socket().and_then(|path| path.to_str()), Some("/run/postgresql"));
        assert_eq!((options.get_username(), options.get_database()), ("magnum", Some("magnum")));
    }

    #[test]
    fn a_bad_address_is_not_repeated() {
        for text in ["oracle://u:secret@h/d", "mysql://u:secret@h:port/d", "secret"] {
            let error = Target::parse(text).expect_err(text).to_string();
            assert!(!error.contains("secret") || text == "secret", "{error}");
        }
    }

    #[test]
    fn an_option_file_is_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("my.cnf");
        std::fs::write(&path, "[mysqld]\nport = 1\n[client]\nuser = magnum\nport=3310\npassword='x'\n")
            .expect("written");
        let text = format!("mysql+pymysql:///magnum?read_default_file={}", path.display());
        let Ok(Target::MySql(options)) = Target::parse(&text) else { panic!("not read: {:?}", Target::parse(&text)) };
        assert_eq!((options.get_username(), options.get_port()), ("magnum", 3310));
    }
}
