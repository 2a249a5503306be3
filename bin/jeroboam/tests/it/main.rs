//! The binary from outside: processes, sockets, files. What a part is cannot be seen here, only what it does.

mod adoption;
mod adoption_before;
mod bad_input;
mod bed;
mod class;
mod client;
mod crash;
mod dev;
mod docs;
mod life;
mod numbers;
mod outages;
mod real;
mod registry;
mod two;
