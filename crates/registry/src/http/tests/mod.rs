//! The API over real HTTP on loopback, over a directory and in memory.

mod bed;
mod blobs;
mod budget;
mod counting;
mod crashes;
mod errors;
mod manifests;
mod quotas;
mod referrers;
mod two_names;
mod uploads;
mod wire;
