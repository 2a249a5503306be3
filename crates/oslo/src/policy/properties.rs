//! What must hold whatever an operator's policy file says.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::check::Check;
use super::{Attribute, Credentials, Enforcer, PolicyError, PolicySettings, audit, enforcer, parse};

/// What no rule is about, unless the file has one.
const NO_RULE: &str = "no:such_rule";
/// Rules that are there without a file, one of each kind.
const SHIPPED: [&str; 5] =
    ["cluster:create", "cluster:get", "cluster:get_all_all_projects", "clustertemplate:publish", NO_RULE];
/// As many rules of the file are asked.
const ASKED: usize = 16;

static ROLES: LazyLock<[String; 2]> = LazyLock::new(|| ["admin", "Member"].map(str::to_owned));
static NESTED: LazyLock<Value> =
    LazyLock::new(|| json!({"id": "p1", "tags": ["a", "b", 3], "domain": {"id": null, "name": "d"}, "flag": true}));

/// Reads a file twice and asks its rules in the name of several callers: the answers are the same, and there in no time.
pub fn policy(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let file = Path::new("policy.yaml");
    let read = || enforcer::rules_of(file, text);
    let (own, again) = match (read(), read()) {
        (Ok(own), Ok(again)) => (own, again),
        (one, other) => {
            let said = |read: Result<_, PolicyError>| read.err().map(|error| error.to_string());
            return assert_eq!(said(one), said(other), "a file is read or refused, not now this and then that");
        }
    };
    assert_eq!(own, again, "a file says the same at every look");
    assert_eq!(audit::look_through(&own, "default"), audit::look_through(&again, "default"));
    for value in enforcer::mapping(file, text).unwrap_or_default().values() {
        if let Value::String(text) = value {
            parentheses_change_nothing(text);
        }
    }

    let names: Vec<String> = own.keys().take(ASKED).cloned().chain(SHIPPED.map(str::to_owned)).collect();
    let answered = [NO_RULE, "default"].iter().any(|name| own.contains_key(*name));
    let settings = PolicySettings { default_rule: "default".to_owned(), ..PolicySettings::default() };
    let one = Enforcer::of(settings.clone(), Vec::new(), own);
    let other = Enforcer::of(settings, Vec::new(), again);
    for caller in callers() {
        for name in &names {
            let decided = one.authorize(name, &target, &caller);
            assert_eq!(decided, other.authorize(name, &target, &caller), "{name:?} is decided in two ways");
            assert!(answered || !decided || name != NO_RULE, "nobody may what no rule is about");
        }
    }
}

/// A rule in parentheses, and one that is denied twice, are the rule.
fn parentheses_change_nothing(text: &str) {
    let check = parse::text_rule(text);
    if matches!(check, Check::Unreadable(_)) || text.is_empty() {
        return;
    }
    for same in [format!("( {text} )"), format!("not not ( {text} )")] {
        let read = parse::text_rule(&same);
        let too_deep = matches!(&read, Check::Unreadable(_)) && text.matches('(').count() >= 100;
        assert!(read == check || too_deep, "{text:?} and {same:?} are two rules: {check:?} and {read:?}");
    }
}

fn callers() -> [Credentials<'static>; 4] {
    let person = |roles| {
        let who = Credentials::new().roles(roles).set("project_id", "p1").set("user_id", "u1");
        who.set("domain_id", Attribute::Nothing)
            .set("project", Attribute::Json(&NESTED))
            .set("number", Attribute::Number(7))
    };
    [
        person(&ROLES[..]).admin(true),
        person(&ROLES[1..]).admin(false),
        person(&[]).set("system_scope", "all"),
        Credentials::new(),
    ]
}

fn target(name: &str) -> Option<Attribute<'static>> {
    match name {
        "project_id" | "project.id" => Some(Attribute::from("p1")),
        "user_id" => Some(Attribute::from("u2")),
        "count" => Some(Attribute::Number(7)),
        "flag" => Some(Attribute::Flag(false)),
        "labels" => Some(Attribute::Json(&NESTED)),
        "nothing" => Some(Attribute::Nothing),
        _ => None,
    }
}
