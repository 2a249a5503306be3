//! The whole API in one process, and samples for the tests of its parts.

pub(crate) mod samples;
