//! Names of repositories, tags, digests and uploads, and the links that hold them.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| jeroboam_fuzz::hold(jeroboam_oci::properties::name, input));
