//! Listings of containers.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| jeroboam_fuzz::hold(
    jeroboam_openstack::object_store::properties::listing,
    input
));
