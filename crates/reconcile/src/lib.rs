//! The loop that makes clusters what they are wanted to be.
//!
//! A reconciler is told *that* something may have happened to a cluster, never *what*. Each time it reads the rows, looks
//! at the cloud and the management cluster, does the next thing and writes down what it saw; a crash, a second process and
//! the plain case all take this one path. Deciding (`next`, `resolve`) is pure; doing has no opinions.

mod backoff;
mod certificates;
mod chores;
mod config;
mod deletion;
mod dereference;
mod floating_ip;
mod keys;
mod lease;
mod news;
mod next;
mod pass;
mod queue;
mod resolve;
mod run;
#[cfg(test)]
mod samples;
mod trim;
mod worker;

pub use config::{BadConfig, CloudConfig, ReconcileConfig};
pub use lease::StepHook;
pub use run::{ReconcileParts, Reconciler};
