//! The command line: arguments, settings, commands, rendering.

pub mod server_args;
