//! An upload is a file that grows, as distribution has it: `…/_uploads/<uuid>/data`. In the end it is renamed.
//!
//! There is nothing to know but how far it came, so distribution's own uploads can be continued, and ours by distribution.

use std::fs::OpenOptions;
use std::io::{self, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::disk::Disk;
use super::pieces::Pieces;
use super::{place, replace};
use crate::{Error, Kind, Result, Upload, UploadState};

/// Begins an upload at `file`, or goes on with it.
pub(super) async fn open(
    disk: &Arc<Disk>,
    at: &str,
    file: PathBuf,
    state: Option<UploadState>,
) -> Result<Box<dyn Upload>> {
    let lies_at = file.clone();
    let offset = state.as_ref().map_or(0, |state| state.offset);
    let begin = move |disk: &Disk| {
        if state.is_none() {
            let mut how = OpenOptions::new();
            return replace::open_below(disk, &file, how.write(true).create(true).truncate(true)).map(Some);
        }
        let mut opened = OpenOptions::new().write(true).open(&file)?;
        if opened.metadata()?.len() < offset {
            return Ok(None);
        }
        opened.set_len(offset)?;
        opened.seek(SeekFrom::Start(offset))?;
        Ok(Some((opened, Vec::new())))
    };
    let Some((file, changed)) = disk.run("go on with the upload at", at, begin).await? else {
        return Err(Error::new(
            Kind::Broken,
            format!("go on with the upload at {at}: less than {offset} bytes are there"),
        ));
    };
    let pieces = Pieces::new(Arc::clone(disk), at, file, offset);
    Ok(Box::new(FileUpload { file: lies_at, pieces, changed: (offset == 0).then_some(changed) }))
}

struct FileUpload {
    file: PathBuf,
    pieces: Pieces,
    /// The directories to sync so that the file is found again; `None` once that is done.
    changed: Option<Vec<PathBuf>>,
}

impl FileUpload {
    async fn save_bytes(&mut self) -> Result<UploadState> {
        self.pieces.flush().await?;
        let file = Arc::clone(self.pieces.file());
        let folder = replace::folder_of(&self.file).to_owned();
        let changed = self.changed.clone();
        let sync = move |disk: &Disk| {
            file.sync_data()?;
            changed.map_or(Ok(()), |changed| disk.syncs().settle(&folder, &changed))
        };
        self.pieces.disk().run("save the upload at", self.pieces.path(), sync).await?;
        self.changed = None;
        Ok(UploadState { offset: self.pieces.offset(), detail: serde_json::Value::Null })
    }

    async fn move_to(mut self, path: &str) -> Result<()> {
        self.pieces.flush().await?;
        let disk = Arc::clone(self.pieces.disk());
        let target = place::file(disk.root(), path)?;
        let file = Arc::clone(self.pieces.file());
        let source = self.file;
        let commit = move |disk: &Disk| -> io::Result<()> {
            file.sync_all()?;
            replace::move_to(disk, &source, &target)?;
            replace::prune(disk, replace::folder_of(&source));
            Ok(())
        };
        disk.run("finish the upload as", path, commit).await
    }
}

impl Upload for FileUpload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.pieces.write(bytes).boxed()
    }

    fn save(&mut self) -> BoxFuture<'_, Result<UploadState>> {
        self.save_bytes().boxed()
    }

    fn commit<'a>(self: Box<Self>, path: &'a str) -> BoxFuture<'a, Result<()>> {
        self.move_to(path).boxed()
    }
}
