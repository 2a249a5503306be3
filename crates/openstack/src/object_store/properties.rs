//! What must hold whatever a store answers: the tests try what is kept in `fuzz/seeds`, the fuzzers look for more.

#[cfg(test)]
use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::head::ObjectHead;
use super::listing::{self, ListingEntry};
use super::{quoted, unquoted};

/// Reads a page of a listing.
pub fn listing(input: &[u8]) {
    let Ok(entries) = listing::read(input) else { return };
    let names = entries.iter().map(ListingEntry::name);
    for name in names {
        assert_eq!(unquoted(&quoted(name)).as_deref(), Some(name), "a name survives its quotes");
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
        assert!(quoted(name).bytes().all(plain), "a quoted name can stand in a header");
    }
}

/// Reads the headers of an object, one a line.
pub fn headers(input: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(&line[colon + 1..]));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let head = ObjectHead::of(&headers);
    assert_eq!(head, ObjectHead::of(&headers), "the same headers say the same");
    if let Some((container, prefix)) = &head.manifest {
        assert!(!container.is_empty() && !prefix.is_empty(), "segments are somewhere, and not every object is one");
    }
    assert!(head.etag.as_deref() != Some(""), "an empty tag is none");
}

/// Tries what is kept of a target.
#[cfg(test)]
fn try_seeds(target: &str, property: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let entries = std::fs::read_dir(&dir).expect("seeds are in the repository");
    let mut seeds: Vec<_> = entries.map(|entry| entry.expect("a seed").path()).collect();
    assert!(seeds.len() >= 5, "{target} has seeds");
    seeds.sort();
    for seed in seeds {
        property(&std::fs::read(&seed).expect("a seed"));
    }
}

#[test]
fn what_is_kept_of_listings_and_headers_holds() {
    try_seeds("listing", listing);
    try_seeds("head", headers);
}
