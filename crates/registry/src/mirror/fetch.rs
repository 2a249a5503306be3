//! One blob on its way: into a file that has no name, for all who wait for it, and from there into the store.
//!
//! It goes on when its first reader goes away: the next one finds it here.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use jeroboam_oci::Digest;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tracing::{info, warn};
use uuid::Uuid;

use super::{Mirrored, Shared};
use crate::client::{BlobStream, ClientError};
use crate::http::failure::chain;
use crate::store::{BodyError, StoreError};

/// Bytes that are read from the file at once.
const PIECE: usize = 256 << 10;

/// How often the store is asked to take what was fetched.
const TRIES: u32 = 3;

/// A blob on its way.
pub(super) struct Fetch {
    file: Arc<File>,
    digest: Digest,
    size: u64,
    progress: watch::Receiver<Progress>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    /// So many bytes are in the file. All of them: the digest is right.
    Bytes(u64),
    /// No more will come.
    Failed(String),
}

impl Fetch {
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(&*self.progress.borrow(), Progress::Failed(_))
    }
}

/// Begins to fetch a blob, for which there is room until it is in the store. Called once at a time for each.
pub(super) async fn start(
    shared: &Arc<Shared>,
    mirrored: &Mirrored,
    digest: &Digest,
    size: u64,
    room: OwnedSemaphorePermit,
) -> Result<Arc<Fetch>, StoreError> {
    let upstream = &mirrored.upstream;
    let body = upstream.ask(upstream.remote.blob(&mirrored.there, digest, size, 0)).await;
    let Some(body) = body.map_err(|said| mirrored.refusal(said))? else {
        return Err(StoreError::BlobUnknown(digest.clone()));
    };
    let file = Arc::new(nameless(shared.settings.spool.clone()).await?);
    let (tell, progress) = watch::channel(Progress::Bytes(0));
    let fetch = Arc::new(Fetch { file, digest: digest.clone(), size, progress });
    let key = (mirrored.here.clone(), digest.clone());
    shared.fetches.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), Arc::downgrade(&fetch));
    let (shared_s, mirrored_s, fetch_s) = (shared.clone(), mirrored.clone(), fetch.clone());
    shared.tasks.spawn(async move {
        let _room = room;
        let work = async {
            match receive(&fetch_s, body, &tell).await {
                Ok(()) => keep(&shared_s, &mirrored_s, &fetch_s).await,
                Err(why) => {
                    warn!(repository = %mirrored_s.here, digest = %fetch_s.digest, why, "a blob could not be fetched");
                    tell.send_replace(Progress::Failed(why));
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = shared_s.cancel.cancelled() => {}
        }
        shared_s.fetches.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    });
    Ok(fetch)
}

/// A file that nobody finds, and that is gone when the last one closes it.
async fn nameless(folder: std::path::PathBuf) -> Result<File, StoreError> {
    let made = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("fetch-{}.tmp", Uuid::new_v4().simple()));
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok::<_, std::io::Error>(file)
    });
    let unusable = |why: String| {
        warn!(why, "there is no place for what is fetched");
        StoreError::Unavailable("there is no place for what is fetched".to_owned())
    };
    made.await.map_err(|error| unusable(error.to_string()))?.map_err(|error| unusable(error.to_string()))
}

async fn receive(fetch: &Fetch, mut body: BlobStream, tell: &watch::Sender<Progress>) -> Result<(), String> {
    let mut offset = 0;
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| error.chain())?;
        let (file, length) = (fetch.file.clone(), piece.len() as u64);
        let written = tokio::task::spawn_blocking(move || file.write_all_at(&piece, offset)).await;
        written.map_err(|error| error.to_string())?.map_err(|error| format!("write what is fetched: {error}"))?;
        offset += length;
        tell.send_replace(Progress::Bytes(offset));
    }
    if offset == fetch.size { Ok(()) } else { Err(format!("{offset} bytes came of {}", fetch.size)) }
}

/// Puts what was fetched into the store. Whoever reads meanwhile reads on.
async fn keep(shared: &Shared, mirrored: &Mirrored, fetch: &Arc<Fetch>) {
    for attempt in 1..=TRIES {
        let body = follow(fetch.clone(), 0..fetch.size);
        let body = body.map(|piece| piece.map_err(|error| BodyError::Cut(error.to_string()))).boxed();
        match shared.store.put_blob(&mirrored.here, &fetch.digest, Some(fetch.size), body).await {
            Ok(_) => {
                info!(
                    upstream = mirrored.upstream.remote.name(), repository = %mirrored.here, digest = %fetch.digest,
                    bytes = fetch.size, "a blob was fetched"
                );
                return;
            }
            Err(error) => {
                warn!(
                    repository = %mirrored.here, digest = %fetch.digest, error = chain(&error), attempt,
                    "a blob that was fetched could not be kept"
                );
                // What does not pass by itself would only be said again.
                let Some(pause) = error.retry_after().filter(|_| attempt < TRIES) else { return };
                tokio::time::sleep(pause).await;
            }
        }
    }
}

struct Follower {
    fetch: Arc<Fetch>,
    progress: watch::Receiver<Progress>,
    range: Range<u64>,
}

/// Reads a range of a blob as it comes.
pub(super) fn follow(fetch: Arc<Fetch>, range: Range<u64>) -> BlobStream {
    let progress = fetch.progress.clone();
    futures::stream::unfold(Some(Follower { fetch, progress, range }), |follower| async move {
        let mut follower = follower?;
        if follower.range.is_empty() {
            return None;
        }
        match follower.piece().await {
            Ok(piece) => Some((Ok(piece), Some(follower))),
            Err(why) => Some((Err(ClientError::Source(why)), None)),
        }
    })
    .boxed()
}

impl Follower {
    async fn piece(&mut self) -> Result<Bytes, String> {
        let wanted = self.range.start;
        let there = {
            let progress = self.progress.wait_for(|progress| match progress {
                Progress::Bytes(there) => *there > wanted,
                Progress::Failed(_) => true,
            });
            match &*progress.await.map_err(|_| "the registry ends".to_owned())? {
                Progress::Bytes(there) => *there,
                Progress::Failed(why) => return Err(why.clone()),
            }
        };
        let length = (there.min(self.range.end) - wanted).min(PIECE as u64);
        let (file, length) = (self.fetch.file.clone(), usize::try_from(length).unwrap_or(PIECE));
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, wanted)?;
            Ok::<_, std::io::Error>(Bytes::from(bytes))
        });
        let bytes =
            read.await.map_err(|error| error.to_string())?.map_err(|error| format!("read what is fetched: {error}"))?;
        self.range.start += bytes.len() as u64;
        Ok(bytes)
    }
}
