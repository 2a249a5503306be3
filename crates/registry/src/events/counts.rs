//! How telling goes, since the process began.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;

/// How telling goes.
#[derive(Debug, Default)]
pub struct Counts {
    told: AtomicU64,
    lost: AtomicU64,
    endpoints: Vec<Arc<EndpointCounts>>,
}

/// How telling one endpoint goes.
#[derive(Debug, Default)]
pub struct EndpointCounts {
    name: String,
    wanted: AtomicU64,
    sent: AtomicU64,
    refused: AtomicU64,
    unanswered: AtomicU64,
    lost: AtomicU64,
    waiting: AtomicU64,
    statuses: Mutex<BTreeMap<u16, u64>>,
}

impl Counts {
    /// Of endpoints with these names, which are different.
    pub(super) fn of(names: &[String]) -> Self {
        let endpoints = names.iter().map(|name| EndpointCounts { name: name.clone(), ..EndpointCounts::default() });
        Self { endpoints: endpoints.map(Arc::new).collect(), ..Self::default() }
    }

    pub(super) fn tell(&self) {
        self.told.fetch_add(1, Ordering::Relaxed);
    }

    /// There was no room for an event before anybody knew who wants it. Gives how many there were.
    pub(super) fn lose(&self) -> u64 {
        self.lost.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Events that were told.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }

    /// Events for which there was no room before anybody knew which endpoint wants them.
    #[must_use]
    pub fn lost_before(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Each endpoint, in the order in which they are written.
    #[must_use]
    pub fn endpoints(&self) -> &[Arc<EndpointCounts>] {
        &self.endpoints
    }
}

impl EndpointCounts {
    pub(super) fn want(&self, events: u64) {
        self.wanted.fetch_add(events, Ordering::Relaxed);
    }

    pub(super) fn lose(&self, events: u64) {
        self.lost.fetch_add(events, Ordering::Relaxed);
    }

    pub(super) fn send(&self, events: u64) {
        self.sent.fetch_add(events, Ordering::Relaxed);
    }

    /// An attempt was answered, or was not.
    pub(super) fn answered(&self, status: Option<StatusCode>, taken: bool) {
        let failed = if status.is_some() { &self.refused } else { &self.unanswered };
        if !taken {
            failed.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(status) = status {
            let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
            *statuses.entry(status.as_u16()).or_default() += 1;
        }
    }

    /// One envelope more waits in the store.
    pub(super) fn keep(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// One fewer does.
    pub(super) fn let_go(&self) {
        let _ = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| waiting.checked_sub(1));
    }

    /// So many do: they were counted.
    pub(super) fn keeps(&self, envelopes: u64) {
        self.waiting.store(envelopes, Ordering::Relaxed);
    }

    /// What it is called; of several that are called the same the later ones have a number.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Events that it wants.
    #[must_use]
    pub fn wanted(&self) -> u64 {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Events that it took.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Attempts to which it said no.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Attempts to which it said nothing.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// Events that it wants and for which there was no room.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Envelopes that wait for it in the store, each of one event or more.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Its answers, as `200 OK`, and how many there were of each.
    #[must_use]
    pub fn statuses(&self) -> Vec<(String, u64)> {
        let statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        let named = statuses.iter().map(|(status, count)| {
            let reason = StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
            (format!("{status} {}", reason.unwrap_or_default()).trim_end().to_owned(), *count)
        });
        named.collect()
    }
}
