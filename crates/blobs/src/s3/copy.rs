//! Copies within the bucket, which the store makes.

use futures::{StreamExt, TryStreamExt, stream};
use http::Method;

use super::client::{Call, Client};
use super::multipart::{self, Part};
use super::{object, sign, xml};
use crate::{Error, Kind, Result};

/// Copies an object of a known size.
pub(super) async fn copy(client: &Client, source: &str, target: &str, size: u64) -> Result<()> {
    if size <= client.config.copy_threshold || size == 0 {
        return copy_whole(client, source, target).await;
    }
    let id = multipart::begin(client, target).await?;
    let outcome = copy_parts(client, source, target, &id, size).await;
    if outcome.is_err() {
        // The copy's error is what matters; what is left is found by a sweep.
        if let Err(error) = multipart::abort(client, target, &id).await {
            tracing::warn!(key = %target, error = %error, "left the parts of a copy behind");
        }
    }
    outcome
}

async fn copy_whole(client: &Client, source: &str, target: &str) -> Result<()> {
    let call = object::making(&client.config, Call::on(Method::PUT, target));
    let call = call.header("x-amz-copy-source", address(client, source)).long();
    client.ask(call).await.map(drop).map_err(|failure| failure.into_error("copy", source))
}

async fn copy_parts(client: &Client, source: &str, target: &str, id: &str, size: u64) -> Result<()> {
    // No more than 10 000 parts.
    let length = client.config.copy_part.max(size.div_ceil(9_000));
    let copies = (0..size.div_ceil(length)).map(|index| {
        let range = index * length..size.min((index + 1) * length);
        async move {
            let call = Call::on(Method::PUT, target)
                .query("partNumber", (index + 1).to_string())
                .query("uploadId", id)
                .header("x-amz-copy-source", address(client, source))
                .header("x-amz-copy-source-range", format!("bytes={}-{}", range.start, range.end - 1))
                .long();
            let answer = client.ask(call).await.map_err(|failure| failure.into_error("copy a part of", source))?;
            let unreadable =
                |error| Error::new(Kind::Broken, format!("read what S3 says of a copy of {source}")).because(error);
            let copied: xml::Copied = xml::read(&answer).map_err(unreadable)?;
            Ok::<_, Error>(Part { etag: copied.etag, size: range.end - range.start })
        }
    });
    let parts: Vec<_> = stream::iter(copies).buffered(client.config.copy_at_once).try_collect().await?;
    multipart::complete(client, target, id, &parts).await
}

fn address(client: &Client, key: &str) -> String {
    format!("/{}/{}", client.config.bucket, sign::encode(key, true))
}
