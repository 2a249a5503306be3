//! Logs, metrics and orderly shutdown.

pub mod log;
pub mod metrics;
pub mod shutdown;

pub use log::{LogConfig, LogError, LogFormat};
pub use metrics::{Metrics, Outcome};
pub use shutdown::Shutdown;
