//! Takes what happened from memory and gives it to each endpoint that wants to hear of it.

use jeroboam_oci::events::{Envelope, Event};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::sender::Outbox;

/// Most events of one envelope.
const TOGETHER: usize = 100;

/// Until the process ends; what has come by then is still written.
pub(super) async fn run(mut told: mpsc::Receiver<Event>, endpoints: Vec<Outbox>, cancel: CancellationToken) {
    let mut events = Vec::new();
    loop {
        // While one envelope is being written the next one fills, so a slow store sees fewer and larger ones.
        let ended = tokio::select! {
            biased;
            _ = told.recv_many(&mut events, TOGETHER) => false,
            () = cancel.cancelled() => true,
        };
        if ended {
            told.close();
            while told.recv_many(&mut events, TOGETHER).await > 0 {
                hand_over(&endpoints, std::mem::take(&mut events)).await;
            }
            return;
        }
        if events.is_empty() {
            return;
        }
        hand_over(&endpoints, std::mem::take(&mut events)).await;
    }
}

async fn hand_over(endpoints: &[Outbox], events: Vec<Event>) {
    for endpoint in endpoints {
        let wanted: Vec<_> = events.iter().filter(|event| endpoint.wants(event)).cloned().collect();
        let count = wanted.len() as u64;
        if count == 0 {
            continue;
        }
        endpoint.counts().want(count);
        let body = serde_json::to_vec(&Envelope { events: wanted }).expect("an envelope can be written as JSON");
        if !endpoint.put(body.into()).await {
            endpoint.counts().lose(count);
        }
    }
}
