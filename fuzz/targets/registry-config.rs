//! Configurations of a registry, and variables in place of their values.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| jeroboam_fuzz::hold(jeroboam_registry::config::properties::config, input));
