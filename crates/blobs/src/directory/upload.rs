//! An upload is a file that grows, at the path that whoever begins it says. In the end it is renamed.
//!
//! There is nothing to know but how far it came, so that any file can be gone on with. One that was never saved and is small has no file: it is
//! written to its path at once.
//!
//! Whoever goes on takes a copy, which then has the name: another process that was given up for dead, and is not, writes into a file that has no
//! name any more, and is told so when it wants to keep what it wrote.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use super::disk::Disk;
use super::pieces::{Pieces, Small};
use super::replace::Durable;
use super::{place, read, replace};
use crate::{ByteStream, Condition, Error, Kind, Result, Upload, UploadState};

pub(super) struct FileUpload {
    disk: Arc<Disk>,
    at: String,
    file: PathBuf,
    small: Small,
    begun: Option<Begun>,
}

struct Begun {
    pieces: Pieces,
    /// The directories to sync so that the file is found again; `None` once that is done.
    changed: Option<Vec<PathBuf>>,
}

impl FileUpload {
    /// Begins an upload at `file`, or goes on with it.
    pub(super) async fn open(disk: &Arc<Disk>, at: &str, file: PathBuf, state: Option<UploadState>) -> Result<Self> {
        let mut upload = Self { disk: Arc::clone(disk), at: at.to_owned(), file, small: Small::default(), begun: None };
        if let Some(state) = state {
            upload.begun = Some(upload.go_on(state.offset).await?);
        }
        Ok(upload)
    }

    async fn go_on(&self, offset: u64) -> Result<Begun> {
        let file = self.file.clone();
        let open = move |disk: &Arc<Disk>| {
            let opened = match File::open(&file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                opened => opened?,
            };
            if opened.metadata()?.len() < offset {
                Ok(None)
            } else {
                replace::own_copy(disk, &file, opened, offset).map(Some)
            }
        };
        let gone = || {
            Error::new(Kind::Broken, format!("go on with the upload at {}: its {offset} bytes are not there", self.at))
        };
        let file = self.disk.run("go on with the upload at", &self.at, open).await?.ok_or_else(gone)?;
        let pieces = Pieces::new(Arc::clone(&self.disk), &self.at, file, offset);
        // Whoever gave a state has synced the directories.
        Ok(Begun { pieces, changed: None })
    }

    async fn begin(&mut self) -> Result<&mut Begun> {
        let file = self.file.clone();
        let create = move |disk: &Arc<Disk>| {
            replace::open_below(disk, &file, OpenOptions::new().read(true).write(true).create(true).truncate(true))
        };
        let (file, changed) = self.disk.run("begin the upload at", &self.at, create).await?;
        let mut pieces = Pieces::new(Arc::clone(&self.disk), &self.at, file, 0);
        for bytes in self.small.take() {
            pieces.write(bytes).await?;
        }
        Ok(self.begun.insert(Begun { pieces, changed: Some(changed) }))
    }

    async fn take(&mut self, bytes: Bytes) -> Result<()> {
        if let Some(begun) = &mut self.begun {
            return begun.pieces.write(bytes).await;
        }
        let Some(all) = self.small.push(bytes) else { return Ok(()) };
        let begun = self.begin().await?;
        for bytes in all {
            begun.pieces.write(bytes).await?;
        }
        Ok(())
    }

    async fn save_bytes(&mut self) -> Result<UploadState> {
        if self.begun.is_none() {
            self.begin().await?;
        }
        let named = self.file.clone();
        let lost = || Error::new(Kind::Misuse, format!("save the upload at {}, which was not begun", self.at));
        let begun = self.begun.as_mut().ok_or_else(lost)?;
        begun.pieces.flush().await?;
        let file = Arc::clone(begun.pieces.file());
        let changed = begun.changed.clone();
        let sync = move |disk: &Arc<Disk>| {
            still_has(&named, &file)?;
            disk.syncs().data(&file)?;
            let Some(changed) = changed else { return Ok(()) };
            let folder = replace::folder_of(&named);
            if disk.is_ordered(&file)? {
                disk.syncs().settled(folder, &changed);
                return Ok(());
            }
            disk.syncs().settle(folder, &changed, false)
        };
        self.disk.run("save the upload at", &self.at, sync).await?;
        begun.changed = None;
        Ok(UploadState { offset: begun.pieces.offset(), detail: serde_json::Value::Null })
    }

    async fn move_to(mut self, path: &str) -> Result<()> {
        let target = place::file(self.disk.root(), path)?;
        let Some(begun) = &mut self.begun else {
            let Self { disk, small, .. } = self;
            let whole = small.whole();
            let put = move |disk: &Arc<Disk>| replace::put(disk, &target, &whole, Condition::Always, Durable::Now);
            return disk.run("write", path, put).await.map(drop);
        };
        begun.pieces.flush().await?;
        let file = Arc::clone(begun.pieces.file());
        let source = self.file;
        let commit = move |disk: &Arc<Disk>| -> io::Result<()> {
            disk.syncs().file(&file)?;
            still_has(&source, &file)?;
            replace::move_to(disk, &source, &target)?;
            replace::prune(disk, replace::folder_of(&source));
            Ok(())
        };
        self.disk.run("finish the upload as", path, commit).await
    }
}

/// Fails where a name is no longer that of this file: somebody else goes on with the upload, or has ended it.
fn still_has(name: &Path, file: &File) -> io::Result<()> {
    let (ours, named) = (file.metadata()?, std::fs::metadata(name)?);
    if (ours.dev(), ours.ino()) == (named.dev(), named.ino()) {
        return Ok(());
    }
    Err(io::Error::other("another process goes on with it"))
}

impl Upload for FileUpload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.take(bytes).boxed()
    }

    fn save(&mut self) -> BoxFuture<'_, Result<UploadState>> {
        self.save_bytes().boxed()
    }

    fn stored(&mut self) -> BoxFuture<'_, Result<ByteStream>> {
        async move {
            let Some(begun) = &mut self.begun else {
                let whole = self.small.copy();
                return Ok(futures::stream::iter([Ok(whole)]).boxed());
            };
            begun.pieces.flush().await?;
            Ok(read::of_open(&self.disk, &self.at, Arc::clone(begun.pieces.file()), begun.pieces.offset()))
        }
        .boxed()
    }

    fn commit<'a>(self: Box<Self>, path: &'a str) -> BoxFuture<'a, Result<()>> {
        self.move_to(path).boxed()
    }
}
