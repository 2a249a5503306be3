//! Files at random: Python's oslo.config reads them, and ours reads the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jeroboam_oslo::config::{Kind, Opt, known, options};
use jeroboam_oslo::{Config, FindingKind};
use serde_json::{Value, json};

use crate::oracle::Oracle;
use crate::rng::Rng;

/// Files, the command line that names them, and the environment.
#[derive(Clone, Debug)]
struct Case {
    files: BTreeMap<String, Vec<String>>,
    args: Vec<(&'static str, String)>,
    env: BTreeMap<String, String>,
}

#[test]
fn python_and_we_read_alike() {
    let Some(mut oracle) = Oracle::start() else { return };
    let mut rng = Rng(2_311);
    let (mut values, mut errors, mut unread) = (0, 0, 0);
    for number in 0..300 {
        let case = case(&mut rng);
        let theirs = theirs(&mut oracle, &case);
        unread += usize::from(theirs.is_err());
        for value in theirs.iter().flatten() {
            errors += usize::from(value == "wrong");
            values += usize::from(value != "wrong" && !value.is_null());
        }
        if difference(&theirs, &ours(&case)).is_some() {
            let case = minimised(&mut oracle, case);
            let what = difference(&self::theirs(&mut oracle, &case), &ours(&case));
            panic!("case {number}: {}\n{}", what.expect("a minimal case differs"), shown(&case));
        }
    }
    assert!(values > 10_000 && errors > 300 && unread > 10, "{values} values, {errors} errors, {unread} unread");
}

/// What we read and Python does not, for a reason.
#[test]
fn where_we_differ_from_python_we_say_why() {
    let Some(mut oracle) = Oracle::start() else { return };
    let case = |file: &str, env: &[(&str, &str)]| Case {
        files: BTreeMap::from([("magnum.conf".to_owned(), file.lines().map(str::to_owned).collect())]),
        args: vec![("--config-file", "magnum.conf".to_owned())],
        env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    for (case, group, name, python, ours, why) in [
        (
            case("", &[("OS_OSLO_POLICY__POLICY_DIRS", "ab")]),
            "oslo_policy",
            "policy_dirs",
            json!(["a", "b"]),
            json!(["ab"]),
            "Python takes the variable of a repeated option apart into letters",
        ),
        (
            case("[DEFAULT]\nshared = node1\nhost = $shared\n", &[]),
            "DEFAULT",
            "host",
            json!("wrong"),
            json!("node1"),
            "an option of the operator's own may be referred to",
        ),
        (
            case("[cors]\nmax_age = 99999999999999999999\n", &[]),
            "cors",
            "max_age",
            json!(99_999_999_999_999_999_999_f64),
            json!("wrong"),
            "numbers have 64 bits",
        ),
    ] {
        let at = options().iter().position(|opt| opt.group == group && opt.name == name).expect("an option");
        let their = &theirs(&mut oracle, &case).expect("readable")[at];
        assert_eq!((their, &self::ours(&case).expect("readable")[at]), (&python, &ours), "{why}");
    }
}

/// The values of all options, in their order; `"wrong"` for one that cannot be used.
type Values = Result<Vec<Value>, String>;

fn difference(theirs: &Values, ours: &Values) -> Option<String> {
    match (theirs, ours) {
        (Err(_), Err(_)) => None,
        (Err(error), Ok(_)) => Some(format!("Python refuses: {error}")),
        (Ok(_), Err(error)) => Some(format!("we refuse: {error}")),
        (Ok(theirs), Ok(ours)) => options().iter().zip(theirs.iter().zip(ours)).find_map(|(opt, (their, our))| {
            let differs = their != our;
            differs.then(|| format!("[{}] {}: Python has {their}, we have {our}", opt.group, opt.name))
        }),
    }
}

fn theirs(oracle: &mut Oracle, case: &Case) -> Values {
    let files: BTreeMap<_, _> = case.files.iter().map(|(name, lines)| (name, lines.concat_lines())).collect();
    let named = |name: &str| files.values().chain(case.env.values()).any(|text| text.contains(name));
    let also = known().iter().filter(|known| named(known.name)).map(|known| Opt {
        group: known.group,
        name: known.name,
        kind: known.kind(),
        default: known.default,
        deprecated: &[],
        ..options()[0]
    });
    let also = also.filter(|known| !options().iter().any(|opt| (opt.group, opt.name) == (known.group, known.name)));
    let specs: Vec<_> = options().iter().copied().chain(also).map(|opt| spec(&opt)).collect();
    let answer =
        oracle.ask(&json!({"ask": "config", "files": files, "args": case.args, "env": case.env, "options": specs}));
    let Some(answers) = answer["answers"].as_array() else { return Err(answer["error"].to_string()) };
    let value = |(opt, answer): (&Opt, &Value)| match answer.get("value") {
        None => json!("wrong"),
        // Nothing, no text and an empty list are the same to us.
        Some(value) if *value == json!("") || *value == json!([]) || *value == json!({}) => Value::Null,
        Some(Value::String(text)) if matches!(opt.kind, Kind::Float(_)) => float(text.parse().ok()),
        Some(value) => value.clone(),
    };
    Ok(options().iter().zip(answers).map(value).collect())
}

/// A number as text: JSON has no infinity.
fn float(value: Option<f64>) -> Value {
    json!(value.map(|value| value.to_string()))
}

fn ours(case: &Case) -> Values {
    let place = tempfile::tempdir().expect("a directory");
    for (name, lines) in &case.files {
        let path = place.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, lines.concat_lines()).expect("a file");
    }
    let paths: Vec<PathBuf> = case.args.iter().map(|(_, name)| place.path().join(name)).collect();
    let config = Config::examine(&paths, &case.env).map_err(|error| error.to_string())?;
    let wrong = |opt: &Opt| {
        let places: Vec<_> = std::iter::once((opt.group, opt.name)).chain(opt.deprecated.iter().copied()).collect();
        let bad = config.findings().iter().filter(|finding| finding.kind == FindingKind::WrongValue);
        let mut bad = bad.map(|finding| (finding.group.to_lowercase(), &finding.option));
        bad.any(|(group, name)| places.iter().any(|(g, n)| g.to_lowercase() == group && n == name))
    };
    let some = |value: Value| if value == json!([]) || value == json!({}) { Value::Null } else { value };
    let value = |opt: &Opt| {
        let (group, name) = (opt.group, opt.name);
        if wrong(opt) || !config.can_be_used(group, name) {
            return json!("wrong");
        }
        match opt.kind {
            Kind::Int(..) => json!(config.int(group, name)),
            Kind::Float(_) => float(config.float(group, name)),
            Kind::Bool => json!(config.bool(group, name)),
            Kind::List | Kind::ListOf(_) | Kind::Multi => some(json!(config.list(group, name))),
            Kind::Dict => some(json!(config.dict(group, name))),
            Kind::Text | Kind::OneOf(_) | Kind::Ip | Kind::Host => json!(config.string(group, name)),
        }
    };
    Ok(options().iter().map(value).collect())
}

/// An option, as Python is told of it.
fn spec(opt: &Opt) -> Value {
    let mut spec = json!({
        "group": opt.group,
        "name": opt.name,
        "default": opt.default,
        "deprecated": opt.deprecated,
    });
    let kind = match opt.kind {
        Kind::Text => "text",
        Kind::OneOf(words) => {
            spec["choices"] = json!(words);
            "text"
        }
        Kind::Multi => "multi",
        Kind::Int(least, most) => {
            spec["min"] = json!((least != i64::MIN).then_some(least));
            spec["max"] = json!((most != i64::MAX).then_some(most));
            "int"
        }
        Kind::Float(least) => {
            spec["min"] = json!(Some(least).filter(|least| least.is_finite()));
            "float"
        }
        Kind::Bool => "bool",
        Kind::List => "list",
        Kind::ListOf(words) => {
            spec["choices"] = json!(words);
            "list"
        }
        Kind::Dict => "dict",
        Kind::Ip => "ip",
        Kind::Host => "host",
    };
    spec["kind"] = json!(kind);
    spec
}

trait ConcatLines {
    fn concat_lines(&self) -> String;
}

impl ConcatLines for Vec<String> {
    /// Lines with their ends; a line may bring another end.
    fn concat_lines(&self) -> String {
        self.iter().map(|line| if line.ends_with('\r') { line.clone() } else { format!("{line}\n") }).collect()
    }
}

fn shown(case: &Case) -> String {
    let files: String =
        case.files.iter().map(|(name, lines)| format!("{name}: {:?}\n", lines.concat_lines())).collect();
    format!("{files}arguments: {:?}\nenvironment: {:?}", case.args, case.env)
}

/// Leaves out what does not matter for the difference.
fn minimised(oracle: &mut Oracle, mut case: Case) -> Case {
    loop {
        let smaller =
            smaller(&case).into_iter().find(|fewer| difference(&theirs(oracle, fewer), &ours(fewer)).is_some());
        match smaller {
            Some(smaller) => case = smaller,
            None => return case,
        }
    }
}

fn smaller(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |change: &dyn Fn(&mut Case)| {
        let mut candidate = case.clone();
        change(&mut candidate);
        all.push(candidate);
    };
    for name in case.env.keys() {
        add(&|case| drop(case.env.remove(name)));
    }
    for at in 0..case.args.len() {
        add(&|case| drop(case.args.remove(at)));
    }
    for (name, lines) in &case.files {
        for at in 0..lines.len() {
            add(&|case| drop(case.files.get_mut(name).map(|lines| lines.remove(at))));
        }
    }
    all
}

fn case(rng: &mut Rng) -> Case {
    let mut files = BTreeMap::new();
    let mut args = Vec::new();
    for number in 0..=rng.below(2) {
        let name = format!("{number}.conf");
        files.insert(name.clone(), file(rng));
        args.push(("--config-file", name));
    }
    if rng.percent(50) {
        for name in ["20-b.conf", "10-a.conf", ".hidden.conf", "30.conf.bak", "Z.conf"] {
            if rng.percent(50) {
                files.insert(format!("conf.d/{name}"), file(rng));
            }
        }
        if files.keys().any(|name| Path::new(name).starts_with("conf.d")) {
            args.insert(rng.below(args.len() + 1), ("--config-dir", "conf.d".to_owned()));
        }
    }
    let mut env = BTreeMap::new();
    while rng.percent(40) {
        let opt = option(rng);
        // Python takes the text of a repeated option apart into letters.
        if opt.kind != Kind::Multi {
            let variable = format!("OS_{}__{}", opt.group.to_uppercase(), opt.name.to_uppercase());
            env.insert(variable, value(rng, opt));
        }
    }
    Case { files, args, env }
}

fn option(rng: &mut Rng) -> &'static Opt {
    &options()[rng.below(options().len())]
}

fn file(rng: &mut Rng) -> Vec<String> {
    let mut lines = Vec::new();
    let end = if rng.percent(10) { "\r" } else { "" };
    for _ in 0..=rng.below(6) {
        let group = option(rng).group;
        if !rng.percent(1) {
            lines.push(header(rng, group));
        }
        let here: Vec<_> = options().iter().filter(|opt| opt.group == group).collect();
        for _ in 0..rng.below(7) {
            match rng.below(40) {
                0 => lines.push(String::new()),
                1 => lines.push("# a remark = 5".to_owned()),
                2 => lines.push("; another: 6".to_owned()),
                3 => lines.push(format!("nobody_s_{} = 7", rng.below(3))),
                4 if rng.percent(15) => lines.push((*rng.pick(BAD_LINES)).to_owned()),
                _ => {
                    let opt = here[rng.below(here.len())];
                    assignment(rng, opt, &mut lines);
                }
            }
        }
    }
    lines.into_iter().map(|line| format!("{line}{end}")).collect()
}

const BAD_LINES: &[&str] = &["no assignment", "[open", "[]", "= 5", ": 5", "\tlonely", "[api] # remark"];

fn header(rng: &mut Rng, group: &str) -> String {
    match rng.below(12) {
        0 => format!("[{}]", group.to_uppercase()),
        1 => format!("[{}]", group.to_lowercase()),
        2 => format!("[{group}] "),
        3 if rng.percent(30) => format!("[ {group}]"),
        _ => format!("[{group}]"),
    }
}

fn assignment(rng: &mut Rng, opt: &Opt, lines: &mut Vec<String>) {
    let older: Vec<_> = opt.deprecated.iter().filter(|(group, _)| *group == opt.group).collect();
    let name = match rng.below(20) {
        0 => opt.name.replace('_', "-"),
        1 => opt.name.to_uppercase(),
        2..6 if !older.is_empty() => older[rng.below(older.len())].1.to_owned(),
        _ => opt.name.to_owned(),
    };
    let sign = rng.pick(&[" = ", "=", ": ", ":", " =\t", "  :  "]);
    let value = value(rng, opt);
    let value = match rng.below(20) {
        0 => format!("\"{value}\""),
        1 => format!("'{value}'"),
        2 => format!("\"{value}'"),
        3 => format!("{value}   "),
        4 => "\"".to_owned(),
        _ => value,
    };
    lines.push(format!("{name}{sign}{value}"));
    while rng.percent(8) {
        lines.push(format!("{}{}", rng.pick(&[" ", "\t", "    "]), rng.pick(CONTINUED)));
    }
}

const CONTINUED: &[&str] = &["more", "a,b,", "# no remark here", "x = y", "[api]", ",c:d", "ü", "5", "$host"];

fn value(rng: &mut Rng, opt: &Opt) -> String {
    if rng.percent(18) {
        return (*rng.pick(ODD)).to_owned();
    }
    if rng.percent(12) {
        let other = option(rng);
        return match rng.below(4) {
            0 => format!("${}", other.name),
            1 => format!("${{{}.{}}}", other.group, other.name),
            2 => format!("a${{{}}}b", other.name),
            _ => format!("${}.{}", other.group, other.name),
        };
    }
    let words: &[&str] = match opt.kind {
        Kind::Int(..) => {
            &["1", "9511", "60", "65536", "-1", "0", "+5", "1_0", "1__0", "05", "5.0", "0x10", " 7", "3600", "64"]
        }
        Kind::Float(_) => &["1", "0.5", "-0.5", "1e3", ".5", "5.", "1_0.0", "nan", "inf", "-inf", "1e400", "five"],
        Kind::Bool => &["true", "FALSE", "On", "off", "1", "0", "yes", "No", "maybe", "tru", "2"],
        Kind::List | Kind::Multi => {
            &["a", "a,b", " a , b ,", ",", "a,,b", "\"a,b\"", "[a]", "a b", "é, %", "a;b", "x,\ty"]
        }
        Kind::Dict => &["a:1", "a:1,b:2", "a", "a:1,", "a,b:1", ":1", "a:1,a:2", "a:b:c", " a : 1 , b:"],
        Kind::OneOf(words) => {
            return if rng.percent(70) { words[rng.below(words.len())].to_owned() } else { "other".to_owned() };
        }
        Kind::ListOf(words) => return format!("{}, {}", words[rng.below(words.len())], words[rng.below(words.len())]),
        Kind::Ip => &[
            "127.0.0.1",
            "::1",
            "0.0.0.0",
            "localhost",
            "1.2.3",
            "256.1.1.1",
            "::",
            "fe80::1",
            "01.2.3.4",
            "1.2.3.4/24",
        ],
        Kind::Host => {
            &["node1", "a.b-c.de", "127.0.0.1", "-a", "a-", "a..b", "1.2.3", "node1.", "a_b", "::1", "ü", "a1.1b"]
        }
        Kind::Text => &[
            "a",
            "http://a:1/?b=c",
            "p%40ss",
            "100%",
            "%(x)s",
            "a=b",
            "a:b",
            "üñí",
            "日本",
            "x # y",
            "a;b",
            "\\n",
            "/srv/x",
        ],
    };
    (*rng.pick(words)).to_owned()
}

const ODD: &[&str] = &[
    "",
    " ",
    "$$",
    "\\$5",
    "$5",
    "${",
    "${}",
    "$",
    "$nobody",
    "${api.nobody}",
    "$nobody.x",
    "$host.",
    "%",
    "\"\"",
    "''",
    "'",
    "\"a\" b",
    "$state_path/x",
    "${state_path}",
    "$api.port",
    "$cors.allow_methods",
    "$debug",
    "a\u{a0}",
    "\u{feff}x",
    "$DEFAULT.host",
    "$API.port",
    "$$$host",
    "$host$host",
    "$oslo_policy.policy_dirs",
    "$x509.allow_ca",
];
