//! What comes in: bodies with WSME's conversions, JSON Patch in Magnum's dialect, Python literals, query arguments.

mod body;
mod fields;
mod names;
mod patch;
#[cfg(any(test, feature = "testing"))]
pub mod properties;
mod python;
mod query;

pub(crate) use body::{Argument, Body};
pub(crate) use fields::{Fields, Length, Range};
pub(crate) use names::cluster_name;
pub(crate) use patch::{Patch, PatchOperation, PatchRules};
pub(crate) use query::{Query, encoded};
