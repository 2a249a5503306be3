//! Certificates in each of their places, with a pretend Barbican and with Magnum's own Python.

mod bed;
mod magnum;
mod places;
