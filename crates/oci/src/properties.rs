//! What must hold whatever clients and stores say: the tests try what is kept in `fuzz/seeds`, the fuzzers look for more.

use std::borrow::Cow;
use std::path::Path;

use crate::manifest::{Kind, MOST, Manifest, Role};
use crate::range::{ChunkRange, Selection, content_range, read_progress, select};
use crate::{Digest, ErrorCode, Query, RepositoryName, Tag, UploadId, layout, link, parse_route, referrers};

/// Longest sentence with which anything is refused.
const LONGEST_REFUSAL: usize = 400;

/// Reads a text as each of the things that have names. What is one of them has a place in the store of which it can be read again.
pub fn name(input: &[u8]) {
    let parsed_link = link::parse(input);
    let Ok(text) = std::str::from_utf8(input) else { return assert!(parsed_link.is_err()) };
    let digest = text.parse::<Digest>();
    assert_eq!(parsed_link.ok(), digest.clone().ok(), "a link holds a digest, and nothing else");
    let repository = text.parse::<RepositoryName>();
    let (tag, id) = (text.parse::<Tag>(), text.parse::<UploadId>());
    if let Ok(tag) = &tag {
        assert_eq!(tag.as_str(), text);
        let _ = (referrers::fallback_subject(tag), referrers::attached_to(tag));
    }

    let someone: RepositoryName = "a/b".parse().expect("it is a name");
    let repository = repository.unwrap_or(someone);
    let digest = digest.unwrap_or_else(|_| Digest::sha256(b"{}"));
    let tag = tag.unwrap_or_else(|_| "latest".parse().expect("it is a tag"));
    let id = id.unwrap_or_else(|_| UploadId::of_random([0; 16]));
    for path in [
        layout::blob(&digest),
        layout::layer(&repository, &digest),
        layout::revision(&repository, &digest),
        layout::tag_current(&repository, &tag),
        layout::tag_once(&repository, &tag, &digest),
        layout::upload_data(&repository, &id),
        layout::referrer(&repository, &digest, &digest),
        layout::own(layout::Area::Leases, &[text, text]),
    ] {
        assert!(path.starts_with(layout::ROOT), "{path} is in the store");
        assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path} leads nowhere else");
        assert_ne!(layout::meaning(&path), layout::Meaning::Foreign, "{path} is known again");
    }
    let _ = (layout::meaning(text), layout::folder(text));
}

/// Finds what a path and a query mean. The first line is the path, the second the query.
pub fn route(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (path, query) = text.split_once('\n').unwrap_or((text, ""));
    match parse_route(path) {
        Ok(route) => {
            assert_eq!(parse_route(&route.path()), Ok(route.clone()), "its own path means the same");
            let names = [route.repository().map(RepositoryName::as_str)];
            assert!(names.into_iter().flatten().all(|name| !name.contains("..") && !name.contains('%')), "{route:?}");
        }
        Err(bad) => {
            assert!(bad.to_string().len() < LONGEST_REFUSAL, "{bad}");
            let statuses = [true, false].map(|reading| bad.code(reading).map(ErrorCode::status));
            assert!(statuses.iter().flatten().all(|status| matches!(status, 400 | 404)), "{bad:?}");
        }
    }
    if let Ok(query) = Query::parse(Some(query)) {
        assert_eq!(Query::parse(Some(&query.to_text())), Ok(query.clone()), "a query is read again as it is written");
        if let Ok(asked) = crate::pagination::Asked::of(&query) {
            let (page, more) = asked.cut(&["a", "b", "c"], 2);
            assert!(page.len() <= 2 && (!more || !page.is_empty()));
        }
    }
}

/// Finds what a range selects of blobs of some sizes, and where a chunk with such a range belongs.
pub fn range(input: &[u8]) {
    let Ok(header) = std::str::from_utf8(input) else { return };
    for size in [0, 1, 2048, u64::MAX] {
        match select(Some(header), size) {
            Selection::Part(part) => {
                assert!(part.start < part.end && part.end <= size, "{part:?} of {size}");
                let again = content_range(&part, size).replacen("bytes ", "bytes=", 1);
                let again = again.split('/').next().unwrap_or_default();
                assert_eq!(select(Some(again), size), Selection::Part(part), "{again} of {size}");
            }
            Selection::Whole | Selection::Unsatisfiable => {}
        }
    }
    if let Ok(chunk) = ChunkRange::parse(header) {
        assert!(chunk.length() > 0);
        assert_eq!(chunk.check(chunk.first, Some(chunk.length())), Ok(()));
        assert!(chunk.check(chunk.first.wrapping_add(1), None).is_err());
    }
    let _ = read_progress(header);
}

/// Reads a manifest as one that is pushed and as one that is stored. The first line is the header, the rest the manifest.
pub fn manifest(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n');
    let (header, bytes) = end.map_or((&b""[..], input), |end| (&input[..end], &input[end + 1..]));
    let header = std::str::from_utf8(header).ok().filter(|header| !header.is_empty());
    let (pushed, stored) = (Manifest::pushed(bytes, header), Manifest::stored(bytes));
    // distribution lets everything pass that it does not look at, so that it may be stored.
    let text = String::from_utf8_lossy(bytes);
    assert!(pushed.is_err() || matches!(text, Cow::Borrowed(_)), "what is taken is JSON for everybody");
    for read in [&pushed, &stored] {
        match read {
            Ok(manifest) => {
                is_as_its_kind(manifest);
                let all = manifest.references.iter().map(|named| &named.descriptor).chain(&manifest.subject);
                // Digits of a digest may be written as \u0061; this holds where nothing is written so.
                if !text.contains('\\') {
                    all.for_each(|named| assert!(text.contains(named.digest.hex()), "{:?} is named", named.digest));
                }
            }
            Err(bad) => assert!(bad.to_string().len() < LONGEST_REFUSAL, "{bad}"),
        }
    }
    // Whatever is taken can be read later, when nothing but its own words say what it is; then it keeps the same.
    if let (Ok(pushed), Ok(stored)) = (&pushed, &stored) {
        assert_eq!(pushed.keeps(), stored.keeps());
        assert_eq!(pushed.subject, stored.subject);
        assert_eq!(pushed.kind(), stored.kind());
    } else {
        assert!(pushed.is_err(), "what is taken can be read later: {stored:?}");
    }
}

fn is_as_its_kind(manifest: &Manifest) {
    assert!(manifest.references.len() <= MOST);
    let count = |role| manifest.references.iter().filter(|named| named.role == role).count();
    let (configs, layers, children) = (count(Role::Config), count(Role::Layer), count(Role::Child));
    match manifest.kind() {
        Kind::Image => assert_eq!((configs, children), (1, 0)),
        Kind::Index => assert_eq!((configs, layers), (0, 0)),
        Kind::Schema1 => assert_eq!((configs, children), (0, 0)),
    }
    let kept = manifest.keeps();
    assert!(kept.is_sorted() && kept.len() <= manifest.references.len());
    let listed = referrers::descriptor(manifest, Digest::sha256(b""), 0);
    let mut page = referrers::Filling::new();
    assert!(page.add(&listed, None), "a page has room for one");
    let index = Manifest::stored(page.end(false).body.as_bytes()).expect("a list of referrers is an index");
    assert_eq!(index.references[0].descriptor, listed);
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_kept_of_names_routes_ranges_and_manifests_holds() {
        replay("name", name);
        replay("route", route);
        replay("range", range);
        replay("manifest", manifest);
    }

    proptest! {
        #[test]
        fn whatever_names_and_ranges_are_the_properties_hold(text in "[a-zA-Z0-9:/._%=,-]{0,80}") {
            name(text.as_bytes());
            range(text.as_bytes());
            range(format!("bytes={text}").as_bytes());
        }

        #[test]
        fn whatever_paths_are_the_property_holds(
            parts in prop::collection::vec("v2|a|b-c|blobs|uploads|manifests|tags|list|referrers|_x|replication|%2F|\\.\\.|sha256:0{64}|latest|", 0..8),
            query in "[a-z&=%+0-9]{0,20}",
        ) {
            route(format!("/v2/{}\n{query}", parts.join("/")).as_bytes());
        }

        #[test]
        fn references_are_tags_or_digests(text in "[a-z0-9:._-]{1,20}") {
            if let Ok(crate::Route::Manifest(_, reference)) = parse_route(&format!("/v2/a/manifests/{text}")) {
                prop_assert_eq!(reference.to_string(), text.clone());
                prop_assert_eq!(matches!(reference, crate::Reference::Digest(_)), text.contains(':'));
            }
        }
    }
}
