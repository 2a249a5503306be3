//! The registry's store and its garbage collection at once: killed at every call of the place, and for as long as one likes.

mod bed;
mod crash;
mod soak;
