//! What a store can do beyond what all of them do, found out by trying: names and versions do not tell.
//!
//! What a trial showed is kept. What was refused, for want of a right or of room, is tried again after a while: rights are granted, and room is made.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jeroboam_model::{Clock, Timestamp};
use jeroboam_openstack::object_store::{ObjectStore, PutOptions, Segment};
use jeroboam_openstack::{Error as StoreError, Kind as StoreKind};
use md5::{Digest as _, Md5};
use tracing::{debug, info};
use uuid::Uuid;

use super::Inner;
use super::failure::failed;
use super::names::Names;

/// What was found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// `If-None-Match: *` keeps an object that is there.
    pub(crate) create_if_absent: bool,
    /// Static large objects work, and show their segments.
    pub(crate) static_objects: bool,
}

/// What is left of a trial goes by itself.
const LIFE: Duration = Duration::from_secs(600);

/// So many seconds the least is assumed of what was refused, before it is tried again.
const DOUBTED_FOR: i64 = 60;

/// What is known so far. One tries at a time, and the others wait for what comes of it.
pub(crate) struct Known {
    clock: Arc<dyn Clock>,
    trying: tokio::sync::Mutex<()>,
    found: Mutex<Option<Found>>,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    seen: Seen,
    facts: Facts,
    /// When the last trial was.
    at: Timestamp,
}

/// What trials showed: nothing, where they were refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    create_if_absent: Option<bool>,
    static_objects: Option<bool>,
}

impl Seen {
    fn is_all(self) -> bool {
        self.create_if_absent.is_some() && self.static_objects.is_some()
    }

    /// The newer word counts, where there is one.
    fn or(self, before: Self) -> Self {
        Self {
            create_if_absent: self.create_if_absent.or(before.create_if_absent),
            static_objects: self.static_objects.or(before.static_objects),
        }
    }

    /// Of what was not seen the least is assumed.
    fn facts(self) -> Facts {
        Facts {
            create_if_absent: self.create_if_absent.unwrap_or(false),
            static_objects: self.static_objects.unwrap_or(false),
        }
    }
}

impl Known {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, trying: tokio::sync::Mutex::new(()), found: Mutex::new(None) }
    }

    /// What was found out, whether or not it is still believed.
    pub(crate) fn facts(&self) -> Option<Facts> {
        self.found().as_ref().map(|found| found.facts)
    }

    fn believed(&self) -> Option<Facts> {
        let found = (*self.found())?;
        let age = self.clock.now().as_second() - found.at.as_second();
        (found.seen.is_all() || (0..DOUBTED_FOR).contains(&age)).then_some(found.facts)
    }

    fn found(&self) -> MutexGuard<'_, Option<Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// What the store can do.
    pub(crate) async fn facts(&self) -> crate::Result<Facts> {
        if let Some(facts) = self.known.believed() {
            return Ok(facts);
        }
        // Whoever knows anything does not wait for who tries again.
        let _turn = match (self.known.trying.try_lock(), self.known.facts()) {
            (Ok(turn), _) => turn,
            (Err(_), Some(facts)) => return Ok(facts),
            (Err(_), None) => self.known.trying.lock().await,
        };
        // Somebody may have tried while we waited.
        if let Some(facts) = self.known.believed() {
            return Ok(facts);
        }
        self.ready().await?;
        let before = *self.known.found();
        let trial = match (find_out(&self.store, &self.names).await, before) {
            (Ok(trial), _) => trial,
            // What was found out does not change while the store is away.
            (Err(error), Some(before)) => {
                debug!("what the object store can do cannot be tried again now: {error}");
                *self.known.found() = Some(Found { at: self.known.clock.now(), ..before });
                return Ok(before.facts);
            }
            (Err(error), None) => return Err(failed("find out what swift can do".to_owned(), error)),
        };
        let seen = trial.seen.or(before.map(|before| before.seen).unwrap_or_default());
        let facts = seen.facts();
        if before.is_none_or(|before| before.facts != facts) {
            say(facts, trial.refused.as_ref().filter(|_| !seen.is_all()));
        }
        *self.known.found() = Some(Found { seen, facts, at: self.known.clock.now() });
        Ok(facts)
    }
}

fn say(facts: Facts, refused: Option<&StoreError>) {
    if let Some(error) = refused {
        info!("not all can be tried that the store may be able to do, so that the least is assumed for now: {error}");
    }
    info!(
        swift.create_if_absent = facts.create_if_absent,
        swift.static_objects = facts.static_objects,
        "found out what the object store can do"
    );
}

/// What a trial came to.
#[derive(Debug, Default)]
struct Trial {
    seen: Seen,
    /// The last refusal, where there was one.
    refused: Option<StoreError>,
}

impl Trial {
    /// What a request gave; `None` where it was refused. That the store is away is an error: it says nothing of what it can do.
    fn take<T>(&mut self, came: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match came {
            Ok(given) => Ok(Some(given)),
            Err(error) if ObjectStore::is_away(&error) => Err(error),
            Err(error) => {
                self.refused = Some(error);
                Ok(None)
            }
        }
    }
}

/// Writes an object twice, and makes a large one of it.
async fn find_out(store: &ObjectStore, names: &Names) -> Result<Trial, StoreError> {
    let random = Uuid::new_v4().simple().to_string();
    let (plain, large) = (names.trial(&random), names.trial(&format!("{random}-large")));
    let bytes = Bytes::from_static(b"trial");
    let etag = md5_of(&bytes);
    let options = PutOptions { if_absent: true, expires_after: Some(LIFE), ..PutOptions::default() };
    let mut trial = Trial::default();
    if trial.take(store.put(&plain, bytes.clone(), &options).await)?.is_none() {
        return Ok(trial);
    }
    let overwritten = trial.take(store.put(&plain, bytes, &options).await)?;
    trial.seen.create_if_absent = overwritten.map(|overwritten| !overwritten);
    let segment = Segment { container: store.container().to_owned(), name: plain.clone(), size: 5, etag };
    let works = static_objects_work(store, &large, &segment).await;
    if let Err(error) = store.remove_all(&[large, plain]).await {
        debug!("trial objects are left: {error}");
    }
    trial.seen.static_objects = trial.take(works)?;
    Ok(trial)
}

/// Whether the store takes a static large object and shows its segment; an error where nobody can tell.
async fn static_objects_work(store: &ObjectStore, large: &str, segment: &Segment) -> Result<bool, StoreError> {
    match store.put_static(large, std::slice::from_ref(segment)).await {
        Ok(()) => Ok(store.static_segments(large).await?.is_some_and(|shown| shown.len() == 1)),
        Err(error) if ObjectStore::is_away(&error) || is_refusal(&error) => Err(error),
        Err(error) => {
            debug!("the object store makes no static large objects: {error}");
            Ok(false)
        }
    }
}

/// Whether the store does not want to, rather than that it does not know how: a right is missing, or room.
fn is_refusal(error: &StoreError) -> bool {
    matches!(error.kind(), StoreKind::Unauthorized | StoreKind::Forbidden) || matches!(error.status(), Some(413 | 507))
}

/// The tag of an object of these bytes.
pub(crate) fn md5_of(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
