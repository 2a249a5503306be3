//! Policy files as people write them: PyYAML and our reader see the same rules in them, or none.

use std::collections::BTreeMap;

use serde_json::{Map, json};

use crate::oracle::Oracle;
use crate::policy::{Ask, Files, differ};

#[test]
fn python_and_we_read_the_same_rules_in_a_file() {
    let Some(mut oracle) = Oracle::start() else { return };
    let asks: Vec<_> = ["a", "b:c", "a b", "5", "true", "cluster:get", "é"]
        .into_iter()
        .flat_map(|rule| {
            [json!(["admin"]), json!(["member"]), json!([])].map(|roles| Ask {
                rule: rule.to_owned(),
                target: Map::from_iter([("project_id".to_owned(), json!("p1"))]),
                credentials: Map::from_iter([("roles".to_owned(), roles), ("project_id".to_owned(), json!("p1"))]),
            })
        })
        .collect();
    let mut differences = Vec::new();
    for text in YAML {
        let files = Files { file: (*text).to_owned(), dir: BTreeMap::new() };
        let (theirs, ours) = (files.theirs(&mut oracle, true, true, &asks), files.ours(true, &asks));
        let mut pairs = asks.iter().zip(theirs.iter().zip(&ours));
        if let Some((ask, (their, our))) = pairs.find(|(_, (their, our))| differ(**their, **our)) {
            let (rule, roles) = (&ask.rule, &ask.credentials["roles"]);
            differences.push((*text, format!("Python says {their:?}, we say {our:?} to {rule} of {roles}")));
        }
    }
    let unexplained: Vec<_> =
        differences.iter().filter(|(text, _)| !OTHER_YAML.iter().any(|(known, _)| known == text)).collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    assert_eq!(differences.len(), OTHER_YAML.len(), "some of these do not differ any more: {differences:#?}");
}

/// What is YAML to one reader and not to the other, or another value.
const OTHER_YAML: &[(&str, &str)] = &[
    ("5: '@'", "a name is a text to us, a number to Python; no request asks for either"),
    ("true: '@'", "the same"),
    ("a: {b: c}", "Python takes the names of a mapping for a list; to us it is no rule"),
    ("\ta: role:admin", "Python does not like the tab"),
    ("a: !custom role:member", "Python does not know the tag, we do not look at it"),
    ("a: 2026-11-21", "a date to Python, which then loads nothing; a rule that refuses to us"),
    ("a: 1:30", "a number to the base of 60 to Python, which then loads nothing; a check of our caller to us"),
];

const YAML: &[&str] = &[
    "",
    "# nothing",
    "---\n",
    "---\na: role:admin\n...\n",
    "{}",
    "null",
    "~",
    "a:",
    "a: ~",
    "a: ''",
    "a: \"\"",
    "a: role:admin",
    "a: role:admin # a remark",
    "a: role:admin#no remark",
    "\"a\": \"role:admin or role:member\"",
    "'a': 'role:admin and not role:member'",
    "a: role:admin or\n  role:member",
    "a: >\n  role:admin or\n  role:member\n",
    "a: |\n  role:admin or\n  role:member\n",
    "a: >-\n  role:member",
    "a: [[role:admin], [role:member]]",
    "a:\n- - role:admin\n- - role:member\n  - project_id:%(project_id)s\n",
    "a:\n- role:member\n",
    "a: [role:admin, role:member]",
    "a: []",
    "a: [[]]",
    "a: [~]",
    "b:c: role:admin",
    "\"b:c\": '@'",
    "a b: '@'",
    "a: \"@\"",
    "a: '!'",
    "a: @",
    "a: !",
    "a: %(x)s",
    "a: project_id:%(project_id)s",
    "a: 'project_id:%(project_id)s'",
    "a: role:admin\na: role:member",
    "a: &x role:member\nb:c: *x",
    "a: *unknown",
    "5: '@'",
    "true: '@'",
    "'5': '@'",
    "a: 5",
    "a: 1.5",
    "a: true",
    "a: {b: c}",
    "- a\n- b",
    "a",
    "5",
    "a: [",
    "a: 'open",
    "\ta: role:admin",
    " a: role:admin",
    "a: role:admin\n b: role:admin",
    "{\"a\": \"role:member\", \"b:c\": \"\"}",
    "{\"a\": \"role:member\",}",
    "{\"a\": \"role:m\\u0065mber\"}",
    "é: role:member",
    "\"\\u00e9\": role:member",
    "\u{feff}a: role:member",
    "a: role:member\r\nb:c: role:admin\r\n",
    "a: role:member\rb:c: role:admin",
    "<<: {a: role:member}",
    "a: role:admin\n---\na: role:member\n",
    "%YAML 1.1\n---\na: role:member\n",
    "a: !!str role:member",
    "a: !custom role:member",
    "? a\n: role:member",
    "\"cluster:get\": \"\"",
    "cluster:get: rule:a\na: role:member",
    "a: 2026-11-21",
    "a: 1:30",
    "a: yes",
    "a: ~ # nothing",
];
