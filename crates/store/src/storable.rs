//! Text that others wrote, as every database can keep it.

use sea_orm::DbBackend;

use crate::{Recorded, Store};

/// `TEXT` of MariaDB, in bytes.
const LONGEST: usize = 65_535;

impl Store {
    /// The text with what the database has no room for replaced. A reason is often the words of others, and to have it with a
    /// mark in it is better than not to have it.
    pub(crate) fn storable(&self, text: &str) -> String {
        storable(self.backend(), text)
    }

    /// The reasons of what was seen, as they will come back.
    pub(crate) fn storable_reasons(&self, seen: Recorded) -> Recorded {
        with_reasons(seen, |reason| self.storable(reason))
    }
}

/// The reasons of what was seen with question marks in the place of all but ASCII.
pub(crate) fn ascii_reasons(seen: Recorded) -> Recorded {
    with_reasons(seen, |reason| reason.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect())
}

fn with_reasons(mut seen: Recorded, change: impl Fn(&str) -> String) -> Recorded {
    let reasons = seen.groups.iter_mut().map(|group| &mut group.status_reason);
    let reasons = reasons.chain(seen.cluster.iter_mut().map(|cluster| &mut cluster.status_reason));
    for reason in reasons.flatten() {
        *reason = change(reason);
    }
    seen
}

fn storable(backend: DbBackend, text: &str) -> String {
    // Magnum: its tables are utf8mb3, which ends where the supplementary planes begin. PostgreSQL has no NUL.
    let kept = |c: char| match c {
        '\0' => char::REPLACEMENT_CHARACTER,
        c if backend == DbBackend::MySql && u32::from(c) > 0xffff => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars().map(kept) {
        if out.len() + c.len_utf8() > LONGEST {
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_keep_all_that_the_engine_has_room_for() {
        for (engine, text, kept) in [
            (DbBackend::MySql, "no flavor „größe“ 😀", "no flavor „größe“ \u{fffd}"),
            (DbBackend::Postgres, "größe 😀", "größe 😀"),
            (DbBackend::Postgres, "a\0b", "a\u{fffd}b"),
            (DbBackend::Sqlite, "größe 😀", "größe 😀"),
        ] {
            assert_eq!(storable(engine, text), kept);
        }
        let long = storable(DbBackend::MySql, &"ü".repeat(40_000));
        assert_eq!((long.len(), long.chars().count()), (65_534, 32_767));
    }
}
