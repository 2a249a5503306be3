//! The state's journal: one JSON line per step, compacted now and then into a file that takes the old one's place by name.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::state::Change;

const FILE: &str = "state.jsonl";
/// Lines beyond what the documents need before the journal is written anew.
const SLACK: usize = 2_000;

/// One line: a step, or a part of a compacted state.
#[derive(Deserialize)]
struct Line {
    revision: u64,
    changes: Vec<(String, String, Option<Value>)>,
}

#[derive(Serialize)]
struct LineOut<'a> {
    revision: u64,
    changes: Vec<(&'a str, &'a str, Option<&'a Value>)>,
}

/// What a journal held.
pub(crate) struct Loaded {
    /// The last revision.
    pub(crate) revision: u64,
    /// Collection, id and document.
    pub(crate) documents: Vec<(String, String, Value)>,
}

/// The open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
}

// === impl Journal ===

impl Journal {
    /// Opens or makes the journal in `dir` and reads it.
    pub(crate) fn open(dir: &Path, fresh: bool) -> io::Result<(Self, Loaded)> {
        std::fs::create_dir_all(dir)?;
        let path = dir.join(FILE);
        if fresh && path.exists() {
            std::fs::remove_file(&path)?;
        }
        let (documents, revision) = if path.exists() { read(&path)? } else { (BTreeMap::new(), 0) };
        // Written anew at every start, which also drops a line that a killed process left unfinished.
        let all = documents.iter().map(|((collection, id), document)| (collection.as_str(), id.as_str(), document));
        let (file, lines) = write_all(&path, revision, all)?;
        let documents = documents.into_iter().map(|((collection, id), document)| (collection, id, document)).collect();
        Ok((Self { path, file, lines }, Loaded { revision, documents }))
    }

    /// Adds one step. The line reaches the kernel before this returns, so a killed process loses nothing.
    pub(crate) fn append(&mut self, revision: u64, changes: &[Change]) -> io::Result<()> {
        let changes =
            changes.iter().map(|change| (&*change.collection, &*change.id, change.after.as_deref())).collect();
        self.lines += 1;
        self.file.write_all(&line(revision, changes)?)
    }

    /// Whether the journal has become much longer than the documents in it.
    pub(crate) const fn wants_compaction(&self, documents: usize) -> bool {
        self.lines > documents * 4 + SLACK
    }

    /// Writes the whole state into a new file and puts it in the old one's place.
    pub(crate) fn compact<'a>(
        &mut self,
        revision: u64,
        all: impl Iterator<Item = (&'a str, &'a str, &'a Value)>,
    ) -> io::Result<()> {
        (self.file, self.lines) = write_all(&self.path, revision, all)?;
        Ok(())
    }
}

fn line(revision: u64, changes: Vec<(&str, &str, Option<&Value>)>) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(&LineOut { revision, changes })?;
    bytes.push(b'\n');
    Ok(bytes)
}

type Documents = BTreeMap<(String, String), Value>;

fn read(path: &Path) -> io::Result<(Documents, u64)> {
    let mut documents = BTreeMap::new();
    let mut revision = 0;
    let mut reader = BufReader::new(File::open(path)?);
    let mut text = Vec::new();
    while reader.read_until(b'\n', &mut text)? > 0 {
        let parsed: Result<Line, _> = serde_json::from_slice(&text);
        match parsed {
            Ok(line) => {
                revision = revision.max(line.revision);
                for (collection, id, document) in line.changes {
                    match document {
                        Some(document) => documents.insert((collection, id), document),
                        None => documents.remove(&(collection, id)),
                    };
                }
            }
            Err(_) if reader.fill_buf()?.is_empty() => break,
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
        text.clear();
    }
    Ok((documents, revision))
}

fn write_all<'a>(
    path: &Path,
    revision: u64,
    all: impl Iterator<Item = (&'a str, &'a str, &'a Value)>,
) -> io::Result<(File, usize)> {
    let temporary = path.with_extension("new");
    let mut lines = 1;
    let mut writer = BufWriter::new(File::create(&temporary)?);
    writer.write_all(&line(revision, Vec::new())?)?;
    for (collection, id, document) in all {
        writer.write_all(&line(revision, vec![(collection, id, Some(document))])?)?;
        lines += 1;
    }
    writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    std::fs::rename(&temporary, path)?;
    Ok((OpenOptions::new().append(true).open(path)?, lines))
}
