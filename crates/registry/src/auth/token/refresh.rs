//! Refresh tokens: what a client keeps in place of a password. Only their hashes are kept here, one file for each.
//!
//! What goes is what is known to have ended, and the oldest one of a user who wants too many. A file that cannot be read stays: it may be the disk.

use std::collections::HashMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use jeroboam_model::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::fs;
use tokio::sync::Mutex;
use tracing::warn;

use crate::auth::keyed::random_text;

/// Most refresh tokens that are kept.
const MOST: usize = 10_000;

/// Most of one user.
const MOST_OF_ONE: usize = 100;

/// How often is looked at all of them: others may keep theirs in the same directory.
const OFTEN: Duration = Duration::from_secs(60);

/// What is known of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::auth) struct Record {
    /// Whose it is.
    pub(in crate::auth) user: String,
    /// Of the user's password when it was given: with another password it is worth nothing.
    pub(in crate::auth) fingerprint: String,
    /// When it ends, in seconds.
    pub(in crate::auth) ends: i64,
}

pub(in crate::auth) struct RefreshTokens {
    directory: PathBuf,
    lifetime: Duration,
    known: Mutex<Known>,
}

/// What is in the directory.
#[derive(Default)]
struct Known {
    looked: Option<Timestamp>,
    /// When those of each user end, and where they are.
    users: HashMap<String, Vec<(i64, PathBuf)>>,
    /// Files that could not be read.
    unread: usize,
}

impl Known {
    fn count(&self) -> usize {
        self.unread + self.users.values().map(Vec::len).sum::<usize>()
    }
}

/// Nothing can be kept.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The directory cannot be written or read.
    #[error("keep refresh tokens in {}", .0.display())]
    Directory(PathBuf, #[source] std::io::Error),
    /// There are too many.
    #[error("keep more than {MOST} refresh tokens")]
    TooMany,
}

impl RefreshTokens {
    /// Keeps them in this directory, which has to be nobody else's. Where it is not there it is made.
    pub(in crate::auth) fn open(directory: PathBuf, lifetime: Duration) -> Result<Self, RefreshError> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        match made.and_then(|()| std::fs::read_dir(&directory)) {
            Ok(_) => Ok(Self { directory, lifetime, known: Mutex::default() }),
            Err(error) => Err(RefreshError::Directory(directory, error)),
        }
    }

    /// A new one.
    pub(in crate::auth) async fn give(
        &self,
        user: &str,
        fingerprint: String,
        now: Timestamp,
    ) -> Result<SecretString, RefreshError> {
        let mut known = self.known.lock().await;
        self.look(&mut known, now).await?;
        self.make_room(&mut known, user).await?;
        let token = SecretString::from(random_text());
        let ends = now.as_second().saturating_add(i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX));
        let record = Record { user: user.to_owned(), fingerprint, ends };
        let path = self.path(&token);
        let staged = path.with_extension("tmp");
        let bytes = serde_json::to_vec(&record).unwrap_or_default();
        let written = async {
            fs::write(&staged, bytes).await?;
            fs::rename(&staged, &path).await
        };
        written.await.map_err(|error| RefreshError::Directory(self.directory.clone(), error))?;
        known.users.entry(user.to_owned()).or_default().push((ends, path));
        Ok(token)
    }

    /// What is known of one; none of one that nobody was given, or that has ended.
    pub(in crate::auth) async fn find(&self, token: &SecretString, now: Timestamp) -> Option<Record> {
        // The name is a hash: how long it takes to find says nothing about the token.
        let bytes = fs::read(self.path(token)).await.ok()?;
        let record: Record = serde_json::from_slice(&bytes).ok()?;
        (record.ends > now.as_second()).then_some(record)
    }

    /// Looks at all that are there, unless that was done a moment ago, and forgets those that have ended.
    async fn look(&self, known: &mut Known, now: Timestamp) -> Result<(), RefreshError> {
        if known.looked.is_some_and(|looked| now.duration_since(looked).unsigned_abs() < OFTEN) {
            return Ok(());
        }
        let failed = |error| RefreshError::Directory(self.directory.clone(), error);
        let mut found = Known { looked: Some(now), ..Known::default() };
        let mut entries = fs::read_dir(&self.directory).await.map_err(failed)?;
        while let Some(entry) = entries.next_entry().await.map_err(failed)? {
            let path = entry.path();
            if path.extension().is_none_or(|ending| ending != "refresh") {
                continue;
            }
            let read = fs::read(&path).await.map(|bytes| serde_json::from_slice::<Record>(&bytes));
            match read {
                Ok(Ok(record)) if record.ends > now.as_second() => {
                    found.users.entry(record.user).or_default().push((record.ends, path));
                }
                // Somebody else may be doing the same.
                Ok(Ok(_)) => drop(fs::remove_file(&path).await),
                Ok(Err(_)) | Err(_) => found.unread += 1,
            }
        }
        if found.unread > 0 {
            warn!(files = found.unread, "there are refresh tokens that cannot be read, and stay");
        }
        *known = found;
        Ok(())
    }

    /// The oldest of a user goes who has too many, so that one user keeps no other from having any.
    async fn make_room(&self, known: &mut Known, user: &str) -> Result<(), RefreshError> {
        if let Some(theirs) = known.users.get_mut(user).filter(|theirs| theirs.len() >= MOST_OF_ONE) {
            theirs.sort_unstable();
            let (_, path) = theirs.remove(0);
            drop(fs::remove_file(&path).await);
        }
        if known.count() >= MOST { Err(RefreshError::TooMany) } else { Ok(()) }
    }

    fn path(&self, token: &SecretString) -> PathBuf {
        let sum = digest(&SHA256, token.expose_secret().as_bytes());
        let name: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        self.directory.join(name).with_extension("refresh")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_directory_is_made_for_nobody_else_to_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("refresh");
        for _ in 0..2 {
            assert!(RefreshTokens::open(path.clone(), Duration::from_secs(60)).is_ok());
        }
        let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::write(dir.path().join("file"), "").expect("written");
        assert!(RefreshTokens::open(dir.path().join("file"), Duration::from_secs(60)).is_err());
    }

    #[tokio::test]
    async fn a_refresh_token_is_found_until_it_ends_and_stands_nowhere() {
        let dir = tempfile::tempdir().expect("a directory");
        let tokens = RefreshTokens::open(dir.path().to_owned(), Duration::from_secs(60)).expect("a directory");
        let now = Timestamp::from_second(1000).expect("a time");
        let token = tokens.give("ada", "f".to_owned(), now).await.expect("a token");
        let record = tokens.find(&token, now).await.expect("it is known");
        assert_eq!((record.user.as_str(), record.fingerprint.as_str()), ("ada", "f"));
        assert_eq!(tokens.find(&"../other".into(), now).await, None);
        for entry in std::fs::read_dir(dir.path()).expect("a directory") {
            let path = entry.expect("an entry").path();
            let kept = format!("{}{}", path.display(), std::fs::read_to_string(&path).expect("a text"));
            assert!(!kept.contains(token.expose_secret()));
        }
        let later = Timestamp::from_second(1060).expect("a time");
        assert_eq!(tokens.find(&token, later).await, None);
        tokens.give("bob", "g".to_owned(), later).await.expect("a token");
        assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 1, "what has ended is gone");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_stays_and_one_user_has_only_so_many() {
        let dir = tempfile::tempdir().expect("a directory");
        let tokens = RefreshTokens::open(dir.path().to_owned(), Duration::from_secs(600)).expect("a directory");
        let now = Timestamp::from_second(1000).expect("a time");
        let of_bob = tokens.give("bob", "f".to_owned(), now).await.expect("a token");
        // What is there and cannot be read, as when there are too many open files.
        let unread = dir.path().join("0000.refresh");
        std::fs::create_dir(&unread).expect("made");
        std::fs::write(dir.path().join("0001.refresh"), "{").expect("written");
        let first = tokens.give("ada", "f".to_owned(), now).await.expect("a token");
        let later = Timestamp::from_second(1100).expect("a time");
        for _ in 0..MOST_OF_ONE {
            tokens.give("ada", "f".to_owned(), later).await.expect("a token");
        }
        assert!(unread.exists() && dir.path().join("0001.refresh").exists());
        assert_eq!(tokens.find(&first, later).await, None, "the oldest made room");
        assert!(tokens.find(&of_bob, later).await.is_some(), "those of others stay");
        assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), MOST_OF_ONE + 1 + 2);
    }
}
