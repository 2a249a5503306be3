//! Objects as files below a directory, as distribution's filesystem driver has them.
//!
//! An object is written to `<path>.<uuid>.tmp`, synced, and renamed to its path; then the directories whose entries changed are
//! synced. Nobody sees half an object, and what was said to be written survives a power cut. On XFS and on ext4 with a journal, which keep the order of
//! changes, a sync brings everything that was changed before it: there the innermost directory is enough, for a small object the file, and of several
//! that are written one after the other the last. Files and directories get the modes that the process's umask leaves. The root may be a symbolic link, and so may directories below it (an operator spreads a store over
//! file systems like that); only who may write into the root can make one. Paths that would leave the root are refused.

mod disk;
mod list;
mod order;
mod pieces;
mod place;
mod pool;
mod read;
mod replace;
mod sweep;
mod sync;
mod upload;
mod writer;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::{
    Blobs, Capabilities, Condition, Freshness, List, ListPage, Object, ObjectMeta, Result, Sweep, Swept, Upload,
    UploadState, Writer, Written,
};
use disk::Disk;
use replace::Durable;

pub use order::SyncPolicy;

/// Objects as files below a directory.
#[derive(Clone)]
pub struct Directory {
    disk: Arc<Disk>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("root", &self.disk.root()).finish_non_exhaustive()
    }
}

impl Directory {
    /// The objects below `root`, which is made if it is not there.
    pub async fn open(root: &Path) -> Result<Self> {
        Self::open_with(root, SyncPolicy::Auto).await
    }

    /// The same, with another choice of what is synced.
    pub async fn open_with(root: &Path, policy: SyncPolicy) -> Result<Self> {
        Ok(Self { disk: Disk::open(root, policy).await? })
    }

    /// So often a file or a directory was synced since this was opened. Whoever writes waits for each of these.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.disk.syncs().count()
    }

    fn file(&self, path: &str) -> Result<PathBuf> {
        place::file(self.disk.root(), path)
    }
}

impl Blobs for Directory {
    fn capabilities(&self) -> Capabilities {
        Capabilities { create_if_absent: true, one_is_first: true, listing_is_fresh: true, presign: false }
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        self.disk.probe().boxed()
    }

    fn head<'a>(&'a self, path: &'a str, _: Freshness) -> BoxFuture<'a, Result<Option<ObjectMeta>>> {
        async move {
            let file = self.file(path)?;
            self.disk.run("look at", path, move |_| read::meta(&file)).await
        }
        .boxed()
    }

    fn read<'a>(
        &'a self,
        path: &'a str,
        range: Option<Range<u64>>,
        _: Freshness,
    ) -> BoxFuture<'a, Result<Option<Object>>> {
        async move { read::open(&self.disk, path, self.file(path)?, range).await }.boxed()
    }

    fn put<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        async move {
            let file = self.file(path)?;
            self.disk.run("write", path, move |disk| replace::put(disk, &file, &bytes, condition, Durable::Now)).await
        }
        .boxed()
    }

    fn put_ahead<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        async move {
            let file = self.file(path)?;
            let write = move |disk: &_| replace::put(disk, &file, &bytes, condition, Durable::WithNext);
            self.disk.run("write", path, write).await
        }
        .boxed()
    }

    fn create<'a>(&'a self, path: &'a str, size: Option<u64>) -> BoxFuture<'a, Result<Box<dyn Writer>>> {
        async move {
            let writer = writer::FileWriter::new(&self.disk, path, self.file(path)?, size);
            Ok(Box::new(writer) as Box<dyn Writer>)
        }
        .boxed()
    }

    fn upload<'a>(&'a self, at: &'a str, state: Option<UploadState>) -> BoxFuture<'a, Result<Box<dyn Upload>>> {
        async move {
            let upload = upload::FileUpload::open(&self.disk, at, self.file(at)?, state).await?;
            Ok(Box::new(upload) as Box<dyn Upload>)
        }
        .boxed()
    }

    fn discard_upload<'a>(&'a self, at: &'a str, _: &'a UploadState) -> BoxFuture<'a, Result<()>> {
        async move {
            let file = self.file(at)?;
            self.disk.run("remove", at, move |disk| replace::remove(disk, &[file])).await
        }
        .boxed()
    }

    fn list<'a>(&'a self, what: List<'a>) -> BoxFuture<'a, Result<ListPage>> {
        async move {
            let wanted = list::Wanted::new(&what)?;
            self.disk.run("list", what.prefix, move |disk| list::page(disk.root(), &wanted)).await
        }
        .boxed()
    }

    fn delete<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<()>> {
        async move {
            let files = paths.iter().map(|path| self.file(path)).collect::<Result<Vec<_>>>()?;
            let first = paths.first().map_or("nothing", String::as_str);
            self.disk.run("remove", first, move |disk| replace::remove(disk, &files)).await
        }
        .boxed()
    }

    fn relocate<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            let (source, target) = (self.file(from)?, self.file(to)?);
            self.disk.run("move", from, move |disk| replace::relocate(disk, &source, &target)).await
        }
        .boxed()
    }

    fn presign<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<Option<String>>> {
        async { Ok(None) }.boxed()
    }

    fn sweep<'a>(&'a self, sweep: Sweep<'a>) -> BoxFuture<'a, Result<Swept>> {
        async move {
            let older_than = sweep.older_than;
            let dry_run = sweep.dry_run;
            self.disk.run("sweep", "", move |disk| sweep::sweep(disk, older_than, dry_run)).await
        }
        .boxed()
    }
}
