//! Logs, metrics and orderly shutdown.
