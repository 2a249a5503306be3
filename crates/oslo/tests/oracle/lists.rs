//! Magnum 23's own lists of rules and options: ours lack nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use jeroboam_oslo::config::{Kind, Opt, known, options};
use jeroboam_oslo::policy::{Rule, rules};
use serde_json::{Value, json};

use crate::oracle::Oracle;

#[test]
fn our_rules_are_magnum_s() {
    let Some(mut oracle) = Oracle::start() else { return };
    let Value::Array(theirs) = oracle.ask(&json!({"ask": "rules"})) else { panic!("a list") };
    let theirs: Vec<_> = theirs
        .into_iter()
        .map(|mut rule| {
            let operations = rule["operations"].as_array().map(|list| {
                let methods: Vec<_> = list.iter().map(|operation| operation[0].clone()).collect();
                json!(methods)
            });
            let rule = rule.as_object_mut().expect("a rule");
            rule.remove("description");
            rule.insert("operations".to_owned(), operations.expect("a list"));
            Value::Object(rule.clone())
        })
        .collect();
    let ours = |rule: &Rule| {
        let is_method = |word: &&str| word.len() > 2 && word.chars().all(|c| c.is_ascii_uppercase());
        json!({
            "name": rule.name,
            "check": rule.check,
            "scopes": rule.project_only.then_some(["project"]),
            "deprecated": rule.deprecated.map(|old| [old.name, old.check]),
            "operations": rule.guards.split(' ').filter(is_method).collect::<Vec<_>>(),
        })
    };
    let ours: Vec<_> = rules().iter().map(ours).collect();
    let name = |rule: &Value| rule["name"].as_str().expect("a name").to_owned();
    let by_name = |rules: Vec<Value>| rules.into_iter().map(|rule| (name(&rule), rule)).collect::<BTreeMap<_, _>>();
    let (ours, theirs) = (by_name(ours), by_name(theirs));
    for (name, rule) in &theirs {
        let same = ours.get(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(same, rule);
    }
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
}

#[test]
fn our_table_of_magnum_s_options_is_magnum_s() {
    let Some(mut oracle) = Oracle::start() else { return };
    let theirs: BTreeSet<_> = magnum_s_options(&mut oracle).iter().map(line).collect();
    let theirs: String = theirs.into_iter().collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/magnum-23.tsv");
    let ours = fs::read_to_string(path).expect("the table");
    if ours != theirs {
        let new = concat!(env!("CARGO_TARGET_TMPDIR"), "/magnum-23.tsv");
        fs::write(new, &theirs).expect("a file");
        let missing: Vec<_> = theirs.lines().filter(|line| !ours.lines().any(|ours| ours == *line)).collect();
        panic!("Magnum says\n{}\nand the table does not; the whole is in {new}", missing.join("\n"));
    }
}

/// A line of the table.
fn line(option: &Value) -> String {
    let text = |name: &str| option[name].as_str().unwrap_or("-").to_owned();
    let formerly: Vec<_> = option["deprecated"].as_array().expect("a list").iter().map(place).collect();
    let formerly = if formerly.is_empty() { "-".to_owned() } else { formerly.join(" ") };
    let going = if option["going"] == json!(true) { "\tgoing" } else { "" };
    format!("{}\t{}\t{}\t{}\t{formerly}{going}\n", text("group"), text("name"), text("kind"), text("default"))
}

fn place(place: &Value) -> String {
    format!("{}.{}", place[0].as_str().expect("a group"), place[1].as_str().expect("a name"))
}

fn magnum_s_options(oracle: &mut Oracle) -> Vec<Value> {
    let Value::Array(options) = oracle.ask(&json!({"ask": "options"})) else { panic!("a list") };
    options
}

#[test]
fn options_that_we_read_are_declared_as_magnum_declares_them() {
    let Some(mut oracle) = Oracle::start() else { return };
    let theirs = magnum_s_options(&mut oracle);
    let mut differences = BTreeSet::new();
    for opt in options() {
        let Some(their) = theirs.iter().find(|their| their["group"] == opt.group && their["name"] == opt.name) else {
            // Magnum had these for some services before 23.0.
            let formerly = opt.group.ends_with("_client") && ["ca_file", "insecure"].contains(&opt.name);
            if !opt.group.starts_with("jeroboam") && !formerly {
                differences.insert(format!("[{}] {}: Magnum has none", opt.group, opt.name));
            }
            continue;
        };
        let mut differ = |what: &str, ours: &dyn std::fmt::Debug, theirs: &dyn std::fmt::Debug| {
            differences.insert(format!("[{}] {}: {what} {ours:?}, Magnum {theirs:?}", opt.group, opt.name));
        };
        let (kind, theirs) = (kind(opt), their["kind"].as_str().expect("words"));
        // Where Magnum takes any number and then fails with some of them, ours has bounds.
        let bounded = matches!(theirs, "a whole number" | "a number") && kind.starts_with(theirs);
        if kind != theirs && !bounded {
            differ("kind", &kind, &theirs);
        }
        if opt.default != their["default"].as_str() {
            // A long list is named, not shown.
            let their = their["default"].as_str().map(|text| if text.len() > 200 { "a list" } else { text });
            differ("default", &opt.default, &their);
        }
        let secret = their["secret"] == json!(true);
        if opt.secret != secret {
            differ("secret", &opt.secret, &secret);
        }
        let ours: Vec<_> = opt.deprecated.iter().map(|(group, name)| format!("{group}.{name}")).collect();
        let theirs: Vec<_> = their["deprecated"].as_array().expect("a list").iter().map(place).collect();
        if !theirs.iter().all(|place| ours.contains(place)) {
            differ("formerly", &ours, &theirs);
        }
    }
    let found: Vec<_> = differences.iter().map(String::as_str).collect();
    let explained: Vec<_> = EXPLAINED.iter().map(|(difference, _)| *difference).collect();
    assert_eq!(found, explained);
}

fn kind(opt: &Opt) -> String {
    if opt.kind == Kind::Multi { "text, may be repeated".to_owned() } else { opt.kind.expected() }
}

/// What is declared otherwise than in Magnum, and why.
const EXPLAINED: &[(&str, &str)] = &[
    (
        "[DEFAULT] default_log_levels: default Some(\"\"), Magnum Some(\"a list\")",
        "the loggers of Python's libraries are not ours",
    ),
    (
        "[DEFAULT] state_path: default Some(\"/var/lib/magnum\"), Magnum Some(\"$pybasedir\")",
        "there is no Python package to keep state in; every distribution sets this",
    ),
    (
        "[certificates] cert_manager_type: kind \"one of barbican, x509keypair, local\", Magnum \"text\"",
        "Magnum fails at the first cluster with any other word",
    ),
    ("[database] pool_timeout: default Some(\"30\"), Magnum None", "SQLAlchemy's own default"),
    (
        "[healthcheck] disable_by_file_path: default Some(\"/etc/magnum/healthcheck_disable\"), Magnum None",
        "Magnum has it in api-paste.ini",
    ),
    ("[keystone_auth] interface: Magnum has none", "the services' own groups have it there"),
    ("[keystone_auth] region_name: Magnum has none", "the services' own groups have it there"),
    ("[keystone_authtoken] auth_type: default Some(\"password\"), Magnum None", "what every deployment sets"),
    ("[keystone_authtoken] http_connect_timeout: default Some(\"10\"), Magnum None", "every call has a deadline"),
];

/// The file says what rules are told of a caller, and the tests of the service take it from there.
#[test]
fn rules_are_told_of_a_caller_what_the_file_says() {
    let Some(mut oracle) = Oracle::start() else { return };
    let caller: Value = serde_json::from_str(include_str!("../../../../tests/oracle/caller.json")).expect("JSON");
    assert_eq!(oracle.ask(&json!({"ask": "context", "headers": caller["headers"]})), caller["told"]);
}

/// What nobody reads belongs to the options without effect, of which `jeroboam config check` says so.
#[test]
fn every_option_that_is_declared_is_read_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sources = String::new();
    for parts in ["bin", "crates"] {
        for part in fs::read_dir(root.join(parts)).expect("a directory") {
            gather(&part.expect("an entry").path().join("src"), &mut sources);
        }
    }
    let read = |opt: &&Opt| {
        // Put together from a prefix, or read by way of a default that refers to it.
        let built = opt.name.ends_with("_domain_id") || opt.name.ends_with("_domain_name") || opt.name == "state_path";
        built || sources.contains(&format!("\"{}\"", opt.name))
    };
    let unread: Vec<_> = options().iter().filter(|opt| !read(opt)).map(|opt| (opt.group, opt.name)).collect();
    assert!(unread.is_empty(), "nobody reads {unread:?}");
}

/// The texts of all Rust files below a directory, but for the table of options itself.
fn gather(dir: &Path, texts: &mut String) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("oslo/src/config") {
                gather(&path, texts);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            texts.push_str(&fs::read_to_string(path).expect("a file"));
        }
    }
}

#[test]
fn every_option_is_known_once() {
    let all: Vec<_> = known().iter().map(|known| (known.group, known.name)).collect();
    let once: BTreeSet<_> = all.iter().collect();
    assert_eq!(all.len(), once.len());
}
