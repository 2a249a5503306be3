//! Plays sequences to both services, several at once, and collects where their answers differ.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use tokio::sync::{Mutex, RwLock};
use tokio::task::JoinSet;

use crate::args::Args;
use crate::compare::{self, Place};
use crate::explain::{Explained, Verdict};
use crate::generate;
use crate::normal::Names;
use crate::people::Identity;
use crate::play::{Answer, Side};
use crate::say;
use crate::sequence::{Request, Sequence, Step};

/// Everything that a worker needs.
pub(crate) struct Bed {
    pub(crate) ours: Side,
    pub(crate) theirs: Side,
    pub(crate) identity: Identity,
    pub(crate) explained: Explained,
    /// Those that look at the whole cloud have it for themselves.
    quiet: RwLock<()>,
}

/// A difference that nobody meant.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    /// Which step, from 0.
    step: usize,
    request: Request,
    places: Vec<Place>,
    ours: Answer,
    theirs: Answer,
}

/// What was played.
#[derive(Debug, Default)]
struct Tally {
    sequences: u64,
    requests: u64,
    /// Kinds of difference, and how often each was met.
    kinds: BTreeMap<String, usize>,
    statuses: BTreeMap<u16, u64>,
}

impl Bed {
    pub(crate) fn new(ours: Side, theirs: Side, identity: Identity, explained: Explained) -> Self {
        Self { ours, theirs, identity, explained, quiet: RwLock::new(()) }
    }

    /// Plays a sequence to both. Gives the answers as far as they are compared and the first difference.
    async fn play(&self, sequence: &Sequence, number: u64) -> Result<(Vec<(Answer, Answer)>, Option<Difference>)> {
        if sequence.alone {
            let _alone = self.quiet.write().await;
            let clear = || async { tokio::try_join!(self.ours.database.clear(), self.theirs.database.clear()) };
            clear().await?;
            let played = self.play_now(sequence, number).await;
            clear().await?;
            played
        } else {
            let _shared = self.quiet.read().await;
            self.play_now(sequence, number).await
        }
    }

    async fn play_now(&self, sequence: &Sequence, number: u64) -> Result<(Vec<(Answer, Answer)>, Option<Difference>)> {
        let people = self.identity.people(sequence).await?;
        let number = usize::try_from(number).unwrap_or_default();
        let (ours, theirs) =
            tokio::try_join!(self.ours.play(sequence, &people, number), self.theirs.play(sequence, &people, number))?;
        let mut answers = Vec::new();
        let mut known = Names::default();
        for (place, ((step, ours), theirs)) in sequence.steps.iter().zip(ours).zip(theirs).enumerate() {
            let (Step::Ask(request), Some(ours), Some(theirs)) = (step, ours, theirs) else { continue };
            answers.push((ours.clone(), theirs.clone()));
            let places = compare::places(&ours, &theirs, &mut known);
            // A fault of ours is never meant, whatever Magnum says.
            let verdict = if ours.status == 500 {
                Verdict::Unexplained
            } else if places.is_empty() {
                Verdict::Meant
            } else {
                self.explained.judge(request, &ours, &theirs, &places)
            };
            match verdict {
                Verdict::Meant if self.explained.ends(request, &ours, &theirs) => break,
                Verdict::Meant => {}
                Verdict::Parted => break,
                Verdict::Unexplained => {
                    let difference = Difference { step: place, request: request.clone(), places, ours, theirs };
                    return Ok((answers, Some(difference)));
                }
            }
        }
        Ok((answers, None))
    }

    /// Leaves out what the difference does not need.
    async fn minimise(&self, sequence: &Sequence, difference: &Difference, number: u64) -> Result<Sequence> {
        let kind = difference.kind();
        let mut least = sequence.clone();
        least.steps.truncate(difference.step + 1);
        let mut place = least.steps.len().saturating_sub(1);
        while place > 0 {
            place -= 1;
            let mut fewer = least.clone();
            fewer.steps.remove(place);
            let (_, found) = self.play(&fewer, number).await?;
            if found.is_some_and(|found| found.kind() == kind) {
                least = fewer;
            }
        }
        Ok(least)
    }
}

impl Difference {
    /// What makes two differences the same kind: the request and where the answers differ, with both statuses.
    fn kind(&self) -> String {
        let mut kind = format!("{} {} {}:", self.request.route(), self.ours.status, self.theirs.status);
        if self.ours.status == self.theirs.status && self.ours.status < 400 {
            for place in &self.places {
                let _ = write!(kind, " {}", place.name);
            }
        } else {
            // Sentences differ in what they repeat; how they begin and end tells them apart.
            for answer in [&self.ours, &self.theirs] {
                let words: Vec<&str> = answer.detail().split_whitespace().collect();
                let shape: Vec<&str> = words.iter().copied().filter(|word| !word.contains(['\'', '<', '"'])).collect();
                let _ = write!(kind, " [{}]", shape.join(" "));
            }
        }
        kind
    }
}

/// Plays them all. True when there was no difference that nobody meant.
pub(crate) async fn run(args: &Args, bed: Bed) -> Result<bool> {
    let bed = Arc::new(bed);
    let next = Arc::new(AtomicU64::new(0));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let began = Instant::now();
    let mut workers = JoinSet::new();
    let args = Arc::new(args.clone());
    for _ in 0..args.connections.max(1) {
        let (args, bed, next, tally) = (Arc::clone(&args), Arc::clone(&bed), Arc::clone(&next), Arc::clone(&tally));
        workers.spawn(async move {
            loop {
                let count = next.fetch_add(1, Ordering::Relaxed);
                if count >= args.sequences || tally.lock().await.kinds.len() >= args.enough {
                    return anyhow::Ok(());
                }
                one(&args, &bed, &tally, args.first + count, began).await?;
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.context("a worker")??;
    }
    let tally = tally.lock().await;
    summary(&tally, &bed.explained, began);
    Ok(tally.kinds.is_empty() && tally.sequences == args.sequences)
}

async fn one(args: &Args, bed: &Bed, tally: &Mutex<Tally>, number: u64, began: Instant) -> Result<()> {
    let sequence = generate::sequence(args.seed, number, &args.areas);
    let (answers, difference) =
        bed.play(&sequence, number).await.with_context(|| format!("sequence {number} of seed {}", args.seed))?;
    if args.verbose {
        say(&format!("sequence {number}\n{sequence}"));
        for (ours, theirs) in &answers {
            say(&format!("    ours   {} {}\n    theirs {} {}", ours.status, ours.body, theirs.status, theirs.body));
        }
    }
    let new = {
        let mut tally = tally.lock().await;
        tally.sequences += 1;
        tally.requests += u64::try_from(answers.len()).unwrap_or_default();
        for (_, theirs) in &answers {
            *tally.statuses.entry(theirs.status).or_default() += 1;
        }
        if tally.sequences.is_multiple_of(250) {
            let seconds = began.elapsed().as_secs().max(1);
            say(&format!(
                "{} of {} sequences, {} requests compared, {} a second, {} kinds of difference",
                tally.sequences,
                args.sequences,
                tally.requests,
                tally.requests / seconds,
                tally.kinds.len()
            ));
        }
        difference.as_ref().is_some_and(|difference| {
            let met = tally.kinds.entry(difference.kind()).or_default();
            *met += 1;
            *met == 1
        })
    };
    let Some(difference) = difference.filter(|_| new) else { return Ok(()) };
    let least = if args.minimise { bed.minimise(&sequence, &difference, number).await? } else { sequence };
    let mut text = format!("\nDIFFERENCE in sequence {number} of seed {}: {}\n", args.seed, difference.request);
    for place in difference.places.iter().take(12) {
        let _ = writeln!(text, "      {place}");
    }
    let _ = write!(text, "    in\n{least}");
    say(&text);
    Ok(())
}

fn summary(tally: &Tally, explained: &Explained, began: Instant) {
    let mut text = format!(
        "\n{} sequences with {} requests compared in {} s.\nTheirs answered:",
        tally.sequences,
        tally.requests,
        began.elapsed().as_secs()
    );
    for (status, count) in &tally.statuses {
        let _ = write!(text, " {status}: {count}");
    }
    text.push_str("\nDifferences that are meant, and how often they were met:\n");
    for (rule, count) in explained.met() {
        let _ = writeln!(text, "  {count:>6}  {rule}");
    }
    if !tally.kinds.is_empty() {
        let _ = writeln!(text, "{} kinds of difference that nobody meant:", tally.kinds.len());
        for (kind, count) in &tally.kinds {
            let _ = writeln!(text, "  {count:>6}  {kind}");
        }
    }
    say(text.trim_end());
}
