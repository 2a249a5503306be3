//! Chores of this workspace: `cargo xtask <chore>`.

mod layers;
mod text;

use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use cargo_metadata::{DependencyKind, MetadataCommand};
use clap::{Parser, Subcommand};

use crate::layers::Package;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of this workspace")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Refuses arrows between crates that point up, heavy dependencies outside of their home, files that grew too
    /// long, crates without a description and paths of somebody's own machine
    Tidy,
}

fn main() -> ExitCode {
    let Cli { chore: Chore::Tidy } = Cli::parse();
    match tidy() {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => {
            for complaint in &complaints {
                say(complaint);
            }
            say(&format!("tidy: {} to put right", complaints.len()));
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a chore speaks to a person")]
fn say(line: &str) {
    eprintln!("{line}");
}

fn tidy() -> anyhow::Result<Vec<String>> {
    let metadata = MetadataCommand::new().no_deps().exec().context("read cargo metadata")?;
    let packages: Vec<_> = metadata.packages.iter().map(package).collect();
    let mut complaints = layers::complaints(&packages);

    let listed = Command::new("git").arg("-C").arg(&metadata.workspace_root).args(["ls-files", "-z"]).output();
    let listed = listed.context("list the tracked files")?;
    if !listed.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&listed.stderr).trim());
    }
    for name in String::from_utf8(listed.stdout)?.split_terminator('\0') {
        let path = metadata.workspace_root.join(name);
        // A file that is not text, or that is tracked and deleted, has no lines to look at.
        if let Ok(content) = std::fs::read_to_string(&path) {
            complaints.extend(text::complaints(name, &content));
        }
    }
    Ok(complaints)
}

/// What the rules look at: names, and what a crate needs to be built.
fn package(package: &cargo_metadata::Package) -> Package {
    let needed = package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
    Package { name: package.name.to_string(), needs: needed.map(|dependency| dependency.name.clone()).collect() }
}
