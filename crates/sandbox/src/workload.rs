//! Workload clusters: each has its own Kubernetes API on a port of its own, with a certificate of its own authority, as
//! long as the state says that there is such a cluster.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jeroboam_model::Clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::controllers::WORKLOAD;
use crate::kube::{Api, ApiParts, Space};
use crate::state::{Document, State};
use crate::tls::{self, Credential, TlsError};

/// What workload clusters need.
pub(crate) struct Host {
    pub(crate) state: State,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seed: u64,
    pub(crate) listen: IpAddr,
    pub(crate) tracker: TaskTracker,
    pub(crate) cancelled: CancellationToken,
}

/// A port that is held, and what serves on it.
struct Running {
    listener: Option<TcpListener>,
    served: Option<(String, CancellationToken)>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some((_, cancelled)) = &self.served {
            cancelled.cancel();
        }
    }
}

// === impl Host ===

impl Host {
    /// Opens and closes ports as the state says, until cancelled.
    pub(crate) async fn run(self) {
        let mut running: BTreeMap<Arc<str>, Running> = BTreeMap::new();
        let mut changed = self.state.subscribe();
        let mut seen = None;
        loop {
            changed.mark_unchanged();
            let wanted = self.state.list(WORKLOAD);
            // Most changes of the state are none of these.
            let current: Vec<(Arc<str>, Document)> = wanted;
            if seen.as_ref() != Some(&current) {
                running.retain(|key, _| current.iter().any(|(wanted, _)| wanted == key));
                for (key, document) in &current {
                    self.ensure(&mut running, key, document).await;
                }
                seen = Some(current);
            }
            tokio::select! {
                () = self.cancelled.cancelled() => return,
                _ = changed.changed() => {}
            }
        }
    }

    async fn ensure(&self, running: &mut BTreeMap<Arc<str>, Running>, key: &Arc<str>, document: &Value) {
        if !running.contains_key(key) {
            let wanted = document["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
            let listener = match tls::listen(self.listen, wanted).await {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::warn!(error = %error, "no port for the workload cluster {key}");
                    return;
                }
            };
            let port = listener.local_addr().map_or(0, |address| address.port());
            if u64::from(port) != document["port"].as_u64().unwrap_or(0) {
                self.state.update(WORKLOAD, key, |document| document["port"] = json!(port));
            }
            running.insert(Arc::clone(key), Running { listener: Some(listener), served: None });
        }
        let Some(entry) = running.get_mut(key) else { return };
        let text = |field: &str| document[field].as_str().unwrap_or_default().to_owned();
        let authority = Credential { certificate: text("certificate"), key: text("key").into() };
        if authority.certificate.is_empty() || entry.served.is_some() {
            return;
        }
        let Some(listener) = entry.listener.take() else { return };
        let cancelled = self.cancelled.child_token();
        match self.serve(key, listener, &authority, cancelled.clone()) {
            Ok(()) => entry.served = Some((authority.certificate, cancelled)),
            Err(error) => tracing::warn!(error = %error, "the workload cluster {key} cannot serve with its authority"),
        }
    }

    fn serve(
        &self,
        key: &str,
        listener: TcpListener,
        authority: &Credential,
        cancelled: CancellationToken,
    ) -> Result<(), TlsError> {
        let name = key.split_once('/').map_or(key, |(_, name)| name);
        let address = self.listen.to_string();
        let names = [&*address, "127.0.0.1", "localhost", "kubernetes", "kubernetes.default.svc", name];
        let server = tls::server(authority, &names)?;
        let acceptor = tls::acceptor(&server, &authority.certificate)?;
        let api = Api::new(ApiParts {
            state: self.state.clone(),
            space: Space::workload(key, self.seed),
            clock: Arc::clone(&self.clock),
            cancelled: cancelled.clone(),
            version: crate::kube::Version::OfWorkload(key.to_owned()),
            admin_token: None,
            faults: None,
        });
        self.tracker.spawn(tls::serve(listener, acceptor, api.router(), self.tracker.clone(), cancelled));
        Ok(())
    }
}
