//! The client against fakes on loopback that fail as the real services do.

#![expect(clippy::unwrap_used, reason = "a test that can not go on should stop where it stands")]

mod clouds;
mod fake;
mod object_store;
mod options;
mod services;
mod session;
mod validate;
