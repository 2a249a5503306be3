//! The registry and others in turns: each is started anew on a store of its own, measured, and ended; nothing of the others runs meanwhile.
//!
//! In every round another one goes first. What the disk or the bare Swift can do is measured in the same rounds, as a floor. The
//! client is this process: it hashes nothing while it measures, and its bytes are made before.

mod floor;
mod measure;
mod report;
mod subject;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;

use self::report::Report;
use self::subject::Subject;
use crate::say;

/// `jeroboam-bench registry`
#[derive(Debug, clap::Args)]
pub(crate) struct RegistryArgs {
    /// The program to measure
    #[arg(long, value_name = "FILE")]
    binary: PathBuf,
    /// distribution 2.8
    #[arg(long, value_name = "FILE", default_value = "docker-registry")]
    registry2: PathBuf,
    /// distribution 3
    #[arg(long, value_name = "FILE")]
    registry3: Option<PathBuf>,
    /// NORA
    #[arg(long, value_name = "FILE")]
    nora: Option<PathBuf>,
    /// Where Swift's own accounts are asked, for the backend swift
    #[arg(long, value_name = "URL")]
    swift: Option<String>,
    /// The proxy that counts requests to Swift
    #[arg(long, value_name = "FILE")]
    proxy: Option<PathBuf>,
    /// A folder for stores; what is in it may be removed
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// What objects are kept in
    #[arg(long, value_delimiter = ',', default_values = ["directory", "swift"])]
    backends: Vec<Backend>,
    /// The first of the ports that registries listen at
    #[arg(long, value_name = "PORT", default_value_t = 27040)]
    port: u16,
    /// How often each has its turn; 5 unless it is quick
    #[arg(long, value_name = "NUMBER")]
    rounds: Option<usize>,
    /// Only what has this in its name
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// More of our configuration, below `jeroboam:`
    #[arg(long, value_name = "YAML", default_value = "")]
    extra: String,
    /// Small and once: to see whether it works, not to quote
    #[arg(long)]
    quick: bool,
    /// Also write all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What objects are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Backend {
    Directory,
    Swift,
}

impl Backend {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Swift => "swift",
        }
    }
}

/// How much is sent and asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Bytes of a large blob.
    pub(super) large: usize,
    /// How many small blobs are pushed.
    pub(super) small: u64,
    /// How many manifests are pushed.
    pub(super) manifests: u64,
    /// How long manifests are asked for.
    pub(super) asking: Duration,
    /// How many pull at once.
    pub(super) crowd: usize,
}

impl Sizes {
    fn of(backend: Backend, quick: bool) -> Self {
        let mib = 1 << 20;
        match (backend, quick) {
            (_, true) => {
                let asking = Duration::from_millis(500);
                Self { large: 32 * mib, small: 24, manifests: 24, asking, crowd: 100 }
            }
            (Backend::Directory, false) => {
                Self { large: 256 * mib, small: 400, manifests: 400, asking: Duration::from_secs(4), crowd: 1000 }
            }
            (Backend::Swift, false) => {
                Self { large: 128 * mib, small: 80, manifests: 80, asking: Duration::from_secs(4), crowd: 1000 }
            }
        }
    }
}

/// Measures and prints.
pub(crate) async fn measure(args: &RegistryArgs) -> Result<()> {
    std::fs::create_dir_all(&args.folder).with_context(|| format!("make {}", args.folder.display()))?;
    let mut report = Report::begin(args.quick);
    for &backend in &args.backends {
        backend_rounds(args, backend, &mut report).await?;
    }
    report.print()?;
    if let Some(path) = &args.json {
        report.write(path)?;
    }
    Ok(())
}

async fn backend_rounds(args: &RegistryArgs, backend: Backend, report: &mut Report) -> Result<()> {
    let sizes = Sizes::of(backend, args.quick);
    let rounds = args.rounds.unwrap_or(if args.quick { 1 } else { 5 });
    let subjects = subjects(args, backend);
    for round in 0..rounds {
        for turn in 0..subjects.len() {
            let subject = &subjects[(round + turn) % subjects.len()];
            say(&format!("{}: round {} of {rounds}, {}", backend.name(), round + 1, subject.name));
            let figures = measure::turn(subject, backend, round, sizes, &args.only).await;
            let figures = figures.with_context(|| format!("measure {}", subject.name))?;
            report.take(backend, subject.name, figures);
        }
        let figures = match backend {
            Backend::Directory => floor::disk(&args.folder, sizes).await?,
            Backend::Swift => floor::swift(args.swift.as_deref().context("--swift is missing")?, sizes).await?,
        };
        report.take(backend, if backend == Backend::Swift { "raw Swift" } else { "raw disk" }, figures);
    }
    if let (Backend::Swift, Some(proxy)) = (backend, &args.proxy) {
        for subject in &subjects {
            report.count(subject.name, measure::requests(subject, proxy).await?);
        }
    }
    Ok(())
}

fn subjects(args: &RegistryArgs, backend: Backend) -> Vec<Subject> {
    let address = |number: u16| SocketAddr::from(([127, 0, 0, 1], args.port + number));
    let one = |name, program: &PathBuf, words: &[&'static str], number| Subject {
        name,
        program: program.clone(),
        words: words.to_vec(),
        address: address(number),
        folder: args.folder.clone(),
        swift: args.swift.clone(),
        extra: String::new(),
    };
    let ours = Subject { extra: args.extra.clone(), ..one("jeroboam", &args.binary, &["registry", "serve"], 0) };
    let mut all = vec![ours, one("distribution 2.8", &args.registry2, &["serve"], 1)];
    if let (Some(program), Backend::Directory) = (&args.registry3, backend) {
        all.push(one("distribution 3", program, &["serve"], 2));
    }
    if let (Some(program), Backend::Directory) = (&args.nora, backend) {
        all.push(one("NORA", program, &["serve"], 3));
    }
    all
}
