//! What must hold whatever is read: the tests try what is kept in `fuzz/seeds`, the fuzzers look for more.

use std::path::Path;

pub use crate::config::properties::config;
pub use crate::policy::properties::policy;
use crate::{BadVersion, Microversion, VersionRange, microversion::SERVICE};

/// Answers the header of a request, with all versions on offer and with fewer.
pub fn microversion(input: &[u8]) {
    let Ok(header) = std::str::from_utf8(input) else { return };
    let all = VersionRange::default();
    let fewer = VersionRange { max: Microversion::new(1, 7), ..all };
    let answer = all.negotiate(Some(header));
    assert_eq!(answer, all.negotiate(Some(header)), "the same header has the same answer");
    match answer {
        Ok(version) => {
            assert!((all.min..=all.max).contains(&version), "{version} is not on offer");
            let written = format!("{SERVICE} {version}");
            assert_eq!(all.negotiate(Some(&written)), answer, "{written:?} means what it says");
            let visible = |text: &str| text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
            assert!(all.headers(version).iter().all(|(_, value)| visible(value)), "headers can be sent");
        }
        Err(BadVersion::Unsupported(version)) => {
            assert!(!(all.min..=all.max).contains(&version), "{version} is on offer");
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        Err(BadVersion::Malformed) => {}
    }
    match (answer, fewer.negotiate(Some(header))) {
        // It is `latest` that was asked for, or a version that both have.
        (Ok(version), Ok(fewer_s)) => assert_eq!(fewer_s, version.min(fewer.max), "{header:?}"),
        (Ok(version), refused) => {
            assert_eq!(refused, Err(BadVersion::Unsupported(version)), "{header:?}");
            assert!(version > fewer.max, "{version} is on offer");
        }
        (refused, also) => assert_eq!(refused, also, "{header:?}"),
    }
}

/// Calls a property with everything that is kept for it. A fuzzer's crash becomes a file there.
#[expect(clippy::missing_panics_doc, reason = "it is there to panic")]
pub fn replay(target: &str, property: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let entries = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut seeds: Vec<_> = entries.map(|entry| entry.expect("a seed").path()).collect();
    assert!(seeds.len() >= 5, "{target} has seeds");
    seeds.sort();
    for seed in seeds {
        let input = std::fs::read(&seed).expect("a seed can be read");
        // A property that fails does not know the seed's name.
        let failed = std::panic::catch_unwind(|| property(&input)).is_err();
        assert!(!failed, "{} breaks the property above", seed.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_headers_files_and_policies_holds() {
        replay("microversion", microversion);
        replay("config", config);
        replay("policy", policy);
    }
}
