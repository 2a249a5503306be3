//! An object whose path is known from the beginning.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::BoxFuture;
use jeroboam_openstack::object_store::{ObjectUpload, Taken, UploadOptions};

use super::failure::failed;
use super::segments::{SHORT, Segments};
use super::{Inner, manifest};
use crate::path::check;
use crate::{Error, Kind, Result, Writer, misuse};

/// How its bytes travel.
enum Way {
    /// It is short: one request in the end.
    Memory(BytesMut),
    /// Straight to its name, all but the last bytes; they follow at the end, and without them nothing appears.
    Plain(ObjectUpload),
    /// In segments, for one manifest in the end.
    Segments(Box<Segments>),
}

pub(crate) struct SwiftWriter {
    inner: Arc<Inner>,
    path: String,
    size: Option<u64>,
    came: u64,
    way: Way,
}

impl SwiftWriter {
    pub(crate) async fn begin(inner: Arc<Inner>, path: &str, size: Option<u64>) -> Result<Self> {
        check(path)?;
        let longest = match size {
            Some(size) if size > SHORT as u64 => {
                inner.ready().await?;
                inner.longest_plain().await
            }
            _ => 0,
        };
        let way = match size {
            Some(size) if size <= SHORT as u64 => Way::Memory(BytesMut::new()),
            Some(size) if size <= longest => {
                let options = UploadOptions { length: Some(size), ..UploadOptions::default() };
                Way::Plain(inner.store.upload(&inner.names.file(path), options))
            }
            _ => Way::Segments(Box::new(Segments::new(Arc::clone(&inner), path, Some(path)))),
        };
        Ok(Self { inner, path: path.to_owned(), size, came: 0, way })
    }

    async fn take(&mut self, bytes: Bytes) -> Result<()> {
        self.came += bytes.len() as u64;
        if let Some(size) = self.size.filter(|size| self.came > *size) {
            let what = format!("write {}: more than its {size} bytes came", self.path);
            return Err(Error::new(Kind::Misuse, what));
        }
        match &mut self.way {
            Way::Memory(held) => held.extend_from_slice(&bytes),
            Way::Plain(upload) => match upload.write(bytes).await {
                Ok(Taken::Yes) => {}
                Ok(Taken::Ended(..)) => {
                    let what = format!("write {} to swift: the store took it before its end", self.path);
                    return Err(Error::new(Kind::Broken, what));
                }
                Err(error) => return Err(failed(format!("write {} to swift", self.path), error)),
            },
            Way::Segments(segments) => segments.write(bytes).await?,
        }
        Ok(())
    }

    async fn end(self) -> Result<()> {
        let Self { inner, path, size, came, way } = self;
        if let Err(wrong) = misuse::check_length(&path, size, came) {
            abort(way).await;
            return Err(wrong);
        }
        match way {
            Way::Memory(held) => inner.put_plain(&path, held.freeze(), false).await.map(|_| ()),
            Way::Plain(upload) => {
                let finished = upload.finish().await;
                finished.map_err(|error| failed(format!("write {path} to swift"), error))?;
                inner.plain.saw(&inner.names.file(&path), true);
                Ok(())
            }
            Way::Segments(segments) => end_segments(&inner, *segments, &path, true).await,
        }
    }
}

/// Makes the object of what is in segments, or in memory where it is short.
pub(crate) async fn end_segments(inner: &Inner, mut segments: Segments, path: &str, noted: bool) -> Result<()> {
    check(path)?;
    if let Some(bytes) = segments.short() {
        return inner.put_plain(path, bytes, false).await.map(|_| ());
    }
    segments.close().await?;
    manifest::write(inner, path, &segments, noted).await
}

async fn abort(way: Way) {
    match way {
        Way::Memory(_) => {}
        Way::Plain(upload) => upload.abort().await,
        Way::Segments(segments) => segments.abort().await,
    }
}

impl Writer for SwiftWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.take(bytes).boxed()
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        self.end().boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        abort(self.way).boxed()
    }
}
