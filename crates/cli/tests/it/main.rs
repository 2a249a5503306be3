//! The commands against a service on loopback that answers what a test tells it.

mod clusters;
mod failures;
mod fake;
mod kubernetes;
mod operator;
mod others;
