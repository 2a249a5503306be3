//! Objects in a bucket of an S3 store, as distribution's driver has them: Amazon, Ceph, MinIO, versitygw, Swift's s3api.
//!
//! What the path is known of is written there at once, whole or in parts. An upload whose path is known only in the end is written in parts
//! at its own path and copied by the store; a small one is held back until the end and not copied at all. What is below the smallest part
//! when an upload is saved lies beside it as an object of its own, so that every acknowledged byte survives.

mod body;
mod client;
mod config;
mod copy;
mod credentials;
mod list;
mod multipart;
mod object;
mod read;
mod retry;
mod sign;
mod sweep;
mod upload;
mod writer;
mod xml;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;
use jeroboam_model::Clock;

use crate::{
    Blobs, Capabilities, Condition, Error, Freshness, Kind, List, ListPage, Object, ObjectMeta, Result, Sweep, Swept,
    Upload, UploadState, Writer, Written, path,
};
use client::{Call, Client};

pub use config::{BadS3Config, S3Config, StaticKeys};
pub use credentials::Source;

/// Addresses are good for no longer than this, as S3 has it.
const LONGEST_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Objects in a bucket.
#[derive(Clone)]
pub struct S3 {
    client: Arc<Client>,
    conditions: Arc<object::Conditions>,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.client.config;
        f.debug_struct("S3")
            .field("endpoint", &config.endpoint.as_str())
            .field("bucket", &config.bucket)
            .finish_non_exhaustive()
    }
}

impl S3 {
    /// The objects of a bucket. Nothing is asked of it yet. `clock` dates the signatures.
    pub fn new(config: S3Config, source: Source, clock: Arc<dyn Clock>) -> Result<Self> {
        let conditions = Arc::new(object::Conditions::new(config.conditional_put));
        Ok(Self { client: Arc::new(Client::new(config, source, clock)?), conditions })
    }

    fn key(&self, path: &str) -> Result<String> {
        path::check(path)?;
        Ok(self.client.config.key(path))
    }
}

impl Blobs for S3 {
    fn capabilities(&self) -> Capabilities {
        let kept = self.conditions.are_kept();
        Capabilities { create_if_absent: kept, one_is_first: kept, listing_is_fresh: true, presign: true }
    }

    fn seconds_ahead(&self) -> Option<i64> {
        self.client.seconds_ahead()
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        async move {
            let root = self.client.config.key_root();
            let call = Call::bucket(Method::GET).query("list-type", "2").query("max-keys", "1").query("prefix", root);
            self.client.ask(call).await.map(drop).map_err(|failure| failure.into_error("look into", "the bucket"))
        }
        .boxed()
    }

    fn head<'a>(&'a self, path: &'a str, _: Freshness) -> BoxFuture<'a, Result<Option<ObjectMeta>>> {
        async move { object::head(&self.client, &self.key(path)?).await }.boxed()
    }

    fn read<'a>(
        &'a self,
        path: &'a str,
        range: Option<Range<u64>>,
        _: Freshness,
    ) -> BoxFuture<'a, Result<Option<Object>>> {
        async move { read::open(&self.client, self.key(path)?, range).await }.boxed()
    }

    fn put<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        async move {
            let key = self.key(path)?;
            match condition {
                Condition::Always => object::put(&self.client, &key, bytes).await.map(|()| Written::Yes),
                Condition::Absent => object::put_if_absent(&self.client, &self.conditions, &key, bytes).await,
            }
        }
        .boxed()
    }

    fn put_noted<'a>(&'a self, path: &'a str, bytes: Bytes, note: &'a str) -> BoxFuture<'a, Result<()>> {
        async move { object::put_with(&self.client, &self.key(path)?, bytes, Some(note)).await }.boxed()
    }

    fn create<'a>(&'a self, path: &'a str, size: Option<u64>) -> BoxFuture<'a, Result<Box<dyn Writer>>> {
        async move {
            let writer = writer::S3Writer::new(Arc::clone(&self.client), self.key(path)?, size);
            Ok(Box::new(writer) as Box<dyn Writer>)
        }
        .boxed()
    }

    fn upload<'a>(&'a self, at: &'a str, state: Option<UploadState>) -> BoxFuture<'a, Result<Box<dyn Upload>>> {
        async move {
            path::check(at)?;
            let upload = upload::open(&self.client, at, state).await?;
            Ok(Box::new(upload) as Box<dyn Upload>)
        }
        .boxed()
    }

    fn discard_upload<'a>(&'a self, at: &'a str, _: &'a UploadState) -> BoxFuture<'a, Result<()>> {
        async move {
            path::check(at)?;
            upload::discard(&self.client, at).await
        }
        .boxed()
    }

    fn list<'a>(&'a self, what: List<'a>) -> BoxFuture<'a, Result<ListPage>> {
        async move { list::page(&self.client, &what).await }.boxed()
    }

    fn delete<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<()>> {
        async move {
            let keys = paths.iter().map(|path| self.key(path)).collect::<Result<Vec<_>>>()?;
            object::delete(&self.client, &keys).await
        }
        .boxed()
    }

    fn relocate<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            let (source, target) = (self.key(from)?, self.key(to)?);
            let gone = || Error::new(Kind::Misuse, format!("move {from}, which is not there"));
            let meta = object::head(&self.client, &source).await?.ok_or_else(gone)?;
            if source == target {
                return Ok(());
            }
            copy::copy(&self.client, &source, &target, meta.size).await?;
            object::delete(&self.client, &[source]).await
        }
        .boxed()
    }

    fn presign<'a>(&'a self, path: &'a str, lifetime: Duration) -> BoxFuture<'a, Result<Option<String>>> {
        async move { self.client.presign(&self.key(path)?, lifetime.min(LONGEST_LIFE)).await.map(Some) }.boxed()
    }

    fn sweep<'a>(&'a self, sweep: Sweep<'a>) -> BoxFuture<'a, Result<Swept>> {
        async move { sweep::sweep(&self.client, &sweep).await }.boxed()
    }
}
