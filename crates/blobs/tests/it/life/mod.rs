//! A life of objects and an upload, told line by line, and what has to be true of it wherever it ended.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use jeroboam_blobs::{Condition, Freshness, List, Result, SharedBlobs, Sweep, UploadState};
use serde::{Deserialize, Serialize};

const UPLOAD: &str = "docker/registry/v2/repositories/a/_uploads/u/data";
const UPLOADED: &str = "docker/registry/v2/blobs/uploaded/data";
const UPLOADED_SIZE: usize = 7_000_001;

/// What is about to be done, and what was acknowledged. A content is `(seed, length)`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Told {
    /// An object is to be written.
    Writes(String, (u8, usize)),
    /// An object is to be removed.
    Removes(String),
    /// What was begun last is done.
    Acknowledged,
    /// So far the upload is safe.
    Saved(UploadState),
    /// It lived to its end.
    Done,
}

fn bytes((seed, length): (u8, usize)) -> Bytes {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    let pattern =
        PATTERN.get_or_init(|| (0..7_100_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect());
    let begin = usize::from(seed) * 7919;
    Bytes::copy_from_slice(&pattern[begin..begin + length])
}

/// Does everything once that a place can do.
pub(crate) async fn live(place: &SharedBlobs, tell: &mut dyn FnMut(Told)) -> Result<()> {
    for (path, content) in [("a/link", (1, 71)), ("a/link", (2, 71)), ("b/link", (3, 135)), ("c/deep/er/link", (4, 0))]
    {
        tell(Told::Writes(path.to_owned(), content));
        place.put(path, bytes(content), Condition::Always).await?;
        tell(Told::Acknowledged);
    }
    for (path, content, known) in [("blobs/x/data", (5, 300_000), true), ("blobs/y/data", (6, 6_000_000), false)] {
        tell(Told::Writes(path.to_owned(), content));
        let mut writer = place.create(path, known.then_some(content.1 as u64)).await?;
        for piece in bytes(content).chunks(1_100_000) {
            writer.write(Bytes::copy_from_slice(piece)).await?;
        }
        writer.commit().await?;
        tell(Told::Acknowledged);
    }
    let whole = bytes((7, UPLOADED_SIZE));
    let mut upload = place.upload(UPLOAD, None).await?;
    for end in [500_000, 900_000, 6_500_000] {
        let state = upload.save().await?;
        let from = state.offset as usize;
        tell(Told::Saved(state));
        upload.write(whole.slice(from..end)).await?;
    }
    let state = upload.save().await?;
    let from = state.offset as usize;
    tell(Told::Saved(state));
    upload.write(whole.slice(from..)).await?;
    tell(Told::Writes(UPLOADED.to_owned(), (7, UPLOADED_SIZE)));
    upload.commit(UPLOADED).await?;
    tell(Told::Acknowledged);
    for path in ["b/link", "blobs/x/data"] {
        tell(Told::Removes(path.to_owned()));
        place.delete(&[path.to_owned()]).await?;
        tell(Told::Acknowledged);
    }
    tell(Told::Done);
    Ok(())
}

/// Looks at what a life left.
pub(crate) async fn inspect(place: &SharedBlobs, heard: &[Told], label: &str) {
    let mut may_be: BTreeMap<&str, Vec<Option<(u8, usize)>>> = BTreeMap::new();
    let mut last: Option<(&str, Option<(u8, usize)>)> = None;
    let mut saved = None;
    for line in heard {
        match line {
            Told::Writes(path, content) => last = Some((path, Some(*content))),
            Told::Removes(path) => last = Some((path, None)),
            Told::Acknowledged => {
                let (path, content) = last.take().expect("something was begun");
                may_be.insert(path, vec![content]);
            }
            Told::Saved(state) => saved = Some(state.clone()),
            Told::Done => {}
        }
    }
    if let Some((path, content)) = last {
        may_be.entry(path).or_insert_with(|| vec![None]).push(content);
    }
    for (path, contents) in &may_be {
        let is = read(place, path).await;
        let fine = contents.iter().any(|content| content.map(bytes) == is);
        assert!(fine, "{label}: {path} has {:?} bytes", is.map(|is| is.len()));
    }
    let listed =
        place.list(List { prefix: "blobs/", after: None, folders: false, limit: 100 }).await.expect("a listing");
    for item in listed.items {
        let jeroboam_blobs::Listed::Object { path, .. } = item else { panic!("{label}: a folder") };
        assert!(may_be.contains_key(path.as_str()), "{label}: {path} appeared from nowhere");
    }
    go_on(place, saved, label).await;
    let future = "2400-01-01T00:00:00Z".parse().expect("a moment");
    let sweep = Sweep { older_than: future, live: &[], dry_run: false };
    place.sweep(sweep.clone()).await.expect("swept");
    assert_eq!(place.sweep(sweep).await.expect("swept").objects, 0, "{label}: nothing is left to sweep");
}

/// The upload is finished, or goes on from where it was saved.
async fn go_on(place: &SharedBlobs, saved: Option<UploadState>, label: &str) {
    let Some(saved) = saved else { return };
    let whole = bytes((7, UPLOADED_SIZE));
    let from = saved.offset as usize;
    if read(place, UPLOADED).await.is_some_and(|is| is == whole) {
        place.discard_upload(UPLOAD, &saved).await.expect("discarded");
        return;
    }
    let mut upload = place.upload(UPLOAD, Some(saved)).await.unwrap_or_else(|error| panic!("{label}: {error:?}"));
    upload.write(whole.slice(from..)).await.expect("taken");
    upload.commit(UPLOADED).await.unwrap_or_else(|error| panic!("{label}: {error:?}"));
    assert!(read(place, UPLOADED).await.is_some_and(|is| is == whole), "{label}: the upload is not what was sent");
}

async fn read(place: &SharedBlobs, path: &str) -> Option<Bytes> {
    let mut body = place.read(path, None, Freshness::Newest).await.expect("an answer")?.body;
    let mut whole = BytesMut::new();
    while let Some(piece) = body.next().await {
        whole.extend_from_slice(&piece.expect("a piece"));
    }
    Some(whole.freeze())
}
