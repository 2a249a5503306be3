//! How each service says no.

use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Identity,
    Compute,
    Image,
    Network,
    LoadBalancer,
    Volume,
    KeyManager,
}

impl Who {
    /// The service behind a path, and the path within it.
    pub(super) fn of_path(path: &str) -> (Self, &str) {
        let services = [
            ("/compute", Self::Compute),
            ("/image", Self::Image),
            ("/network", Self::Network),
            ("/load-balancer", Self::LoadBalancer),
            ("/volume", Self::Volume),
            ("/key-manager", Self::KeyManager),
        ];
        let found = services.iter().find_map(|(prefix, who)| {
            let rest = path.strip_prefix(prefix)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((*who, rest))
        });
        found.unwrap_or((Self::Identity, path))
    }

    /// The official type.
    pub(super) const fn service_type(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Compute => "compute",
            Self::Image => "image",
            Self::Network => "network",
            Self::LoadBalancer => "load-balancer",
            Self::Volume => "block-storage",
            Self::KeyManager => "key-manager",
        }
    }

    pub(super) fn refuse(self, status: u16, message: impl Into<String>) -> Refusal {
        Refusal { who: self, status, message: message.into() }
    }

    pub(super) fn bad(self, message: impl Into<String>) -> Refusal {
        self.refuse(400, message)
    }

    pub(super) fn not_found(self, what: &str, id: &str) -> Refusal {
        self.refuse(404, format!("{what} {id} could not be found."))
    }

    pub(super) fn conflict(self, message: impl Into<String>) -> Refusal {
        self.refuse(409, message)
    }

    pub(super) fn forbidden(self) -> Refusal {
        self.refuse(403, "You are not authorized to perform the requested action.")
    }
}

/// A request that is not done.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    who: Who,
    pub(super) status: u16,
    message: String,
}

impl Refusal {
    pub(super) fn unauthorized() -> Self {
        Who::Identity.refuse(401, "The request you have made requires authentication.")
    }

    fn body(&self) -> Value {
        let (code, message) = (self.status, &self.message);
        let title = StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
        match self.who {
            Who::Identity => json!({"error": {"code": code, "message": message, "title": title}}),
            Who::Compute | Who::Volume => json!({nova_fault(code): {"code": code, "message": message}}),
            Who::Image => json!({"code": format!("{code} {title}"), "title": title, "message": message}),
            Who::Network => json!({"NeutronError": {"type": neutron_type(code), "message": message, "detail": ""}}),
            Who::LoadBalancer => {
                let side = if code < 500 { "Client" } else { "Server" };
                json!({"faultcode": side, "faultstring": message, "debuginfo": null})
            }
            Who::KeyManager => json!({"code": code, "title": title, "description": message}),
        }
    }
}

const fn nova_fault(code: u16) -> &'static str {
    match code {
        400 => "badRequest",
        403 => "forbidden",
        404 => "itemNotFound",
        409 => "conflictingRequest",
        413 | 429 => "overLimit",
        503 => "serviceUnavailable",
        _ => "computeFault",
    }
}

const fn neutron_type(code: u16) -> &'static str {
    match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "HTTPError",
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self.body())).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let value = axum::http::HeaderValue::from_static("Keystone uri=\"http://127.0.0.1\"");
            response.headers_mut().insert("www-authenticate", value);
        }
        response
    }
}

pub(super) async fn unknown_path(uri: Uri) -> Refusal {
    let (who, _) = Who::of_path(uri.path());
    who.refuse(404, "The resource could not be found.")
}

pub(super) async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    let (who, path) = Who::of_path(uri.path());
    who.refuse(405, format!("Method {method} is not allowed for {path}"))
}
