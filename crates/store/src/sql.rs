//! Statements that are written by hand: those whose shape SeaORM has no words for.

use sea_orm::{DbBackend, IdenStatic, Iterable, Statement, Value};

/// A statement that grows, with its values. Names need no quotes: none of ours is reserved when its table stands before it.
pub(crate) struct Sql {
    backend: DbBackend,
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub(crate) fn new(backend: DbBackend, text: impl Into<String>) -> Self {
        Self { backend, text: text.into(), values: Vec::new() }
    }

    /// Adds text.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a placeholder for a value.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        match self.backend {
            DbBackend::Postgres => self.text.push_str(&format!("${}", self.values.len())),
            _ => self.text.push('?'),
        }
        self
    }

    /// Adds placeholders for all of these, with commas between. Filled up to a power of two with the last of them, so that the
    /// engine keeps few prepared statements and not one for each length.
    pub(crate) fn bind_all(&mut self, mut values: impl ExactSizeIterator<Item = String>) -> &mut Self {
        let mut last = String::new();
        for place in 0..values.len().next_power_of_two() {
            if place > 0 {
                self.push(", ");
            }
            last = values.next().unwrap_or(last);
            self.bind(last.as_str());
        }
        self
    }

    pub(crate) fn build(self) -> Statement {
        Statement::from_sql_and_values(self.backend, self.text, self.values)
    }
}

/// `alias.a, alias.b, …`
pub(crate) fn columns(alias: &str, names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("{alias}.{name}")).collect();
    names.join(", ")
}

/// All columns of a table as one JSON array, in the order of the entity's fields.
pub(crate) fn json_row<C: IdenStatic + Iterable>(backend: DbBackend, alias: &str) -> String {
    json_array(backend, alias, &C::iter().collect::<Vec<_>>())
}

/// Some columns of a table as one JSON array.
pub(crate) fn json_array<C: IdenStatic>(backend: DbBackend, alias: &str, wanted: &[C]) -> String {
    let names: Vec<_> = wanted.iter().map(IdenStatic::as_str).collect();
    let names = columns(alias, &names);
    match backend {
        DbBackend::Postgres => format!("CAST(json_build_array({names}) AS text)"),
        DbBackend::MySql => format!("JSON_ARRAY({names})"),
        _ => format!("json_array({names})"),
    }
}
