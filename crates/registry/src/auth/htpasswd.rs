//! A file of users: `name:hash` lines, as Apache's htpasswd writes them.
//!
//! The file is read again when it changes, and never made. A name that nobody has costs as much time as one that somebody has; a password is
//! remembered by its keyed hash for a while, right or wrong, so that a client that shows it with each request costs little.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_model::Clock;
use moka::sync::Cache;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tracing::warn;

use super::followed::{FileError, Followed};
use super::hash::{self, Hash};
use super::keyed::{Keyed, Sum};
use super::permissions::Permissions;
use crate::config::{HtpasswdConfig, Rule};

/// How long a password is remembered.
const REMEMBERED: Duration = Duration::from_secs(300);
/// So many that were right are remembered, and so many that were wrong.
const MOST: u64 = 10_000;
/// Who has not had a turn at hashing by then is told to come again.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came of looking at a name and a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// They belong together.
    Right,
    /// They do not.
    Wrong,
    /// There are too many others.
    Busy,
}

pub(super) struct Htpasswd {
    pub(super) realm: String,
    rules: Vec<Rule>,
    file: Followed<HashMap<String, Hash>>,
    keyed: Keyed,
    right: Cache<Sum, ()>,
    wrong: Cache<Sum, ()>,
    room: Semaphore,
    /// Compared with the password of a name that nobody has.
    nobody: Hash,
}

impl Htpasswd {
    pub(super) fn open(config: HtpasswdConfig, hashing: usize, clock: Arc<dyn Clock>) -> Result<Self, FileError> {
        let file = Followed::open(config.path, |text| Ok(parse(text)), clock)?;
        let memory = || Cache::builder().max_capacity(MOST).time_to_live(REMEMBERED).build();
        let made = hash::hash_password(&"nobody".into(), hash::Method::Bcrypt, Some(hash::USUAL_COST));
        Ok(Self {
            realm: config.realm,
            rules: config.rules,
            file,
            keyed: Keyed::random(),
            right: memory(),
            wrong: memory(),
            room: Semaphore::new(hashing),
            nobody: Hash::Bcrypt(made.unwrap_or_default()),
        })
    }

    /// Whether a password was right a moment ago, and the file still says so.
    pub(super) fn was_right(&self, name: &str, password: &SecretString) -> bool {
        let users = self.file.get();
        let sum = users.get(name).map(|hash| self.keyed.sum(&[name, hash.text()], password));
        sum.is_some_and(|sum| self.right.contains_key(&sum))
    }

    pub(super) async fn check(&self, name: &str, password: &SecretString) -> Outcome {
        let users = self.file.get();
        let known = users.get(name);
        let hash = known.unwrap_or(&self.nobody).clone();
        let sum = self.keyed.sum(&[name, hash.text()], password);
        if known.is_some() && self.right.contains_key(&sum) {
            return Outcome::Right;
        }
        if self.wrong.contains_key(&sum) {
            return Outcome::Wrong;
        }
        let Ok(Ok(place)) = tokio::time::timeout(PATIENCE, self.room.acquire()).await else { return Outcome::Busy };
        let password = password.clone();
        let matches = tokio::task::spawn_blocking(move || hash.matches(&password)).await;
        drop(place);
        match matches {
            Ok(true) if known.is_some() => {
                self.right.insert(sum, ());
                Outcome::Right
            }
            Ok(_) => {
                self.wrong.insert(sum, ());
                Outcome::Wrong
            }
            Err(_) => Outcome::Wrong,
        }
    }

    /// Whether the file still knows a name with the same hash as when `fingerprint` was taken.
    pub(super) fn fingerprint(&self, name: &str) -> Option<String> {
        let users = self.file.get();
        users.get(name).map(|hash| super::keyed::fingerprint(&[name, hash.text()]))
    }

    pub(super) fn permissions(&self, name: &str) -> Permissions {
        if self.rules.is_empty() { Permissions::everything() } else { Permissions::of_rules(&self.rules, &[name]) }
    }
}

/// Reads the lines. One that cannot be used is named in the log, and nobody gets in with it.
fn parse(text: &str) -> HashMap<String, Hash> {
    let mut users = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = number + 1;
        let Some((name, hash)) = line.split_once(':') else {
            warn!("line {number} of the file of users is no name:hash and lets nobody in");
            continue;
        };
        match Hash::parse(hash.trim()) {
            Ok(hash) => drop(users.insert(name.to_owned(), hash)),
            Err(why) => warn!(user.name = name, "line {number} of the file of users lets nobody in: {why}"),
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use jeroboam_model::{ManualClock, Timestamp};

    use super::*;
    use crate::access::Action;
    use crate::config::Prefix;

    fn line(name: &str, password: &str) -> String {
        let hash = hash::hash_password(&password.into(), hash::Method::Bcrypt, Some(4)).expect("a hash");
        format!("{name}:{hash}\n")
    }

    #[tokio::test]
    async fn users_of_the_file_are_known_as_long_as_they_stand_in_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("users");
        std::fs::write(&path, format!("# ours\n\n{}broken\nold:$apr1$x$y\n", line("ada", "one"))).expect("written");
        let rule = Rule {
            names: vec!["ada".to_owned()],
            prefixes: vec![Prefix::Below("team".to_owned())],
            actions: vec![Action::Pull],
            catalog: false,
        };
        let config = HtpasswdConfig { realm: "r".to_owned(), path: path.clone(), rules: vec![rule] };
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let users = Htpasswd::open(config, 1, clock.clone()).expect("a file");
        for (name, password, outcome) in [
            ("ada", "one", Outcome::Right),
            ("ada", "one", Outcome::Right),
            ("ada", "two", Outcome::Wrong),
            ("ada", "a new one", Outcome::Wrong),
            ("old", "one", Outcome::Wrong),
            ("nobody", "nobody", Outcome::Wrong),
        ] {
            assert_eq!(users.check(name, &password.into()).await, outcome, "{name} {password}");
        }
        let before = users.fingerprint("ada");
        assert!(before.is_some() && users.fingerprint("nobody").is_none());
        assert!(users.permissions("ada").allows_in("team/a", Action::Pull));
        assert!(users.permissions("bob").is_empty());
        std::fs::write(&path, line("ada", "a new one")).expect("written");
        clock.advance(Duration::from_secs(2));
        assert_eq!(users.check("ada", &"one".into()).await, Outcome::Wrong, "what is remembered is of the old hash");
        assert_eq!(users.check("ada", &"a new one".into()).await, Outcome::Right);
        assert_ne!(users.fingerprint("ada"), before);
        // What was shown before is known without any computing, also that it is wrong.
        users.room.close();
        assert_eq!(users.check("ada", &"one".into()).await, Outcome::Wrong);
        assert_eq!(users.check("ada", &"never shown".into()).await, Outcome::Busy);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_too_long_is_told_so() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("users");
        std::fs::write(&path, line("ada", "one")).expect("written");
        let config = HtpasswdConfig { realm: "r".to_owned(), path, rules: Vec::new() };
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let users = Htpasswd::open(config, 1, clock).expect("a file");
        let _all = users.room.acquire().await.expect("a place");
        assert_eq!(users.check("ada", &"one".into()).await, Outcome::Busy);
    }
}
