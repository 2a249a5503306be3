//! What a process does until it dies, and the store that it does it to.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jeroboam_blobs::{Condition, SharedBlobs};
use jeroboam_model::{Clock, ManualClock};
use jeroboam_oci::gc::Times;
use jeroboam_oci::{Digest, Reference, layout};
use jeroboam_registry::gc::{Collector, GcConfig, Outcome};
use jeroboam_registry::hand_back::{HandBackOptions, hand_back};
use jeroboam_registry::inspect::InspectOptions;
use jeroboam_registry::repair::repair;
use jeroboam_registry::store::{Compat, Result, Store, TagCondition};
use tokio_util::sync::CancellationToken;

use crate::bed::{Image, empty_index, name, push_manifest, store, tag};
use crate::client::Client;

pub(crate) fn times() -> Times {
    let s = Duration::from_secs;
    Times::new(s(1000), s(100), s(10)).expect("they fit")
}

/// What a process does until it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Pushes an image under a new tag.
    Push,
    /// The same, with a layer that comes in pieces.
    Upload,
    /// Takes a layer in pieces, and is told that it is not wanted any more.
    Cancel,
    /// Takes a layer from another repository and pushes an image with it.
    Mount,
    /// Moves a tag to another image.
    Move,
    /// Pushes a manifest that is about another one.
    Attach,
    /// Deletes such a manifest.
    Detach,
    /// Deletes a manifest.
    Delete,
    /// Deletes a tag.
    Untag,
    /// Deletes a layer that no manifest names.
    Unlink,
    /// Announces, waits, and sweeps; with a trash.
    Collect,
    /// Mends what is broken.
    Repair,
    /// Gives the store back to distribution.
    HandBack,
}

impl Work {
    pub(crate) const ALL: [Self; 13] = [
        Self::Push,
        Self::Upload,
        Self::Cancel,
        Self::Mount,
        Self::Move,
        Self::Attach,
        Self::Detach,
        Self::Delete,
        Self::Untag,
        Self::Unlink,
        Self::Collect,
        Self::Repair,
        Self::HandBack,
    ];

    /// Whether there is nothing left to do it to once it is done.
    pub(crate) fn takes_away(self) -> bool {
        matches!(self, Self::Cancel | Self::Detach | Self::Delete | Self::Untag | Self::Unlink)
    }
}

/// Does it, as far as the place lets it. The client is the same when it is done again.
pub(crate) async fn work(blobs: &SharedBlobs, clock: &Arc<ManualClock>, what: Work, client: &mut Client) -> Result<()> {
    let store = Arc::new(store(blobs, clock.clone(), times(), "works"));
    let (app, image) = (name("team/app"), Image::of("first"));
    match what {
        Work::Push => Image::of("second").push(&store, &app, &tag("v2")).await,
        Work::Upload => {
            let image = Image::of("third");
            client.push(&store, &app, &image.layer).await?;
            image.push(&store, &app, &tag("v3")).await
        }
        Work::Cancel => {
            let upload = client.send(&store, &app, &Image::of("third").layer).await?;
            store.cancel(upload).await
        }
        Work::Mount => {
            let layer = Digest::sha256(&image.layer);
            store.mount_blob(&name("other"), &app, &layer).await?;
            image.push(&store, &name("other"), &tag("v1")).await
        }
        Work::Move => Image::of("second").push(&store, &app, &tag("v1")).await,
        // As clients do, which push nothing that they find by its digest.
        Work::Attach => {
            let sbom = Image::about("sbom", &image);
            match store.promise_manifest(&app, &sbom.digest()).await {
                Ok(_) => Ok(()),
                Err(_) => sbom.push_untagged(&store, &app).await,
            }
        }
        Work::Detach => {
            let signature = Image::about("signature", &image).digest();
            store.delete_manifest(&app, &signature).await.map(|_| ())
        }
        Work::Delete => store.delete_manifest(&app, &image.digest()).await.map(|_| ()),
        Work::Untag => store.delete_tag(&app, &tag("v1"), &TagCondition::Always).await.map(|_| ()),
        Work::Unlink => store.delete_blob(&app, &Digest::sha256(&Image::of("old").layer)).await,
        Work::Collect => {
            collect(blobs, clock, "collects").await;
            Ok(())
        }
        Work::Repair => {
            let options = InspectOptions { verify_percent: 100, ..InspectOptions::default() };
            let mended = repair(blobs, options, clock.now(), false).await?;
            assert!(mended.is_all(), "{mended}");
            Ok(())
        }
        Work::HandBack => {
            // Processes that are dead did not say so.
            let options = HandBackOptions { all_stopped: true, ..HandBackOptions::default() };
            let handed = hand_back(blobs, options, clock.now()).await?;
            assert!(handed.is_ready(), "{handed}");
            Ok(())
        }
    }
}

fn collector(blobs: &SharedBlobs, clock: &Arc<ManualClock>, me: &str) -> Collector {
    let trash = Some(Duration::from_secs(86_400));
    let config = GcConfig { times: times(), per_second: None, trash, tag_history: false, ..GcConfig::default() };
    let shared: Arc<dyn Clock> = clock.clone();
    Collector::new(blobs.clone(), shared, Compat::Exclusive, config, me.to_owned()).expect("exclusive")
}

/// A whole collection, as far as the place lets it. `false`: it did not come to an end.
pub(crate) async fn collect(blobs: &SharedBlobs, clock: &Arc<ManualClock>, me: &str) -> bool {
    let collector = collector(blobs, clock, me);
    for _ in 0..4 {
        match collector.step(&CancellationToken::new()).await {
            Ok(Outcome::Announced(until, _) | Outcome::Waits(until) | Outcome::Taken(until)) => {
                let wait = until.duration_since(clock.now()).unsigned_abs() + Duration::from_secs(1);
                clock.advance(wait);
            }
            Ok(Outcome::Swept(_)) => return true,
            Ok(Outcome::Paused(_)) | Err(_) => return false,
        }
    }
    false
}

/// A store with an image, another one that is about it, and garbage: an image whose manifest is deleted. And what the work needs besides.
pub(crate) async fn begin(blobs: &SharedBlobs, clock: &Arc<ManualClock>, what: Work) {
    let store = Arc::new(store(blobs, clock.clone(), times(), "begins"));
    let (app, image) = (name("team/app"), Image::of("first"));
    image.push(&store, &app, &tag("v1")).await.expect("pushed");
    Image::about("signature", &image).push_untagged(&store, &app).await.expect("pushed");
    let old = Image::of("old");
    old.push(&store, &app, &tag("old")).await.expect("pushed");
    store.delete_manifest(&app, &old.digest()).await.expect("deleted");
    // The index of referrers is complete from now on: nobody looks again for what a process that dies leaves out of it.
    store.referrers(&app, &image.digest()).await.expect("looked through");
    match what {
        Work::Repair => {
            unlist(&store).await;
            damage(&store).await;
        }
        Work::HandBack => {
            unlist(&store).await;
            Client::default().send(&store, &app, &Image::of("third").layer).await.expect("sent");
            let announced = collector(blobs, clock, "announces").step(&CancellationToken::new()).await;
            assert!(matches!(announced, Ok(Outcome::Announced(..))), "{announced:?}");
        }
        _ => {}
    }
}

/// A repository that distribution would not list: it has a manifest, and no link to a blob.
async fn unlist(store: &Store) {
    let (lonely, index) = (name("lonely"), empty_index());
    let digest = Digest::sha256(&index);
    push_manifest(store, &lonely, Reference::Digest(digest.clone()), &index).await.expect("pushed");
    // What names nothing is linked as a blob as well.
    store.delete_blob(&lonely, &digest).await.expect("deleted");
}

/// A tag that is torn with all links of its image, a link to a manifest about that, and a blob with other bytes: all of them can be mended.
async fn damage(store: &Store) {
    let (app, image) = (name("team/app"), Image::of("first"));
    let signature = Image::about("signature", &image);
    // No link at all is as bad as a torn one.
    store.delete_blob(&app, &Digest::sha256(&signature.layer)).await.expect("deleted");
    for (path, bytes) in [
        (layout::tag_current(&app, &tag("v1")), ""),
        (layout::revision(&app, &image.digest()), ""),
        (layout::layer(&app, &Digest::sha256(&image.layer)), "sha256:"),
        (layout::revision(&app, &signature.digest()), "sha256:ab"),
        (layout::blob(&Digest::sha256(&Image::of("old").layer)), "LAYER old"),
    ] {
        store.place().put(&path, Bytes::from(bytes), Condition::Always).await.expect("written");
    }
}
