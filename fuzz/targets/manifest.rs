//! Manifests.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| jeroboam_fuzz::hold(jeroboam_oci::properties::manifest, input));
