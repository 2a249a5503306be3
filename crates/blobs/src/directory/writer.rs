//! An object that is written in pieces. A small one is not begun before its end is known: then it is written at once.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::disk::Disk;
use super::pieces::{Pieces, Small};
use super::replace::{self, Durable, Temporary};
use crate::{Condition, Result, Writer, misuse};

pub(super) struct FileWriter {
    disk: Arc<Disk>,
    path: String,
    target: PathBuf,
    size: Option<u64>,
    small: Small,
    large: Option<(Temporary, Pieces)>,
}

impl FileWriter {
    pub(super) fn new(disk: &Arc<Disk>, path: &str, target: PathBuf, size: Option<u64>) -> Self {
        Self { disk: Arc::clone(disk), path: path.to_owned(), target, size, small: Small::default(), large: None }
    }

    async fn take(&mut self, bytes: Bytes) -> Result<()> {
        if let Some((_, pieces)) = &mut self.large {
            return pieces.write(bytes).await;
        }
        let Some(all) = self.small.push(bytes) else { return Ok(()) };
        let target = self.target.clone();
        let begin = move |disk: &Arc<Disk>| {
            let temporary = Temporary::create(disk, &target)?;
            let file = temporary.file().try_clone()?;
            Ok((temporary, file))
        };
        let (temporary, file) = self.disk.run("begin", &self.path, begin).await?;
        let (_, pieces) = self.large.insert((temporary, Pieces::new(Arc::clone(&self.disk), &self.path, file, 0)));
        for bytes in all {
            pieces.write(bytes).await?;
        }
        Ok(())
    }

    async fn appear(mut self) -> Result<()> {
        if let Some((_, pieces)) = &mut self.large {
            pieces.flush().await?;
        }
        let written = self.large.as_ref().map_or(self.small.length() as u64, |(_, pieces)| pieces.offset());
        misuse::check_length(&self.path, self.size, written)?;
        let Self { disk, path, target, small, large, .. } = self;
        let commit = move |disk: &Arc<Disk>| match large {
            Some((temporary, _)) => temporary.commit(Condition::Always),
            None => replace::put(disk, &target, &small.whole(), Condition::Always, Durable::Now),
        };
        disk.run("write", &path, commit).await.map(drop)
    }
}

impl Writer for FileWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.take(bytes).boxed()
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        self.appear().boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        async move { drop(self) }.boxed()
    }
}
