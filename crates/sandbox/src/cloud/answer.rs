//! What the services take in and give out.

use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::refusal::{Refusal, Who};

/// What every handler gives.
pub(super) type Answer = Result<Response, Refusal>;

pub(super) fn ok(body: Value) -> Answer {
    Ok(Json(body).into_response())
}

pub(super) fn with_status(status: StatusCode, body: Value) -> Answer {
    Ok((status, Json(body)).into_response())
}

pub(super) fn created(body: Value) -> Answer {
    with_status(StatusCode::CREATED, body)
}

pub(super) fn nothing() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The member of a JSON body that holds the resource.
pub(super) fn member(who: Who, body: &Bytes, name: &str) -> Result<Value, Refusal> {
    let mut whole = json_body(who, body)?;
    match whole.get_mut(name).map(Value::take) {
        Some(Value::Object(map)) => Ok(Value::Object(map)),
        _ => Err(who.bad(format!("'{name}' is a required property"))),
    }
}

pub(super) fn json_body(who: Who, body: &Bytes) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|_| who.bad("Malformed request body: it is not JSON"))
}

/// One version of a service, as its discovery document lists it.
pub(super) fn version(id: &str, url: &str, microversions: Option<(&str, &str)>) -> Value {
    let (min, max) = microversions.unwrap_or(("", ""));
    json!({
        "id": id, "status": "CURRENT", "version": max, "min_version": min, "max_version": max,
        "updated": "2024-01-01T00:00:00Z", "links": [{"rel": "self", "href": url}],
    })
}
