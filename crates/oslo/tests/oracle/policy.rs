//! Rules, callers and targets at random: Python's oslo.policy decides, and ours decides the same.

use std::collections::BTreeMap;
use std::fs;

use jeroboam_oslo::policy::rules;
use jeroboam_oslo::{Attribute, Credentials, Enforcer, PolicySettings};
use serde_json::{Map, Value, json};

use crate::oracle::Oracle;
use crate::rng::Rng;

/// Rules in a file and a directory, and what is asked of them.
#[derive(Clone)]
struct Case {
    /// Whether Magnum's own rules are below those of the file; ours always has them.
    magnum: bool,
    file: Vec<(String, Value)>,
    dir: BTreeMap<String, Vec<(String, Value)>>,
    enforce_new_defaults: bool,
    asks: Vec<Ask>,
}

#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) rule: String,
    pub(crate) target: Map<String, Value>,
    pub(crate) credentials: Map<String, Value>,
}

/// What was said to one question. Python may also fail, which refuses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Said {
    Yes,
    No,
    Failed,
    /// The rules could not be loaded.
    Unloaded,
}

#[test]
fn python_and_we_decide_alike() {
    let Some(mut oracle) = Oracle::start() else { return };
    let mut rng = Rng(20_261_121);
    let mut counts = BTreeMap::new();
    for number in 0..1_000 {
        let magnum = number % 10 == 0;
        let case = case(&mut rng, magnum);
        let (theirs, ours) = (theirs(&mut oracle, &case), ours(&case));
        for (at, (their, our)) in theirs.iter().zip(&ours).enumerate() {
            *counts.entry(format!("{their:?}")).or_insert(0) += 1;
            if differ(*their, *our) {
                let mut least = case.clone();
                least.asks = vec![case.asks[at].clone()];
                let least = minimised(&mut oracle, least);
                let (their, our) = (self::theirs(&mut oracle, &least)[0], self::ours(&least)[0]);
                panic!("case {number}, question {at}: Python says {their:?}, we say {our:?} to\n{}", shown(&least));
            }
        }
    }
    let all: usize = counts.values().sum();
    assert!(all >= 20_000, "{counts:?}");
    for said in ["Yes", "No", "Failed", "Unloaded"] {
        assert!(counts.get(said).is_some_and(|count| *count >= 100), "too few {said}: {counts:?}");
    }
}

/// What Python does and we do not, for a reason.
#[test]
fn where_we_differ_from_python_we_are_the_stricter() {
    let Some(mut oracle) = Oracle::start() else { return };
    for (rule, target, python, why) in [
        (json!(false), json!({}), Said::Yes, "a rule that is no text and no list is a slip, not an open door"),
        (json!(0), json!({}), Said::Yes, "the same"),
        (json!("'{}':%s"), json!({}), Said::Yes, "a % without a name prints the whole target"),
        (json!("'  p':%(p)3s"), json!({"p": "p"}), Said::No, "formats with a width are nobody's need"),
        (json!("'f':%(n)x"), json!({"n": 15}), Said::Yes, "neither are other notations"),
        (json!("[1]:[1]"), json!({}), Said::Yes, "nor lists"),
        (json!("'\\x41':A"), json!({}), Said::Yes, "nor escapes"),
        (json!("0x10:16"), json!({}), Said::Yes, "nor other notations on the left side"),
    ] {
        let Value::Object(target) = target else { panic!("a mapping") };
        let ask = Ask { rule: "mine".to_owned(), target, credentials: Map::new() };
        let file = vec![("mine".to_owned(), rule.clone())];
        let case = Case { magnum: false, file, dir: BTreeMap::new(), enforce_new_defaults: true, asks: vec![ask] };
        assert_eq!(theirs(&mut oracle, &case), [python], "{rule}: {why}");
        assert_ne!(ours(&case), [Said::Yes], "{rule}: {why}");
    }
}

pub(crate) fn differ(their: Said, our: Said) -> bool {
    match their {
        Said::Failed => our != Said::No,
        their => their != our,
    }
}

fn theirs(oracle: &mut Oracle, case: &Case) -> Vec<Said> {
    Files::of(case).theirs(oracle, case.magnum, case.enforce_new_defaults, &case.asks)
}

fn ours(case: &Case) -> Vec<Said> {
    Files::of(case).ours(case.enforce_new_defaults, &case.asks)
}

/// Policy files as they stand on a disk.
pub(crate) struct Files {
    pub(crate) file: String,
    pub(crate) dir: BTreeMap<String, String>,
}

impl Files {
    fn of(case: &Case) -> Self {
        let dir = case.dir.iter().map(|(name, rules)| (name.clone(), text(rules)));
        Self { file: text(&case.file), dir: dir.collect() }
    }

    pub(crate) fn theirs(
        &self,
        oracle: &mut Oracle,
        magnum: bool,
        enforce_new_defaults: bool,
        asks: &[Ask],
    ) -> Vec<Said> {
        let dir: Map<_, _> = self.dir.iter().map(|(name, text)| (format!("policy.d/{name}"), json!(text))).collect();
        let questions: Vec<_> = asks.iter().map(|ask| json!([ask.rule, ask.target, ask.credentials])).collect();
        let answer = oracle.ask(&json!({
            "ask": "policies",
            "magnum": magnum,
            "file": self.file,
            "dir": dir,
            "enforce_new_defaults": enforce_new_defaults,
            "asks": questions,
        }));
        let Some(answers) = answer["answers"].as_array() else { return vec![Said::Unloaded; asks.len()] };
        let said = |answer: &Value| match answer {
            Value::Bool(true) => Said::Yes,
            Value::Bool(false) => Said::No,
            _ => Said::Failed,
        };
        answers.iter().map(said).collect()
    }

    pub(crate) fn ours(&self, enforce_new_defaults: bool, asks: &[Ask]) -> Vec<Said> {
        let place = tempfile::tempdir().expect("a directory");
        let (file, dir) = (place.path().join("policy.yaml"), place.path().join("policy.d"));
        fs::write(&file, &self.file).expect("a file");
        fs::create_dir(&dir).expect("a directory");
        for (name, text) in &self.dir {
            fs::write(dir.join(name), text).expect("a file");
        }
        let settings = PolicySettings {
            file: Some(file),
            dirs: vec![dir],
            enforce_new_defaults,
            default_rule: "default".to_owned(),
        };
        let Ok(enforcer) = Enforcer::new(settings) else { return vec![Said::Unloaded; asks.len()] };
        let decide = |ask: &Ask| {
            let target = |name: &str| ask.target.get(name).map(Attribute::Json);
            let mut who = Credentials::new();
            for (name, value) in &ask.credentials {
                who = who.set(name, Attribute::Json(value));
            }
            if enforcer.authorize(&ask.rule, &target, &who) { Said::Yes } else { Said::No }
        };
        asks.iter().map(decide).collect()
    }
}

/// A policy file: names and rules one to a line, as JSON has them, which is YAML.
fn text(rules: &[(String, Value)]) -> String {
    rules.iter().map(|(name, rule)| format!("{}: {rule}\n", json!(name))).collect()
}

fn shown(case: &Case) -> String {
    let dir: String = case.dir.iter().map(|(name, rules)| format!("policy.d/{name}:\n{}", text(rules))).collect();
    let ask = &case.asks[0];
    let (target, who) = (json!(ask.target), json!(ask.credentials));
    let flags = format!("magnum: {}, enforce_new_defaults: {}", case.magnum, case.enforce_new_defaults);
    format!("{flags}\n{}{dir}asked: {}\ntarget: {target}\ncredentials: {who}", text(&case.file), ask.rule)
}

/// Leaves out of a case with one question what does not matter for the difference.
fn minimised(oracle: &mut Oracle, mut case: Case) -> Case {
    loop {
        let smaller = smaller(&case).into_iter().find(|candidate| {
            let (their, our) = (theirs(oracle, candidate)[0], ours(candidate)[0]);
            differ(their, our)
        });
        match smaller {
            Some(smaller) => case = smaller,
            None => return case,
        }
    }
}

/// The case with one thing left out, for every thing.
fn smaller(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |change: &dyn Fn(&mut Case)| {
        let mut candidate = case.clone();
        change(&mut candidate);
        all.push(candidate);
    };
    for name in case.dir.keys() {
        add(&|case| drop(case.dir.remove(name)));
    }
    for at in 0..case.file.len() {
        add(&|case| drop(case.file.remove(at)));
        if let Value::String(rule) = &case.file[at].1 {
            let words: Vec<_> = rule.split_whitespace().collect();
            for left_out in 0..words.len() {
                let mut fewer = words.clone();
                fewer.remove(left_out);
                add(&|case| case.file[at].1 = json!(fewer.join(" ")));
            }
        }
    }
    for name in case.asks[0].target.keys() {
        add(&|case| drop(case.asks[0].target.remove(name)));
    }
    for name in case.asks[0].credentials.keys() {
        add(&|case| drop(case.asks[0].credentials.remove(name)));
    }
    all
}

fn case(rng: &mut Rng, magnum: bool) -> Case {
    let own: Vec<String> = ["default", "r0", "r1", "r2", "r3", "r4"].map(str::to_owned).to_vec();
    let mut names = own.clone();
    if magnum {
        let former = ["rule:admin_or_owner", "rule:admin_or_user"].map(str::to_owned);
        names.extend(rules().iter().map(|rule| rule.name.to_owned()).chain(former));
    }
    let mut file = Vec::new();
    for name in &own {
        if name != "default" || rng.percent(20) {
            file.push((name.clone(), rule(rng, &names)));
        }
    }
    for _ in 0..if magnum { rng.below(6) } else { 0 } {
        file.push((names[rng.below(names.len())].clone(), rule(rng, &names)));
    }
    let mut dir = BTreeMap::new();
    while rng.percent(25) {
        let file = *["b.yaml", "a.json", ".hidden", "c"].get(rng.below(4)).expect("one of four");
        let rules = (0..=rng.below(2)).map(|_| (names[rng.below(names.len())].clone(), rule(rng, &names)));
        dir.insert(file.to_owned(), rules.collect());
    }
    names.push("absent".to_owned());
    let asks = (0..if magnum { 60 } else { 17 }).map(|_| Ask {
        rule: names[rng.below(names.len())].clone(),
        target: target(rng),
        credentials: credentials(rng),
    });
    let asks = asks.collect();
    Case { magnum, file, dir, enforce_new_defaults: rng.percent(60), asks }
}

fn rule(rng: &mut Rng, names: &[String]) -> Value {
    match rng.below(100) {
        0 => json!(null),
        1 => [json!(""), json!("nothing"), json!([])][rng.below(3)].clone(),
        2 if rng.percent(12) => [json!(5), json!(true), json!(["role:x", 7]), json!(1.5)][rng.below(4)].clone(),
        3..10 => {
            let mut inner = || match rng.below(8) {
                0 => json!(null),
                1 => json!([]),
                2 => json!(check(rng, names)),
                3 => json!([check(rng, names), 5]),
                _ => json!((0..=rng.below(2)).map(|_| check(rng, names)).collect::<Vec<_>>()),
            };
            let outer: Vec<_> = (0..3).map(|_| inner()).collect();
            json!(outer)
        }
        10..16 => json!(broken(rng, names)),
        _ => json!(expression(rng, names, 3)),
    }
}

fn expression(rng: &mut Rng, names: &[String], depth: usize) -> String {
    let inner = |rng: &mut Rng| expression(rng, names, depth - 1);
    match if depth == 0 { 9 } else { rng.below(12) } {
        0 => format!("{} {} {}", inner(rng), rng.pick(&["and", "AND", " and "]), inner(rng)),
        1 => format!("{} {} {}", inner(rng), rng.pick(&["or", "Or", "\tor\n"]), inner(rng)),
        2 => format!("not {}", inner(rng)),
        3 => format!("({})", inner(rng)),
        4 => format!("( {} )", inner(rng)),
        5 => format!("{} or {} and not {}", check(rng, names), check(rng, names), check(rng, names)),
        6 => format!("(({}) or ({})) and {}", inner(rng), inner(rng), inner(rng)),
        _ => check(rng, names),
    }
}

/// An expression that lost a word, or has one too many.
fn broken(rng: &mut Rng, names: &[String]) -> String {
    let whole = expression(rng, names, 3);
    let mut words: Vec<_> = whole.split(' ').map(str::to_owned).collect();
    if rng.percent(50) && words.len() > 1 {
        words.remove(rng.below(words.len()));
    } else {
        let extra =
            *["and", "or", "not", "(", ")", "()", "'text'", "\"", "admin", "role:member", "''", "(role:member))"]
                .get(rng.below(12))
                .expect("one of twelve");
        words.insert(rng.below(words.len() + 1), extra.to_owned());
    }
    words.join(" ")
}

fn check(rng: &mut Rng, names: &[String]) -> String {
    match rng.below(20) {
        0 => "@".to_owned(),
        1 => "!".to_owned(),
        2..6 => format!("role:{}", right(rng)),
        6..9 => format!("rule:{}", names[rng.below(names.len())]),
        9 => (*rng.pick(&["rule:absent", "rule:", "admin", "role:", ":", "a:b:c", "''", "not:x", "and:or", "%"]))
            .to_owned(),
        10..15 => format!("{}:{}", rng.pick(PATHS), right(rng)),
        15 => format!("{}:{}", rng.pick(ODD), right(rng)),
        _ => format!("{}:{}", rng.pick(LITERALS), right(rng)),
    }
}

const PATHS: &[&str] = &[
    "project_id",
    "user_id",
    "is_admin",
    "roles",
    "user.domain.id",
    "user.domain",
    "token.roles.name",
    "token.roles",
    "token",
    "list",
    "deep.list",
    "none",
    "none.x",
    "number",
    "fraction",
    "text.x",
    "absent",
    "absent.x",
    "system",
    "system_scope",
    "domain_id",
    "ünï.cödé",
    "user.absent",
    "nested",
];

const LITERALS: &[&str] = &[
    "'p1'", "\"p1\"", "'Member'", "''", "'u1", "None", "True", "False", "5", "-3", "+3", "1.5", "1e5", ".5", "5.",
    "1_000", "0", "-0", "00", "007", "1e400", "'ü'", "'it\"s'",
];

const ODD: &[&str] = &[
    "", "a-b", "a..b", "class", "1a", "None.x", "a.None", "x+y", "lambda", "a.class", "@x", "a/b", "-a", "é", "a$",
    "a=b", "$", "a!", "x.1", "True.y", "!", "?", "a@b", "_", "1-2", "x*", "a;b", "`", "~a.b-",
];

/// The right side of a check.
fn right(rng: &mut Rng) -> String {
    let name = rng.pick(NAMES);
    match rng.below(20) {
        0..8 => format!("%({name})s"),
        8 => format!("%({name})r"),
        9 => format!("%({name})d"),
        10 => format!("%(project_id)s{}%(user_id)s", rng.pick(&["", ":", "%%", "-"])),
        11 => (*rng.pick(&[
            "100%%",
            "50%",
            "%(project_id)",
            "%(project_id",
            "%",
            "%(absent)s%",
            "%(project_id)s%",
            "%(absent)s%(p",
        ]))
        .to_owned(),
        _ => (*rng.pick(WORDS)).to_owned(),
    }
}

const NAMES: &[&str] = &[
    "project_id",
    "project_id",
    "user_id",
    "flag",
    "number",
    "fraction",
    "none",
    "role",
    "user.id",
    "list",
    "mapping",
    "absent",
    "ü",
    "a(b)",
    "",
    "empty",
];

const WORDS: &[&str] = &[
    "p1", "p2", "u1", "admin", "Member", "READER", "reader", "True", "None", "5", "1.5", "ü", "STRASSE", "all", "d1",
    "p1u1", "", "false", "-3", "['a',", "1000", "100000.0",
];

fn value(rng: &mut Rng) -> Value {
    match rng.below(14) {
        0 => json!(null),
        1 => json!(true),
        2 => json!(false),
        3 => json!([5, -3, 0, 1000][rng.below(4)]),
        4 => json!([1.5, 100_000.0, 1e-7, 1e20, 0.5, -0.0][rng.below(6)]),
        5 => json!([rng.pick(WORDS), rng.pick(WORDS)]),
        6 => json!({ *rng.pick(WORDS): rng.pick(WORDS) }),
        7 => json!([[1, "it's"], null, {"a": ["\u{e9}\n"]}]),
        _ => json!(rng.pick(WORDS)),
    }
}

fn target(rng: &mut Rng) -> Map<String, Value> {
    let mut target = Map::new();
    for (name, share) in [("project_id", 90), ("user_id", 90), ("role", 60)] {
        if rng.percent(share) {
            target.insert(name.to_owned(), json!(rng.pick(&["p1", "u1", "p2", "member", "admin"])));
        }
    }
    for name in ["flag", "number", "fraction", "none", "user.id", "list", "mapping", "ü", "a(b)", "", "empty"] {
        if rng.percent(40) {
            target.insert(name.to_owned(), value(rng));
        }
    }
    target
}

fn credentials(rng: &mut Rng) -> Map<String, Value> {
    let mut who = Map::new();
    let mut set = |name: &str, value: Value| drop(who.insert(name.to_owned(), value));
    let roles: Vec<_> =
        ["admin", "Member", "reader", "ü", "straße", "p1"].into_iter().filter(|_| rng.percent(35)).collect();
    match rng.below(40) {
        0 => {}
        1 => set("roles", json!(null)),
        2 => set("roles", json!("Admin")),
        3 => set("roles", json!(["admin", 5])),
        4 => set("roles", json!({"admin": 1})),
        5 => set("roles", json!(7)),
        _ => set("roles", json!(roles)),
    }
    for name in ["project_id", "user_id"] {
        if rng.percent(90) {
            set(name, json!(rng.pick(&["p1", "u1", "p2"])));
        }
    }
    if rng.percent(80) {
        set("is_admin", json!(rng.percent(30)));
    }
    if rng.percent(12) {
        set("system_scope", json!([json!("all"), json!(null), json!("")][rng.below(3)]));
    }
    if rng.percent(12) {
        set("domain_id", json!([json!("d1"), json!(null)][rng.below(2)]));
    }
    if rng.percent(6) {
        set("system", json!([json!("all"), json!(false)][rng.below(2)]));
    }
    if rng.percent(70) {
        set("user", json!({"domain": {"id": rng.pick(WORDS)}}));
        set("token", json!({"roles": [{"name": rng.pick(WORDS)}, {"name": rng.pick(WORDS), "x": 1}]}));
        set("ünï", json!({"cödé": rng.pick(WORDS)}));
    }
    for name in ["list", "none", "number", "fraction", "text", "nested", "é", "_", "class", "a-b", "deep"] {
        if rng.percent(40) {
            set(name, if name == "deep" { json!({"list": value(rng)}) } else { value(rng) });
        }
    }
    who
}
