//! What can go wrong between the service and its database.

use sea_orm::{DbErr, RuntimeErr};

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database does not answer, or not in time; the same call may work later.
    #[error("reach the database")]
    Unavailable(#[source] DbErr),
    /// A row with this key is there already.
    #[error("{what} already exists")]
    Duplicate {
        /// What is there twice.
        what: &'static str,
    },
    /// Several rows have the name that was asked for.
    #[error("several rows of {what} have this name")]
    Ambiguous {
        /// The table.
        what: &'static str,
    },
    /// A row holds something that is no value of its type.
    #[error("row {id} of {table} has a bad {column}: {problem}")]
    BadRow {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The uuid of the row, or its number.
        id: String,
        /// What is wrong with it; never a secret.
        problem: String,
    },
    /// A listing was to be ordered by something that is no column.
    #[error("{0:?} is no column to sort by")]
    BadSortKey(String),
    /// A page was to begin after an item that is not there, or that the caller may not see.
    #[error("there is no item {0} to begin after")]
    UnknownMarker(String),
    /// The database has no room for a text.
    #[error("the database cannot hold a text: {0}")]
    Unstorable(Unfit),
    /// A secret can't be sealed or opened.
    #[error("{0}")]
    Sealed(&'static str),
    /// The address of the database is wrong. The text never holds the password.
    #[error("use the database address: {0}")]
    BadUrl(String),
    /// The tables are not as they must be.
    #[error("{0}")]
    Schema(String),
    /// The database refused for a reason that none of the above names.
    #[error("use the database")]
    Other(#[source] DbErr),
}

/// Why a text does not fit into its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There are too many characters.
    #[error("it is too long")]
    Long,
    /// Some of its characters are unknown to the database.
    #[error("it has characters that the database does not know")]
    Characters,
}

/// The kinds that callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// Try again later.
    Unavailable,
    /// The request clashes with what is there.
    Conflict,
    /// The request itself cannot be done.
    BadInput,
    /// Something here is broken: rows, keys, tables, or the code.
    Internal,
}

impl StoreError {
    /// What a caller does with it.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Unavailable(_) => StoreErrorKind::Unavailable,
            Self::Duplicate { .. } | Self::Ambiguous { .. } => StoreErrorKind::Conflict,
            Self::BadSortKey(_) | Self::UnknownMarker(_) | Self::Unstorable(_) => StoreErrorKind::BadInput,
            Self::BadRow { .. } | Self::Sealed(_) | Self::BadUrl(_) | Self::Schema(_) | Self::Other(_) => {
                StoreErrorKind::Internal
            }
        }
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match class(&error) {
            Class::Away => Self::Unavailable(error),
            Class::Text(unfit) => Self::Unstorable(unfit),
            // Here the retries are used up: too many writers at once is a matter of time.
            Class::Again => Self::Unavailable(error),
            Class::Duplicate => Self::Duplicate { what: "a row with this key" },
            Class::Rest => Self::Other(error),
        }
    }
}

/// Whether a transaction that failed so may work when it is begun anew.
pub(crate) fn worth_another_try(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable(error) | StoreError::Other(error) => class(error) == Class::Again,
        _ => false,
    }
}

/// Whether the connection that was used had died before.
pub(crate) fn connection_died(error: &DbErr) -> bool {
    class(error) == Class::Away && !matches!(error, DbErr::ConnectionAcquire(_))
}

/// Whether a statement failed because its row is there already.
pub(crate) fn is_duplicate(error: &DbErr) -> bool {
    class(error) == Class::Duplicate
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Away,
    Again,
    Text(Unfit),
    Duplicate,
    Rest,
}

fn class(error: &DbErr) -> Class {
    match error {
        DbErr::ConnectionAcquire(_) => Class::Away,
        DbErr::Conn(RuntimeErr::SqlxError(inner))
        | DbErr::Exec(RuntimeErr::SqlxError(inner))
        | DbErr::Query(RuntimeErr::SqlxError(inner)) => sqlx_class(inner),
        DbErr::Conn(_) => Class::Away,
        _ => Class::Rest,
    }
}

fn sqlx_class(error: &sqlx::Error) -> Class {
    use sqlx::Error as E;
    let database = match error {
        E::Database(database) => database,
        E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
            return Class::Away;
        }
        _ => return Class::Rest,
    };
    if database.is_unique_violation() {
        return Class::Duplicate;
    }
    if let Some(mysql) = database.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return mysql_class(mysql.number());
    }
    let code = database.code().unwrap_or_default();
    if database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        return postgres_class(&code);
    }
    // SQLite has no code of its own for this.
    if database.message().starts_with("no such table") {
        return Class::Away;
    }
    sqlite_class(&code)
}

/// What a look-up finds by a text that no column can hold: nothing. Engines differ in whether they look or refuse.
pub(crate) fn nothing_if_unstorable<T: Default>(found: Result<T, StoreError>) -> Result<T, StoreError> {
    match found {
        Err(StoreError::Unstorable(_)) => Ok(T::default()),
        other => other,
    }
}

/// MariaDB's error numbers. Galera refuses a commit that clashes with another node's by 1213, too. A table that is not there
/// yet, 1146, is a matter of time: somebody prepares the database. 1969 is a statement that took too long.
const fn mysql_class(number: u16) -> Class {
    match number {
        1205 | 1213 | 1020 => Class::Again,
        1406 => Class::Text(Unfit::Long),
        1267 | 1300 | 1366 => Class::Text(Unfit::Characters),
        1040 | 1042 | 1045 | 1044 | 1047 | 1049 | 1053 | 1129 | 1146 | 1203 | 1226 | 1290 | 1927 | 1969 => Class::Away,
        _ => Class::Rest,
    }
}

/// SQLSTATE, PostgreSQL appendix A: 40 rolled back, 22001 too long, 22021 not in this character set, 08 and 57 away,
/// 42P01 a table that is not there yet, 57014 and 25P03 what took too long.
fn postgres_class(code: &str) -> Class {
    match code {
        "40001" | "40P01" | "55P03" => Class::Again,
        "22001" => Class::Text(Unfit::Long),
        "22021" => Class::Text(Unfit::Characters),
        "53300" | "28000" | "28P01" | "3D000" | "42P01" | "57014" | "25P03" => Class::Away,
        _ if code.starts_with("08") || code.starts_with("57P") => Class::Away,
        _ => Class::Rest,
    }
}

/// SQLite's result codes; the low byte is the primary one.
fn sqlite_class(code: &str) -> Class {
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6) => Class::Again,
        Ok(10 | 13 | 14 | 23 | 26) => Class::Away,
        _ => Class::Rest,
    }
}
