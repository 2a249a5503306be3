//! `jeroboam registry inspect`, `repair`, `scrub`, `retain` and `hand-back`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use jeroboam_cli::args::{HandBackArgs, InspectArgs, RepairArgs, RetainArgs, ScrubArgs};
use jeroboam_registry::around;
use jeroboam_registry::hand_back::{self, HandBackOptions};
use jeroboam_registry::inspect::{self, InspectOptions};
use jeroboam_registry::repair;
use jeroboam_registry::replicate::Replication;
use jeroboam_registry::retention::{self, Removal, Retained};
use jeroboam_registry::scrub::{self, ScrubConfig, Turn};
use jeroboam_registry::serve;
use serde::Serialize;

use super::{Opened, report};
use crate::registry::say;

pub(super) async fn inspect(args: InspectArgs) -> Result<bool> {
    let opened = Opened::open(&args.config).await?;
    let caches = around::caches(&opened.config);
    let sparse_images = opened.config.ours.sparse_image;
    let options = InspectOptions { verify_percent: args.verify, caches: &caches, sparse_images };
    let found = opened.follow(inspect::inspect(&opened.blobs, options, opened.clock.now())).await?;
    report(&found, args.report)?;
    if !found.is_fine() {
        say("hint: jeroboam registry repair --dry-run says what can be mended");
    }
    Ok(found.is_fine())
}

pub(super) async fn repair(args: RepairArgs) -> Result<bool> {
    let opened = Opened::open(&args.config).await?;
    let caches = around::caches(&opened.config);
    let sparse_images = opened.config.ours.sparse_image;
    let options = InspectOptions { verify_percent: args.verify, caches: &caches, sparse_images };
    if args.really.yes {
        opened.may_write()?;
    }
    let work = repair::repair(&opened.blobs, options, opened.clock.now(), !args.really.yes);
    let repairs = opened.follow(work).await?;
    report(&repairs, args.report)?;
    Ok(repairs.is_all())
}

pub(super) async fn scrub(args: ScrubArgs) -> Result<bool> {
    let opened = Opened::open(&args.config).await?;
    let dry_run = args.dry_run || opened.config.storage.read_only;
    let config = ScrubConfig { bytes_per_second: args.rate, dry_run, me: opened.name.clone() };
    let before = scrub::last(&opened.blobs).await?.unwrap_or_default();
    if let Turn::After(until) = before.turn(&opened.name, Duration::ZERO, opened.clock.now()) {
        bail!(
            "a registry of this store is reading its blobs, and has read {} so far: come again after {until}",
            before.blobs
        );
    }
    // Told to stop it writes down how far it came.
    let stop = opened.stop();
    let work = scrub::scrub(&opened.blobs, &opened.clock, &config, None, &stop);
    let scrubbed = opened.progress.follow(work).await?;
    report(&scrubbed, args.report)?;
    Ok(scrubbed.is_fine())
}

pub(super) async fn retain(args: RetainArgs) -> Result<bool> {
    let opened = Opened::open(&args.config).await?;
    let rules = serve::retention_rules(&opened.config);
    if rules.is_empty() {
        bail!("the configuration has no rules: say below jeroboam.retention what stays");
    }
    if args.really.yes {
        opened.may_write()?;
    }
    let (store, _) = opened.store();
    let store = Arc::new(store);
    // Other regions would bring back what nobody told them of.
    let replication = match args.really.yes {
        true => around::replication_beside(&opened.config, &store, &opened.clock)?,
        false => Replication::none(),
    };
    let work = retention::retain(&store, &replication, &rules, opened.clock.now(), !args.really.yes);
    let retained = opened.follow(work).await?;
    report(&Shown(&retained), args.report)?;
    Ok(retained.unreadable.is_empty() && retained.failed.is_empty())
}

/// What no rule keeps, a line each.
#[derive(Serialize)]
#[serde(transparent)]
struct Shown<'a>(&'a Retained);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Retained { dry_run, removals, unreadable, failed } = self.0;
        let verb = if *dry_run { "would remove" } else { "removed" };
        for (repository, removals) in removals {
            for removal in removals {
                match removal {
                    Removal::Tag(tag, target) => writeln!(f, "{verb} {repository}:{tag} ({target})")?,
                    Removal::Manifest(digest) => writeln!(f, "{verb} {repository}@{digest}")?,
                }
            }
        }
        for repository in unreadable {
            writeln!(f, "{repository} has a manifest that cannot be read: nothing without a tag goes there")?;
        }
        for (repository, why) in failed {
            writeln!(f, "{repository}: not all went: {why}")?;
        }
        if removals.is_empty() && failed.is_empty() { writeln!(f, "the rules keep everything") } else { Ok(()) }
    }
}

pub(super) async fn hand_back(args: HandBackArgs) -> Result<bool> {
    let opened = Opened::open(&args.config).await?;
    let caches = around::caches(&opened.config);
    let options = HandBackOptions { dry_run: !args.really.yes, all_stopped: args.all_stopped, caches: &caches };
    let found = opened.follow(hand_back::hand_back(&opened.blobs, options, opened.clock.now())).await?;
    report(&found, args.report)?;
    if !found.serving.is_empty() && args.really.yes {
        say("error: nothing was changed, since a registry seems to serve this store");
        say("hint: stop it, or say --all-stopped if it ended without a word");
    }
    Ok(found.is_ready())
}
