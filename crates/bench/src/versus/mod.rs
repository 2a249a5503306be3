//! The service and Magnum one after the other on the same rows, in turns, with the bare routes beside both.
//!
//! Each turn starts the one whose turn it is anew, and ends it: nothing of the other runs meanwhile. What both answer is
//! compared before anything is measured, and an answer of another status or length ends the run.

mod report;
mod requests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jeroboam_store::testing::{self, KEY};
use jeroboam_store::{Store, StoreConfig, samples};
use secrecy::SecretString;

use self::report::Report;
use self::requests::Request;
use crate::args::VersusArgs;
use crate::bed::Tenant;
use crate::load::{Bounds, Shot, Tally, once};
use crate::process::{Memory, Process};
use crate::requests::{POSTED, Row, fill, start_floor};
use crate::{say, start};

/// How many templates are listed.
const TEMPLATES: usize = 20;

/// Somebody who answers: how it is started, and what was measured.
struct Side {
    name: &'static str,
    program: PathBuf,
    args: Vec<String>,
    address: SocketAddr,
    /// How long the bodies of its answers are, for each request.
    lengths: Vec<Option<usize>>,
    /// For each number of connections, for each request.
    tallies: Vec<Vec<Tally>>,
    starts: Vec<Duration>,
    /// Before the first request, and after the last, in each turn.
    idle: Vec<Memory>,
    busy: Vec<Memory>,
    /// How many processes it is.
    processes: usize,
}

/// What all turns share.
struct Match {
    state: PathBuf,
    store: Store,
    requests: Vec<Request>,
    connections: Vec<usize>,
    time: Duration,
}

/// Measures and prints.
pub(crate) async fn measure(args: &VersusArgs) -> Result<()> {
    let quick = args.how.quick;
    let report = Report::begin(quick);
    let ours = Side::new("service", &args.how.binary, our_settings(args)?, args.address);
    let (tenant, store, row) = prepare(args, &ours).await?;
    let mut requests = requests::all(&tenant, &row.id)?;
    requests.retain(|request| request.what.contains(&args.how.only));
    let database = SecretString::from(args.database.as_str());
    let (floor, floor_address) = start_floor(&args.state, &database, &row).await?;
    let theirs = Side::new("magnum", &args.magnum, Vec::new(), args.magnum_address);
    let mut sides = [theirs, ours];
    let (time, rounds) = if quick { (Duration::from_millis(300), 1) } else { (Duration::from_secs(2), 3) };
    let connections = args.how.connections.clone();
    let all = Match { state: args.state.clone(), store, requests, connections, time };

    all.look(&mut sides).await?;
    let bare = requests::bare()?;
    let mut floors: Vec<Vec<Tally>> = Vec::new();
    for round in 0..args.rounds.unwrap_or(rounds) {
        // Who comes first takes turns, too.
        sides.rotate_left(round % 2);
        for side in &mut sides {
            say(&format!("round {}: {}", round + 1, side.name));
            all.turn(side).await.with_context(|| side.name)?;
        }
        sides.rotate_left(round % 2);
        let lengths = vec![None; bare.len()];
        all.volleys(&floor, floor_address, &bare, &lengths, &mut floors).await.context("the bare routes")?;
    }
    floor.stop().await;
    all.store.close().await;
    let report = report.end(&all, &sides, &bare, &floors);
    report.print()?;
    args.how.json.as_deref().map_or(Ok(()), |path| crate::report::write_json(&report, path))
}

/// What the service is started with: the pretend cloud's settings, Magnum's database.
fn our_settings(args: &VersusArgs) -> Result<Vec<String>> {
    let own = args.state.join("ours.conf");
    let text = format!("[database]\nconnection = {}\n\n[jeroboam]\nencryption_key = {KEY}\n", args.database);
    std::fs::write(&own, text).context("write a configuration")?;
    let files = [args.state.join("cloud/magnum.conf"), own];
    let files = files.iter().flat_map(|file| ["--config-file".to_owned(), file.display().to_string()]);
    Ok(std::iter::once("api".to_owned()).chain(files).collect())
}

/// Takes Magnum's database over, as an operator does, and fills it.
async fn prepare(args: &VersusArgs, ours: &Side) -> Result<(Tenant, Store, Row)> {
    let adopt = ["db", "adopt", "--yes", "--all-stopped"];
    let adopted = std::process::Command::new(&args.how.binary).args(adopt).args(&ours.args[1..]).output();
    let adopted = adopted.with_context(|| format!("start {}", args.how.binary.display()))?;
    if !adopted.status.success() {
        bail!("the database could not be adopted: {}", String::from_utf8_lossy(&adopted.stderr));
    }
    let tenant = Tenant::log_in(&args.state.join("cloud"), args.address).await?;
    let config =
        StoreConfig { key: Some(KEY.into()), max_connections: 2, ..StoreConfig::at(args.database.as_str().into()) };
    let store = Store::connect(&config).await.context("open the database")?;
    say("rows for both");
    let row = fill(&store, &tenant).await?;
    for number in 1..TEMPLATES {
        let template = samples::template(&tenant.project, &format!("listed-{number}"));
        store.create_template(&template).await.context("make a template")?;
    }
    Ok((tenant, store, row))
}

impl Side {
    fn new(name: &'static str, program: &Path, args: Vec<String>, address: SocketAddr) -> Self {
        Self {
            name,
            program: program.to_owned(),
            args,
            address,
            lengths: Vec::new(),
            tallies: Vec::new(),
            starts: Vec::new(),
            idle: Vec::new(),
            busy: Vec::new(),
            processes: 0,
        }
    }

    /// Starts it and waits for its first answer; how long that took.
    async fn start(&self, state: &Path) -> Result<(Process, Duration)> {
        let began = Instant::now();
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let mut process = Process::start(&self.program, &args, &state.join("log"), self.name)?;
        process.until("an answer", Duration::from_millis(1), || start::answers(self.address, "/")).await?;
        Ok((process, began.elapsed()))
    }
}

impl Match {
    /// Asks both everything once: they must say the same.
    async fn look(&self, sides: &mut [Side; 2]) -> Result<()> {
        let mut said: Vec<Vec<serde_json::Value>> = Vec::new();
        for side in sides.iter_mut() {
            let (process, _) = side.start(&self.state).await?;
            let mut bodies = Vec::new();
            for request in &self.requests {
                let body = once(&request.shot(side.address, None)).await;
                let body = body.with_context(|| format!("{} from {}", request.what, side.name))?;
                side.lengths.push(request.same.then_some(body.len()));
                let body = serde_json::from_slice(&body).with_context(|| format!("read {}", request.what))?;
                bodies.push(body);
            }
            said.push(bodies);
            self.clean().await;
            process.stop().await;
        }
        for ((request, theirs), ours) in self.requests.iter().zip(&said[0]).zip(&said[1]) {
            request.compare(theirs, ours)?;
        }
        Ok(())
    }

    /// One turn of one of them: its start, its memory, everything that is asked of it, and its end.
    async fn turn(&self, side: &mut Side) -> Result<()> {
        let (process, took) = side.start(&self.state).await?;
        side.starts.push(took);
        process.settle().await?;
        side.idle.push(process.memory()?);
        side.processes = process.family().len();
        for request in &self.requests {
            // Two at once warm up both of two processes.
            let bounds = Bounds { time: self.time.min(Duration::from_millis(300)), requests: request.most };
            Tally::default().volley(&request.shot(side.address, None), &process, 2, bounds).await?;
        }
        self.clean().await;
        self.volleys(&process, side.address, &self.requests, &side.lengths, &mut side.tallies).await?;
        side.busy.push(process.memory()?);
        process.stop().await;
        Ok(())
    }

    /// Everything that is asked, at each number of connections.
    async fn volleys(
        &self,
        process: &Process,
        address: SocketAddr,
        requests: &[Request],
        lengths: &[Option<usize>],
        tallies: &mut Vec<Vec<Tally>>,
    ) -> Result<()> {
        tallies.resize_with(self.connections.len(), Vec::new);
        for (&connections, tallies) in self.connections.iter().zip(tallies) {
            tallies.resize_with(requests.len(), Tally::default);
            for ((request, length), tally) in requests.iter().zip(lengths).zip(tallies) {
                let shot: Shot = request.shot(address, *length);
                let bounds = Bounds { time: self.time, requests: request.most };
                tally.volley(&shot, process, connections, bounds).await.context(request.what)?;
                if !request.same {
                    self.clean().await;
                }
            }
        }
        Ok(())
    }

    /// Forgets the templates that were posted, so that every list stays as it is.
    async fn clean(&self) {
        testing::execute(&self.store, &format!("DELETE FROM cluster_template WHERE name LIKE '{POSTED}%'")).await;
    }
}
