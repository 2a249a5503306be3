//! Temporary files that nobody finishes any more.
//!
//! Uploads are files under paths of their own here, so they are found by a listing and removed by name.

use std::io;
use std::path::Path;

use jeroboam_model::Timestamp;

use super::disk::{Disk, is_absent};
use super::{place, read, replace};
use crate::Swept;

/// Finds temporary files that were last written before `older_than`, and unless `dry_run` removes them.
pub(super) fn sweep(disk: &Disk, older_than: Timestamp, dry_run: bool) -> io::Result<Swept> {
    let mut sweeping = Sweeping { disk, older_than, dry_run, swept: Swept::default() };
    sweeping.folder(disk.root())?;
    Ok(sweeping.swept)
}

struct Sweeping<'a> {
    disk: &'a Disk,
    older_than: Timestamp,
    dry_run: bool,
    swept: Swept,
}

impl Sweeping<'_> {
    /// Links are not followed: what they lead to is swept where it is.
    fn folder(&mut self, folder: &Path) -> io::Result<()> {
        let entries = match std::fs::read_dir(folder) {
            Err(error) if is_absent(&error) => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.folder(&entry.path())?;
            } else if kind.is_file() && entry.path().to_str().is_some_and(|path| path.ends_with(place::TEMPORARY)) {
                self.file(&entry.path())?;
            }
        }
        Ok(())
    }

    fn file(&mut self, file: &Path) -> io::Result<()> {
        let Some(meta) = read::meta(file)? else { return Ok(()) };
        if meta.modified.is_none_or(|modified| modified >= self.older_than) {
            return Ok(());
        }
        self.swept.objects += 1;
        self.swept.bytes += meta.size;
        if self.dry_run { Ok(()) } else { replace::remove(self.disk, &[file.to_owned()]) }
    }
}
