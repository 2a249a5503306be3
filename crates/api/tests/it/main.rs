//! The whole API in one process: real service and store, SQLite in memory, and a pretend cloud behind loopback HTTP.

mod bad_input;
mod bed;
mod cloud;
mod edge;
mod federations;
mod life;
mod listing;
mod quotas;
mod tokens;
mod versions;
