//! The command line: arguments, settings, commands, rendering.
