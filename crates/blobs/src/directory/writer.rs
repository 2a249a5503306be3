//! An object that is written in pieces.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::disk::Disk;
use super::pieces::Pieces;
use super::replace::Temporary;
use crate::{Condition, Error, Kind, Result, Writer};

/// Begins an object at `target`.
pub(super) async fn create(
    disk: &Arc<Disk>,
    path: &str,
    target: PathBuf,
    size: Option<u64>,
) -> Result<Box<dyn Writer>> {
    let begin = move |disk: &Disk| {
        let temporary = Temporary::create(disk, &target)?;
        let file = temporary.file().try_clone()?;
        Ok((temporary, file))
    };
    let (temporary, file) = disk.run("begin", path, begin).await?;
    let pieces = Pieces::new(Arc::clone(disk), path, file, 0);
    Ok(Box::new(FileWriter { temporary, pieces, size }))
}

struct FileWriter {
    temporary: Temporary,
    pieces: Pieces,
    size: Option<u64>,
}

impl Writer for FileWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.pieces.write(bytes).boxed()
    }

    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        async move {
            self.pieces.flush().await?;
            let Self { temporary, pieces, size } = *self;
            if let Some(size) = size.filter(|size| *size != pieces.offset()) {
                let what = format!("write {}: {} bytes came instead of {size}", pieces.path(), pieces.offset());
                return Err(Error::new(Kind::Misuse, what));
            }
            let commit = move |disk: &Disk| temporary.commit(disk, Condition::Always);
            pieces.disk().run("write", pieces.path(), commit).await.map(drop)
        }
        .boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        async move { drop(self) }.boxed()
    }
}
