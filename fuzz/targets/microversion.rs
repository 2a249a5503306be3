//! The header that asks for a version.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| jeroboam_fuzz::hold(jeroboam_oslo::properties::microversion, input));
