//! A request to a service of the catalogue, and its answer.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::Url;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Kind, message_in};
use crate::transport::Outgoing;
use crate::{Error, ServiceType, Session};

/// A request that is being put together; made by [`Session::request`].
#[must_use = "a request does nothing until it is sent"]
pub struct Request<'a> {
    session: &'a Session,
    service: ServiceType,
    method: Method,
    path: Vec<String>,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Option<Value>,
    repeatable: bool,
    address: Option<Url>,
}

/// What a service said, read to its end.
pub struct Answer {
    pub(crate) service: ServiceType,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// Without headers and body: a token or the secret of a new application credential may be in them.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("service", &self.service).field("status", &self.status).finish_non_exhaustive()
    }
}

/// Without headers and body, as its answer.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Request");
        shown.field("service", &self.service).field("method", &self.method).field("path", &self.path);
        shown.finish_non_exhaustive()
    }
}

impl<'a> Request<'a> {
    pub(crate) fn new(session: &'a Session, service: ServiceType, method: Method, path: &[&str]) -> Self {
        let repeatable = matches!(method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE);
        let path = path.iter().map(|segment| (*segment).to_owned()).collect();
        let (query, headers) = (Vec::new(), HeaderMap::new());
        Self { session, service, method, path, query, headers, body: None, repeatable, address: None }
    }

    /// Adds a query parameter.
    pub fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// Sets a header; a value that no header can hold is left out.
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Sets a header that holds a secret.
    pub(crate) fn sensitive_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Asks for a microversion.
    pub fn microversion(self, version: &str) -> Self {
        let value = format!("{} {version}", self.service);
        self.header(HeaderName::from_static("openstack-api-version"), &value)
    }

    /// Sets the body.
    pub fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Says that sending a POST or PATCH twice is the same as sending it once.
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Sends to this address instead of the catalogue's; used for the next page of a list.
    pub(crate) fn at(mut self, address: Url) -> Self {
        self.address = Some(address);
        self
    }

    /// Sends it; any status but a success is an error.
    pub async fn send(self) -> Result<Answer, Error> {
        let method = self.method.clone();
        let path = self.path.join("/");
        let answer = self.send_any_status().await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(answer.refusal(method, format!("/{path}")))
    }

    /// Sends it and takes whatever comes; a 401 has been answered with a new token already.
    pub async fn send_any_status(mut self) -> Result<Answer, Error> {
        let base = match self.address.take() {
            Some(address) => address,
            None => self.address().await?,
        };
        let body = self.body.as_ref().map(|body| body.to_string().into_bytes());
        if body.is_some() && !self.headers.contains_key(http::header::CONTENT_TYPE) {
            self.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        self.headers.entry(http::header::ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        let outgoing = Outgoing {
            service: self.service,
            method: self.method,
            url: base,
            headers: self.headers,
            body,
            repeatable: self.repeatable,
        };
        self.session.send(outgoing).await
    }

    async fn address(&self) -> Result<Url, Error> {
        let mut url = self.session.endpoint(self.service).await?;
        if let Some(odd) = self.path.iter().find(|segment| matches!(segment.as_str(), "" | "." | "..")) {
            return Err(Error::not_found(self.service, "resource", odd));
        }
        let not_a_base = |()| Error::Settings(format!("the endpoint of {} is no HTTP address", self.service));
        url.path_segments_mut().map_err(not_a_base)?.pop_if_empty().extend(&self.path);
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| self.unreadable(&error))
    }

    /// One member of the body: OpenStack wraps what it answers in its name.
    pub fn member<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let mut whole: Value = self.json()?;
        let inner = whole.get_mut(name).map(Value::take);
        let inner = inner.ok_or_else(|| Error::unreadable(self.service, format!("it has no {name:?}")))?;
        serde_json::from_value(inner).map_err(|error| self.unreadable(&error))
    }

    /// The error that this answer is.
    pub(crate) fn refusal(&self, method: Method, path: String) -> Error {
        Error::Refused {
            service: self.service,
            method,
            path,
            status: self.status.as_u16(),
            message: message_in(&self.body),
        }
    }

    /// Says where and of which kind, never with the content.
    fn unreadable(&self, error: &serde_json::Error) -> Error {
        let what = match error.classify() {
            serde_json::error::Category::Data => "a field is missing or of another type",
            serde_json::error::Category::Eof => "it ends early",
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => "it is not JSON",
        };
        Error::unreadable(self.service, what)
    }
}

/// Most pages that a list is followed through.
const PAGES_MAX: usize = 1000;

/// One page of a list.
struct PageOf<T> {
    items: Vec<T>,
    next: Option<String>,
}

impl Request<'_> {
    /// Sends a DELETE; `false`: there was nothing to delete.
    pub async fn gone(self) -> Result<bool, Error> {
        match self.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == Kind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All items of a list, page by page.
    pub async fn all_pages<T: DeserializeOwned>(self, collection: &str) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        self.each_page(collection, |page: Vec<T>| {
            all.extend(page);
            None::<()>
        })
        .await?;
        Ok(all)
    }

    /// The first item of a list that fits; later pages are not read.
    pub async fn find_in_pages<T: DeserializeOwned>(
        self,
        collection: &str,
        fits: impl Fn(&T) -> bool,
    ) -> Result<Option<T>, Error> {
        self.each_page(collection, |page: Vec<T>| page.into_iter().find(|item| fits(item))).await
    }

    async fn each_page<T: DeserializeOwned, R>(
        self,
        collection: &str,
        mut take: impl FnMut(Vec<T>) -> Option<R>,
    ) -> Result<Option<R>, Error> {
        let (session, service) = (self.session, self.service);
        let headers = self.headers.clone();
        let first = self.address().await?;
        let mut request = self.at(first.clone());
        let mut seen = Vec::new();
        for _ in 0..PAGES_MAX {
            let page: PageOf<T> = request.send().await?.page(collection)?;
            if let Some(found) = take(page.items) {
                return Ok(Some(found));
            }
            let Some(link) = page.next.filter(|link| !seen.contains(link)) else { return Ok(None) };
            // Behind a proxy the services often write their inner address into links: only the query is taken over.
            let mut address = first.clone();
            address.set_query(link.split_once('?').map(|(_, query)| query));
            seen.push(link);
            request = Request::new(session, service, Method::GET, &[]).at(address);
            request.headers = headers.clone();
        }
        Err(Error::unreadable(service, "the list does not end"))
    }
}

impl Answer {
    /// Nova, Neutron, Cinder and Octavia link with `<collection>_links`, Glance with `next`.
    fn page<T: DeserializeOwned>(&self, collection: &str) -> Result<PageOf<T>, Error> {
        let items = self.member(collection)?;
        let whole: Value = self.json()?;
        let links = whole.get(format!("{collection}_links")).and_then(Value::as_array);
        let linked = links.and_then(|links| links.iter().find(|link| link["rel"] == "next"));
        let next = linked.and_then(|link| link.get("href")).or_else(|| whole.get("next"));
        Ok(PageOf { items, next: next.and_then(Value::as_str).map(str::to_owned) })
    }
}

/// Longest name of anything in OpenStack, in characters.
const NAME_MAX: usize = 255;

/// Whether anything may have this name.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= NAME_MAX
}

/// Whether a text may stand in a path as an id. OpenStack's ids have no other characters, and many a web server undoes `%2F`
/// before it routes: `<id>/members` would be another question with another answer.
pub(crate) fn is_id(text: &str) -> bool {
    is_name(text) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" ._-@".contains(&byte))
}

/// The one item of a search by name.
pub(crate) fn only<T>(service: ServiceType, what: &'static str, name: &str, mut found: Vec<T>) -> Result<T, Error> {
    match (found.pop(), found.is_empty()) {
        (Some(item), true) => Ok(item),
        (Some(_), false) => Err(Error::Ambiguous { service, what, name: name.to_owned() }),
        (None, _) => Err(Error::not_found(service, what, name)),
    }
}
