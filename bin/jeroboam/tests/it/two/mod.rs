//! Two of everything: two `api` and two `reconcile` on one database, fifty clients that change and read at random, and each
//! process and the database itself killed in turn. What was accepted is not lost, nothing but a 503 while the database is away
//! tells of it, and in the end everything is as the last accepted request wants it.
//!
//! `make test` has the short form, on one engine; `make test-two` the whole, ten minutes on MariaDB and on PostgreSQL.

mod bed;
mod client;
mod ending;
mod fence;
mod ledger;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jeroboam_store::testing::Engine;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;

use self::bed::{Bed, Part};
use self::client::{Client, Shared};
use crate::bed::{setting, writeln};

/// Clients that ask at the same time.
const CLIENTS: usize = 50;

/// How one run goes; all of it comes from the environment.
struct Plan {
    seed: u64,
    seconds: u64,
    /// Live clusters at most: the quota of the project.
    clusters: u64,
    engines: Vec<Engine>,
}

impl Plan {
    fn from_environment() -> Self {
        let number = |name: &str, default| setting(name).map_or(default, |text| text.parse().expect("a whole number"));
        let seconds = number("JEROBOAM_TWO_SECONDS", 24);
        let seed = number("JEROBOAM_TWO_SEED", u64::from(std::process::id()));
        let engines = [Engine::MariaDb, Engine::PostgreSql];
        let engines = match setting("JEROBOAM_TWO_ENGINES") {
            Some(names) => {
                let named = |engine: &Engine| names.split(',').any(|name| name.trim() == engine.name());
                engines.into_iter().filter(named).collect()
            }
            None => vec![engines[usize::from(seed % 2 == 1)]],
        };
        let default = if seconds < 120 { 16 } else { 60 };
        Self { seed, seconds, clusters: number("JEROBOAM_TWO_CLUSTERS", default), engines }
    }

    fn is_whole(&self) -> bool {
        self.seconds >= 120
    }

    /// What happens meanwhile, in turn. The whole form has each process killed twice, and the database crash and be restarted
    /// in order; the short form has each killed once.
    fn blows(&self, random: &mut StdRng) -> Vec<Blow> {
        let mut processes = [Part::Api(0), Part::Reconcile(0), Part::Api(1), Part::Reconcile(1)];
        let mut all = Vec::new();
        let databases = if self.is_whole() { &[Blow::Crash, Blow::Restart][..] } else { &[Blow::Crash][..] };
        for blow in databases {
            processes.shuffle(random);
            let before = random.random_range(1..processes.len());
            all.extend(processes[..before].iter().copied().map(Blow::Kill));
            all.push(*blow);
            all.extend(processes[before..].iter().copied().map(Blow::Kill));
        }
        all
    }
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug)]
enum Blow {
    /// `kill -9`, and another one is started soon.
    Kill(Part),
    /// `kill -9` to the database, which comes back.
    Crash,
    /// The database is stopped and started in order.
    Restart,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_everything_lose_nothing_when_each_is_killed_in_turn() {
    let plan = Plan::from_environment();
    assert!(!plan.engines.is_empty(), "JEROBOAM_TWO_ENGINES names no engine: mariadb, postgresql");
    for engine in &plan.engines {
        run(&plan, *engine).await;
    }
}

async fn run(plan: &Plan, engine: Engine) {
    let what = format!("{} for {} s, seed {}", engine.name(), plan.seconds, plan.seed);
    writeln(&format!("two of everything on {what}"));
    let mut random = StdRng::seed_from_u64(plan.seed);
    // Shorter than a client waits, who is to be told; and what is left of those that were cut is revoked after four times that.
    let mut bed = Bed::start(engine, if plan.is_whole() { 40 } else { 20 }).await;
    let before = bed.cloud.things().await;
    let shared = Arc::new(Shared::new(&bed, plan.clusters).await);
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let seed = random.random();
        let client = Client::new(number, seed, Arc::clone(&shared));
        clients.spawn(client.live());
    }

    shared.until_some_are_made().await;
    let began = Instant::now();
    let blows = plan.blows(&mut random);
    let pause = Duration::from_secs(plan.seconds) / u32::try_from(blows.len() + 1).expect("a few");
    for (number, blow) in blows.iter().enumerate() {
        let at = pause * u32::try_from(number + 1).expect("a few");
        tokio::time::sleep(at.saturating_sub(began.elapsed())).await;
        writeln(&format!("{:>4} s: {blow:?}", began.elapsed().as_secs()));
        strike(&mut bed, &shared, *blow, plan.is_whole(), &mut random).await;
    }
    tokio::time::sleep(Duration::from_secs(plan.seconds).saturating_sub(began.elapsed())).await;
    shared.stop();
    let mut left = Vec::new();
    while let Some(ended) = clients.join_next().await {
        left.push(ended.expect("a client does not break"));
    }
    bed.all_run();

    let calm = Instant::now();
    let ending = ending::Ending::of(&bed, &shared, left).await;
    ending.converge().await;
    let converged = calm.elapsed();
    ending.clear_away(&before).await;
    let fence = fence::check(&bed.reconcile_logs());
    shared.ledger.report(&what, converged, &fence);
    let mut wrongs = shared.ledger.wrongs();
    wrongs.extend(fence.overlaps.iter().cloned());
    wrongs.extend(bed.errors_in_logs());
    assert!(fence.processes >= 2, "only {} reconcilers did anything", fence.processes);
    if !wrongs.is_empty() {
        let kept = bed.keep_logs();
        let count = wrongs.len();
        wrongs.truncate(40);
        panic!("{count} things went wrong on {what}; logs are in {}:\n{}", kept.display(), wrongs.join("\n"));
    }
}

async fn strike(bed: &mut Bed, shared: &Shared, blow: Blow, whole: bool, random: &mut StdRng) {
    // As a supervisor would, and as long as somebody needs who restarts a database.
    let pause = if whole { random.random_range(500..4000) } else { random.random_range(200..800) };
    let pause = Duration::from_millis(pause);
    match blow {
        Blow::Kill(part) => {
            bed.kill(part);
            tokio::time::sleep(pause).await;
            bed.raise(part).await;
        }
        Blow::Crash | Blow::Restart => {
            let began = Instant::now();
            match blow {
                Blow::Crash => bed.database.cut_down(),
                _ => bed.database.stop(),
            }
            tokio::time::sleep(2 * pause).await;
            bed.database.raise(bed::DATABASE).await;
            shared.ledger.database_was_away(began, Instant::now());
        }
    }
}
