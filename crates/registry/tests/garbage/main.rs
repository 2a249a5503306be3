//! The registry's store and its garbage collection at once: killed at every call of the place, and for as long as one likes.

mod bed;
mod client;
mod crash;
mod seen;
mod soak;
mod work;
