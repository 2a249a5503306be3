//! Whether a registry speaks the distribution specification: a black box asked over HTTP, one case for each thing that it owes.
//!
//! Nothing here knows how a registry is made. A case says what was asked, what came and what the specification wants; cases
//! of optional parts are skipped where a registry says that it does not have them, and disabled where the caller says so. What
//! stands on the registry's other side in tests is in `proxy`.

mod auth;
mod check;
mod client;
mod context;
mod data;
mod groups;
mod noise;
mod options;
pub mod proxy;
mod recorder;
mod report;
pub mod soak;
mod stop;

pub use crate::client::SetupError;
pub use crate::options::{Api, Data, Login, Options, UnknownWord, Version};
pub use crate::report::{CaseResult, Counts, Outcome, Report};

use crate::context::Context;
use crate::recorder::Recorder;

/// Asks the registry everything that the options leave on.
pub async fn run(options: Options) -> Result<Report, SetupError> {
    let context = Context::new(options)?;
    let mut recorder = Recorder::new(context.options.filter.clone());
    groups::run(&context, &mut recorder).await;
    Ok(recorder.report(&context.options))
}
