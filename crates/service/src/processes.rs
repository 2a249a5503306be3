//! The processes that do the work, for administrators.

use std::time::Duration;

use jeroboam_model::{Caller, Timestamp};
use jeroboam_store::ServiceRow;

use crate::error::{Looking, from_store};
use crate::policy::Target;
use crate::{Error, Service};

/// A process as last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// What it reported.
    pub row: ServiceRow,
    /// Whether it is taken for alive.
    pub up: bool,
}

impl Service {
    /// `GET /v1/mservices`.
    pub async fn processes(&self, caller: &Caller) -> Result<Vec<Process>, Error> {
        self.enforce(caller, "magnum-service:get_all", &Target::own(caller))?;
        let rows = self.inner.store.services().await.map_err(|error| from_store(Looking::Clusters, error))?;
        let (now, silence) = (self.now(), self.inner.settings.service_down_time);
        Ok(rows.into_iter().map(|row| Process { up: is_up(&row, now, silence), row }).collect())
    }
}

/// Magnum: `magnum/servicegroup/magnum_service_periodic.py service_is_up`.
fn is_up(row: &ServiceRow, now: Timestamp, silence: Duration) -> bool {
    let seen = row.last_seen_up.or(row.updated_at).or(row.created_at);
    !row.forced_down && seen.is_some_and(|seen| now.duration_since(seen).unsigned_abs() <= silence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_up_while_it_was_heard_of_lately() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).expect("an instant");
        let row = |last_seen_up: Option<i64>, created_at: Option<i64>, forced_down: bool| ServiceRow {
            serial: 1,
            host: None,
            binary: None,
            report_count: 1,
            disabled: false,
            disabled_reason: None,
            last_seen_up: last_seen_up.map(at),
            forced_down,
            created_at: created_at.map(at),
            updated_at: None,
        };
        let rows = [
            (row(Some(0), None, false), true),
            (row(Some(-180), None, false), true),
            (row(Some(-181), None, false), false),
            (row(Some(0), None, true), false),
            (row(None, Some(-10), false), true),
            (row(Some(-500), Some(0), false), false),
            (row(None, None, false), false),
        ];
        for (row, expected) in rows {
            assert_eq!(is_up(&row, at(0), Duration::from_secs(180)), expected, "{row:?}");
        }
    }
}
