//! What every place of objects keeps to, and what is each one's own.

mod contract;
mod crash;
mod directory;
mod fake_s3;
mod life;
mod memory;
mod s3;
