//! From a request to the one who answers it: path, method, permission, and what every answer has.

use axum::body::Body;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::header::{ALLOW, WARNING, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use jeroboam_oci::{ErrorCode, Query, Reference, RepositoryName, Route, parse_route};

use super::body::RequestBody;
use super::reply::{self, Answer};
use super::{Failure, Registry};
use super::{
    blob, catalog, extensions, manifest_delete, manifest_get, manifest_put, referrers, replication, tags, upload,
    upload_start,
};
use crate::access::{Action, Actor, Need};
use crate::auth::{Peer, Refusal};
use crate::mirror::Mirrored;
use crate::store::Incoming;

/// A request that was let in.
pub(super) struct Call {
    pub(super) registry: Registry,
    pub(super) parts: Parts,
    pub(super) peer: Peer,
    pub(super) query: Query,
    pub(super) actor: Actor,
    /// What the repository is a cache of, if it is one.
    pub(super) mirrored: Option<Mirrored>,
    pub(super) body: RequestBody,
}

impl Call {
    /// The address of a path.
    pub(super) fn location(&self, path: &str) -> String {
        super::location::of(&self.registry.config, &self.parts, &self.peer, path)
    }

    /// The pieces of the body.
    pub(super) fn pieces(&self) -> Incoming {
        self.body.pieces(self.registry.config.body_pace)
    }

    /// The path as the client wrote it, for links to more of the same.
    pub(super) fn path(&self) -> &str {
        self.parts.uri.path()
    }
}

/// What a request wants.
enum Want {
    Enter,
    Discover,
    ListRepositories,
    ListTags(RepositoryName),
    ReadManifest(RepositoryName, Reference),
    WriteManifest(RepositoryName, Reference),
    DeleteManifest(RepositoryName, Reference),
    ReadBlob(RepositoryName, jeroboam_oci::Digest),
    DeleteBlob(RepositoryName, jeroboam_oci::Digest),
    ListReferrers(RepositoryName, jeroboam_oci::Digest),
    BeginUpload(RepositoryName),
    AskUpload(RepositoryName, jeroboam_oci::UploadId),
    AppendUpload(RepositoryName, jeroboam_oci::UploadId),
    FinishUpload(RepositoryName, jeroboam_oci::UploadId),
    CancelUpload(RepositoryName, jeroboam_oci::UploadId),
    AskWhere(RepositoryName, jeroboam_oci::Digest),
    Compare(RepositoryName),
}

pub(super) async fn respond(registry: &Registry, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let peer = Peer::of(&parts);
    let body = RequestBody::new(body, &parts.headers);
    let mut response = match answer(registry, parts, peer, body.clone()).await {
        Ok(response) => response,
        Err(failure) => {
            body.drain().await;
            failure.into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(reply::API_VERSION, HeaderValue::from_static("registry/2.0"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    for (name, value) in &registry.config.headers {
        headers.append(name, value.clone());
    }
    for warning in &registry.config.warnings {
        headers.append(WARNING, warning.clone());
    }
    response
}

/// Asks whether a request is let in.
fn let_in<'a>(
    registry: &'a Registry,
    parts: &'a Parts,
    peer: &'a Peer,
    needs: &'a [Need],
) -> BoxFuture<'a, Result<Actor, Refusal>> {
    registry.auth.check(parts, peer, needs).boxed()
}

async fn answer(registry: &Registry, parts: Parts, peer: Peer, body: RequestBody) -> Answer {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > registry.config.longest_target {
        let failure = Failure::new(ErrorCode::Unsupported, "the address is too long");
        return Err(failure.status(StatusCode::URI_TOO_LONG));
    }
    let path = parts.uri.path();
    let path = path.strip_prefix(registry.config.prefix.as_str()).unwrap_or(path);
    let reading = matches!(parts.method, Method::GET | Method::HEAD);
    let route = match parse_route(path) {
        Ok(Route::BaseWithoutSlash) => {
            let base = super::location::of(&registry.config, &parts, &peer, "/v2/");
            return Ok(reply::leading_to(StatusCode::MOVED_PERMANENTLY, &base));
        }
        Ok(route) => route,
        Err(bad) => {
            // Who may not even come in learns nothing about paths.
            let_in(registry, &parts, &peer, &[Need::Entry]).await?;
            return Err(Failure::of_route(bad, reading));
        }
    };
    let allowed = allowed(&route);
    if parts.method == Method::OPTIONS {
        // A browser asks so before it sends what it is allowed to, and cannot log in here.
        let mut response = reply::empty(StatusCode::OK);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        return Ok(response);
    }
    let Some(want) = wanted(route, &parts.method) else {
        let_in(registry, &parts, &peer, &[Need::Entry]).await?;
        return Err(Failure::method(allowed));
    };
    let (want, mirrored, namespace) = want.placed(registry, parts.uri.query());
    let actor = let_in(registry, &parts, &peer, &want.needs()).await?;
    let query = Query::parse(parts.uri.query())?;
    if let Some(why) = registry.config.takes_no_pushes.filter(|_| want.writes() || want.deletes()) {
        return Err(Failure::new(ErrorCode::Unsupported, why));
    }
    if let Some(mirrored) = &mirrored {
        if want.writes() {
            let why = format!("{} is a cache of another registry: push there", mirrored.here);
            return Err(Failure::new(ErrorCode::Denied, &why));
        }
        registry.mirror.may_read(mirrored, &actor)?;
    }
    let call = Call { registry: registry.clone(), parts, peer, query, actor, mirrored, body };
    let answer = match want {
        Want::Enter => Ok(reply::json(&serde_json::json!({}))),
        Want::Discover => Ok(extensions::discover()),
        Want::ListRepositories => catalog::list(&call).await,
        Want::ListTags(name) => tags::list(&call, &name).await,
        Want::ReadManifest(name, reference) => manifest_get::get(&call, &name, &reference).await,
        Want::WriteManifest(name, reference) => manifest_put::put(&call, &name, reference).await,
        Want::DeleteManifest(name, reference) => manifest_delete::delete(&call, &name, reference).await,
        Want::ReadBlob(name, digest) => blob::get(&call, &name, &digest).await,
        Want::DeleteBlob(name, digest) => blob::delete(&call, &name, &digest).await,
        Want::ListReferrers(name, digest) => referrers::list(&call, &name, &digest).await,
        Want::BeginUpload(name) => upload_start::begin(&call, &name).await,
        Want::AskUpload(name, id) => upload::status(&call, name, id).await,
        Want::AppendUpload(name, id) => upload::append(&call, name, id).await,
        Want::FinishUpload(name, id) => upload::finish(&call, name, id).await,
        Want::CancelUpload(name, id) => upload::cancel(&call, name, id).await,
        Want::AskWhere(name, digest) => replication::report(&call, &name, &digest).await,
        Want::Compare(name) => replication::snapshot(&call, &name).await,
    };
    let Some(namespace) = namespace else { return answer };
    answer.map(|mut response| {
        response.headers_mut().insert(reply::NAMESPACE, reply::text(&namespace));
        response
    })
}

impl Want {
    /// The same of the repository that a cache of another registry has here under this name, and what it is a cache of. A container runtime may
    /// call it by its name there, and say the host in `ns`; where that chose the repository it is given, too, and the runtime is told so.
    fn placed(mut self, registry: &Registry, query: Option<&str>) -> (Self, Option<Mirrored>, Option<String>) {
        let Some(name) = self.repository_mut() else { return (self, None, None) };
        let query = Query::parse(query).unwrap_or_default();
        let host = query.first("ns");
        let mirrored = registry.mirror.place(name, host);
        let mut namespace = None;
        if let Some(mirrored) = &mirrored {
            namespace = host.filter(|_| mirrored.here != *name).map(str::to_owned);
            *name = mirrored.here.clone();
        }
        (self, mirrored, namespace)
    }

    fn repository_mut(&mut self) -> Option<&mut RepositoryName> {
        match self {
            Self::Enter | Self::Discover | Self::ListRepositories => None,
            Self::ListTags(name)
            | Self::ReadManifest(name, _)
            | Self::WriteManifest(name, _)
            | Self::DeleteManifest(name, _)
            | Self::ReadBlob(name, _)
            | Self::DeleteBlob(name, _)
            | Self::ListReferrers(name, _)
            | Self::BeginUpload(name)
            | Self::AskUpload(name, _)
            | Self::AppendUpload(name, _)
            | Self::FinishUpload(name, _)
            | Self::CancelUpload(name, _)
            | Self::AskWhere(name, _)
            | Self::Compare(name) => Some(name),
        }
    }

    /// Whether it takes something away.
    fn deletes(&self) -> bool {
        matches!(self, Self::DeleteManifest(..) | Self::DeleteBlob(..))
    }

    fn writes(&self) -> bool {
        matches!(self, Self::WriteManifest(..) | Self::BeginUpload(_) | Self::AppendUpload(..) | Self::FinishUpload(..))
    }

    fn needs(&self) -> Vec<Need> {
        let of = |name: &RepositoryName, actions: &[Action]| {
            actions.iter().map(|action| Need::Repository(name.clone(), *action)).collect()
        };
        match self {
            Self::Enter | Self::Discover => vec![Need::Entry],
            Self::ListRepositories => vec![Need::Catalog],
            Self::ListTags(name)
            | Self::ReadManifest(name, _)
            | Self::ReadBlob(name, _)
            | Self::AskWhere(name, _)
            | Self::ListReferrers(name, _) => of(name, &[Action::Pull]),
            // It costs the store much, and only those compare who push here.
            Self::Compare(name)
            | Self::WriteManifest(name, _)
            | Self::BeginUpload(name)
            | Self::AskUpload(name, _)
            | Self::AppendUpload(name, _)
            | Self::FinishUpload(name, _)
            | Self::CancelUpload(name, _) => of(name, &[Action::Pull, Action::Push]),
            Self::DeleteManifest(name, _) | Self::DeleteBlob(name, _) => of(name, &[Action::Delete]),
        }
    }
}

/// What a method means for a path; `None` where it means nothing.
fn wanted(route: Route, method: &Method) -> Option<Want> {
    let reading = matches!(*method, Method::GET | Method::HEAD);
    Some(match route {
        Route::Base if reading => Want::Enter,
        Route::Extensions if reading => Want::Discover,
        Route::Catalog if reading => Want::ListRepositories,
        Route::Tags(name) if reading => Want::ListTags(name),
        Route::Referrers(name, digest) if reading => Want::ListReferrers(name, digest),
        Route::Manifest(name, reference) if reading => Want::ReadManifest(name, reference),
        Route::Manifest(name, reference) if method == Method::PUT => Want::WriteManifest(name, reference),
        Route::Manifest(name, reference) if method == Method::DELETE => Want::DeleteManifest(name, reference),
        Route::Blob(name, digest) if reading => Want::ReadBlob(name, digest),
        Route::Blob(name, digest) if method == Method::DELETE => Want::DeleteBlob(name, digest),
        Route::Uploads(name) if method == Method::POST => Want::BeginUpload(name),
        Route::Upload(name, id) if reading => Want::AskUpload(name, id),
        Route::Upload(name, id) if method == Method::PATCH => Want::AppendUpload(name, id),
        Route::Upload(name, id) if method == Method::PUT => Want::FinishUpload(name, id),
        Route::Upload(name, id) if method == Method::DELETE => Want::CancelUpload(name, id),
        Route::Replication(name, digest) if reading => Want::AskWhere(name, digest),
        Route::Snapshot(name) if reading => Want::Compare(name),
        _ => return None,
    })
}

fn allowed(route: &Route) -> &'static str {
    match route {
        Route::Manifest(..) => "GET, HEAD, PUT, DELETE, OPTIONS",
        Route::Blob(..) => "GET, HEAD, DELETE, OPTIONS",
        Route::Uploads(_) => "POST, OPTIONS",
        Route::Upload(..) => "GET, HEAD, PATCH, PUT, DELETE, OPTIONS",
        _ => "GET, HEAD, OPTIONS",
    }
}
