//! A page for browsers: repositories, their tags, what a manifest is made of and what refers to it.
//!
//! It is rendered here, needs no script and loads nothing from elsewhere. It reads and changes nothing, and shows what whoever looks may pull.

mod render;
mod show;
mod view;

pub(crate) use view::shown;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use jeroboam_oci::{ErrorCode, Reference, RepositoryName};

use crate::auth::{Auth, Refusal};
use crate::http::Registry;
use crate::http::failure::seconds;
use crate::mirror::Mirror;
use crate::store::{Store, StoreError};
use render::Pages;

/// What stands before the name of a repository in the addresses of pages.
const BELOW: &str = "/ui/";

#[derive(Clone)]
struct Shared {
    store: Arc<Store>,
    auth: Auth,
    mirror: Mirror,
    pages: Arc<Pages>,
    /// What stands before all paths.
    prefix: Arc<str>,
}

/// The pages, for whoever serves them below `prefix`.
pub fn routes(registry: &Registry, auth: &Auth, prefix: &str) -> Router {
    let shared = Shared {
        store: Arc::clone(registry.store()),
        auth: auth.clone(),
        mirror: registry.mirror().clone(),
        pages: Arc::new(Pages::new()),
        prefix: prefix.into(),
    };
    let (all, one) = (format!("{prefix}/"), format!("{prefix}{BELOW}{{*rest}}"));
    Router::new().route(&all, get(answer)).route(&one, get(answer)).with_state(shared)
}

/// What a page is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum About {
    Repositories,
    Repository(RepositoryName),
    Manifest(RepositoryName, Reference),
}

/// Why there is no page.
enum No {
    Refused(Refusal),
    Store(StoreError),
    Nothing,
    Render(minijinja::Error),
}

impl From<StoreError> for No {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<minijinja::Error> for No {
    fn from(error: minijinja::Error) -> Self {
        Self::Render(error)
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response<Body> {
    let (parts, _) = request.into_parts();
    match page(&shared, &parts).await {
        Ok(text) => html(StatusCode::OK, text),
        Err(no) => shared.sorry(&no),
    }
}

async fn page(shared: &Shared, parts: &Parts) -> Result<String, No> {
    let path = parts.uri.path();
    let path = path.strip_prefix(&*shared.prefix).unwrap_or(path);
    match about(path).ok_or(No::Nothing)? {
        About::Repositories => show::repositories(shared, parts).await,
        About::Repository(name) => show::repository(shared, parts, &name).await,
        About::Manifest(name, reference) => show::manifest(shared, parts, &name, &reference).await,
    }
}

/// `/`, `/ui/team/app`, `/ui/team/app:tag`, `/ui/team/app@sha256:…`: names of repositories have neither a colon nor an `@`.
fn about(path: &str) -> Option<About> {
    if path.is_empty() || path == "/" {
        return Some(About::Repositories);
    }
    let rest = jeroboam_oci::percent::decode(path.strip_prefix(BELOW)?).ok()?;
    if let Some((name, digest)) = rest.split_once('@') {
        return Some(About::Manifest(name.parse().ok()?, Reference::Digest(digest.parse().ok()?)));
    }
    match rest.split_once(':') {
        Some((name, tag)) => Some(About::Manifest(name.parse().ok()?, Reference::Tag(tag.parse().ok()?))),
        None => Some(About::Repository(rest.parse().ok()?)),
    }
}

impl Shared {
    /// A page that says why there is no other.
    fn sorry(&self, no: &No) -> Response<Body> {
        let (status, text, retry_after) = match no {
            No::Refused(refusal) => (refusal.status(), refusal.message.clone(), refusal.retry_after),
            No::Store(error) => {
                let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, error.message(), error.retry_after())
            }
            No::Nothing => (StatusCode::NOT_FOUND, "there is no such page".to_owned(), None),
            No::Render(error) => {
                tracing::error!(error = error as &dyn std::error::Error, "a page could not be rendered");
                (StatusCode::INTERNAL_SERVER_ERROR, "the page can not be shown".to_owned(), None)
            }
        };
        let page = self.pages.sorry(&self.prefix, status, &text).unwrap_or_else(|_| text.clone());
        let mut response = html(status, page);
        if let Some(wait) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds(wait));
        }
        if let No::Refused(Refusal { code: ErrorCode::Unauthorized, .. }) = no {
            // A browser knows no tokens; a password is as good here.
            let challenge = HeaderValue::from_static("Basic realm=\"registry\", charset=\"UTF-8\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

fn html(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, policy),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (http::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
