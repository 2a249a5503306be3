//! What holds in every Swift, pretended or real.

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use jeroboam_blobs::{Blobs as _, Condition, Freshness, Kind, List, Listed, Sweep, Swift, Written};
use jeroboam_model::Timestamp;
use jeroboam_openstack::object_store::{ListingQuery, Newest, PutOptions, Segment};

use crate::places::Place;

/// Bytes that are nowhere the same.
pub(crate) fn bytes(count: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let words = (0..count.div_ceil(8)).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(count).collect::<Vec<u8>>().into()
}

pub(crate) async fn read(swift: &Swift, path: &str) -> Option<Bytes> {
    let object = swift.read(path, None, Freshness::Newest).await.unwrap()?;
    let parts: Vec<Bytes> = object.body.try_collect().await.unwrap();
    let whole: Bytes = parts.concat().into();
    assert_eq!(object.meta.size, whole.len() as u64);
    Some(whole)
}

async fn size(swift: &Swift, path: &str) -> Option<u64> {
    swift.head(path, Freshness::Newest).await.unwrap().map(|meta| meta.size)
}

pub(crate) async fn write(swift: &Swift, path: &str, size: Option<u64>, content: &Bytes) {
    let mut writer = swift.create(path, size).await.unwrap();
    for piece in content.chunks(70_000) {
        writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    writer.commit().await.unwrap();
}

/// Names below `segments/`.
pub(crate) async fn segments(place: &Place) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    loop {
        // A page may be shorter than it might be.
        let query = ListingQuery {
            prefix: "segments/",
            limit: 1000,
            marker: names.last().map(String::as_str),
            ..ListingQuery::default()
        };
        let page = place.raw().list(&query).await.unwrap().unwrap_or_default();
        if page.is_empty() {
            return names;
        }
        names.extend(page.iter().map(|entry| entry.name().to_owned()));
    }
}

pub(crate) async fn short_objects(place: &Place) {
    let swift = place.open();
    swift.probe().await.unwrap();
    assert_eq!(read(&swift, "a/b").await, None);
    assert_eq!(swift.put("a/b", Bytes::from_static(b"one"), Condition::Absent).await.unwrap(), Written::Yes);
    assert_eq!(swift.put("a/b", Bytes::from_static(b"two"), Condition::Absent).await.unwrap(), Written::Refused);
    assert_eq!(read(&swift, "a/b").await.unwrap(), "one");
    assert_eq!(swift.put("a/b", Bytes::from_static(b"three"), Condition::Always).await.unwrap(), Written::Yes);
    assert_eq!(
        (read(&swift, "a/b").await.unwrap(), size(&swift, "a/b").await),
        (Bytes::from_static(b"three"), Some(5))
    );
    swift.put("a/empty", Bytes::new(), Condition::Always).await.unwrap();
    assert_eq!(read(&swift, "a/empty").await.unwrap(), "");
    swift.delete(&["a/b".into(), "a/empty".into(), "a/nothing".into()]).await.unwrap();
    assert_eq!((size(&swift, "a/b").await, size(&swift, "a/empty").await), (None, None));
}

pub(crate) async fn ranges(place: &Place) {
    let swift = place.open();
    let content = bytes(4_000_000, 1);
    write(&swift, "plain", Some(4_000_000), &content).await;
    write(&swift, "large", None, &content).await;
    assert!(segments(place).await.len() > 1, "{}", place.name);
    for path in ["plain", "large"] {
        assert_eq!(size(&swift, path).await, Some(4_000_000));
        for range in [0..1, 0..4_000_000, 1_499_990..1_500_010, 3_999_999..4_000_000, 7..7] {
            let object = swift.read(path, Some(range.clone()), Freshness::Any).await.unwrap().unwrap();
            assert_eq!(object.meta.size, 4_000_000);
            let parts: Vec<Bytes> = object.body.try_collect().await.unwrap();
            assert!(
                parts.concat() == content[range.start as usize..range.end as usize],
                "{path} {range:?} {}",
                place.name
            );
        }
        for range in [4_000_000..4_000_001, 3_999_999..4_000_001, 5_000_000..5_000_001] {
            let error = swift.read(path, Some(range.clone()), Freshness::Any).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Misuse, "{path} {range:?}");
        }
    }
    swift.delete(&["plain".into(), "large".into()]).await.unwrap();
    assert_eq!((size(&swift, "large").await, segments(place).await), (None, vec![]), "{}", place.name);
}

/// What is cut off is not there, and what was there stays.
pub(crate) async fn cut_off(place: &Place) {
    let swift = place.open();
    let content = bytes(3_000_000, 2);
    swift.put("kept", Bytes::from_static(b"kept"), Condition::Always).await.unwrap();
    for (size, path) in [(Some(3_000_000), "new"), (Some(3_000_000), "kept"), (None, "new"), (None, "kept")] {
        for commit in [false, true] {
            let mut writer = swift.create(path, size).await.unwrap();
            writer.write(content.slice(..2_999_999)).await.unwrap();
            match (commit, size) {
                (false, _) => writer.abort().await,
                (true, Some(_)) => assert_eq!(writer.commit().await.unwrap_err().kind(), Kind::Misuse),
                (true, None) => drop(writer),
            }
        }
    }
    // What was dropped takes a moment to be cut off.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(read(&swift, "kept").await.unwrap(), "kept");
    assert_eq!(read(&swift, "new").await, None, "{}", place.name);
    // A writer that got all bytes and is dropped wrote nothing either.
    let mut writer = swift.create("new", Some(3_000_000)).await.unwrap();
    writer.write(content.clone()).await.unwrap();
    drop(writer);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(read(&swift, "new").await, None, "{}", place.name);
    let mut writer = swift.create("new", Some(3)).await.unwrap();
    assert_eq!(writer.write(content.slice(..4)).await.unwrap_err().kind(), Kind::Misuse);
    swift.delete(&["kept".into()]).await.unwrap();
    swift.sweep(Sweep { older_than: Timestamp::MAX, live: &[], dry_run: false }).await.unwrap();
    assert_eq!(segments(place).await, Vec::<String>::new(), "{}", place.name);
}

/// An upload goes on in another process, without what was behind the saved offset.
pub(crate) async fn resumed(place: &Place) {
    let content = bytes(6_000_000, 3);
    let first = place.open();
    let mut upload = first.upload("up/1", None).await.unwrap();
    upload.write(content.slice(..10)).await.unwrap();
    let state = upload.save().await.unwrap();
    assert_eq!((state.offset, segments(place).await), (10, vec![]));
    upload.write(content.slice(10..3_000_000)).await.unwrap();
    let state = upload.save().await.unwrap();
    assert_eq!(state.offset, 3_000_000);
    // Nobody notes these: the process dies.
    upload.write(bytes(2_000_000, 99)).await.unwrap();
    upload.save().await.unwrap();
    drop(upload);
    let text = serde_json::to_string(&state).unwrap();
    let second = place.open();
    let mut upload = second.upload("up/1", Some(serde_json::from_str(&text).unwrap())).await.unwrap();
    upload.write(content.slice(3_000_000..4_000_000)).await.unwrap();
    let state = upload.save().await.unwrap();
    // The same process goes on with what it saved itself.
    drop(upload);
    let mut upload = second.upload("up/1", Some(state)).await.unwrap();
    upload.write(content.slice(4_000_000..)).await.unwrap();
    upload.commit("done").await.unwrap();
    assert!(read(&second, "done").await.unwrap() == content, "{}", place.name);
    second.delete(&["done".into()]).await.unwrap();
    // Of a static object the segments that nobody noted are for the sweep.
    second.sweep(Sweep { older_than: Timestamp::MAX, live: &[], dry_run: false }).await.unwrap();
    assert_eq!(segments(place).await, Vec::<String>::new(), "{}", place.name);
}

/// A forgotten upload is gone; one that became an object is not.
pub(crate) async fn discarded(place: &Place) {
    let swift = place.open();
    let content = bytes(3_500_000, 4);
    let mut upload = swift.upload("up/1", None).await.unwrap();
    upload.write(content.clone()).await.unwrap();
    let state = upload.save().await.unwrap();
    drop(upload);
    assert!(!segments(place).await.is_empty());
    for _ in 0..2 {
        swift.discard_upload("up/1", &state).await.unwrap();
        assert_eq!(segments(place).await, Vec::<String>::new());
    }
    let error = place.open().upload("up/1", Some(state)).await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Broken);

    let mut upload = swift.upload("up/2", None).await.unwrap();
    upload.write(content.clone()).await.unwrap();
    let state = upload.save().await.unwrap();
    upload.commit("blob").await.unwrap();
    // As after a crash between the end of an upload and the note of it.
    place.open().discard_upload("up/2", &state).await.unwrap();
    assert!(read(&swift, "blob").await.unwrap() == content, "{}", place.name);
    swift.delete(&["blob".into()]).await.unwrap();
}

pub(crate) async fn moved(place: &Place) {
    let swift = place.open();
    let content = bytes(3_200_000, 5);
    write(&swift, "x/plain", Some(3_200_000), &content).await;
    write(&swift, "x/large", None, &content).await;
    for path in ["plain", "large"] {
        swift.relocate(&format!("x/{path}"), &format!("trash/{path}")).await.unwrap();
        assert_eq!(size(&swift, &format!("x/{path}")).await, None);
        assert!(read(&swift, &format!("trash/{path}")).await.unwrap() == content, "{path} {}", place.name);
        let error = swift.relocate(&format!("x/{path}"), "nowhere").await.unwrap_err();
        assert_eq!(error.kind(), Kind::Misuse);
    }
    // A move that was interrupted: both are there. What is removed takes nothing from the other.
    let raw = place.raw();
    let head = raw.head("files/trash/large", Newest::Yes).await.unwrap().unwrap();
    if let Some((_, prefix)) = head.manifest {
        let options = PutOptions { manifest: Some(prefix), ..PutOptions::default() };
        raw.put("files/x/large", Bytes::new(), &options).await.unwrap();
        swift.delete(&["trash/large".into()]).await.unwrap();
        assert!(read(&swift, "x/large").await.unwrap() == content, "{}", place.name);
    }
    swift.delete(&["x/large".into(), "trash/large".into(), "trash/plain".into()]).await.unwrap();
    assert_eq!(segments(place).await, Vec::<String>::new(), "{}", place.name);
}

/// As distribution leaves them where it dies between the manifest of a blob and the end of its upload: both name the same segments.
pub(crate) async fn left_by_distribution(place: &Place) {
    let (swift, raw) = (place.open(), place.raw());
    let (upload, blob) = ("r/_uploads/1/data", "blobs/left/data");
    let name: String = format!("/{upload}").bytes().map(|byte| format!("{byte:02x}")).collect();
    // Its own name for them, and a hash alone.
    for digits in [format!("{name}{}", "0".repeat(64 + 40)), "1".repeat(40)] {
        let directory = format!("segments/{}/{}", &digits[..3], &digits[3..]);
        let plain = PutOptions::default();
        raw.put(&format!("{directory}/0000000000000001"), Bytes::from_static(b"layer"), &plain).await.unwrap();
        for path in [upload, blob] {
            let options = PutOptions { manifest: Some(format!("{directory}/")), ..PutOptions::default() };
            raw.put(&format!("files/{path}"), Bytes::new(), &options).await.unwrap();
        }
        swift.delete(&[upload.into()]).await.unwrap();
        assert_eq!(size(&swift, upload).await, None);
        assert_eq!(read(&swift, blob).await.unwrap(), "layer", "{}", place.name);
        swift.delete(&[blob.into()]).await.unwrap();
        assert_eq!(segments(place).await, Vec::<String>::new(), "{}", place.name);
    }
}

pub(crate) async fn swept(place: &Place) {
    let swift = place.open();
    let content = bytes(3_200_000, 6);
    write(&swift, "blob", None, &content).await;
    let mut live = swift.upload("up/live", None).await.unwrap();
    live.write(content.clone()).await.unwrap();
    let state = live.save().await.unwrap();
    let before = segments(place).await.len();
    let mut lost = swift.upload("up/lost", None).await.unwrap();
    lost.write(content.clone()).await.unwrap();
    lost.save().await.unwrap();
    drop(lost);
    let alive = ["up/live".to_owned()];
    let young = Sweep { older_than: Timestamp::UNIX_EPOCH, live: &alive, dry_run: false };
    assert_eq!(swift.sweep(young).await.unwrap().objects, 0);
    let look = Sweep { older_than: Timestamp::MAX, live: &alive, dry_run: true };
    let found = swift.sweep(look.clone()).await.unwrap();
    assert_eq!((found.bytes, swift.sweep(look.clone()).await.unwrap()), (3_200_000, found), "{}", place.name);
    assert_eq!(swift.sweep(Sweep { dry_run: false, ..look.clone() }).await.unwrap(), found);
    assert_eq!(segments(place).await.len(), before);
    assert_eq!(swift.sweep(look).await.unwrap().objects, 0);
    assert!(read(&swift, "blob").await.unwrap() == content);
    drop(live);
    let upload = place.open().upload("up/live", Some(state)).await.unwrap();
    upload.commit("other").await.unwrap();
    assert!(read(&swift, "other").await.unwrap() == content);
    // What the process before had of it is garbage now, and nothing else.
    let left = swift.sweep(Sweep { older_than: Timestamp::MAX, live: &[], dry_run: false }).await.unwrap();
    assert_eq!(left.bytes, 3_200_000, "{}", place.name);
    assert!(read(&swift, "other").await.unwrap() == content);
    swift.delete(&["blob".into(), "other".into()]).await.unwrap();
    assert_eq!(segments(place).await, Vec::<String>::new(), "{}", place.name);
}

/// Folders and pages of every length show the same.
pub(crate) async fn listed(place: &Place) {
    let swift = place.open();
    let paths = ["l/a", "l/a/1", "l/a/2", "l/a0", "l/b/x/1", "l/b/y/2", "l/c"];
    for path in paths {
        swift.put(path, Bytes::from_static(b"x"), Condition::Always).await.unwrap();
    }
    for limit in [1, 2, 3, 100] {
        assert_eq!(all(&swift, false, limit).await, paths, "{limit} {}", place.name);
        assert_eq!(all(&swift, true, limit).await, ["l/a", "l/a/", "l/a0", "l/b/", "l/c"], "{limit} {}", place.name);
    }
    for (after, folders, wanted) in
        [("l/a/1", true, "l/a0"), ("l/b/x", true, "l/c"), ("l/a/", false, "l/a/1"), ("l/b", false, "l/b/x/1")]
    {
        let what = List { prefix: "l/", after: Some(after), folders, limit: 1 };
        let page = swift.list(what).await.unwrap();
        assert_eq!(page.items.first().map(path), Some(wanted), "{after} {}", place.name);
    }
    let none = swift.list(List { prefix: "nothing/", after: None, folders: true, limit: 5 }).await.unwrap();
    assert_eq!((none.items.len(), none.next), (0, None));
    swift.delete(&paths.map(str::to_owned)).await.unwrap();
}

fn path(line: &Listed) -> &str {
    match line {
        Listed::Object { path, .. } | Listed::Folder { path } => path,
    }
}

async fn all(swift: &Swift, folders: bool, limit: usize) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..20 {
        let page = swift.list(List { prefix: "l/", after: after.as_deref(), folders, limit }).await.unwrap();
        assert!(page.items.len() <= limit);
        found.extend(page.items.iter().map(|line| path(line).to_owned()));
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
    panic!("the listing does not end: {found:?}");
}

/// Static objects that somebody wrote by hand are read, moved and removed with what they are made of.
pub(crate) async fn made_by_hand(place: &Place) {
    let swift = place.open();
    swift.probe().await.unwrap();
    let raw = place.raw();
    let content = bytes(300_000, 7);
    let mut segments_of = Vec::new();
    for (number, piece) in content.chunks(100_000).enumerate() {
        let name = format!("segments/abc/0123/{number:016}");
        let finished = {
            let mut upload = raw.upload(&name, jeroboam_openstack::object_store::UploadOptions::default());
            upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
            upload.finish().await.unwrap().0
        };
        let (container, etag) = (raw.container().to_owned(), finished.etag);
        segments_of.push(Segment { container, name, size: finished.size, etag });
    }
    raw.put_static("files/hand", &segments_of).await.unwrap();
    assert_eq!(size(&swift, "hand").await, Some(300_000), "{}", place.name);
    assert!(read(&swift, "hand").await.unwrap() == content, "{}", place.name);
    let sweep = Sweep { older_than: Timestamp::MAX, live: &[], dry_run: false };
    let swept = swift.sweep(sweep).await.unwrap();
    // Where its segments are not shown nothing may be called garbage.
    let are_shown = raw.static_segments("files/hand").await.unwrap().is_some();
    assert_eq!((swept.objects, swept.hidden), (0, !are_shown), "{}", place.name);
    swift.relocate("hand", "moved").await.unwrap();
    assert!(read(&swift, "moved").await.unwrap() == content, "{}", place.name);
    swift.delete(&["moved".into()]).await.unwrap();
    assert_eq!(size(&swift, "moved").await, None);
    assert_eq!(segments(place).await, Vec::<String>::new(), "{}", place.name);
}
