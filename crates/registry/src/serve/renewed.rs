//! A place of objects whose secrets are in a file: when that changes, the place is made anew with what it says then.
//!
//! What was begun before ends as it began. A file that makes no sense changes nothing.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use jeroboam_blobs::{
    Blobs, Capabilities, Condition, Freshness, HandedBack, List, ListPage, Object, ObjectMeta, Result, SharedBlobs,
    Sweep, Swept, Upload, UploadState, Writer, Written,
};

use crate::auth::Followed;

/// A place that follows a file.
pub(super) struct Renewed(Followed<SharedBlobs>);

impl Renewed {
    pub(super) fn new(place: Followed<SharedBlobs>) -> Self {
        Self(place)
    }

    fn place(&self) -> SharedBlobs {
        SharedBlobs::clone(&self.0.get())
    }
}

impl fmt::Debug for Renewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place().fmt(f)
    }
}

impl Blobs for Renewed {
    fn capabilities(&self) -> Capabilities {
        self.place().capabilities()
    }

    fn seconds_ahead(&self) -> Option<i64> {
        self.place().seconds_ahead()
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        let place = self.place();
        Box::pin(async move { place.probe().await })
    }

    fn head<'a>(&'a self, path: &'a str, freshness: Freshness) -> BoxFuture<'a, Result<Option<ObjectMeta>>> {
        let place = self.place();
        Box::pin(async move { place.head(path, freshness).await })
    }

    fn read<'a>(
        &'a self,
        path: &'a str,
        range: Option<Range<u64>>,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<Option<Object>>> {
        let place = self.place();
        Box::pin(async move { place.read(path, range, freshness).await })
    }

    fn put<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        let place = self.place();
        Box::pin(async move { place.put(path, bytes, condition).await })
    }

    fn put_ahead<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        let place = self.place();
        Box::pin(async move { place.put_ahead(path, bytes, condition).await })
    }

    fn put_noted<'a>(&'a self, path: &'a str, bytes: Bytes, note: &'a str) -> BoxFuture<'a, Result<()>> {
        let place = self.place();
        Box::pin(async move { place.put_noted(path, bytes, note).await })
    }

    fn create<'a>(&'a self, path: &'a str, size: Option<u64>) -> BoxFuture<'a, Result<Box<dyn Writer>>> {
        let place = self.place();
        Box::pin(async move { place.create(path, size).await })
    }

    fn upload<'a>(&'a self, at: &'a str, state: Option<UploadState>) -> BoxFuture<'a, Result<Box<dyn Upload>>> {
        let place = self.place();
        Box::pin(async move { place.upload(at, state).await })
    }

    fn discard_upload<'a>(&'a self, at: &'a str, state: &'a UploadState) -> BoxFuture<'a, Result<()>> {
        let place = self.place();
        Box::pin(async move { place.discard_upload(at, state).await })
    }

    fn list<'a>(&'a self, what: List<'a>) -> BoxFuture<'a, Result<ListPage>> {
        let place = self.place();
        Box::pin(async move { place.list(what).await })
    }

    fn delete<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<()>> {
        let place = self.place();
        Box::pin(async move { place.delete(paths).await })
    }

    fn relocate<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, Result<()>> {
        let place = self.place();
        Box::pin(async move { place.relocate(from, to).await })
    }

    fn presign<'a>(&'a self, path: &'a str, lifetime: Duration) -> BoxFuture<'a, Result<Option<String>>> {
        let place = self.place();
        Box::pin(async move { place.presign(path, lifetime).await })
    }

    fn hand_back<'a>(&'a self, path: &'a str, dry_run: bool) -> BoxFuture<'a, Result<HandedBack>> {
        let place = self.place();
        Box::pin(async move { place.hand_back(path, dry_run).await })
    }

    fn sweep<'a>(&'a self, sweep: Sweep<'a>) -> BoxFuture<'a, Result<Swept>> {
        let place = self.place();
        Box::pin(async move { place.sweep(sweep).await })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use jeroboam_blobs::Memory;
    use jeroboam_model::{ManualClock, Timestamp};

    use super::*;

    #[tokio::test]
    async fn a_place_is_made_anew_when_its_secrets_change_and_what_was_begun_ends_where_it_began() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secrets");
        std::fs::write(&file, "old").expect("written");
        let places: Arc<Mutex<HashMap<String, SharedBlobs>>> = Arc::default();
        let places_s = places.clone();
        let make = move |text: &str| match text {
            "broken" => Err("it makes no sense".to_owned()),
            text => {
                let mut places = places_s.lock().expect("nobody panics");
                Ok(places.entry(text.to_owned()).or_insert_with(|| Arc::new(Memory::default())).clone())
            }
        };
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let renewed = Renewed::new(Followed::open(file.clone(), make, clock.clone()).expect("it is read"));
        let mut writer = renewed.create("begun", Some(3)).await.expect("it begins");
        std::fs::write(&file, "newer").expect("written");
        clock.advance(Duration::from_secs(2));
        renewed.put("after", Bytes::from_static(b"1"), Condition::Always).await.expect("it is put");
        writer.write(Bytes::from_static(b"abc")).await.expect("it goes on");
        writer.commit().await.expect("it ends");
        std::fs::write(&file, "broken").expect("written");
        clock.advance(Duration::from_secs(2));
        assert!(renewed.head("after", Freshness::Any).await.expect("it is asked").is_some());
        assert!(renewed.head("begun", Freshness::Any).await.expect("it is asked").is_none());
        let places = places.lock().expect("nobody panics").clone();
        assert!(places["old"].head("begun", Freshness::Any).await.expect("it is asked").is_some());
        assert!(places["newer"].head("after", Freshness::Any).await.expect("it is asked").is_some());
    }
}
