//! `jeroboam config …`, `policy …`, `completion`: files in, words out.

use std::path::PathBuf;

use clap::CommandFactory as _;
use jeroboam_oslo::config::{self, FindingKind};
use jeroboam_oslo::policy::{policy_check, policy_sample};
use jeroboam_oslo::{Config, PolicySettings};

use crate::args::{Cli, ConfigArgs, ConfigCommand, OperatorCommand, PolicyCommand};
use crate::{Failure, Surroundings};

pub(super) fn run(command: OperatorCommand, surroundings: &mut Surroundings) -> Result<(), Failure> {
    match command {
        OperatorCommand::Config(ConfigCommand::Sample) => surroundings.print(&config::sample()),
        OperatorCommand::Config(ConfigCommand::Check { config, strict }) => check_config(&config, strict, surroundings),
        OperatorCommand::Policy(PolicyCommand::Sample) => surroundings.print(&policy_sample()),
        OperatorCommand::Policy(PolicyCommand::Check { config, policy_file }) => {
            check_policy(&config, policy_file, surroundings)
        }
        OperatorCommand::Completion(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "jeroboam", &mut script);
            surroundings.print(&String::from_utf8_lossy(&script))
        }
    }
}

fn examine(args: &ConfigArgs, surroundings: &Surroundings) -> Result<Config, Failure> {
    let read = Config::examine(&args.paths(), &surroundings.env);
    read.map_err(|error| {
        let mut message = error.to_string();
        if let Some(source) = std::error::Error::source(&error) {
            message = format!("{message}: {source}");
        }
        Failure::new(message)
    })
}

fn check_config(args: &ConfigArgs, strict: bool, surroundings: &mut Surroundings) -> Result<(), Failure> {
    let config = examine(args, surroundings)?;
    let (mut errors, mut warnings) = (0_usize, 0_usize);
    for finding in config.findings() {
        let wrong = finding.kind == FindingKind::WrongValue;
        let counts = matches!(finding.kind, FindingKind::Unknown | FindingKind::Removed | FindingKind::Deprecated);
        let word = match finding.kind {
            FindingKind::WrongValue => "error",
            FindingKind::Unknown | FindingKind::Removed | FindingKind::Deprecated => "warning",
            FindingKind::Unused => "note",
        };
        errors += usize::from(wrong);
        warnings += usize::from(counts);
        surroundings.print(&format!("{word}: {finding}\n"))?;
    }
    if !config.is_set("certificates", "cert_manager_type") {
        surroundings.print(
            "note: [certificates] cert_manager_type is not set: certificates of new clusters go to Barbican, as Magnum's do; \
             where there is none, say x509keypair, which is the database\n",
        )?;
    }
    if errors > 0 {
        return Err(Failure::new(format!("the service does not start: {errors} of its options cannot be used")));
    }
    let obstacles = std::mem::take(&mut surroundings.obstacles);
    for obstacle in &obstacles {
        surroundings.print(&format!("error: {obstacle}\n"))?;
    }
    if !obstacles.is_empty() {
        return Err(Failure::new("the service does not start with this configuration"));
    }
    if strict && warnings > 0 {
        return Err(Failure::new(format!("{warnings} options have no effect or will have none")));
    }
    let read: Vec<_> = args.paths().iter().map(|path| path.display().to_string()).collect();
    let read = if read.is_empty() { "no file was found, the defaults hold".to_owned() } else { read.join(", ") };
    surroundings.say(&format!("the configuration can be used ({read})"));
    Ok(())
}

fn check_policy(args: &ConfigArgs, file: Option<PathBuf>, surroundings: &mut Surroundings) -> Result<(), Failure> {
    if let Some(absent) = file.as_ref().filter(|file| !file.exists()) {
        return Err(Failure::new(format!("read policy file {}: there is no such file", absent.display())));
    }
    let mut settings = PolicySettings::from_config(&examine(args, surroundings)?);
    if file.is_some() {
        settings = PolicySettings { file, dirs: Vec::new(), ..settings };
    }
    let findings = policy_check(&settings).map_err(|error| {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Failure::new(format!("{error}{source}"))
    })?;
    for finding in &findings {
        let word = if finding.error { "error" } else { "note" };
        surroundings.print(&format!("{word}: {finding}\n"))?;
    }
    match findings.iter().filter(|finding| finding.error).count() {
        0 => {
            surroundings.say("the policy can be used");
            Ok(())
        }
        errors => Err(Failure::new(format!("{errors} rules refuse more than they seem to"))),
    }
}
