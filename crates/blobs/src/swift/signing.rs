//! Addresses from which clients read by themselves: which key signs them, and whether the store takes them.
//!
//! Only keys of the container are ever written: one of the account would be every other application's of the project as well. There are two places
//! for keys, so that a new one can come before the old one goes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jeroboam_model::Timestamp;
use jeroboam_openstack::object_store::{TempUrl, TempUrlDigest};
use secrecy::SecretString;
use tokio::sync::Mutex;
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::Inner;
use super::config::TempUrlConfig;
use super::failure::failed;
use crate::Result;

/// What is known is looked at again after so long; sooner where it did not work.
const GOOD_FOR: Duration = Duration::from_secs(600);
const BAD_FOR: Duration = Duration::from_secs(120);
const AWAY_FOR: Duration = Duration::from_secs(15);

/// Proxies of Swift remember a container's keys for a minute; addresses of an old key end within a day.
const OLD_KEY_STAYS: Duration = Duration::from_secs(86_400);

/// For so long a new key of ours is not signed with: whoever saw none at the same moment may write another one over it.
const SETTLES: Duration = Duration::from_secs(15);

/// Longest life of an address: an old key is dropped after a day.
const LONGEST: Duration = Duration::from_secs(43_200);

const FIRST: &str = "temp-url-key";
const SECOND: &str = "temp-url-key-2";
/// When the newest key was written, and where: a note of ours.
const TURNED: &str = "jeroboam-key-turned";
const NEWEST: &str = "jeroboam-key-newest";

#[derive(Debug)]
pub(crate) struct Signing {
    config: TempUrlConfig,
    known: Mutex<Option<Known>>,
    /// Found not to work: nobody needs to ask.
    broken: AtomicBool,
}

#[derive(Clone, Debug)]
struct Known {
    how: Option<TempUrl>,
    until: Timestamp,
}

/// What to do about a container's keys.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// Nothing: these are the keys to try, the newest first.
    Keep(Vec<String>),
    /// Nothing yet: the only key is too new.
    Wait,
    /// Write a new key here.
    Write(&'static str),
    /// Remove the key here, which no address is signed with any more.
    Drop(&'static str),
}

/// Decides by the container's notes.
fn plan(notes: &[(String, String)], rotate_after: Option<Duration>, now: Timestamp) -> Plan {
    let note = |name: &str| {
        let found = notes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    };
    let turned: Option<i64> = note(TURNED).and_then(|text| text.parse().ok());
    let newest = note(NEWEST).and_then(|text| [FIRST, SECOND].into_iter().find(|slot| *slot == text));
    let age = turned.map(|turned| now.as_second() - turned);
    let older = |limit: Duration| age.is_some_and(|age| age >= i64::try_from(limit.as_secs()).unwrap_or(i64::MAX));
    // Clocks are a little apart, so that a moment to come is now as well.
    let is_new = age.is_some_and(|age| age.unsigned_abs() < SETTLES.as_secs());
    match (note(FIRST), note(SECOND)) {
        (None, None) => Plan::Write(FIRST),
        (Some(key), None) | (None, Some(key)) => {
            let (here, free) = if note(FIRST).is_some() { (FIRST, SECOND) } else { (SECOND, FIRST) };
            if is_new && newest == Some(here) {
                return Plan::Wait;
            }
            // A key of which we do not know the age is somebody else's.
            let due = newest.is_some() && rotate_after.is_some_and(older);
            if due { Plan::Write(free) } else { Plan::Keep(vec![key.to_owned()]) }
        }
        (Some(first), Some(second)) => match newest {
            Some(SECOND) if is_new => Plan::Keep(vec![first.to_owned()]),
            Some(FIRST) if is_new => Plan::Keep(vec![second.to_owned()]),
            Some(SECOND) if older(OLD_KEY_STAYS) => Plan::Drop(FIRST),
            Some(FIRST) if older(OLD_KEY_STAYS) => Plan::Drop(SECOND),
            Some(SECOND) => Plan::Keep(vec![second.to_owned(), first.to_owned()]),
            _ => Plan::Keep(vec![first.to_owned(), second.to_owned()]),
        },
    }
}

impl Signing {
    pub(crate) fn new(config: TempUrlConfig) -> Self {
        Self { config, known: Mutex::new(None), broken: AtomicBool::new(false) }
    }

    pub(crate) fn may_work(&self) -> bool {
        self.config.enabled && !self.broken.load(Ordering::Relaxed)
    }

    /// An address from which anybody can read; `None` where the store takes none.
    pub(crate) async fn address(&self, inner: &Inner, path: &str, lifetime: Duration) -> Result<Option<String>> {
        if !self.config.enabled {
            return Ok(None);
        }
        let now = inner.store.store_time();
        let mut known = self.known.lock().await;
        let current = match known.as_ref().filter(|known| now < known.until) {
            Some(known) => known.clone(),
            None => {
                let fresh = self.find_out(inner, now).await;
                // What worked a moment ago still does while the store cannot be asked.
                let fresh = fresh.unwrap_or_else(|error| {
                    debug!("signed addresses cannot be looked at now: {error}");
                    Known { how: known.as_ref().and_then(|known| known.how.clone()), until: now + AWAY_FOR }
                });
                self.broken.store(fresh.how.is_none(), Ordering::Relaxed);
                known.insert(fresh).clone()
            }
        };
        drop(known);
        let Some(how) = current.how else { return Ok(None) };
        let signed = inner.store.temp_url(&how, &inner.names.file(path), now + lifetime.min(LONGEST)).await;
        signed.map(Some).map_err(|error| failed(format!("sign an address of {path}"), error))
    }

    async fn find_out(&self, inner: &Inner, now: Timestamp) -> Result<Known> {
        let keys = match &self.config.key {
            Some(key) => vec![key.clone()],
            None => match self.keys(inner, now).await? {
                Some(keys) => keys,
                None => return Ok(Known { how: None, until: now + SETTLES }),
            },
        };
        if keys.is_empty() {
            return Ok(Known { how: None, until: now + BAD_FOR });
        }
        let digests = self.digests(inner).await;
        let missing = inner.names.trial(&Uuid::new_v4().simple().to_string());
        for key in keys {
            for digest in &digests {
                for bare_path in [false, true] {
                    let how = TempUrl { key: key.clone(), digest: *digest, bare_path };
                    let works = inner.store.temp_url_works(&how, &missing, now + BAD_FOR).await;
                    if works.map_err(|error| failed("try a signed address of swift".to_owned(), error))? {
                        return Ok(Known { how: Some(how), until: now + GOOD_FOR });
                    }
                }
            }
        }
        info!("the object store takes no signed addresses of ours: everything is read through us");
        Ok(Known { how: None, until: now + BAD_FOR })
    }

    /// The keys to try; whoever may not see them has none. `None`: there is one, which has to stay for a while first.
    async fn keys(&self, inner: &Inner, now: Timestamp) -> Result<Option<Vec<SecretString>>> {
        inner.ready().await?;
        for _ in 0..2 {
            let notes = inner.store.container_notes().await;
            let notes = notes.map_err(|error| failed("look at the container of swift".to_owned(), error))?;
            let change = match plan(&notes.unwrap_or_default(), self.config.rotate_after, now) {
                Plan::Keep(keys) => return Ok(Some(keys.into_iter().map(SecretString::from).collect())),
                Plan::Wait => {
                    info!(
                        "the key for signed addresses is new: everything is read through us until it has stayed for a while"
                    );
                    return Ok(None);
                }
                Plan::Write(slot) => {
                    let key = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
                    let turned = now.as_second().to_string();
                    inner.store.note_container(&[(slot, &key), (TURNED, &turned), (NEWEST, slot)]).await
                }
                Plan::Drop(slot) => inner.store.note_container(&[(slot, "")]).await,
            };
            if let Err(error) = change {
                warn!("the key for signed addresses cannot be written to the container: {error}");
                return Ok(Some(Vec::new()));
            }
        }
        Ok(Some(Vec::new()))
    }

    /// The better one first, and only those that the store says it takes, where it says.
    async fn digests(&self, inner: &Inner) -> Vec<TempUrlDigest> {
        let both = vec![TempUrlDigest::Sha256, TempUrlDigest::Sha1];
        let Ok(Some(told)) = inner.store.info().await else { return both };
        if told.temp_url_digests.is_empty() {
            return both;
        }
        let takes = |digest: &TempUrlDigest| {
            let name = match digest {
                TempUrlDigest::Sha1 => "sha1",
                TempUrlDigest::Sha256 => "sha256",
            };
            told.temp_url_digests.iter().any(|known| known == name)
        };
        both.into_iter().filter(takes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_before_the_old_one_goes() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let day = Some(Duration::from_secs(86_400));
        let keep = |keys: &[&str]| Plan::Keep(keys.iter().map(|key| (*key).to_owned()).collect());
        for (notes, rotate_after, wanted) in [
            (vec![], None, Plan::Write(FIRST)),
            (vec![(FIRST, "a")], day, keep(&["a"])),
            (vec![(FIRST, "a"), (NEWEST, FIRST), (TURNED, "999990")], None, Plan::Wait),
            (vec![(SECOND, "a"), (NEWEST, SECOND), (TURNED, "1000010")], day, Plan::Wait),
            (vec![(FIRST, "a"), (NEWEST, SECOND), (TURNED, "999990")], day, keep(&["a"])),
            (vec![(FIRST, "a"), (NEWEST, FIRST), (TURNED, "999880")], day, keep(&["a"])),
            (vec![(FIRST, "a"), (NEWEST, FIRST), (TURNED, "1001000")], day, keep(&["a"])),
            (vec![(FIRST, "a"), (NEWEST, FIRST), (TURNED, "990000")], day, keep(&["a"])),
            (vec![(FIRST, "a"), (NEWEST, FIRST), (TURNED, "900000")], None, keep(&["a"])),
            (vec![(FIRST, "a"), (NEWEST, FIRST), (TURNED, "900000")], day, Plan::Write(SECOND)),
            (vec![(FIRST, "a"), (SECOND, "b"), (NEWEST, SECOND), (TURNED, "999990")], day, keep(&["a"])),
            (vec![(FIRST, "a"), (SECOND, "b"), (NEWEST, FIRST), (TURNED, "999990")], day, keep(&["b"])),
            (vec![(FIRST, "a"), (SECOND, "b"), (NEWEST, SECOND), (TURNED, "990000")], day, keep(&["b", "a"])),
            (vec![(FIRST, "a"), (SECOND, "b"), (NEWEST, SECOND), (TURNED, "900000")], day, Plan::Drop(FIRST)),
            (vec![(SECOND, "b"), (NEWEST, SECOND), (TURNED, "900000")], day, Plan::Write(FIRST)),
            (vec![(FIRST, "a"), (SECOND, "b")], day, keep(&["a", "b"])),
            (vec![(FIRST, ""), (SECOND, "b")], day, keep(&["b"])),
        ] {
            let owned: Vec<(String, String)> =
                notes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(plan(&owned, rotate_after, now), wanted, "{notes:?}");
        }
    }
}
