//! oslo.config and oslo.policy as Python reads them, microversion headers and the oslo.log line.
//!
//! Nothing here knows a network or a runtime: files and a copy of the environment go in, answers come out.

pub mod config;
pub mod log_line;
pub mod microversion;
pub mod policy;
#[cfg(any(test, feature = "testing"))]
pub mod properties;
pub mod python;
mod spelling;

pub use config::{Config, ConfigError, Finding, FindingKind};
pub use microversion::{BadVersion, Microversion, VersionRange};
pub use policy::{Attribute, Credentials, Enforcer, PolicyError, PolicySettings, Target};
