//! The loop against an OpenStack and a management cluster that are pretended on loopback, and a database of its own.

mod bed;
mod cloud;
mod crashes;
mod departures;
mod kube;
mod leases;
mod life;
mod outages;
mod sandbox;
mod world;
