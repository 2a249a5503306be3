//! The contract, and what is a directory's own.

use std::sync::Arc;

use crate::contract::Bed;
use futures::FutureExt;
use jeroboam_blobs::{Blobs, Directory, SharedBlobs, Sweep, SyncPolicy};
use jeroboam_model::Timestamp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_keeps_the_contract() {
    let root = tempfile::tempdir().expect("a directory");
    for policy in [SyncPolicy::Auto, SyncPolicy::Ordered, SyncPolicy::All] {
        let open = || {
            let root = root.path().join(format!("{policy:?}"));
            async move { Arc::new(Directory::open_with(&root, policy).await.expect("opened")) as SharedBlobs }.boxed()
        };
        crate::contract::run(&Bed {
            open: &open,
            large: 12_000_007,
            notes: false,
            run: "docker/registry/v2/x".to_owned(),
        })
        .await;
    }
    assert_eq!(temporaries(root.path()), 0, "nothing is left behind");
}

#[tokio::test]
async fn a_sweep_takes_old_temporary_files_and_listings_do_not_show_them() {
    let root = tempfile::tempdir().expect("a directory");
    let store = Directory::open(root.path()).await.expect("opened");
    let folder = root.path().join("a/b");
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join("link.0b4f8c1e.tmp"), b"half").expect("written");
    let what = jeroboam_blobs::List { prefix: "a/", after: None, folders: true, limit: 9 };
    assert!(store.list(what).await.expect("a page").items.is_empty(), "neither the file nor its folder is an object");
    let future: Timestamp = "2400-01-01T00:00:00Z".parse().expect("a moment");
    let swept = store.sweep(Sweep { older_than: future, live: &[], dry_run: false }).await.expect("swept");
    assert_eq!((swept.objects, swept.bytes), (1, 4));
    assert!(!folder.exists(), "and the folder that was made for it is gone");
}

#[tokio::test]
async fn files_have_the_modes_that_the_umask_leaves() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().expect("a directory");
    let store = Directory::open(root.path()).await.expect("opened");
    store.put("a/link", bytes::Bytes::from_static(b"1"), jeroboam_blobs::Condition::Always).await.expect("written");
    let plain = root.path().join("plain");
    std::fs::write(&plain, b"1").expect("written");
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("there").permissions().mode();
    assert_eq!(mode(&root.path().join("a/link")), mode(&plain));
}

fn temporaries(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .map(
            |path| {
                if path.is_dir() { temporaries(&path) } else { usize::from(path.to_string_lossy().ends_with(".tmp")) }
            },
        )
        .sum()
}
