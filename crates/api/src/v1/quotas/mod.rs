//! Quotas: one file for each endpoint. Magnum: documented from 1.6 on and there in every version.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod update;
mod view;

use crate::wire::Argument;

pub(crate) use view::QuotaView;

const fn argument(name: &'static str) -> Argument {
    Argument { name, known: &["id", "hard_limit", "project_id", "resource"], read_only: &["created_at", "updated_at"] }
}
