use std::fs;
use std::sync::LazyLock;

use super::*;

static ROLES: LazyLock<[String; 3]> = LazyLock::new(|| ["admin", "Member", "reader"].map(str::to_owned));

fn person(role: &str) -> Credentials<'static> {
    let roles = match role {
        "admin" => &ROLES[..],
        "member" => &ROLES[1..],
        "reader" => &ROLES[2..],
        _ => &[],
    };
    let who = Credentials::new().roles(roles).admin(role == "admin");
    who.set("project_id", "p1").set("user_id", "u1").set("domain_id", Attribute::Nothing)
}

fn asked(enforcer: &Enforcer, rule: &str, target: &[(&str, &str)], who: &Credentials<'_>) -> bool {
    let value = |wanted: &str| target.iter().find(|(name, _)| *name == wanted).map(|(_, text)| Attribute::from(*text));
    enforcer.authorize(rule, &value, who)
}

fn enforcer(text: &str, enforce_new_defaults: bool) -> (Enforcer, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("policy.yaml");
    fs::write(&file, text).expect("a file");
    let dirs = vec![dir.path().join("policy.d")];
    let settings = PolicySettings { file: Some(file), dirs, enforce_new_defaults, default_rule: "default".to_owned() };
    (Enforcer::new(settings).expect("good rules"), dir)
}

#[test]
fn rules_that_would_be_followed_for_ages_refuse() {
    let twice = |n: u32| format!("a{n}: \"rule:a{} and rule:a{}\"\n", n + 1, n + 1);
    let text = format!("{}a30: \"@\"\nshort: \"rule:a25\"\n", (0..30).map(twice).collect::<String>());
    let (enforcer, _dir) = enforcer(&text, true);
    assert!(asked(&enforcer, "short", &[], &person("admin")));
    assert!(!asked(&enforcer, "a0", &[], &person("admin")));
}

#[test]
fn a_file_of_aliases_of_aliases_is_refused() {
    let line = |n: u32| format!("a{}: &a{} [*a{n}, *a{n}, *a{n}, *a{n}, *a{n}, *a{n}, *a{n}, *a{n}]\n", n + 1, n + 1);
    let text = format!("a0: &a0 [\"role:x\"]\n{}", (0..12).map(line).collect::<String>());
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("policy.yaml");
    fs::write(&file, text).expect("a file");
    let refused = Enforcer::new(PolicySettings { file: Some(file), ..PolicySettings::default() });
    assert!(matches!(refused, Err(PolicyError::NotAMapping { .. })), "{refused:?}");
}

#[test]
fn magnum_s_defaults_let_the_right_people_through() {
    let (enforcer, _dir) = enforcer("", true);
    let own = [("project_id", "p1"), ("user_id", "u1")];
    let colleague = [("project_id", "p1"), ("user_id", "u2")];
    let stranger = [("project_id", "p2"), ("user_id", "u2")];
    for (rule, role, target, allowed) in [
        ("cluster:create", "member", &own, true),
        ("cluster:create", "reader", &own, false),
        ("cluster:create", "nobody", &own, false),
        ("cluster:get", "reader", &colleague, true),
        ("cluster:get", "reader", &stranger, false),
        ("cluster:get", "admin", &stranger, true),
        ("cluster:get_all_all_projects", "member", &own, false),
        ("cluster:get_all_all_projects", "admin", &own, true),
        ("certificate:create", "member", &own, true),
        ("certificate:create", "member", &colleague, false),
        ("certificate:get", "reader", &colleague, false),
        ("certificate:rotate_ca", "member", &colleague, true),
        ("credential:rotate", "member", &own, true),
        ("credential:rotate", "admin", &stranger, false),
        ("clustertemplate:publish", "member", &own, false),
        ("nodegroup:create", "member", &own, true),
        ("no:such_rule", "admin", &own, false),
    ] {
        assert_eq!(asked(&enforcer, rule, target, &person(role)), allowed, "{role} {rule} {target:?}");
    }
}

#[test]
fn a_system_token_passes_no_rule_for_projects() {
    let (enforcer, _dir) = enforcer("\"cluster:get\": \"\"", true);
    let system = person("admin").set("system_scope", "all");
    let domain = person("admin").set("domain_id", "d1");
    assert!(!asked(&enforcer, "cluster:get", &[], &system), "even where the operator opened it");
    assert!(!asked(&enforcer, "cluster:get", &[], &domain));
    assert!(asked(&enforcer, "magnum-service:get_all", &[], &system));
}

#[test]
fn the_rules_of_old_hold_only_where_asked_for() {
    let own = [("project_id", "p1"), ("user_id", "u1")];
    let (strict, _dir) = enforcer("", true);
    let (lax, _dir2) = enforcer("", false);
    for (rule, now, formerly) in [
        ("cluster:create", false, true),
        ("certificate:create", false, true),
        ("cluster:get_all_all_projects", false, false),
    ] {
        assert_eq!(asked(&strict, rule, &own, &person("nobody")), now, "{rule}");
        assert_eq!(asked(&lax, rule, &own, &person("nobody")), formerly, "{rule}");
    }
    let (replaced, _dir3) = enforcer("admin_or_project_member_deny_cluster_user: role:chief", false);
    assert!(!asked(&replaced, "cluster:create", &own, &person("nobody")), "a rule of the file stands alone");
}

#[test]
fn the_language_is_oslo_s() {
    let target = [("project_id", "p1"), ("user_id", "u2"), ("flag", "True"), ("odd", "100%"), ("role", "reader")];
    for (rule, allowed) in [
        ("''", true),
        ("'@'", true),
        ("'!'", false),
        ("'not !'", true),
        ("[]", true),
        ("[['role:admin'], ['role:member', 'project_id:%(project_id)s']]", true),
        ("[['role:admin', 'role:member']]", false),
        ("role:MEMBER", true),
        ("role:%(role)s", true),
        ("roles:reader", true),
        ("roles:member", false),
        ("is_admin:False", true),
        ("is_admin:false", false),
        ("project_id:%(project_id)s", true),
        ("user_id:%(user_id)s", false),
        ("project_id:%(absent)s", false),
        ("not project_id:%(absent)s", true),
        ("domain_id:None", true),
        ("None:%(absent)s", false),
        ("True:%(flag)s", true),
        ("\"'reader':%(role)s\"", true),
        ("'100%:%(odd)s'", false),
        ("project_id:p1%", false),
        ("role:admin or (role:member and not role:auditor)", true),
        ("role:admin and role:member or role:reader", true),
        ("rule:project_member", true),
        ("rule:absent", false),
        ("http://judge/ok", false),
        ("not rule:mine", false),
        ("role:member and", false),
        ("member", false),
        ("role:member or role:admin and !", true),
        ("not role:admin or role:member", true),
        ("not (role:admin or role:member)", false),
        ("((role:member) or @) and !", false),
        ("'  '", false),
        ("()", false),
        ("not not role:member", true),
        ("role:member AND role:reader", true),
        ("unknown:x", false),
    ] {
        let text = format!("mine: {rule}");
        let (enforcer, _dir) = enforcer(&text, true);
        assert_eq!(asked(&enforcer, "mine", &target, &person("member")), allowed, "{rule}");
    }
}

#[test]
fn the_default_rule_answers_for_those_that_are_absent() {
    let (enforcer, _dir) = enforcer("default: role:member", true);
    assert!(asked(&enforcer, "no:such_rule", &[], &person("member")));
    assert!(!asked(&enforcer, "no:such_rule", &[], &person("reader")));
}

#[test]
fn the_files_are_found_where_the_configuration_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let found = |text: &str| {
        fs::write(path("magnum.conf"), text).expect("a file");
        let config = crate::Config::load(&[path("magnum.conf")], &std::collections::BTreeMap::new()).expect("good");
        let settings = PolicySettings::from_config(&config);
        (settings.file.expect("a place"), settings.dirs)
    };
    assert_eq!(found(""), (path("policy.yaml"), vec![path("policy.d")]), "what is not there yet may come");
    fs::write(path("policy.json"), "{}").expect("a file");
    assert_eq!(found("").0, path("policy.json"), "a deployment that never wrote YAML");
    fs::write(path("policy.yaml"), "").expect("a file");
    assert_eq!(found("").0, path("policy.yaml"));
    fs::create_dir(path("more")).expect("a directory");
    let other =
        format!("[oslo_policy]\npolicy_file = {}\npolicy_dirs = more\npolicy_dirs = /absent\n", path("mine").display());
    assert_eq!(found(&other), (path("mine"), vec![path("more"), "/absent".into()]));
}

#[test]
fn files_are_read_again_when_they_change_and_kept_when_they_break() {
    let (enforcer, dir) = enforcer("mine: role:admin", true);
    let allowed = || asked(&enforcer, "mine", &[], &person("member"));
    assert!(!allowed());
    assert!(!enforcer.refresh().expect("unchanged"));

    fs::write(dir.path().join("policy.yaml"), "mine: role:member\n").expect("write");
    assert!(enforcer.refresh().expect("changed"));
    assert!(allowed());

    fs::create_dir(dir.path().join("policy.d")).expect("a directory");
    fs::write(dir.path().join("policy.d/10.json"), "{\"mine\": \"role:admin\"}").expect("write");
    assert!(enforcer.refresh().expect("a second file"));
    assert!(!allowed(), "the directory is read after the file");

    fs::write(dir.path().join("policy.yaml"), "- not\n- a mapping of rules\n").expect("write");
    let error = enforcer.refresh().expect_err("broken").to_string();
    assert!(error.contains("policy.yaml is not a mapping of rules"), "{error}");
    assert!(!allowed(), "what was in force stays in force");
    assert!(!enforcer.refresh().expect("said once"));

    fs::remove_file(dir.path().join("policy.d/10.json")).expect("remove");
    fs::write(dir.path().join("policy.yaml"), "# nothing but a remark\n").expect("write");
    assert!(enforcer.refresh().expect("changed"));
    assert!(!allowed(), "the rule is gone");
}

#[test]
fn a_check_of_the_files_names_what_cannot_be_meant() {
    let text = "\
'cluster:create': rule:absent
'cluster:craete': role:member
'cluster:get': rule:admin_or_project_reader_deny_cluster_user
'cluster:update': https://judge/ok
'cluster:resize': member
'cluster:delete': rule:loop
loop: not rule:loop
helper: role:chief
'cluster:upgrade': rule:helper
'quota:get': 'project_id:%s'
";
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("policy.yaml");
    fs::write(&file, text).expect("a file");
    let settings = PolicySettings { file: Some(file), default_rule: "default".to_owned(), ..PolicySettings::default() };
    let found = policy_check(&settings).expect("readable");
    let found: Vec<_> =
        found.iter().map(|f| format!("{} {}: {}", if f.error { "error" } else { "note" }, f.rule, f.why)).collect();
    assert_eq!(
        found,
        [
            "note cluster:craete: no request asks for this rule, and no other rule; it has no effect; did you mean cluster:create?",
            "error cluster:create: it names the rule \"absent\", which does not exist and so refuses",
            "note cluster:get: it repeats the default; the line can go",
            "error cluster:resize: \"member\" is not a check: expected kind:match; it refuses everybody",
            "error cluster:update: \"https://judge/ok\" asks a server, which is not supported; whoever it is asked about is refused",
            "error loop: it leads back to itself, and so refuses",
            "error quota:get: a % that is not %(name)s or %%; whoever it is asked about is refused",
        ]
    );
}

#[test]
fn a_check_of_the_files_knows_former_names() {
    let text = "\
'rule:admin_or_user': role:chief
'rule:admin_or_owner': is_admin:True or project_id:%(project_id)s
admin_or_project_member_user: role:member
admin_or_owner: role:chief
'baymodel:create': role:chief
deny_cluster_user: not domain_id:%(trustee_domain_id)s
";
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("policy.yaml");
    fs::write(&file, text).expect("a file");
    let settings = PolicySettings { file: Some(file), default_rule: "default".to_owned(), ..PolicySettings::default() };
    let found: Vec<_> =
        policy_check(&settings).expect("readable").iter().map(|f| format!("{}: {}", f.rule, f.why)).collect();
    let without = "no request asks for this rule, and no other rule; it has no effect";
    assert_eq!(
        found,
        [
            format!("admin_or_owner: {without}"),
            format!("baymodel:create: {without}; did you mean clustertemplate:create?"),
            format!("deny_cluster_user: {without}"),
            format!("rule:admin_or_owner: {without}"),
            "rule:admin_or_user: a former name, which replaces admin_or_project_member_user_or_cluster_user, \
             admin_or_project_reader_user; say so under these names"
                .to_owned(),
        ]
    );
}

#[test]
fn the_sample_changes_nothing() {
    let uncommented: String = policy_sample()
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("#\"").map_or(String::new(), |rest| format!("\"{rest}"))))
        .collect();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("policy.yaml");
    fs::write(&file, uncommented).expect("a file");
    let settings = PolicySettings { file: Some(file), ..PolicySettings::default() };
    let found = policy_check(&settings).expect("readable");
    let repeated = found.iter().filter(|finding| finding.why.starts_with("it repeats the default"));
    assert_eq!(repeated.count(), rules().len());
    assert!(found.iter().all(|finding| !finding.error), "{found:#?}");
}
