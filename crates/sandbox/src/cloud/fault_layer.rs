//! Things that go wrong on purpose, before or after a service has done its work; and the route to ask for them.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use futures::stream;
use serde_json::json;

use super::Cloud;
use super::answer::{Answer, created, nothing, ok};
use super::refusal::Who;
use crate::faults::{Fault, FaultRule};

/// Longest answer of which a half is sent.
const ANSWER_MAX: usize = 16 << 20;

/// Lets a request through unless a rule says otherwise.
pub(super) async fn strike(State(cloud): State<Cloud>, request: Request, next: Next) -> Response {
    let (who, path) = Who::of_path(request.uri().path());
    match cloud.parts.faults.cloud(who.service_type(), request.method().as_str(), path) {
        Some(Fault::Cloud { status, retry_after_seconds, .. }) => {
            let mut response = who.refuse(status, "The service does not feel like it.").into_response();
            if let Some(seconds) = retry_after_seconds {
                response.headers_mut().insert("retry-after", seconds.into());
            }
            response
        }
        Some(Fault::CloudSlow { milliseconds, .. }) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            next.run(request).await
        }
        Some(Fault::CloudCut { .. }) => cut(next.run(request).await).await,
        _ => next.run(request).await,
    }
}

/// The first half of an answer, then the connection breaks.
async fn cut(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, ANSWER_MAX).await.unwrap_or_default();
    let half = body.slice(..body.len() / 2);
    let pieces: [Result<Bytes, std::io::Error>; 2] = [Ok(half), Err(std::io::ErrorKind::ConnectionReset.into())];
    Response::from_parts(parts, Body::from_stream(stream::iter(pieces)))
}

/// `GET`, `POST` and `DELETE /_sandbox/faults`; `GET /_sandbox/documents`.
pub(super) fn router() -> Router<Cloud> {
    Router::new()
        .route("/_sandbox/documents", get(documents))
        .route("/_sandbox/faults", get(list).post(add).delete(clear))
        .route("/_sandbox/faults/{id}", delete(remove))
}

/// The ids of everything there is, by collection: how a test sees that nothing was left behind.
async fn documents(State(cloud): State<Cloud>) -> Answer {
    let ids = cloud.state().collections().into_iter().map(|collection| {
        let all: Vec<_> = cloud.state().list(&collection).into_iter().map(|(id, _)| id.to_string()).collect();
        (collection.to_string(), all)
    });
    ok(json!(ids.collect::<BTreeMap<_, _>>()))
}

async fn list(State(cloud): State<Cloud>) -> Answer {
    ok(json!({"faults": cloud.parts.faults.list()}))
}

async fn add(
    State(cloud): State<Cloud>,
    rule: Result<Json<FaultRule>, axum::extract::rejection::JsonRejection>,
) -> Answer {
    let Json(rule) = rule.map_err(|error| Who::Identity.bad(error.body_text()))?;
    created(json!({"id": cloud.parts.faults.add(&rule)}))
}

async fn clear(State(cloud): State<Cloud>) -> Answer {
    cloud.parts.faults.clear();
    nothing()
}

async fn remove(State(cloud): State<Cloud>, Path(id): Path<String>) -> Answer {
    if cloud.parts.faults.remove(&id) { nothing() } else { Ok(StatusCode::NOT_FOUND.into_response()) }
}
