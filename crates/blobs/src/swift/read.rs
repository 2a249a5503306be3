//! Looking at an object and reading it: one request each.

use std::ops::Range;

use futures::{StreamExt, TryStreamExt, stream};
use jeroboam_openstack::object_store::{Found, ListingQuery, Newest, ObjectHead};

use super::Inner;
use super::failure::{failed, kind};
use crate::path::check;
use crate::{Error, Freshness, Kind, Object, ObjectMeta, Result};

const fn newest(freshness: Freshness) -> Newest {
    match freshness {
        Freshness::Any | Freshness::Stored => Newest::No,
        Freshness::Newest => Newest::Yes,
    }
}

impl Inner {
    pub(crate) async fn head(&self, path: &str, freshness: Freshness) -> Result<Option<ObjectMeta>> {
        check(path)?;
        let name = self.names.file(path);
        let look = |error| failed(format!("look at {path} in swift"), error);
        let Some(head) = self.store.head(&name, newest(freshness)).await.map_err(look)? else { return Ok(None) };
        let size = match head.size() {
            Some(size) => size,
            None => self.store.size_of_segments(&head).await.map_err(look)?,
        };
        self.plain.saw(&name, !head.is_large());
        Ok(Some(meta(&head, size)))
    }

    pub(crate) async fn read(
        &self,
        path: &str,
        range: Option<Range<u64>>,
        freshness: Freshness,
    ) -> Result<Option<Object>> {
        check(path)?;
        let outside = |range: &Range<u64>, size: Option<u64>| {
            let size = size.map_or("fewer".to_owned(), |size| size.to_string());
            let what = format!("read bytes {} to {} of {path}, which has {size}", range.start, range.end);
            Error::new(Kind::Misuse, what)
        };
        if let Some(range) = range.as_ref().filter(|range| range.start >= range.end) {
            // No request can ask for nothing.
            let Some(meta) = self.head(path, freshness).await? else { return Ok(None) };
            if range.start > range.end || range.end > meta.size {
                return Err(outside(range, Some(meta.size)));
            }
            return Ok(Some(Object { meta, note: None, body: stream::empty().boxed() }));
        }
        let name = self.names.file(path);
        let found = self.store.get(&name, range.clone(), newest(freshness)).await;
        let reading = match found.map_err(|error| failed(format!("read {path} from swift"), error))? {
            Found::Object(reading) => reading,
            Found::Nothing => return Ok(None),
            Found::OutOfRange => return Err(outside(&range.unwrap_or_default(), None)),
        };
        if let Some(range) = range.filter(|range| range.end > reading.size) {
            return Err(outside(&range, Some(reading.size)));
        }
        self.plain.saw(&name, !reading.head.is_large());
        let meta = meta(&reading.head, reading.size);
        let note = reading.head.note(super::NOTE).map(str::to_owned);
        let what = format!("read {path} from swift");
        // Where an object breaks off in the middle the store may be away, or what is there may not be what we wrote.
        let body = reading.body.map_err(move |error| Error::new(kind(&error), what.clone()).because(error));
        Ok(Some(Object { meta, note, body: body.boxed() }))
    }

    /// Whether the store answers and lets us in.
    pub(crate) async fn answers(&self) -> Result<()> {
        let files = self.names.files();
        let page = self.store.list(&ListingQuery { prefix: &files, limit: 1, ..ListingQuery::default() }).await;
        let container = self.store.container();
        match page.map_err(|error| failed(format!("look at the container {container} of swift"), error))? {
            Some(_) => Ok(()),
            None => Err(Error::new(Kind::Unavailable, format!("use the container {container} of swift: it is gone"))),
        }
    }
}

fn meta(head: &ObjectHead, size: u64) -> ObjectMeta {
    ObjectMeta { size, modified: head.modified }
}
