//! The calls about one object or about the container, each of them one request.

use aws_lc_rs::digest;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::debug;

use super::call::{Call, Target};
use super::listing::{self, ListingEntry, ListingQuery};
use super::{Newest, ObjectHead, ObjectStore, quoted};
use crate::Error;

/// What a whole object is written with.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// Only where there is none yet; see [`ObjectStore::put`].
    pub if_absent: bool,
    /// Its MD5, in hexadecimal: the store refuses what arrives otherwise.
    pub md5: Option<String>,
    /// After so long the store removes it by itself.
    pub expires_after: Option<Duration>,
    /// Notes: names without `X-Object-Meta-`.
    pub notes: Vec<(&'static str, String)>,
    /// Makes it a dynamic large object of the container's objects whose names begin so.
    pub manifest: Option<String>,
}

/// A segment of a static large object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The container.
    pub container: String,
    /// The name.
    pub name: String,
    /// The length.
    pub size: u64,
    /// The tag that the store gave it.
    pub etag: String,
}

#[derive(Serialize)]
struct WireSegment<'a> {
    path: String,
    etag: &'a str,
    size_bytes: u64,
}

#[derive(Deserialize)]
struct ShownSegment {
    name: String,
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    hash: String,
}

const TYPE: (&str, &str) = ("content-type", "application/octet-stream");

/// Lines of a page where a store refuses longer ones and does not tell how long they may be.
const SHORT_PAGE: usize = 1000;

impl ObjectStore {
    /// What is known of an object; `None` where there is none.
    pub async fn head(&self, object: &str, newest: Newest) -> Result<Option<ObjectHead>, Error> {
        let mut call = Call::new(Method::HEAD, Target::Object(object)).answers(&[404]);
        if newest == Newest::Yes {
            call = call.header("x-newest", "true");
        }
        let (response, _) = self.call(&call).await?;
        Ok((response.status() != StatusCode::NOT_FOUND).then(|| ObjectHead::of(response.headers())))
    }

    /// Writes a whole object. `false`: there is one, and the store knows such conditions; others write in any case.
    pub async fn put(&self, object: &str, bytes: Bytes, options: &PutOptions) -> Result<bool, Error> {
        let mut call = Call::new(Method::PUT, Target::Object(object)).header(TYPE.0, TYPE.1).answers(&[412]);
        if options.if_absent {
            call = call.header("if-none-match", "*");
        }
        if let Some(md5) = &options.md5 {
            call = call.header("etag", md5);
        }
        if let Some(life) = options.expires_after {
            call = call.header("x-delete-after", &life.as_secs().max(1).to_string());
        }
        if let Some(prefix) = &options.manifest {
            call = call.header("x-object-manifest", &quoted(&format!("{}/{prefix}", self.container())));
        }
        call.notes(&options.notes);
        call.body = Some(bytes);
        let (response, attempt) = self.call(&call).await?;
        if response.status() != StatusCode::PRECONDITION_FAILED {
            return Ok(true);
        }
        // An answer may have been lost: what is there then is what the first attempt wrote.
        let (true, Some(md5)) = (attempt > 1, &options.md5) else { return Ok(false) };
        let there = self.head(object, Newest::Yes).await?;
        Ok(there.and_then(|head| head.etag).is_some_and(|etag| etag == *md5))
    }

    /// Notes something at an object, in place of all that was noted.
    pub async fn note(&self, object: &str, name: &'static str, value: &str) -> Result<(), Error> {
        let mut call = Call::new(Method::POST, Target::Object(object));
        call.notes(&[(name, value.to_owned())]);
        self.call(&call).await.map(|_| ())
    }

    /// Copies a plain object, or the manifest of a static large one, within the container.
    ///
    /// By `PUT`: the rules that Keystone lets an application credential have know no `COPY`.
    pub async fn copy(
        &self,
        from: &str,
        to: &str,
        is_static: bool,
        notes: &[(&'static str, String)],
    ) -> Result<(), Error> {
        let source = quoted(&format!("/{}/{from}", self.container()));
        let mut call =
            Call::new(Method::PUT, Target::Object(to)).header("x-copy-from", &source).header("x-newest", "true");
        if is_static {
            call = call.query("multipart-manifest", "get");
        }
        call.notes(notes);
        call.long = true;
        self.call(&call).await.map(|_| ())
    }

    /// Removes an object, of a large one its manifest alone. `false`: there was none.
    pub async fn remove(&self, object: &str) -> Result<bool, Error> {
        let call = Call::new(Method::DELETE, Target::Object(object)).answers(&[404]);
        let (response, _) = self.call(&call).await?;
        Ok(response.status() != StatusCode::NOT_FOUND)
    }

    /// Removes a static large object with its segments, by the store itself.
    pub async fn remove_with_segments(&self, object: &str) -> Result<(), Error> {
        let mut call = Call::new(Method::DELETE, Target::Object(object)).answers(&[404]);
        call = call.query("multipart-manifest", "delete").header("accept", "application/json");
        call.long = true;
        let (status, body) = self.call_for_body(&call).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        super::bulk::all_gone(&body)
    }

    /// Writes the manifest of a static large object; the store looks at each segment.
    pub async fn put_static(&self, object: &str, segments: &[Segment]) -> Result<(), Error> {
        let wire: Vec<WireSegment<'_>> = segments
            .iter()
            .map(|segment| WireSegment {
                path: format!("/{}/{}", segment.container, segment.name),
                etag: &segment.etag,
                size_bytes: segment.size,
            })
            .collect();
        let body = serde_json::to_vec(&wire).map_err(|error| Error::Settings(format!("the manifest: {error}")))?;
        let mut call = Call::new(Method::PUT, Target::Object(object)).header(TYPE.0, TYPE.1);
        call = call.query("multipart-manifest", "put");
        call.body = Some(body.into());
        call.long = true;
        self.call(&call).await.map(|_| ())
    }

    /// The segments of a static large object. `None`: the store does not show them, as a Ceph gateway.
    pub async fn static_segments(&self, object: &str) -> Result<Option<Vec<Segment>>, Error> {
        let call = Call::new(Method::GET, Target::Object(object))
            .query("multipart-manifest", "get")
            .header("x-newest", "true");
        let (_, body) = self.call_for_body(&call).await?;
        let Ok(shown) = serde_json::from_slice::<Vec<ShownSegment>>(&body) else { return Ok(None) };
        let segment = |shown: ShownSegment| {
            let (container, name) = shown.name.trim_start_matches('/').split_once('/')?;
            let (container, name) = (container.to_owned(), name.to_owned());
            Some(Segment { container, name, size: shown.bytes, etag: shown.hash })
        };
        Ok(shown.into_iter().map(segment).collect())
    }

    /// A page of the container's listing; `None` where there is no container. Whether there is another is asked with [`ObjectStore::is_last`].
    pub async fn list(&self, what: &ListingQuery<'_>) -> Result<Option<Vec<ListingEntry>>, Error> {
        let limit = self.longest_page(what.limit);
        match self.page(what, limit).await {
            // A cluster may be set up with shorter pages than are usual, and refuses whoever asks for more.
            Err(error) if error.status() == Some(412) => {
                let told = self.info().await.ok().flatten().and_then(|told| told.longest_page);
                let longest = told.filter(|told| *told > 0).unwrap_or(SHORT_PAGE);
                if longest >= limit {
                    return Err(error);
                }
                self.shared.longest_page.store(longest, Ordering::Relaxed);
                self.page(what, longest).await
            }
            outcome => outcome,
        }
    }

    /// So many lines may be asked for, where somebody wants so many.
    fn longest_page(&self, wanted: usize) -> usize {
        wanted.min(self.shared.longest_page.load(Ordering::Relaxed))
    }

    async fn page(&self, what: &ListingQuery<'_>, limit: usize) -> Result<Option<Vec<ListingEntry>>, Error> {
        let mut call = Call::new(Method::GET, Target::Container).answers(&[404]);
        call = call.query("format", "json").query("limit", limit.to_string());
        for (name, value) in [("prefix", Some(what.prefix)), ("marker", what.marker), ("end_marker", what.end)] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                call = call.query(name, value);
            }
        }
        if what.folders {
            call = call.query("delimiter", "/");
        }
        let (status, body) = self.call_for_body(&call).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        listing::read(&body).map(Some)
    }

    /// Whether nothing comes behind a page. One with nothing in it is the end. That one which is shorter than it may be is the end, too, can be
    /// relied on in Swift itself alone: a Ceph gateway gives a thousand lines at most, and at times fewer, whatever it was asked for.
    pub async fn is_last(&self, page: &[ListingEntry], limit: usize) -> bool {
        page.is_empty() || (page.len() < self.longest_page(limit) && self.pages_are_full().await)
    }

    async fn pages_are_full(&self) -> bool {
        let told = || async {
            match self.info().await {
                Ok(told) => told.is_some_and(|told| told.is_swift),
                Err(error) => {
                    debug!(
                        "the object store tells nothing of itself, so that listings are read until nothing comes: {error}"
                    );
                    false
                }
            }
        };
        *self.shared.pages_are_full.get_or_init(told).await
    }

    /// Makes the container; one that is there stays as it is.
    pub async fn create_container(&self) -> Result<(), Error> {
        self.call(&Call::new(Method::PUT, Target::Container)).await.map(|_| ())
    }

    /// What is noted at the container: names in lower case, with `x-container-meta-` left out; `None` where there is none.
    pub async fn container_notes(&self) -> Result<Option<Vec<(String, String)>>, Error> {
        let call = Call::new(Method::HEAD, Target::Container).answers(&[404]);
        let (response, _) = self.call(&call).await?;
        let notes = response.headers().iter().filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("x-container-meta-")?;
            Some((name.to_owned(), value.to_str().ok()?.to_owned()))
        });
        Ok((response.status() != StatusCode::NOT_FOUND).then(|| notes.collect()))
    }

    /// Notes something at the container; an empty value removes it.
    pub async fn note_container(&self, notes: &[(&str, &str)]) -> Result<(), Error> {
        let mut call = Call::new(Method::POST, Target::Container);
        for (name, value) in notes {
            let name = http::HeaderName::try_from(format!("x-container-meta-{name}"));
            if let (Ok(name), Ok(mut value)) = (name, http::HeaderValue::from_str(value)) {
                value.set_sensitive(true);
                call.headers.insert(name, value);
            }
        }
        self.call(&call).await.map(|_| ())
    }

    /// The SHA-256 of an object's name, in hexadecimal: for names that have to be told apart and not read.
    #[must_use]
    pub fn fingerprint(name: &str) -> String {
        let hash = digest::digest(&digest::SHA256, name.as_bytes());
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
