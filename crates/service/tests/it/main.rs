//! Requests against a database in memory and a cloud on loopback.

mod bed;
mod certificates;
mod cloud;
mod clusters;
mod config;
mod deletion;
mod kept;
mod nodegroups;
mod policy;
mod refusals;
mod resize;
mod states;
mod templates;
mod told;
mod upgrade;
