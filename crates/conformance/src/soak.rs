//! Pushes, pulls and deletes at once for a while, with few layers in many images: what one deletes another relies on.
//!
//! A client that hears that a blob is there does not send it. If a collection takes such a blob before the manifest names it,
//! the push fails, and if after, the image is broken: both are counted, and neither may ever happen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jeroboam_oci::{Algorithm, Digest};
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;

use crate::client::{Answer, Ask, SetupError};
use crate::context::Context;
use crate::data::IMAGE;
use crate::groups::upload;
use crate::options::Options;
use crate::stop::{Stop, Verdict, fail};

/// Layers that there are, of which every image has three: so many that at any time nobody needs some of them, which are pushed again later.
const LAYERS: u64 = 200;
/// How often a client comes again that is told to, and how long it waits at most.
const AGAIN: u32 = 20;
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Images that each pusher leaves there before it deletes its oldest.
const KEPT: usize = 4;
/// How many reasons are kept.
const REASONS: usize = 20;

/// How long, and how many at once.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How long.
    pub time: Duration,
    /// How many push at once.
    pub pushers: u64,
    /// A pause of at most so long lies between what a client hears of a blob and the manifest that names it.
    pub pause: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// Images that were pushed.
    pub pushes: u64,
    /// Blobs that were not sent since they were there.
    pub spared: u64,
    /// Answers that told a client to come again, which it did.
    pub postponed: u64,
    /// Images that were deleted.
    pub deletes: u64,
    /// Images that were pulled whole.
    pub pulls: u64,
    /// Why pushes failed, the first of them.
    pub failed_pushes: Vec<String>,
    /// What was missing of images that are there, the first of it.
    pub missing: Vec<String>,
}

/// An image that has to be there.
struct Image {
    digest: Digest,
    body: Bytes,
    blobs: Vec<(Digest, Bytes)>,
}

/// Pushes for a while, then pulls all that should be there.
pub async fn run(options: Options, load: Load) -> Result<Outcome, SetupError> {
    let repositories: Vec<_> = (0..3).map(|number| format!("{}/{number}", options.repository)).collect();
    let mut pushers = JoinSet::new();
    for pusher in 0..load.pushers {
        let repository = repositories[usize::try_from(pusher).unwrap_or_default() % repositories.len()].clone();
        let context = Arc::new(Context::new(Options { repository, ..options.clone() })?);
        pushers.spawn(push_for_a_while(context, pusher, load));
    }
    let mut all = Outcome::default();
    while let Some(ended) = pushers.join_next().await {
        match ended {
            Ok(one) => all.add(one),
            Err(error) => all.failed_pushes.push(error.to_string()),
        }
    }
    Ok(all)
}

async fn push_for_a_while(context: Arc<Context>, pusher: u64, load: Load) -> Outcome {
    let (mut outcome, mut kept, began) = (Outcome::default(), VecDeque::new(), Instant::now());
    let mut turn = 0;
    while began.elapsed() < load.time {
        turn += 1;
        match push(&context, pusher, turn, load.pause, &mut outcome).await {
            Ok(image) => kept.push_back(image),
            Err(stop) => note(&mut outcome.failed_pushes, why(stop)),
        }
        if let Some(image) = kept.back() {
            pull(&context, image, &mut outcome).await;
        }
        if kept.len() > KEPT
            && let Some(image) = kept.pop_front()
        {
            match delete(&context, &image, &mut outcome).await {
                Ok(()) => outcome.deletes += 1,
                Err(stop) => note(&mut outcome.missing, why(stop)),
            }
        }
    }
    for image in &kept {
        pull(&context, image, &mut outcome).await;
    }
    outcome
}

/// One image of three of the layers; what the registry says that it has is not sent.
async fn push(context: &Context, pusher: u64, turn: u64, pause: Duration, outcome: &mut Outcome) -> Verdict<Image> {
    let config = Bytes::from(json!({ "pusher": pusher, "turn": turn, "run": context.options.seed }).to_string());
    let mut blobs = vec![(Digest::sha256(&config), config)];
    for layer in 0..3 {
        let number = chance(context, &format!("{pusher}/{turn}/{layer}")) % LAYERS;
        let bytes = context.noise(&format!("layer-{number}"), 20_000);
        blobs.push((Digest::sha256(&bytes), bytes));
    }
    for (digest, bytes) in &blobs {
        let head = patiently(context, &Ask::head(context.blob(digest)), outcome).await?;
        if head.status == 200 {
            outcome.spared += 1;
        } else {
            head.status(&[404])?;
            push_blob(context, bytes, digest, outcome).await?;
        }
    }
    tokio::time::sleep(pause.mul_f64(fraction(chance(context, &format!("{pusher}/{turn}/pause"))))).await;
    let descriptor = |kind: &str, (digest, bytes): &(Digest, Bytes)| json!({ "mediaType": kind, "digest": digest.to_string(), "size": bytes.len() });
    let config = descriptor("application/vnd.oci.image.config.v1+json", &blobs[0]);
    let layers: Vec<_> =
        blobs[1..].iter().map(|blob| descriptor("application/vnd.oci.image.layer.v1.tar+gzip", blob)).collect();
    let body = json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": layers }).to_string();
    let body = Bytes::from(body);
    let ask = Ask::put(context.manifest(&format!("pusher-{pusher}"))).header("content-type", IMAGE).body(&body);
    patiently(context, &ask, outcome).await?.status(&[201])?;
    outcome.pushes += 1;
    Ok(Image { digest: Digest::sha256(&body), body, blobs })
}

async fn push_blob(context: &Context, bytes: &Bytes, digest: &Digest, outcome: &mut Outcome) -> Verdict {
    for _ in 0..AGAIN {
        let begun = patiently(context, &Ask::post(context.uploads()), outcome).await?;
        begun.status(&[202])?;
        let ended = upload::finish(context, &begun.location()?, digest, Some(bytes)).await?;
        if !has_to_wait(&ended, outcome).await? {
            return ended.status(&[201]);
        }
    }
    fail(format!("a blob was not taken, though the client came {AGAIN} times"))
}

/// Asks as a client does that comes again when it is told to.
async fn patiently(context: &Context, ask: &Ask, outcome: &mut Outcome) -> Verdict<Answer> {
    for _ in 0..AGAIN {
        let answer = context.client.send(ask.clone()).await?;
        if !has_to_wait(&answer, outcome).await? {
            return Ok(answer);
        }
    }
    fail(format!("the registry is not available, though the client came {AGAIN} times"))
}

/// Waits as long as an answer says, if it says so.
async fn has_to_wait(answer: &Answer, outcome: &mut Outcome) -> Verdict<bool> {
    if answer.status != 503 {
        return Ok(false);
    }
    let Some(seconds) = answer.header("retry-after").and_then(|text| text.parse().ok()) else {
        return fail(format!("{}: 503, and not when to come again", answer.asked));
    };
    outcome.postponed += 1;
    tokio::time::sleep(Duration::from_secs(seconds).min(LONGEST_WAIT)).await;
    Ok(true)
}

async fn pull(context: &Context, image: &Image, outcome: &mut Outcome) {
    match pull_all(context, image, outcome).await {
        Ok(()) => outcome.pulls += 1,
        Err(stop) => note(&mut outcome.missing, why(stop)),
    }
}

async fn pull_all(context: &Context, image: &Image, outcome: &mut Outcome) -> Verdict {
    let ask = Ask::get(context.manifest(&image.digest.to_string())).header("accept", IMAGE);
    let manifest = patiently(context, &ask, outcome).await?;
    manifest.status(&[200])?;
    manifest.body_is(&image.body)?;
    for (digest, bytes) in &image.blobs {
        let blob = patiently(context, &Ask::get(context.blob(digest)), outcome).await?;
        blob.status(&[200])?;
        blob.body_is(bytes)?;
    }
    Ok(())
}

async fn delete(context: &Context, image: &Image, outcome: &mut Outcome) -> Verdict {
    let answer = patiently(context, &Ask::delete(context.manifest(&image.digest.to_string())), outcome).await?;
    if answer.is_unsupported() {
        return fail("the registry deletes nothing: a soak without deletes shows nothing");
    }
    answer.status(&[202])
}

fn chance(context: &Context, name: &str) -> u64 {
    let digest = Digest::of(Algorithm::Sha256, format!("{}/{name}", context.options.seed).as_bytes());
    u64::from_str_radix(&digest.hex()[..15], 16).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn fraction(chance: u64) -> f64 {
    (chance % 1000) as f64 / 1000.0
}

fn note(reasons: &mut Vec<String>, why: String) {
    if reasons.len() < REASONS {
        reasons.push(why);
    }
}

fn why(stop: Stop) -> String {
    match stop {
        Stop::Fail(why) | Stop::Skip(why) | Stop::Disabled(why) => why,
    }
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.pushes += other.pushes;
        self.spared += other.spared;
        self.postponed += other.postponed;
        self.deletes += other.deletes;
        self.pulls += other.pulls;
        self.failed_pushes.extend(other.failed_pushes);
        self.missing.extend(other.missing);
    }

    /// Whether nothing was lost, and enough happened to say so.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failed_pushes.is_empty() && self.missing.is_empty() && self.deletes > 0 && self.spared > 0
    }
}
