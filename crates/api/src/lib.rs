//! Magnum's HTTP API, version 1.
