//! `jeroboam registry gc`.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use jeroboam_blobs::Freshness;
use jeroboam_cli::args::{GcArgs, GcCommand, RegistryConfigArgs, ReportArgs, ReportFormat, RestoreArgs};
use jeroboam_model::Timestamp;
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};
use jeroboam_registry::gc::{Collector, InTrash, Outcome, Report, Restored};
use jeroboam_registry::serve;
use jeroboam_registry::store::{Compat, NewManifest, Store, TagCondition};
use serde::Serialize;

use super::{Opened, json, report};
use crate::registry::{print, say};

pub(super) async fn run(args: GcArgs) -> Result<bool> {
    match &args.command {
        Some(GcCommand::Trash { config, report }) => trash(config, *report).await.map(|()| true),
        Some(GcCommand::Restore(args)) => restore(args).await.map(|()| true),
        None => collect(&args).await,
    }
}

/// What came of a step, for programs.
#[derive(Serialize)]
struct Step {
    outcome: &'static str,
    /// Before then nothing more is done.
    until: Option<Timestamp>,
    report: Option<Report>,
}

impl From<Outcome> for Step {
    fn from(outcome: Outcome) -> Self {
        let (outcome, until, report) = match outcome {
            Outcome::Taken(until) => ("taken", Some(until), None),
            Outcome::Announced(until, report) => ("announced", Some(until), Some(*report)),
            Outcome::Waits(until) => ("waits", Some(until), None),
            Outcome::Swept(report) => ("swept", None, Some(*report)),
            Outcome::Paused(report) => ("paused", None, Some(*report)),
        };
        Self { outcome, until, report }
    }
}

fn collector(opened: &Opened, compat: Compat) -> Result<Collector> {
    let config = serve::gc_config(&opened.config);
    let collector = Collector::new(opened.blobs.clone(), opened.clock.clone(), compat, config, opened.name.clone());
    Ok(collector?)
}

async fn collect(args: &GcArgs) -> Result<bool> {
    let opened = Opened::open(&args.config).await?;
    if args.really.dry_run {
        // Looking harms nobody, whoever else uses the store.
        let looked = opened.follow(collector(&opened, Compat::Exclusive)?.look()).await?;
        report(&looked, args.report)?;
        return Ok(true);
    }
    opened.may_write()?;
    let compat = if opened.config.ours.exclusive { Compat::Exclusive } else { Compat::Shared };
    let collector = collector(&opened, compat)?;
    let collected = steps(&opened, &collector, args.wait).await;
    // Whoever collects next need not wait until our word is old.
    let resigned = collector.resign().await;
    let step = collected?;
    resigned?;
    tell(&step, args.report)?;
    Ok(step.outcome != "taken")
}

/// One step; with `wait`, as many as it takes until what was announced is gone, or somebody says stop.
async fn steps(opened: &Opened, collector: &Collector, wait: bool) -> Result<Step> {
    let stop = opened.stop();
    loop {
        let step = Step::from(opened.progress.follow(collector.step(&stop)).await?);
        if !wait || step.outcome == "swept" || stop.is_cancelled() {
            return Ok(step);
        }
        let rest = match step.until {
            Some(until) => {
                say(&format!("nothing more is done before {until}"));
                until.duration_since(opened.clock.now()).unsigned_abs() + Duration::from_secs(1)
            }
            None => opened.config.ours.collection.times.interval(),
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = stop.cancelled() => return Ok(step),
        }
    }
}

fn tell(step: &Step, args: ReportArgs) -> Result<()> {
    if args.format == ReportFormat::Json {
        return json(step);
    }
    if let Some(report) = &step.report {
        print(&report.to_string())?;
    }
    let until = step.until.map(|until| until.to_string()).unwrap_or_default();
    match step.outcome {
        "taken" => {
            say(&format!("another process collects: its word is good until {until}"));
            say("hint: a registry with jeroboam.gc.enabled does all of it by itself");
        }
        "announced" => {
            say(&format!("announced: what nothing refers to after {until} goes then"));
            say("hint: run this again then, or say jeroboam.gc.enabled in the configuration of a registry that serves");
        }
        "waits" => say(&format!("what was announced goes after {until}: run this again then")),
        "paused" => say("stopped before the end, or outside of jeroboam.gc.window: the next run goes on"),
        _ => say("swept: what was announced is gone, or was spared"),
    }
    Ok(())
}

async fn trash(config: &RegistryConfigArgs, args: ReportArgs) -> Result<()> {
    let opened = Opened::open(config).await?;
    let all = opened.follow(collector(&opened, Compat::Exclusive)?.trash()).await?;
    if args.format == ReportFormat::Json {
        return json(&all);
    }
    print(&all.iter().map(line).collect::<String>())?;
    if all.is_empty() {
        say("the trash is empty");
        if opened.config.ours.collection.trash.is_none() {
            say("hint: jeroboam.gc.trash says how long what was removed is kept; without it nothing is");
        }
    }
    Ok(())
}

fn line(one: &InTrash) -> String {
    let kind = if one.is_manifest { "manifest" } else { "blob" };
    let names: Vec<&str> = one.repositories.iter().map(RepositoryName::as_str).collect();
    format!("{} {kind} {} bytes, removed {} {}\n", one.digest, one.bytes, one.removed, names.join(" "))
        .replace(" \n", "\n")
}

async fn restore(args: &RestoreArgs) -> Result<()> {
    let digest: Digest = args.digest.parse().with_context(|| {
        format!(
            "{:?} is no digest, such as sha256:4355a46b…: jeroboam registry gc trash names those that there are",
            args.digest
        )
    })?;
    let image = args.image.as_deref().map(image).transpose()?;
    let opened = Opened::open(&RegistryConfigArgs { config: args.config.clone() }).await?;
    opened.may_write()?;
    let collector = collector(&opened, Compat::Exclusive)?;
    let restored = match opened.follow(collector.restore(&digest)).await {
        // It may have come back before somebody thought of its repository.
        Err(_) if image.is_some() && is_there(&opened, &digest).await? => Vec::new(),
        other => other?,
    };
    if let Some((repository, tag)) = image {
        let (store, leases) = opened.store();
        let linked = link(&store, &digest, repository, tag).await;
        leases.retire().await;
        linked?;
    }
    if args.report.format == ReportFormat::Json {
        return json(&restored);
    }
    print(&restored.iter().map(back).collect::<String>())?;
    if args.image.is_none() {
        say("hint: what nothing refers to is collected again; --as NAME:TAG makes an image of a manifest");
    }
    Ok(())
}

fn back(one: &Restored) -> String {
    let there = if one.was_there { ", which had been pushed again" } else { "" };
    format!("restored {} with {} bytes and {} links{there}\n", one.digest, one.bytes, one.links)
}

/// `team/app:v1` or `team/app`.
fn image(text: &str) -> Result<(RepositoryName, Option<Tag>)> {
    let bad = || format!("{text:?} is no name of a repository, perhaps with a tag, such as team/app:v1");
    let (name, tag) = text.split_once(':').map_or((text, None), |(name, tag)| (name, Some(tag)));
    Ok((name.parse().with_context(bad)?, tag.map(str::parse).transpose().with_context(bad)?))
}

async fn is_there(opened: &Opened, digest: &Digest) -> Result<bool> {
    Ok(opened.blobs.head(&jeroboam_oci::layout::blob(digest), Freshness::Newest).await?.is_some())
}

/// Pushes a manifest as a client would, whose bytes are in the store already.
async fn link(store: &Store, digest: &Digest, repository: RepositoryName, tag: Option<Tag>) -> Result<()> {
    let Some(stored) = store.load_manifest(digest).await? else {
        bail!("{digest} is no manifest: --as is for manifests, and a blob comes back with its links alone");
    };
    let shown = tag.as_ref().map_or_else(|| format!("{repository}@{digest}"), |tag| format!("{repository}:{tag}"));
    let new = NewManifest {
        reference: tag.map_or_else(|| Reference::Digest(digest.clone()), Reference::Tag),
        tags: Vec::new(),
        content_type: None,
        condition: TagCondition::Always,
        bytes: stored.bytes.clone(),
    };
    store.put_manifest(&repository, new).await.with_context(|| format!("make {shown} of it"))?;
    say(&format!("{shown} can be pulled"));
    Ok(())
}
