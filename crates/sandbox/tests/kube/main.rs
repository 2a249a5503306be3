//! The Kubernetes half of the sandbox, asked over HTTP as any client would, and by the real `kubectl` where there is one.

#![expect(clippy::unwrap_used, reason = "a test that can not go on should stop where it stands")]

mod apply;
mod bed;
mod faults;
mod life;
mod objects;
mod restart;
mod watch;
mod workload;
