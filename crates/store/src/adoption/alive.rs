//! Who uses the database now, as far as the database tells.

use std::collections::HashMap;
use std::time::Duration;

use jeroboam_model::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::entity::{heartbeat, magnum_service, process, work};
use crate::rows::{instant, millis};
use crate::{Store, StoreError};

/// A conductor reports once a minute, and nothing when it ends.
const CONDUCTOR: Duration = Duration::from_secs(75);

/// A process of ours reports every quarter of a minute, and says when it ends unless it is killed.
const PROCESS: Duration = Duration::from_secs(45);

/// How often a process of ours has to report.
pub const PROCESS_REPORTS: Duration = Duration::from_secs(15);

impl Store {
    /// Conductors of Magnum's that reported not long ago, each in words.
    pub(super) async fn magnum_is_alive(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let ours = match self.has_table("jeroboam_heartbeat").await? {
            true => heartbeat::Entity::find().all(&self.reader()).await?,
            false => Vec::new(),
        };
        let ours: HashMap<_, _> = ours.into_iter().map(|row| ((row.host, row.service), row.seen)).collect();
        let rows = magnum_service::Entity::find().order_by_asc(magnum_service::Column::Id).all(&self.reader()).await?;
        let mut alive = Vec::new();
        for row in rows {
            let (host, binary) = (row.host.unwrap_or_default(), row.binary.unwrap_or_default());
            let Some(last) = row.last_seen_up.or(row.updated_at).or(row.created_at).map(instant) else { continue };
            // The last word in the row was ours.
            if ours.get(&(host.clone(), binary.clone())).is_some_and(|seen| *seen >= last.as_second()) {
                continue;
            }
            let ago = now.duration_since(last).as_secs();
            let left = i64::try_from(CONDUCTOR.as_secs()).unwrap_or_default() - ago;
            if left > 0 {
                alive.push(format!(
                    "{binary} on {host} reported {ago} s ago. Stop it; if it is stopped, wait {left} s or add --all-stopped"
                ));
            }
        }
        Ok(alive)
    }

    /// Processes of ours that use the database, each in words.
    pub(super) async fn we_are_alive(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        if !self.has_table("jeroboam_process").await? {
            return Ok(Vec::new());
        }
        let since = millis(now).saturating_sub(i64::try_from(PROCESS.as_millis()).unwrap_or_default());
        let recent = process::Entity::find().filter(process::Column::Seen.gt(since));
        let rows = recent.order_by_asc(process::Column::Name).all(&self.reader()).await?;
        let mut alive: Vec<_> = rows
            .into_iter()
            .map(|row| {
                let ago = (millis(now).saturating_sub(row.seen)) / 1000;
                format!(
                    "`jeroboam {}`, process {}, reported {ago} s ago. Stop it; if it is stopped, wait {} s or add --all-stopped",
                    row.role,
                    row.name,
                    45 - ago
                )
            })
            .collect();
        let held = work::Entity::find().filter(work::Column::LeaseExpires.gt(millis(now))).one(&self.reader()).await?;
        if let Some(row) = held.filter(|_| alive.is_empty()) {
            let owner = row.lease_owner.unwrap_or_default();
            alive.push(format!(
                "{owner} works on cluster {}. Stop it, or wait until its lease has run out",
                row.cluster
            ));
        }
        Ok(alive)
    }
}
