//! Swift as a place of objects: pretended with all that can go wrong, and real where a bed is up.

#![expect(clippy::unwrap_used, reason = "a test that can not go on should stop where it stands")]
#![expect(clippy::print_stdout, reason = "a test that is skipped, or measures, says so")]

mod checks;
#[path = "../it/contract/mod.rs"]
mod contract;
mod each;
mod failures;
mod places;
mod pretended;
mod rights;
mod speed;
mod takeover;
