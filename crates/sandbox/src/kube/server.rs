//! The HTTP side of a Kubernetes API: who asks, what for, in which form the answer goes back.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Shared};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jeroboam_model::Clock;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::target::{Part, Query, Target};
use super::verbs::{self, Change, Outcome, PatchKind};
use super::watch::{self, Form, WatchParts};
use super::{ApiError, Space, convert, discovery, kinds, openapi, protobuf, table};
use crate::faults::{Fault, FaultRule, Faults, Occasion};
use crate::state::State;

/// The largest body that is read.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// Who is at the other end, from its client certificate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    /// The common name.
    pub(crate) user: Option<String>,
    /// The organizations.
    pub(crate) groups: Vec<String>,
}

/// Which version of Kubernetes an API says it is.
pub(crate) enum Version {
    /// This one, such as `v1.34.2`.
    Fixed(String),
    /// The one that the state knows of this workload cluster.
    OfWorkload(String),
}

/// What an API is made of.
pub(crate) struct ApiParts {
    pub(crate) state: State,
    pub(crate) space: Space,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) cancelled: CancellationToken,
    /// Which version of Kubernetes it says it is.
    pub(crate) version: Version,
    /// A bearer token that may do anything.
    pub(crate) admin_token: Option<String>,
    /// The rules for faults; only the management cluster has some.
    pub(crate) faults: Option<Faults>,
}

/// A Kubernetes API.
#[derive(Clone)]
pub(crate) struct Api(Arc<ApiParts>);

// === impl Api ===

impl Api {
    pub(crate) fn new(parts: ApiParts) -> Self {
        Self(Arc::new(parts))
    }

    /// The routes. Paths are data here, so there is one handler.
    pub(crate) fn router(self) -> Router {
        Router::new().fallback(handle).with_state(self)
    }

    fn is_management(&self) -> bool {
        self.0.faults.is_some()
    }

    /// The user's name, if the caller is known.
    fn user(&self, peer: &Peer, headers: &HeaderMap) -> Option<(String, Vec<String>)> {
        if let Some(user) = &peer.user {
            return Some((user.clone(), peer.groups.clone()));
        }
        let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        if self.0.admin_token.as_deref() == Some(token) {
            return Some(("admin".to_owned(), vec!["system:masters".to_owned()]));
        }
        let known = self.0.state.get(&format!("{}tokens", self.0.space.prefix()), token)?;
        Some((known["user"].as_str()?.to_owned(), vec!["system:serviceaccounts".to_owned()]))
    }

    fn version(&self) -> Value {
        let version = match &self.0.version {
            Version::Fixed(version) => version.clone(),
            Version::OfWorkload(key) => {
                let known = self.0.state.get(crate::controllers::WORKLOAD, key);
                known.and_then(|known| known["version"].as_str().map(str::to_owned)).unwrap_or_default()
            }
        };
        let (major, minor, _) = super::admission::release(&version).unwrap_or((1, 34, 0));
        json!({
            "major": major.to_string(), "minor": minor.to_string(), "gitVersion": version,
            "gitCommit": "0000000000000000000000000000000000000000", "gitTreeState": "clean",
            "buildDate": "2026-01-01T00:00:00Z", "goVersion": "go1.24.0", "compiler": "gc", "platform": "linux/amd64",
        })
    }
}

async fn handle(Shared(api): Shared<Api>, request: Request) -> Response {
    match answer(&api, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn answer(api: &Api, request: Request) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    match path.as_str() {
        "/healthz" | "/livez" | "/readyz" => return Ok("ok".into_response()),
        "/version" => return Ok(axum::Json(api.version()).into_response()),
        _ => {}
    }
    let peer = head.extensions.get::<Peer>().cloned().unwrap_or_default();
    let user = api.user(&peer, &head.headers).ok_or_else(ApiError::unauthorized)?;
    if let Some(response) = documents(api, &path, &head.headers)? {
        return Ok(response);
    }
    let bytes =
        axum::body::to_bytes(body, BODY_LIMIT).await.map_err(|error| ApiError::bad_request(error.to_string()))?;
    if path.starts_with("/_sandbox/") {
        return sandbox(api, &head.method, &path, &bytes);
    }
    if let Some(response) = review(&path, &head.method, (&bytes, content_type(&head.headers)), &user)? {
        return Ok(response);
    }
    let target = Target::parse(api.0.space.kinds(), &path).ok_or_else(ApiError::no_such_path)?;
    let query = Query::parse(head.uri.query().unwrap_or_default())?;
    let verb = verb(&head.method, &target, &query);
    let faults = Struck::look(api, verb, &target);
    faults.before().await?;
    let response = serve(api, &target, &query, verb, &head.headers, &bytes, &faults)?;
    if faults.lost {
        // The caller never learns what came of it: the body promises more than it brings.
        let broken = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("the connection was lost"))]);
        return Ok(Body::from_stream(broken).into_response());
    }
    Ok(response)
}

fn documents(api: &Api, path: &str, headers: &HeaderMap) -> Result<Option<Response>, ApiError> {
    let kinds = api.0.space.kinds();
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let aggregated = accept.contains("as=APIGroupDiscoveryList") && accept.contains("v=v2;");
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let document = match parts.as_slice() {
        ["api" | "apis"] if aggregated => {
            let document = discovery::aggregated(kinds, parts == ["api"]);
            let form = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
            let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(form))];
            return Ok(Some((headers, document.to_string()).into_response()));
        }
        ["api"] => Some(discovery::core_versions()),
        ["apis"] => Some(discovery::groups(kinds)),
        ["api", version] => Some(discovery::resources(kinds, "", version).ok_or_else(ApiError::no_such_path)?),
        ["apis", group] => Some(discovery::one_group(kinds, group).ok_or_else(ApiError::no_such_path)?),
        ["apis", group, version] => {
            Some(discovery::resources(kinds, group, version).ok_or_else(ApiError::no_such_path)?)
        }
        ["openapi", "v2"] if accept.contains("proto-openapi") && !accept.contains("application/json") => {
            return Err(ApiError::not_acceptable());
        }
        ["openapi", "v2"] => Some(openapi::version_two(kinds)),
        ["openapi", "v3"] => Some(openapi::index(kinds)),
        ["openapi", "v3", "api", version] => {
            Some(openapi::group(kinds, "", version).ok_or_else(ApiError::no_such_path)?)
        }
        ["openapi", "v3", "apis", group, version] => {
            Some(openapi::group(kinds, group, version).ok_or_else(ApiError::no_such_path)?)
        }
        _ => None,
    };
    Ok(document.map(|document| axum::Json(document).into_response()))
}

/// Questions about oneself that are asked by POST.
fn review(
    path: &str,
    method: &Method,
    (body, content): (&[u8], &str),
    user: &(String, Vec<String>),
) -> Result<Option<Response>, ApiError> {
    if method != Method::POST {
        return Ok(None);
    }
    let status = match path {
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => {
            json!({"userInfo": {"username": user.0, "groups": user.1}})
        }
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => json!({"allowed": true}),
        "/apis/authentication.k8s.io/v1/tokenreviews" => json!({"authenticated": false}),
        _ => return Ok(None),
    };
    let mut document: Value = parse(body, content)?;
    document["status"] = status;
    Ok(Some((StatusCode::CREATED, axum::Json(document)).into_response()))
}

/// The switches of the sandbox itself.
fn sandbox(api: &Api, method: &Method, path: &str, body: &[u8]) -> Result<Response, ApiError> {
    let faults = api.0.faults.as_ref().ok_or_else(ApiError::no_such_path)?;
    match (method.as_str(), path.strip_prefix("/_sandbox/").unwrap_or_default().split_once('/')) {
        ("GET", None) if path.ends_with("/faults") => Ok(axum::Json(json!({"faults": faults.list()})).into_response()),
        ("POST", None) if path.ends_with("/faults") => {
            let rule: FaultRule =
                serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))?;
            Ok((StatusCode::CREATED, axum::Json(json!({"id": faults.add(&rule)}))).into_response())
        }
        ("DELETE", None) if path.ends_with("/faults") => {
            faults.clear();
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        ("DELETE", Some(("faults", id))) => {
            let found = faults.remove(id);
            Ok(if found { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }.into_response())
        }
        ("POST", None) if path.ends_with("/forget-history") => {
            api.0.state.forget_history();
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        ("GET", None) if path.ends_with("/state") => Ok(axum::Json(json!(api.0.state.snapshot())).into_response()),
        _ => Err(ApiError::no_such_path()),
    }
}

fn verb(method: &Method, target: &Target, query: &Query) -> &'static str {
    match method.as_str() {
        "GET" | "HEAD" if query.watch || target.watch => "watch",
        "GET" | "HEAD" if target.name.is_some() => "get",
        "GET" | "HEAD" => "list",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" if target.name.is_some() => "delete",
        "DELETE" => "deletecollection",
        _ => "",
    }
}

/// The faults that hit one request.
#[derive(Default)]
struct Struck {
    refusal: Option<(u16, Option<u64>)>,
    late: Duration,
    lost: bool,
    closed: bool,
    gone: bool,
    stale: Duration,
}

impl Struck {
    fn look(api: &Api, verb: &str, target: &Target) -> Self {
        let mut struck = Self::default();
        let Some(faults) = &api.0.faults else { return struck };
        let name = target.name.as_deref().unwrap_or_default();
        let occasion = Occasion { verb, resource: target.kind.plural, name };
        let is_watch = verb == "watch";
        let found = faults.strike(occasion, |fault| match fault {
            Fault::Api { .. } | Fault::Slow { .. } => true,
            Fault::LostAnswer => !is_watch,
            Fault::WatchClosed | Fault::WatchGone | Fault::WatchStale { .. } => is_watch,
            _ => false,
        });
        match found {
            Some(Fault::Api { status, retry_after_seconds }) => struck.refusal = Some((status, retry_after_seconds)),
            Some(Fault::Slow { milliseconds }) => struck.late = Duration::from_millis(milliseconds),
            Some(Fault::LostAnswer) => struck.lost = true,
            Some(Fault::WatchClosed) => struck.closed = true,
            Some(Fault::WatchGone) => struck.gone = true,
            Some(Fault::WatchStale { milliseconds }) => struck.stale = Duration::from_millis(milliseconds),
            _ => {}
        }
        struck
    }

    async fn before(&self) -> Result<(), ApiError> {
        if !self.late.is_zero() {
            tokio::time::sleep(self.late).await;
        }
        if self.gone {
            return Err(ApiError::gone(0, 0));
        }
        let Some((status, retry_after)) = self.refusal else { return Ok(()) };
        let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Err(ApiError::fault(code, "the sandbox was asked to refuse this", retry_after))
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json")
}

fn form(headers: &HeaderMap) -> Form {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("as=Table") {
        Form::Table
    } else if accept.contains("as=PartialObjectMetadata") {
        Form::Partial
    } else {
        Form::Whole
    }
}

fn serve(
    api: &Api,
    target: &Target,
    query: &Query,
    verb: &str,
    headers: &HeaderMap,
    bytes: &[u8],
    faults: &Struck,
) -> Result<Response, ApiError> {
    let parts = &api.0;
    let now = parts.clock.now();
    let form = form(headers);
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("unknown");
    let agent = agent.split(['/', ' ']).next().unwrap_or("unknown");
    let content = content_type(headers);
    let change = Change { space: &parts.space, target, query, agent, now, webhooks: api.is_management() };
    let definitions = target.kind.kind == "CustomResourceDefinition";
    if definitions && !matches!(verb, "get" | "list" | "watch") {
        return Err(ApiError::method_not_allowed());
    }
    let outcome = match verb {
        "watch" => {
            let body = watch::start(WatchParts {
                state: parts.state.clone(),
                space: parts.space.clone(),
                target: target.clone(),
                query: query.clone(),
                form,
                clock: Arc::clone(&parts.clock),
                cancelled: parts.cancelled.clone(),
                closed: faults.closed,
                stale: faults.stale,
            })?;
            return Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response());
        }
        "list" => {
            let page = verbs::list(&parts.space, &parts.state, target, query)?;
            let document = match form {
                Form::Whole => verbs::list_of(target, &page.items, page.revision, page.next),
                Form::Partial => {
                    let items: Vec<Value> = page.items.iter().map(table::metadata_only).collect();
                    let mut list = verbs::list_of(target, &items, page.revision, page.next);
                    list["kind"] = json!("PartialObjectMetadataList");
                    list["apiVersion"] = json!("meta.k8s.io/v1");
                    list
                }
                Form::Table => {
                    let metadata = verbs::list_metadata(page.revision, page.next);
                    table::table(&target.kind, &page.items, &metadata, query.whole_rows, now)
                }
            };
            return Ok(reply(StatusCode::OK, &document, &deprecation(target)));
        }
        "get" => {
            let object = verbs::get(&parts.space, &parts.state, target)?;
            return Ok(reply(StatusCode::OK, &shown(target, object, form, now), &deprecation(target)));
        }
        "create" if target.part == Part::Token => {
            let token = verbs::service_account_token(&parts.space, &parts.state, target, now)?;
            return Ok(reply(StatusCode::CREATED, &token, &[]));
        }
        "create" if target.name.is_none() => {
            if target.kind.namespaced && target.namespace.is_empty() {
                return Err(ApiError::method_not_allowed());
            }
            change.create(&parts.state, parse(bytes, content)?)?
        }
        "update" if target.name.is_some() => change.update(&parts.state, parse(bytes, content)?)?,
        "patch" if target.name.is_some() => match patch_kind(content)? {
            PatchKind::Apply => change.apply(&parts.state, parse(bytes, content)?)?,
            how => change.patch(&parts.state, how, &parse(bytes, content)?)?,
        },
        "delete" => {
            let options = if bytes.is_empty() { Value::Null } else { parse(bytes, content)? };
            let deleted = change.delete(&parts.state, &options)?;
            return Ok(reply(StatusCode::OK, &deleted, &[]));
        }
        "deletecollection" => {
            let options = if bytes.is_empty() { Value::Null } else { parse(bytes, content)? };
            return Ok(reply(StatusCode::OK, &change.delete_collection(&parts.state, &options)?, &[]));
        }
        _ => return Err(ApiError::method_not_allowed()),
    };
    let Outcome { object, created, mut warnings } = outcome;
    warnings.extend(deprecation(target));
    let object = if target.part == Part::Scale { verbs::scale(&object) } else { object };
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(reply(status, &shown(target, object, form, now), &warnings))
}

fn shown(target: &Target, object: Value, form: Form, now: jiff::Timestamp) -> Value {
    match form {
        Form::Table if target.part != Part::Scale => {
            let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
            table::table(&target.kind, &[object], &metadata, false, now)
        }
        Form::Partial => table::metadata_only(&object),
        Form::Whole | Form::Table => object,
    }
}

fn deprecation(target: &Target) -> Vec<String> {
    let old = convert::is_old(&target.kind, &target.version) && target.kind.group.ends_with(kinds::CORE);
    if old { vec![format!("{} {} is deprecated", target.api_version(), target.kind.kind)] } else { Vec::new() }
}

fn reply(status: StatusCode, document: &Value, warnings: &[String]) -> Response {
    let mut response = (status, axum::Json(document)).into_response();
    for warning in warnings {
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{}\"", warning.replace('"', "\\\""))) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}

fn patch_kind(content: &str) -> Result<PatchKind, ApiError> {
    match content.split(';').next().unwrap_or_default().trim() {
        "application/merge-patch+json" => Ok(PatchKind::Merge),
        "application/json-patch+json" => Ok(PatchKind::Json),
        "application/strategic-merge-patch+json" => Ok(PatchKind::Strategic),
        "application/apply-patch+yaml" | "application/apply-patch+json" => Ok(PatchKind::Apply),
        other => Err(ApiError::unsupported_media_type(other)),
    }
}

fn parse(bytes: &[u8], content: &str) -> Result<Value, ApiError> {
    if content.contains("protobuf") {
        return protobuf::decode(bytes);
    }
    if content.contains("cbor") {
        return Err(ApiError::unsupported_media_type(content));
    }
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(_) if content.contains("yaml") => {
            let text = std::str::from_utf8(bytes).map_err(|error| ApiError::bad_request(error.to_string()))?;
            serde_saphyr::from_str(text).map_err(|error| ApiError::bad_request(error.to_string()))
        }
        Err(error) => Err(ApiError::bad_request(format!("the body is not JSON: {error}"))),
    }
}
