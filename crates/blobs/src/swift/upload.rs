//! An object whose path is known only in the end, and which another process may go on with.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jeroboam_openstack::object_store::{Found, Newest};

use super::failure::failed;
use super::names::segment;
use super::segments::{Saved, Segments};
use super::writer::end_segments;
use super::{Inner, PATH_NOTE};
use crate::{ByteStream, Error, Kind, Result, Upload, UploadState};

pub(crate) struct SwiftUpload {
    inner: Arc<Inner>,
    segments: Segments,
}

impl SwiftUpload {
    pub(crate) async fn begin(inner: Arc<Inner>, at: &str, state: Option<UploadState>) -> Result<Self> {
        let Some(state) = state else {
            let segments = Segments::new(Arc::clone(&inner), at, None);
            return Ok(Self { inner, segments });
        };
        let segments = Segments::resume(Arc::clone(&inner), at, &state).await?;
        Ok(Self { inner, segments })
    }
}

impl Upload for SwiftUpload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.segments.write(bytes).boxed()
    }

    fn save(&mut self) -> BoxFuture<'_, Result<UploadState>> {
        self.segments.save().boxed()
    }

    fn stored(&mut self) -> BoxFuture<'_, Result<ByteStream>> {
        async move {
            self.segments.close().await?;
            let directory = &self.segments.directory;
            let names: Vec<String> = self.segments.done.keys().map(|number| segment(directory, *number)).collect();
            let inner = Arc::clone(&self.inner);
            let bodies = stream::iter(names).then(move |name| read_segment(Arc::clone(&inner), name));
            Ok(bodies.try_flatten().boxed())
        }
        .boxed()
    }

    fn commit<'a>(self: Box<Self>, path: &'a str) -> BoxFuture<'a, Result<()>> {
        async move { end_segments(&self.inner, self.segments, path, false).await }.boxed()
    }
}

async fn read_segment(inner: Arc<Inner>, name: String) -> Result<ByteStream> {
    let what = format!("read {name} from swift");
    let found = inner.store.get(&name, None, Newest::No).await.map_err(|error| failed(what.clone(), error))?;
    let Found::Object(reading) = found else { return Err(Error::new(Kind::Broken, format!("{what}: it is gone"))) };
    Ok(reading.body.map_err(move |error| failed(what.clone(), error)).boxed())
}

/// Forgets an upload, unless it has become an object: the end of one process is not always noted by the next.
pub(crate) async fn discard(inner: &Inner, at: &str, state: &UploadState) -> Result<()> {
    let Some(saved) = Saved::read(state) else {
        return Err(Error::new(Kind::Misuse, format!("forget the upload at {at}: its state is not one of Swift's")));
    };
    inner.handovers.discarded(&saved.directory);
    let noted = saved.segments.iter().map(|(number, ..)| segment(&saved.directory, *number));
    let listed = inner.names_below(&format!("{}/", saved.directory)).await?.into_iter().map(|(name, _)| name);
    let mut all: Vec<String> = noted.chain(listed).collect();
    all.sort_unstable();
    all.dedup();
    if all.is_empty() || belongs_to_an_object(inner, &all[0], &saved.directory).await? {
        return Ok(());
    }
    let removed = inner.store.remove_all(&all).await;
    removed.map_err(|error| failed(format!("forget the upload at {at} in swift"), error))
}

/// Whether the path that is noted at a first segment leads to an object of this directory.
pub(crate) async fn belongs_to_an_object(inner: &Inner, first: &str, directory: &str) -> Result<bool> {
    let head = inner.store.head(first, Newest::Yes).await;
    let head = head.map_err(|error| failed(format!("look at {first} in swift"), error))?;
    let Some(path) = head.and_then(|head| head.note(PATH_NOTE).map(str::to_owned)) else { return Ok(false) };
    inner.refers(&inner.names.file(&path), directory).await
}
