//! Listings are in the order of bytes, and pages leave nothing out.

use super::*;

/// In the order of their bytes: `-` and `.` come before `/`, which comes before digits and letters.
const TREE: &[&str] =
    &["a-b/link", "a.b/c", "a.b/d/e", "a/b", "a/b.c/d", "a/b0", "a/c/d/e/f", "a0", "a_/x", "b", "c/d"];

pub(super) async fn all(place: &SharedBlobs, bed: &Bed<'_>) {
    let root = bed.path("tree/");
    // Not in order: a place may not list in the order of writing.
    for path in TREE.iter().rev() {
        put(place, &format!("{root}{path}"), &bytes(1, 0..path.len() as u64)).await;
    }
    // Beside the prefix, but not below it.
    put(place, &bed.path("tree.txt"), &bytes(1, 0..1)).await;
    put(place, &bed.path("tree0"), &bytes(1, 0..1)).await;
    pages_are_whole(place, &root).await;
    folders_hide_what_is_below(place, &root).await;
    a_mark_need_not_exist(place, &root).await;
    sizes_and_times_are_told(place, &root).await;
    let nothing = place.list(List { prefix: &root, after: None, folders: false, limit: 0 }).await;
    assert_eq!(kind(nothing, "no lines"), Kind::Misuse);
}

async fn pages_are_whole(place: &SharedBlobs, root: &str) {
    let whole: Vec<_> = TREE.iter().map(|path| format!("{root}{path}")).collect();
    for limit in [1, 2, 3, TREE.len() - 1, TREE.len(), TREE.len() + 1, 1000] {
        assert_eq!(paths(&all_pages(place, root, false, limit).await), whole, "pages of {limit}");
    }
    let below: Vec<_> = whole.iter().filter(|path| path.starts_with(&format!("{root}a/"))).cloned().collect();
    assert_eq!(paths(&all_pages(place, &format!("{root}a/"), false, 2).await), below);
    assert!(all_pages(place, &format!("{root}nothing/"), false, 2).await.is_empty());
    assert!(all_pages(place, &format!("{root}b/"), false, 2).await.is_empty(), "below an object there is nothing");
}

async fn folders_hide_what_is_below(place: &SharedBlobs, root: &str) {
    let lines: Vec<_> =
        ["a-b/", "a.b/", "a/", "a0", "a_/", "b", "c/"].iter().map(|line| format!("{root}{line}")).collect();
    for limit in [1, 2, 3, 6, 7, 1000] {
        let all = all_pages(place, root, true, limit).await;
        assert_eq!(paths(&all), lines, "pages of {limit}");
        for line in &all {
            assert_eq!(matches!(line, Listed::Folder { .. }), path_of(line).ends_with('/'), "{line:?}");
        }
    }
    let inner: Vec<_> = ["a/b", "a/b.c/", "a/b0", "a/c/"].iter().map(|line| format!("{root}{line}")).collect();
    assert_eq!(paths(&all_pages(place, &format!("{root}a/"), true, 2).await), inner);
}

async fn a_mark_need_not_exist(place: &SharedBlobs, root: &str) {
    for mark in ["", "A", "a", "a.b/cc", "a.z", "a/", "a/b", "a/b.c/", "a/b/", "a/zzz", "b", "zzz"] {
        let after = format!("{root}{mark}");
        for folders in [false, true] {
            let whole = all_pages(place, root, folders, 1000).await;
            let rest: Vec<_> = paths(&whole).into_iter().filter(|path| **path > *after).collect();
            let found = all_pages_after(place, root, Some(&after), folders, 1000).await;
            assert_eq!(paths(&found), rest, "after {mark:?}, folders: {folders}");
        }
    }
}

async fn sizes_and_times_are_told(place: &SharedBlobs, root: &str) {
    for (line, path) in all_pages(place, root, false, 1000).await.iter().zip(TREE) {
        let Listed::Object { size, modified, .. } = line else { panic!("{line:?} is no object") };
        assert_eq!(*size, path.len() as u64, "{path}");
        assert!(modified.is_some(), "{path}");
    }
}
