//! Objects in a container of Swift, or of what speaks its language, under the names that distribution's driver gives them.
//!
//! Nothing that is right depends on a listing being fresh: whether an object is there is asked by its name, segments are removed only after a look at
//! what refers to them, and an object of segments is compared with its length before anybody is told that it is there. Nothing is asked for before
//! it is needed, so that a place can be made while Keystone and Swift are away.

mod config;
mod facts;
mod failure;
mod hand_back;
mod handovers;
mod list;
mod manifest;
mod names;
mod parameters;
mod plain;
mod read;
mod remove;
mod segments;
mod signing;
mod sweep;
mod told;
mod upload;
mod writer;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use jeroboam_model::Clock;
use jeroboam_openstack::object_store::{
    ListingEntry, ListingQuery, Newest, ObjectStore, PutOptions, StoreAccess, StoreConfig,
};
use jeroboam_openstack::{Error as StoreError, Kind as StoreKind, Session};
use tokio::sync::OnceCell;

pub use config::{LargeObject, SegmentSizes, SwiftAccess, SwiftConfig, TempUrlConfig};
pub use parameters::BadParameters;

use crate::{
    Blobs, Capabilities, Condition, Error, Freshness, HandedBack, Kind, List, ListPage, Object, ObjectMeta, Result,
    Sweep, Swept, Upload, UploadState, Writer, Written,
};
use facts::{Known, md5_of};
use failure::failed;
use handovers::Handovers;
use names::Names;
use plain::Plain;
use signing::Signing;
use told::Told;

/// Noted at a first segment: the path of its object.
const PATH_NOTE: &str = "jeroboam-path";

/// Whatever those above want to have noted.
const NOTE: &str = "jeroboam-note";

/// Noted at a manifest that was put elsewhere: the path that it had, where another of the same segments may still be.
const MOVED_NOTE: &str = "jeroboam-moved-from";

/// Longest page of a listing.
const PAGE: usize = 10_000;

/// Objects in a container. Clones share everything.
#[derive(Clone)]
pub struct Swift {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: ObjectStore,
    pub(crate) names: Names,
    pub(crate) config: SwiftConfig,
    pub(crate) plain: Plain,
    pub(crate) handovers: Handovers,
    signing: Signing,
    known: Known,
    told: Told,
    ready: OnceCell<()>,
}

impl fmt::Debug for Swift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Swift").field("store", &self.store).field("facts", &self.known.facts()).finish_non_exhaustive()
    }
}

impl Swift {
    /// A place that is first asked when it is first used. It fails only where the settings cannot work.
    pub fn new(config: SwiftConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        let wrong = |error: StoreError| Error::new(Kind::Refused, "use the settings of swift").because(error);
        if config.container.is_empty() || config.container.contains('/') {
            return Err(Error::new(Kind::Refused, format!("use {:?} as a container of swift", config.container)));
        }
        let access = match &config.access {
            SwiftAccess::Keystone(session) => {
                StoreAccess::Session(Session::new((**session).clone(), Arc::clone(&clock)).map_err(wrong)?)
            }
            SwiftAccess::Legacy(legacy) => StoreAccess::Legacy(legacy.clone()),
        };
        let store = StoreConfig {
            transport: config.transport.clone(),
            limits: config.limits,
            container: config.container.clone(),
        };
        let inner = Inner {
            store: ObjectStore::new(access, store, Arc::clone(&clock)),
            names: Names::new(&config.prefix),
            signing: Signing::new(config.temp_url.clone()),
            config,
            plain: Plain::default(),
            handovers: Handovers::default(),
            known: Known::new(Arc::clone(&clock)),
            told: Told::new(clock),
            ready: OnceCell::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Inner {
    /// Looks for the container once, and makes it where it is missing.
    pub(crate) async fn ready(&self) -> Result<()> {
        let looked = self.ready.get_or_try_init(|| async {
            let container = self.store.container();
            let files = self.names.files();
            let page = self.store.list(&ListingQuery { prefix: &files, limit: 1, ..ListingQuery::default() }).await;
            match page {
                Ok(Some(_)) => Ok(()),
                Ok(None) if self.config.create_container => {
                    let made = self.store.create_container().await;
                    made.map_err(|error| failed(format!("make the container {container} in swift"), error))
                }
                Ok(None) => {
                    Err(Error::new(Kind::Refused, format!("use the container {container} of swift: there is none")))
                }
                // Whoever may not list may still write.
                Err(error) if matches!(error.kind(), StoreKind::Forbidden) && error.status().is_some() => Ok(()),
                Err(error) => Err(failed(format!("look at the container {container} of swift"), error)),
            }
        });
        looked.await.copied()
    }

    /// Writes a whole object of a few bytes. `false`: there is one.
    pub(crate) async fn put_plain(&self, path: &str, bytes: Bytes, if_absent: bool) -> Result<bool> {
        self.put_with(path, bytes, PutOptions { if_absent, ..PutOptions::default() }).await
    }

    async fn put_with(&self, path: &str, bytes: Bytes, options: PutOptions) -> Result<bool> {
        crate::path::check(path)?;
        self.ready().await?;
        let name = self.names.file(path);
        let options = PutOptions { md5: Some(md5_of(&bytes)), ..options };
        let written = self.store.put(&name, bytes, &options).await;
        let written = written.map_err(|error| failed(format!("write {path} to swift"), error))?;
        if written {
            self.plain.saw(&name, true);
        }
        Ok(written)
    }

    async fn put(&self, path: &str, bytes: Bytes, condition: Condition) -> Result<Written> {
        let if_absent = condition == Condition::Absent;
        if if_absent && !self.facts().await?.create_if_absent && self.head(path, Freshness::Newest).await?.is_some() {
            return Ok(Written::Refused);
        }
        let written = self.put_plain(path, bytes, if_absent).await?;
        Ok(if written { Written::Yes } else { Written::Refused })
    }

    /// A page of the container, and where the next one begins, if there is one.
    pub(crate) async fn list(&self, query: &ListingQuery<'_>) -> Result<(Vec<ListingEntry>, Option<String>)> {
        self.ready().await?;
        let what = || format!("list {:?} in swift", query.prefix);
        let page = self.store.list(query).await.map_err(|error| failed(what(), error))?;
        // It was there. A cluster of which a part is away says so as well, and it does not mean that nothing is in it.
        let gone = || Error::new(Kind::Unavailable, format!("{}: there is no container", what()));
        let page = page.ok_or_else(gone)?;
        let is_last = self.store.is_last(&page, query.limit).await;
        let next = page.last().filter(|_| !is_last).map(|entry| entry.name().to_owned());
        Ok((page, next))
    }

    /// All names below a prefix, with their lengths.
    pub(crate) async fn names_below(&self, prefix: &str) -> Result<Vec<(String, u64)>> {
        let mut all: Vec<(String, u64)> = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let query = ListingQuery { prefix, marker: marker.as_deref(), limit: PAGE, ..ListingQuery::default() };
            let (page, next) = self.list(&query).await?;
            all.extend(page.into_iter().filter_map(|entry| match entry {
                ListingEntry::Object(object) => Some((object.name, object.bytes)),
                ListingEntry::Folder(_) => None,
            }));
            marker = next;
            if marker.is_none() {
                return Ok(all);
            }
        }
    }

    /// Whether the bytes of an object are in this directory. Where that cannot be seen they may be.
    pub(crate) async fn refers(&self, name: &str, directory: &str) -> Result<bool> {
        let look = |error| failed(format!("look at {name} in swift"), error);
        let Some(head) = self.store.head(name, Newest::Yes).await.map_err(look)? else { return Ok(false) };
        if let Some((container, prefix)) = &head.manifest {
            return Ok(container == self.store.container() && prefix.trim_end_matches('/') == directory);
        }
        if !head.is_static {
            return Ok(false);
        }
        let Some(segments) = self.store.static_segments(name).await.map_err(look)? else { return Ok(true) };
        let below = |segment: &str| segment.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
        Ok(segments.iter().any(|segment| segment.container == self.store.container() && below(&segment.name)))
    }
}

impl Blobs for Swift {
    fn capabilities(&self) -> Capabilities {
        let facts = self.inner.known.facts().unwrap_or_default();
        let presign = self.inner.signing.may_work();
        let create_if_absent = facts.create_if_absent;
        Capabilities { create_if_absent, one_is_first: false, listing_is_fresh: false, presign }
    }

    fn seconds_ahead(&self) -> Option<i64> {
        self.inner.ready.initialized().then(|| self.inner.store.seconds_ahead())
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        async move {
            self.inner.ready().await?;
            self.inner.answers().await?;
            self.inner.facts().await.map(|_| ())
        }
        .boxed()
    }

    fn head<'a>(&'a self, path: &'a str, freshness: Freshness) -> BoxFuture<'a, Result<Option<ObjectMeta>>> {
        self.inner.head(path, freshness).boxed()
    }

    fn read<'a>(
        &'a self,
        path: &'a str,
        range: Option<Range<u64>>,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<Option<Object>>> {
        self.inner.read(path, range, freshness).boxed()
    }

    fn put<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        self.inner.put(path, bytes, condition).boxed()
    }

    fn put_noted<'a>(&'a self, path: &'a str, bytes: Bytes, note: &'a str) -> BoxFuture<'a, Result<()>> {
        let options = PutOptions { notes: vec![(NOTE, note.to_owned())], ..PutOptions::default() };
        async move { self.inner.put_with(path, bytes, options).await.map(drop) }.boxed()
    }

    fn create<'a>(&'a self, path: &'a str, size: Option<u64>) -> BoxFuture<'a, Result<Box<dyn Writer>>> {
        async move {
            let writer = writer::SwiftWriter::begin(Arc::clone(&self.inner), path, size).await?;
            Ok(Box::new(writer) as Box<dyn Writer>)
        }
        .boxed()
    }

    fn upload<'a>(&'a self, at: &'a str, state: Option<UploadState>) -> BoxFuture<'a, Result<Box<dyn Upload>>> {
        async move {
            let upload = upload::SwiftUpload::begin(Arc::clone(&self.inner), at, state).await?;
            Ok(Box::new(upload) as Box<dyn Upload>)
        }
        .boxed()
    }

    fn discard_upload<'a>(&'a self, at: &'a str, state: &'a UploadState) -> BoxFuture<'a, Result<()>> {
        upload::discard(&self.inner, at, state).boxed()
    }

    fn list<'a>(&'a self, what: List<'a>) -> BoxFuture<'a, Result<ListPage>> {
        async move { list::page(&self.inner, &what).await }.boxed()
    }

    fn delete<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<()>> {
        remove::delete(&self.inner, paths).boxed()
    }

    fn relocate<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, Result<()>> {
        remove::relocate(&self.inner, from, to).boxed()
    }

    fn presign<'a>(&'a self, path: &'a str, lifetime: Duration) -> BoxFuture<'a, Result<Option<String>>> {
        async move { self.inner.signing.address(&self.inner, path, lifetime).await }.boxed()
    }

    fn hand_back<'a>(&'a self, path: &'a str, dry_run: bool) -> BoxFuture<'a, Result<HandedBack>> {
        hand_back::hand_back(&self.inner, path, dry_run).boxed()
    }

    fn sweep<'a>(&'a self, sweep: Sweep<'a>) -> BoxFuture<'a, Result<Swept>> {
        async move { sweep::sweep(&self.inner, &sweep).await }.boxed()
    }
}
