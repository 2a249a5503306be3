//! A watch: the changes of one kind as a stream of lines, until its time is over, its history is lost, or somebody ends it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::stream;
use jeroboam_model::Clock;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::object::{name, set};
use super::target::{Query, Target};
use super::{ApiError, Space, convert, table};
use crate::state::{Change, State};

/// How long a watch lasts that names no time.
const LONG: Duration = Duration::from_secs(1_800);
/// How often a quiet watch says how far it is.
const BOOKMARK: Duration = Duration::from_secs(15);

/// In which form objects are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    Table,
    /// Metadata alone.
    Partial,
}

/// Everything a watch needs to know.
pub(crate) struct WatchParts {
    pub(crate) state: State,
    pub(crate) space: Space,
    pub(crate) target: Target,
    pub(crate) query: Query,
    pub(crate) form: Form,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) cancelled: CancellationToken,
    /// Ends at once.
    pub(crate) closed: bool,
    /// Events come this late.
    pub(crate) stale: Duration,
}

struct Watch {
    parts: WatchParts,
    collection: String,
    prefix: String,
    position: u64,
    pending: VecDeque<Bytes>,
    changed: tokio::sync::watch::Receiver<u64>,
    ends: Instant,
    over: bool,
}

/// Starts a watch: the body of its answer.
pub(crate) fn start(parts: WatchParts) -> Result<Body, ApiError> {
    let changed = parts.state.subscribe();
    let collection = parts.space.collection(&parts.target.kind);
    let prefix = parts.target.prefix();
    let ends = Instant::now() + parts.query.timeout.unwrap_or(LONG);
    let over = parts.closed;
    let mut watch = Watch { parts, collection, prefix, position: 0, pending: VecDeque::new(), changed, ends, over };
    watch.begin()?;
    let lines = stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((Ok::<_, Infallible>(line), watch))
    });
    Ok(Body::from_stream(lines))
}

// === impl Watch ===

impl Watch {
    fn begin(&mut self) -> Result<(), ApiError> {
        let asked = self.parts.query.resource_version.as_deref().unwrap_or("");
        if self.parts.query.initial_events || asked.is_empty() || asked == "0" {
            let (objects, revision) = self.parts.state.list_prefix(&self.collection, &self.prefix);
            self.position = revision;
            for (_, object) in objects {
                if self.wants(&object) {
                    self.push("ADDED", &object);
                }
            }
            if self.parts.query.initial_events {
                self.push_bookmark(true);
            }
            return Ok(());
        }
        self.position = asked.parse().map_err(|_| {
            ApiError::bad_request(format!("Invalid value: {asked:?}: resourceVersion must be a number"))
        })?;
        // A client may know a revision of a state that was forgotten since: it has to read again.
        let newest = self.parts.state.revision();
        if self.position > newest {
            self.push_gone(self.position, newest);
        }
        Ok(())
    }

    /// Ends with the word that the version is too old: within the answer, as the real API server does it.
    fn push_gone(&mut self, asked: u64, oldest: u64) {
        let gone = ApiError::gone(asked, oldest);
        self.push_line(&json!({"type": "ERROR", "object": gone.to_status()}));
        self.over = true;
    }

    fn wants(&self, object: &Value) -> bool {
        self.parts.query.selector.matches(object)
            && self.parts.target.name.as_deref().is_none_or(|wanted| wanted == name(object))
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.pending.pop_front() {
                return Some(line);
            }
            if self.over {
                return None;
            }
            self.changed.mark_unchanged();
            self.read_changes().await;
            if !self.pending.is_empty() || self.over {
                continue;
            }
            let quiet = Instant::now() + BOOKMARK;
            tokio::select! {
                () = self.parts.cancelled.cancelled() => return None,
                () = tokio::time::sleep_until(self.ends) => {
                    self.over = true;
                    self.push_bookmark(false);
                }
                () = tokio::time::sleep_until(quiet) => self.push_bookmark(false),
                alive = self.changed.changed() => alive.ok()?,
            }
        }
    }

    async fn read_changes(&mut self) {
        let changes = match self.parts.state.changes_since(self.position) {
            Ok(changes) => changes,
            Err(forgotten) => {
                self.push_gone(forgotten.asked, forgotten.oldest);
                return;
            }
        };
        let Some(last) = changes.last() else { return };
        let last = last.revision;
        let mine: Vec<&Change> = changes
            .iter()
            .filter(|change| *change.collection == *self.collection && change.id.starts_with(&self.prefix))
            .collect();
        if !mine.is_empty() && !self.parts.stale.is_zero() {
            tokio::time::sleep(self.parts.stale).await;
        }
        for change in mine {
            let before = change.before.as_deref().filter(|object| self.wants(object));
            let after = change.after.as_deref().filter(|object| self.wants(object));
            match (before, after) {
                (None, None) => {}
                (None, Some(object)) => self.push("ADDED", object),
                (Some(_), Some(object)) => self.push("MODIFIED", object),
                (Some(object), None) => {
                    let mut last = object.clone();
                    set(&mut last, &["metadata", "resourceVersion"], change.revision.to_string());
                    self.push("DELETED", &last);
                }
            }
        }
        self.position = last;
    }

    fn push(&mut self, event: &str, object: &Value) {
        let served = convert::to_served(&self.parts.target.kind, &self.parts.target.version, object);
        let shown = match self.parts.form {
            Form::Whole => served,
            Form::Partial => table::metadata_only(&served),
            Form::Table => {
                let metadata = json!({"resourceVersion": served["metadata"]["resourceVersion"]});
                let now = self.parts.clock.now();
                table::table(&self.parts.target.kind, &[served], &metadata, self.parts.query.whole_rows, now)
            }
        };
        self.push_line(&json!({"type": event, "object": shown}));
    }

    fn push_bookmark(&mut self, initial: bool) {
        if !self.parts.query.bookmarks && !initial {
            return;
        }
        let mut metadata = json!({"resourceVersion": self.position.to_string(), "creationTimestamp": null});
        if initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let kind = &self.parts.target.kind;
        let object = json!({"kind": kind.kind, "apiVersion": self.parts.target.api_version(), "metadata": metadata});
        self.push_line(&json!({"type": "BOOKMARK", "object": object}));
    }

    fn push_line(&mut self, line: &Value) {
        let mut bytes = line.to_string().into_bytes();
        bytes.push(b'\n');
        self.pending.push_back(bytes.into());
    }
}
