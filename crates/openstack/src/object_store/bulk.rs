//! Removing many objects with one request, or one by one where the store does not do that.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use http::Method;
use serde::Deserialize;

use super::call::{Call, Target};
use super::{ObjectStore, SERVICE, quoted};
use crate::Error;

/// So many objects with one request: Swift's default is ten times that, and has to end within its limits of time.
const AT_ONCE: usize = 1000;

/// So many requests at once where each object has its own.
const SIDE_BY_SIDE: usize = 8;

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "Response Status", default)]
    status: String,
    #[serde(rename = "Errors", default)]
    errors: Vec<(String, String)>,
}

impl ObjectStore {
    /// Removes objects of this container; those that are not there are as good as removed.
    pub async fn remove_all(&self, objects: &[String]) -> Result<(), Error> {
        for part in objects.chunks(AT_ONCE) {
            match part {
                [] => {}
                [one] => {
                    self.remove(one).await?;
                }
                many if self.shared.no_bulk.load(Ordering::Relaxed) => self.one_by_one(many).await?,
                many => self.in_bulk(many).await?,
            }
        }
        Ok(())
    }

    async fn in_bulk(&self, objects: &[String]) -> Result<(), Error> {
        let lines: Vec<String> = objects.iter().map(|name| quoted(&format!("{}/{name}", self.container()))).collect();
        let mut call =
            Call::new(Method::POST, Target::Account).query("bulk-delete", "").header("accept", "application/json");
        call = call.header("content-type", "text/plain").answers(&[400, 403, 404, 405, 411, 412, 413, 501]);
        call.body = Some(Bytes::from(lines.join("\n")));
        call.long = true;
        let gone = match self.call_for_body(&call).await {
            Ok((status, body)) if status.is_success() => all_gone(&body).is_ok(),
            Err(error) if error.status() != Some(401) => return Err(error),
            Ok(_) | Err(_) => {
                // The account is closed to us, or nobody here knows the request: single ones need nothing but the container.
                self.shared.no_bulk.store(true, Ordering::Relaxed);
                false
            }
        };
        if gone { Ok(()) } else { self.one_by_one(objects).await }
    }

    async fn one_by_one(&self, objects: &[String]) -> Result<(), Error> {
        let calls: Vec<BoxFuture<'_, Result<bool, Error>>> =
            objects.iter().map(|name| self.remove(name).boxed()).collect();
        let calls = stream::iter(calls).buffer_unordered(SIDE_BY_SIDE);
        calls.try_collect::<Vec<bool>>().await.map(|_| ())
    }
}

/// Whether a bulk answer says that everything is gone: its status is inside, the one outside is always 200.
pub(crate) fn all_gone(body: &[u8]) -> Result<(), Error> {
    let wire: Wire = serde_json::from_slice(body)
        .map_err(|_| Error::unreadable(SERVICE, "the answer to a bulk request is not JSON"))?;
    let left = wire.errors.iter().filter(|(_, status)| !status.starts_with("404")).count();
    // Swift says 400 where it found nothing at all.
    if left == 0 && (wire.status.starts_with("200") || wire.status.starts_with("404") || wire.errors.len() > left) {
        return Ok(());
    }
    Err(Error::unreadable(SERVICE, format!("{left} objects could not be removed, {}", wire.status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_an_error() {
        for (body, fine) in [
            (r#"{"Response Status": "200 OK", "Number Deleted": 1, "Number Not Found": 1, "Errors": []}"#, true),
            (r#"{"Response Status": "400 Bad Request", "Errors": [["/c/o", "409 Conflict"]]}"#, false),
            (r#"{"Response Status": "400 Bad Request", "Errors": [["/c/o", "404 Not Found"]]}"#, true),
            (r#"{"Response Status": "502 Bad Gateway", "Errors": []}"#, false),
            ("<html>", false),
        ] {
            assert_eq!(all_gone(body.as_bytes()).is_ok(), fine, "{body}");
        }
    }
}
