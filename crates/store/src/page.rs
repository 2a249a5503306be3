//! One page of a listing in one statement, whatever it is ordered by.

use jeroboam_model::{Page, Scope, SortDirection};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};

use crate::sql::Sql;
use crate::{Ident, StoreError};

/// What is listed.
pub(crate) struct Listing<'a> {
    /// The table.
    pub(crate) table: &'static str,
    /// What is selected; the table is `c` here.
    pub(crate) select: &'a str,
    /// More tables, after `FROM <table> c`.
    pub(crate) joins: &'a str,
    /// All columns of the table: what it may be ordered by.
    pub(crate) columns: &'a [&'static str],
    /// The row that the page begins after: a column that tells it from all others, and its value there.
    pub(crate) after: Option<(&'static str, Value)>,
    /// Which rows may be seen, of the table under the given alias.
    pub(crate) visible: &'a (dyn Fn(&mut Sql, &str) + Sync),
}

impl Listing<'_> {
    /// Reads the page. `NULL`s come first on all engines.
    pub(crate) async fn page(&self, db: &impl ConnectionTrait, page: &Page) -> Result<Vec<QueryResult>, StoreError> {
        let key = self.columns.iter().find(|column| **column == page.sort_key);
        let key = *key.ok_or_else(|| StoreError::BadSortKey(page.sort_key.clone()))?;
        let rows = db.query_all_raw(self.statement(db.get_database_backend(), key, page).build()).await?;
        if let (Some((column, marker)), true) = (&self.after, rows.is_empty()) {
            let mut sql =
                Sql::new(db.get_database_backend(), format!("SELECT 1 FROM {} m WHERE m.{column} = ", self.table));
            sql.bind(marker.clone()).push(" AND ");
            (self.visible)(&mut sql, "m");
            if db.query_one_raw(sql.build()).await?.is_none() {
                let marker = match marker {
                    Value::String(Some(text)) => text.clone(),
                    other => other.to_string(),
                };
                return Err(StoreError::UnknownMarker(marker));
            }
        }
        Ok(rows)
    }

    fn statement(&self, backend: DbBackend, key: &str, page: &Page) -> Sql {
        let mut sql = Sql::new(backend, format!("SELECT {} FROM {} c {}", self.select, self.table, self.joins));
        if let Some((column, marker)) = &self.after {
            sql.push(&format!(" JOIN {} m ON m.{column} = ", self.table)).bind(marker.clone()).push(" AND ");
            (self.visible)(&mut sql, "m");
        }
        sql.push(" WHERE ");
        (self.visible)(&mut sql, "c");
        if self.after.is_some() {
            sql.push(&format!(" AND ({})", beyond_marker(key, page.direction)));
        }
        sql.push(&format!(" ORDER BY {} LIMIT ", order(key, page.direction)));
        sql.bind(i64::try_from(page.limit).unwrap_or(i64::MAX));
        sql
    }
}

fn beyond_marker(key: &str, direction: SortDirection) -> String {
    let (beyond, first, then) = match direction {
        SortDirection::Ascending => (">", "m", "c"),
        SortDirection::Descending => ("<", "c", "m"),
    };
    if key == "id" {
        return format!("c.id {beyond} m.id");
    }
    format!(
        "({first}.{key} IS NULL AND {then}.{key} IS NOT NULL) OR c.{key} {beyond} m.{key} \
         OR ((c.{key} = m.{key} OR (c.{key} IS NULL AND m.{key} IS NULL)) AND c.id {beyond} m.id)"
    )
}

fn order(key: &str, direction: SortDirection) -> String {
    let (word, nulls) = match direction {
        SortDirection::Ascending => ("ASC", "DESC"),
        SortDirection::Descending => ("DESC", "ASC"),
    };
    if key == "id" {
        return format!("c.id {word}");
    }
    format!("(c.{key} IS NULL) {nulls}, c.{key} {word}, c.id {word}")
}

/// The item that a page begins after, by its id.
pub(crate) fn after_id(page: &Page) -> Option<(&'static str, Value)> {
    page.marker.map(|marker| ("uuid", marker.to_string().into()))
}

/// The row that is named, whichever way.
pub(crate) fn named(sql: &mut Sql, alias: &str, ident: &Ident) {
    sql.push(alias);
    match ident {
        Ident::Id(id) => sql.push(".uuid = ").bind(id.to_string()),
        Ident::Serial(serial) => sql.push(".id = ").bind(*serial),
        Ident::Name(name) => sql.push(".name = ").bind(name.as_str()),
    };
}

/// A project's own rows, or a user's where the caller has no project. Magnum: `_add_tenant_filters`.
pub(crate) fn own_rows(sql: &mut Sql, alias: &str, scope: &Scope) {
    match scope {
        Scope::All => sql.push("1 = 1"),
        Scope::Project(project) => sql.push(alias).push(".project_id = ").bind(project.as_str()),
        Scope::User(user) => sql.push(alias).push(".user_id = ").bind(user.as_str()),
    };
}
