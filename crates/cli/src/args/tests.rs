use std::time::Duration;

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("jeroboam").chain(line.split_whitespace()))
}

#[test]
fn the_commands_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn lines_are_taken_or_refused() {
    use ErrorKind::{
        DisplayHelpOnMissingArgumentOrSubcommand as Help, InvalidSubcommand, InvalidValue,
        MissingRequiredArgument as Missing, UnknownArgument, ValueValidation,
    };
    let table: &[(&str, Option<ErrorKind>)] = &[
        ("cluster list", None),
        ("cluster list -f json -c uuid -c name --sort name --reverse", None),
        ("cluster list --reverse", Some(Missing)),
        ("cluster list -f xml", Some(InvalidValue)),
        ("cluster --os-cloud a list", None),
        ("cluster list --os-cloud a --os-region-name r", None),
        ("--os-cloud a cluster list", Some(UnknownArgument)),
        ("cluster", Some(Help)),
        ("cluster crate x", Some(InvalidSubcommand)),
        ("cluster create --template t", None),
        ("cluster create kube", Some(Missing)),
        ("cluster create kube -t t -l a=b --label c= --wait --timeout 90s", None),
        ("cluster create kube -t t -l a", Some(ValueValidation)),
        ("cluster create kube -t t --timeout 5m", Some(Missing)),
        ("cluster create kube -t t --wait --timeout soon", Some(ValueValidation)),
        ("cluster create kube -t t --node-count -1", Some(UnknownArgument)),
        ("cluster create kube -t t --node-count many", Some(ValueValidation)),
        ("cluster create kube -t t --no-master-lb --floating-ip", None),
        ("cluster resize kube 3 --remove a --remove b --nodegroup g", None),
        ("cluster resize kube", Some(Missing)),
        ("cluster upgrade kube t", None),
        ("cluster delete", Some(Missing)),
        ("cluster delete a b --yes --wait", None),
        ("cluster delete a --dry-run", None),
        ("cluster nodes kube -f value -c name", None),
        ("cluster wait kube --timeout 2h", None),
        ("template update t", Some(Missing)),
        ("template update t --unset keypair_id", None),
        ("template create --image i", None),
        ("nodegroup create kube", Some(Missing)),
        ("nodegroup create kube gpu --node-taint a=b:NoSchedule", None),
        ("nodegroup update kube gpu", Some(Missing)),
        ("nodegroup update kube gpu --max-nodes 5", None),
        ("kubeconfig kube --output f --force", None),
        ("kubeconfig kube --force", Some(Missing)),
        ("service list", None),
        ("registry", Some(Help)),
        ("registry serve", None),
        ("registry serve config.yml --debug", None),
        ("registry serve a.yml b.yml", Some(UnknownArgument)),
        ("registry config check --strict", None),
        ("registry config sample", None),
        ("registry htpasswd", Some(Missing)),
        ("registry htpasswd ada --file f --argon2id", None),
        ("registry htpasswd ada --argon2id --cost 12", Some(ErrorKind::ArgumentConflict)),
        ("registry htpasswd ada --cost 31", Some(ValueValidation)),
        ("registry htpasswd ada --remove", Some(Missing)),
        ("registry token key", None),
        ("registry token make --subject a", Some(Missing)),
        ("registry token make c.yml --subject a --scope repository:b:pull --lifetime 24h", None),
        ("registry gc", Some(Missing)),
        ("registry gc --dry-run", None),
        ("registry gc config.yml --yes --wait -f json", None),
        ("registry gc --dry-run --yes", Some(ErrorKind::ArgumentConflict)),
        ("registry gc --dry-run --wait", Some(ErrorKind::ArgumentConflict)),
        ("registry gc trash config.yml", None),
        ("registry gc restore", Some(Missing)),
        ("registry gc restore sha256:a", None),
        ("registry gc restore config.yml sha256:a --as a:b -f json", None),
        ("registry inspect config.yml --verify 100 -f json", None),
        ("registry inspect --verify 101", Some(ValueValidation)),
        ("registry inspect -f xml", Some(InvalidValue)),
        ("registry repair", Some(Missing)),
        ("registry repair config.yml --yes", None),
        ("registry scrub --rate 5MiB --dry-run", None),
        ("registry scrub --rate fast", Some(ValueValidation)),
        ("registry retain --dry-run", None),
        ("registry hand-back", Some(Missing)),
        ("registry hand-back config.yml --yes --all-stopped", None),
        ("api --config-file a --config-file b --config-dir c --debug --log-json", None),
        ("reconcile", None),
        ("all", None),
        ("dev --fresh --port 0 --kubeconfig k --os-cloud c", None),
        ("sandbox --dir d --kube-port 1 --identity-port 2", None),
        ("db upgrade --config-file a", None),
        ("db check", None),
        ("db", Some(Help)),
        ("config sample", None),
        ("config check --strict --config-file a", None),
        ("policy sample", None),
        ("policy check --policy-file p", None),
        ("completion bash", None),
        ("completion cmd", Some(InvalidValue)),
        ("", Some(Help)),
    ];
    for (line, expected) in table {
        assert_eq!(parse(line).err().map(|error| error.kind()), *expected, "{line}");
    }
}

#[test]
fn wrong_usage_is_exit_code_two() {
    assert_eq!(parse("cluster create").map_err(|error| error.exit_code()).err(), Some(2));
    assert_eq!(parse("--help").map_err(|error| error.exit_code()).err(), Some(0));
}

#[test]
fn the_last_of_two_opposites_counts() {
    for (line, expected) in [
        ("--master-lb --no-master-lb", (false, true)),
        ("--no-master-lb --master-lb", (true, false)),
        ("", (false, false)),
    ] {
        let cli = parse(&format!("cluster create -t t {line}")).expect("a good line");
        let Command::Client(ClientCommand::Cluster { command: ClusterCommand::Create(args), .. }) = cli.command else {
            panic!("another command");
        };
        assert_eq!((args.master_lb, args.no_master_lb), expected, "{line}");
    }
}

#[test]
fn times_have_units() {
    for (text, seconds) in
        [("90", Some(90)), ("90s", Some(90)), ("20m", Some(1200)), ("2h", Some(7200)), ("m", None), ("1d", None)]
    {
        assert_eq!(common::duration(text).ok(), seconds.map(Duration::from_secs), "{text}");
    }
}

#[test]
fn every_command_says_what_it_does() {
    fn look(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        assert!(command.get_about().is_some(), "{path} has no description");
        for argument in command.get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty(), "{path}: {} has no help", argument.get_id());
            assert!(!help.ends_with('.'), "{path}: {}: no full stop after {help:?}", argument.get_id());
        }
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            look(inner, &path);
        }
    }
    look(&Cli::command(), "");
}

#[test]
fn the_front_page_teaches() {
    let help = Cli::command().term_width(100).render_long_help().to_string();
    for part in ["jeroboam dev", "cluster create kube --template", "Make, change and delete clusters", "Serve the API"]
    {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
    assert!(!help.contains("sandbox"), "{help}");
}

/// The commands in the examples of a help text, continued lines in one.
fn examples(help: &str) -> Vec<String> {
    let joined = help.split("\\\n").map(|part| part.trim_start_matches(' ')).collect::<Vec<_>>().join(" ");
    let typed = joined.lines().filter_map(|line| line.trim().strip_prefix("jeroboam "));
    // Blanks divide a command from what is said of it; where its output goes is the shell's.
    let first = |line: &str, end: &str| line.split(end).next().unwrap_or(line).to_owned();
    let alone = |line: &str| first(&first(&first(line, "    "), " > "), " | ");
    typed.map(alone).collect()
}

#[test]
fn every_command_shows_an_example_that_it_takes() {
    fn look(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name()).trim().to_owned();
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let shown = examples(&help);
        let hidden = command.is_hide_set();
        if !command.has_subcommands() && !hidden {
            let own = path.strip_prefix("jeroboam ").unwrap_or(&path);
            assert!(shown.iter().any(|line| line.starts_with(own)), "{path} shows no example of itself: {help:?}");
        }
        for line in shown {
            assert!(parse(&line).is_ok(), "{path}: jeroboam {line}: {:?}", parse(&line).err());
        }
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            look(inner, &path);
        }
    }
    look(&Cli::command(), "");
}
