//! A file that is read again when it changes, by whoever asks next.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jeroboam_model::{Clock, Timestamp};
use tracing::{info, warn};

/// It is looked at no more often than this.
const LOOK: Duration = Duration::from_secs(1);
/// Longest file that is read.
const LONGEST: u64 = 16 << 20;

/// What a text means, or why it means nothing.
type Read<T> = Box<dyn Fn(&str) -> Result<T, String> + Send + Sync>;

/// What a file says, as it was read last.
pub(crate) struct Followed<T> {
    path: PathBuf,
    read: Read<T>,
    clock: Arc<dyn Clock>,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Arc<T>,
    stamp: Stamp,
    looked: Timestamp,
}

type Stamp = (Option<SystemTime>, u64);

/// The file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("read {}: {reason}", path.display())]
pub struct FileError {
    path: PathBuf,
    reason: String,
}

impl<T> Followed<T> {
    /// Reads the file for the first time.
    pub(crate) fn open(
        path: PathBuf,
        read: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, FileError> {
        let read: Read<T> = Box::new(read);
        let (value, stamp) = load(&path, &read).map_err(|reason| FileError { path: path.clone(), reason })?;
        let state = State { value: Arc::new(value), stamp, looked: clock.now() };
        Ok(Self { path, read, clock, state: Mutex::new(state) })
    }

    /// What the file says now. One that cannot be read changes nothing, and is named in the log once.
    pub(crate) fn get(&self) -> Arc<T> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.duration_since(state.looked).unsigned_abs();
        if passed < LOOK {
            return Arc::clone(&state.value);
        }
        state.looked = now;
        let stamp = fs::metadata(&self.path).map(|meta| (meta.modified().ok(), meta.len())).ok();
        if stamp.is_some_and(|stamp| stamp != state.stamp) {
            let path = self.path.display();
            match load(&self.path, &self.read) {
                Ok((value, stamp)) => {
                    state.value = Arc::new(value);
                    state.stamp = stamp;
                    info!("{path} was read again");
                }
                Err(reason) => {
                    state.stamp = stamp.unwrap_or(state.stamp);
                    warn!("{path} can not be read, what it said before stays in force: {reason}");
                }
            }
        }
        Arc::clone(&state.value)
    }
}

fn load<T>(path: &PathBuf, read: &Read<T>) -> Result<(T, Stamp), String> {
    let meta = fs::metadata(path).map_err(|error| error.to_string())?;
    if meta.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    Ok((read(&text)?, (meta.modified().ok(), meta.len())))
}

#[cfg(test)]
mod tests {
    use jeroboam_model::ManualClock;

    use super::*;

    #[test]
    fn a_file_that_changes_is_read_again_and_one_that_breaks_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        let number = |text: &str| text.trim().parse::<u32>().map_err(|error| error.to_string());
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        assert!(Followed::open(path.clone(), number, clock.clone()).is_err(), "there is no file");
        fs::write(&path, "1").expect("written");
        let followed = Followed::open(path.clone(), number, clock.clone()).expect("a number");
        fs::write(&path, "22").expect("written");
        assert_eq!(*followed.get(), 1, "it is looked at once a second");
        clock.advance(LOOK);
        assert_eq!(*followed.get(), 22);
        fs::write(&path, "none").expect("written");
        clock.advance(LOOK);
        assert_eq!(*followed.get(), 22);
        fs::remove_file(&path).expect("gone");
        clock.advance(LOOK);
        assert_eq!(*followed.get(), 22);
    }
}
