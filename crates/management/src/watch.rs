//! One watch per kind, shared by everything: list, then follow; list again when the API server has forgotten where we were.

use std::collections::{BTreeSet, HashSet};

use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::Management;
use crate::backoff::WatchBackoff;
use crate::cache::Seen;
use crate::discovery::{Plan, Role};

impl Management {
    /// Starts the watches, which go on until the token is cancelled. They wait for an API server that is away and for
    /// Cluster API to be installed.
    pub fn start(&self, tracker: &TaskTracker, token: CancellationToken) {
        let management = self.clone();
        tracker.spawn(async move {
            let work = management.watch_all();
            let _ = token.run_until_cancelled(work).await;
        });
    }

    /// Watches what is served, and starts over when that changes: a provider was installed, Cluster API was upgraded.
    async fn watch_all(&self) {
        let mut backoff = WatchBackoff::default();
        let mut watches = JoinSet::new();
        let mut watched: Option<Plan> = None;
        loop {
            let wait = match self.discover().await {
                Ok(plan) => {
                    if watched.as_ref() != Some(&plan) {
                        watches = self.start_watches(&plan);
                        watched = Some(plan);
                    }
                    backoff = WatchBackoff::default();
                    self.shared.rediscover_every
                }
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    warn!(%error, cause, "cannot see what the management cluster serves, trying again");
                    backoff.next().unwrap_or(self.shared.rediscover_every)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                Some(ended) = watches.join_next() => {
                    // A watch goes on for ever; one that ended has panicked, and all are started anew.
                    warn!(error = ?ended.err(), "a watch of the management cluster ended, starting all again");
                    watched = None;
                }
            }
        }
    }

    fn start_watches(&self, plan: &Plan) -> JoinSet<()> {
        let kinds: Vec<_> = plan.kinds.iter().map(|(_, kind)| kind.kind.clone()).collect();
        info!(version = %plan.core, kinds = kinds.join(" "), "watching the management cluster");
        self.shared.cache.keep(&plan.kinds.iter().map(|(_, kind)| kind.kind.as_str()).collect::<HashSet<_>>());
        self.shared.plan.send_replace(Some(plan.clone()));
        let mut watches = JoinSet::new();
        for (role, kind) in plan.kinds.clone() {
            let (management, plan) = (self.clone(), plan.clone());
            watches.spawn(async move { management.watch_one(role, &kind, &plan).await });
        }
        watches
    }

    /// Follows one kind for ever.
    async fn watch_one(&self, role: Role, kind: &ApiResource, plan: &Plan) {
        let mut backoff = WatchBackoff::default();
        loop {
            if self.follow(role, kind, plan).await {
                backoff = WatchBackoff::default();
            }
            debug!(kind = kind.kind, "the API server has forgotten where the watch was, listing again");
            tokio::time::sleep(backoff.next().unwrap_or_default()).await;
        }
    }

    /// Lists and follows until the API server has forgotten where we were before it began to tell what changed since: the
    /// watcher sees that only in the middle of a watch, and would ask for the same for ever. Whether anything changed meanwhile.
    async fn follow(&self, role: Role, kind: &ApiResource, plan: &Plan) -> bool {
        let mut changed = false;
        let config = watcher::Config::default().labels(selector(role));
        let events = watch(self.api(kind, None), config).backoff(WatchBackoff::default()).into_stream();
        let mut events = std::pin::pin!(events);
        let mut present = BTreeSet::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => present.clear(),
                Ok(Event::InitApply(object)) => {
                    if let Some(seen) = read(role, kind, object) {
                        present.extend(seen.key().map(|key| (key, seen.name().to_owned())));
                        self.shared.cache.apply(&kind.kind, seen);
                    }
                }
                Ok(Event::InitDone) => {
                    self.shared.cache.listed(&kind.kind, &std::mem::take(&mut present));
                    debug!(kind = kind.kind, "listed");
                    if self.shared.cache.has_listed(plan.kinds.iter().map(|(_, kind)| kind.kind.as_str())) {
                        self.shared.ready.send_replace(true);
                    }
                }
                Ok(Event::Apply(object)) => {
                    changed = true;
                    if let Some(seen) = read(role, kind, object) {
                        self.shared.cache.apply(&kind.kind, seen);
                    }
                }
                Ok(Event::Delete(object)) => {
                    changed = true;
                    if let Some(seen) = read(role, kind, object) {
                        self.shared.cache.remove(&kind.kind, &seen);
                    }
                }
                Err(watcher::Error::WatchStartFailed(kube::Error::Api(status))) if status.code == 410 => break,
                Err(error) => debug!(kind = kind.kind, %error, "watch interrupted, going on"),
            }
        }
        changed
    }
}

/// Our own objects only. Infrastructure of a cluster carries no labels of ours, but those of every topology.
fn selector(role: Role) -> &'static str {
    match role {
        Role::Infrastructure => "topology.cluster.x-k8s.io/owned",
        _ => jeroboam_capi::CLUSTER_LABEL,
    }
}

pub(crate) fn read(role: Role, kind: &ApiResource, object: DynamicObject) -> Option<Seen> {
    let mut value = serde_json::to_value(object).ok()?;
    // Objects of a list do not say what they are.
    value["apiVersion"] = kind.api_version.clone().into();
    value["kind"] = kind.kind.clone().into();
    Seen::read(role, &value)
}
