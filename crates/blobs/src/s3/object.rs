//! Whole objects: what is known of one, writing one, removing many.

use std::sync::atomic::{AtomicU8, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use jeroboam_model::Timestamp;
use md5::{Digest, Md5};

use super::body::Body;
use super::client::{Call, Client};
use super::config::S3Config;
use super::xml;
use crate::{Error, Kind, ObjectMeta, Result, Written};

/// So many names one request removes.
const DELETED_AT_ONCE: usize = 1000;

/// Whether the store keeps the condition that there is no object yet. Old ones pass over it.
pub(super) struct Conditions(AtomicU8);

/// Where a note is kept at an object.
pub(super) const NOTE: &str = "x-amz-meta-jeroboam-note";

const UNKNOWN: u8 = 0;
const KEPT: u8 = 1;
const IGNORED: u8 = 2;

impl Conditions {
    pub(super) fn new(set: Option<bool>) -> Self {
        Self(AtomicU8::new(set.map_or(UNKNOWN, |kept| if kept { KEPT } else { IGNORED })))
    }

    /// As far as we know.
    pub(super) fn are_kept(&self) -> bool {
        self.0.load(Ordering::Relaxed) == KEPT
    }

    fn are_unknown(&self) -> bool {
        self.0.load(Ordering::Relaxed) == UNKNOWN
    }

    fn found(&self, kept: bool) {
        self.0.store(if kept { KEPT } else { IGNORED }, Ordering::Relaxed);
    }
}

/// A request that makes an object of `key` with all that the settings say of new objects.
pub(super) fn making<'a>(config: &S3Config, call: Call<'a>) -> Call<'a> {
    let mut call = call.header("content-type", "application/octet-stream");
    if let Some(class) = &config.storage_class {
        call = call.header("x-amz-storage-class", class);
    }
    if let Some(acl) = &config.acl {
        call = call.header("x-amz-acl", acl);
    }
    match (&config.key_id, config.encrypt) {
        (_, false) => call,
        (None, true) => call.header("x-amz-server-side-encryption", "AES256"),
        (Some(key), true) => call
            .header("x-amz-server-side-encryption", "aws:kms")
            .header("x-amz-server-side-encryption-aws-kms-key-id", key),
    }
}

pub(super) async fn head(client: &Client, key: &str) -> Result<Option<ObjectMeta>> {
    match client.send(Call::on(Method::HEAD, key)).await {
        Ok(answer) => known(answer.headers(), key).map(Some),
        Err(failure) if failure.is(StatusCode::NOT_FOUND) => Ok(None),
        Err(failure) => Err(failure.into_error("look at", key)),
    }
}

fn known(headers: &HeaderMap, key: &str) -> Result<ObjectMeta> {
    let size = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    let size = size.ok_or_else(|| Error::new(Kind::Broken, format!("look at {key} in S3: no length was told")))?;
    Ok(ObjectMeta { size, modified: modified(headers) })
}

pub(super) fn modified(headers: &HeaderMap) -> Option<Timestamp> {
    time(headers, "last-modified")
}

/// The time in a header.
pub(super) fn time(headers: &HeaderMap, name: &str) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(text).ok().map(|time| time.timestamp())
}

pub(super) async fn put(client: &Client, key: &str, body: impl Into<Body>) -> Result<()> {
    put_with(client, key, body, None).await
}

/// The same, with a note.
pub(super) async fn put_with(client: &Client, key: &str, body: impl Into<Body>, note: Option<&str>) -> Result<()> {
    let mut call = making(&client.config, Call::on(Method::PUT, key)).body(body);
    if let Some(note) = note {
        call = call.header(NOTE, note);
    }
    client.ask(call).await.map(drop).map_err(|failure| failure.into_error("write", key))
}

/// Writes an object where there is none. The first time we look whether the store keeps the condition: the same again has to be refused.
pub(super) async fn put_if_absent(
    client: &Client,
    conditions: &Conditions,
    key: &str,
    bytes: Bytes,
) -> Result<Written> {
    if !conditions.are_kept() && head(client, key).await?.is_some() {
        return Ok(Written::Refused);
    }
    if !conditions.are_kept() && !conditions.are_unknown() {
        return put(client, key, bytes).await.map(|()| Written::Yes);
    }
    match put_on_condition(client, key, bytes.clone()).await? {
        Outcome::NoConditions => {
            conditions.found(false);
            put(client, key, bytes).await.map(|()| Written::Yes)
        }
        Outcome::Refused => {
            conditions.found(true);
            Ok(Written::Refused)
        }
        Outcome::Written if conditions.are_unknown() => {
            let kept = put_on_condition(client, key, bytes).await? == Outcome::Refused;
            conditions.found(kept);
            tracing::info!(kept, "found out whether the S3 store keeps conditions of writes");
            Ok(Written::Yes)
        }
        Outcome::Written => Ok(Written::Yes),
    }
}

#[derive(PartialEq, Eq)]
enum Outcome {
    Written,
    Refused,
    /// The store does not know of conditions and says so.
    NoConditions,
}

async fn put_on_condition(client: &Client, key: &str, bytes: Bytes) -> Result<Outcome> {
    let call = making(&client.config, Call::on(Method::PUT, key)).header("if-none-match", "*").body(bytes);
    match client.ask(call).await {
        Ok(_) => Ok(Outcome::Written),
        Err(failure) if failure.is(StatusCode::PRECONDITION_FAILED) => Ok(Outcome::Refused),
        Err(failure) if failure.is(StatusCode::NOT_IMPLEMENTED) => Ok(Outcome::NoConditions),
        Err(failure) => Err(failure.into_error("write", key)),
    }
}

pub(super) async fn delete(client: &Client, keys: &[String]) -> Result<()> {
    for keys in keys.chunks(DELETED_AT_ONCE) {
        match keys {
            [key] => delete_one(client, key).await?,
            keys => delete_some(client, keys).await?,
        }
    }
    Ok(())
}

async fn delete_one(client: &Client, key: &str) -> Result<()> {
    match client.ask(Call::on(Method::DELETE, key)).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.has_code("NoSuchKey") => Ok(()),
        // versitygw and others answer without a body.
        Err(failure) if failure.is(StatusCode::NOT_FOUND) && !failure.has_code("NoSuchBucket") => Ok(()),
        Err(failure) => Err(failure.into_error("remove", key)),
    }
}

async fn delete_some(client: &Client, keys: &[String]) -> Result<()> {
    let what = "the objects of a list";
    let objects = keys.iter().map(|key| xml::DeleteKey { key }).collect();
    let body = xml::write(&xml::Delete { quiet: true, objects });
    let body = Bytes::from(body.map_err(|error| Error::new(Kind::Misuse, "name objects to remove").because(error))?);
    let sum = STANDARD.encode(Md5::digest(&body));
    let call = Call::bucket(Method::POST).query("delete", "").header("content-md5", sum);
    let answer = match client.ask(call.header("content-type", "application/xml").body(body)).await {
        Ok(answer) => answer,
        Err(failure) if failure.is(StatusCode::NOT_IMPLEMENTED) => {
            for key in keys {
                delete_one(client, key).await?;
            }
            return Ok(());
        }
        Err(failure) => return Err(failure.into_error("remove", what)),
    };
    let deleted: xml::Deleted =
        xml::read(&answer).map_err(|error| Error::new(Kind::Broken, "read what S3 has removed").because(error))?;
    match deleted.errors.iter().find(|error| error.code != "NoSuchKey") {
        None => Ok(()),
        Some(error) => {
            let kind = if error.code == "AccessDenied" { Kind::Refused } else { Kind::Unavailable };
            Err(Error::new(kind, format!("remove {} in S3: {}", error.key, error.code)))
        }
    }
}
