use std::collections::BTreeMap;
use std::fs;

use super::*;

struct Files(tempfile::TempDir);

impl Files {
    fn with(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A message with the directory left out.
    fn shown(&self, message: &dyn ToString) -> String {
        message.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn findings(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let files = Files::with(&[("magnum.conf", text)]);
    let config = Config::examine(&[files.path("magnum.conf")], &env(variables)).expect("readable");
    config.findings().iter().map(|f| format!("{:?} {}", f.kind, files.shown(f))).collect()
}

#[test]
fn defaults_hold_where_nothing_is_set() {
    let config = Config::load(&[], &env(&[])).expect("defaults alone");
    assert_eq!(config.int("api", "port"), Some(9511));
    assert_eq!(config.string("database", "connection").as_deref(), Some("sqlite:////var/lib/magnum/magnum.sqlite"));
    assert_eq!(config.list("jeroboam", "credential_roles"), ["member", "load-balancer_member"]);
    assert_eq!(config.string("jeroboam_management", "kubeconfig"), None);
    assert_eq!(config.bool("oslo_policy", "enforce_new_defaults"), Some(true));
    assert_eq!(config.list("oslo_policy", "policy_dirs"), ["policy.d"]);
    assert!(!config.is_set("api", "port"));
    assert_eq!(config.findings(), []);
}

#[test]
fn the_environment_wins_over_the_last_file_and_that_over_the_first() {
    let files = Files::with(&[
        ("magnum.conf", "[API]\nport = 1\nport = 2\nmax_limit = 10\n[oslo_policy]\npolicy_dirs = a\npolicy_dirs = b\n"),
        ("conf.d/20-b.conf", "[api]\nport = 4\nworkers = 4\n[oslo_policy]\npolicy_dirs = c\n"),
        ("conf.d/10-a.conf", "[api]\nport = 3\nworkers = 3\n"),
        ("conf.d/30.conf.bak", "[api]\nport = 5\n"),
    ]);
    let paths = [files.path("magnum.conf"), files.path("conf.d")];
    let config = Config::load(&paths, &env(&[("OS_API__WORKERS", "9"), ("HOME", "/home/me")])).expect("good");
    let ints = ["port", "max_limit", "workers"].map(|name| config.int("api", name));
    assert_eq!(ints, [Some(4), Some(10), Some(9)]);
    assert_eq!(config.list("oslo_policy", "policy_dirs"), ["a", "b", "c"]);
}

#[test]
fn values_refer_to_other_options() {
    let text = "[DEFAULT]\nstate_path = /srv\ndb_password = s3cr$$t\n[database]\n\
                connection = mysql+pymysql://magnum:${db_password}@db/magnum?host=$api.host\n\
                [certificates]\nstorage_path = $state_path/certs\n";
    let files = Files::with(&[("magnum.conf", text)]);
    let config = Config::load(&[files.path("magnum.conf")], &env(&[])).expect("good");
    let connection = config.string("database", "connection");
    assert_eq!(connection.as_deref(), Some("mysql+pymysql://magnum:s3cr$t@db/magnum?host=127.0.0.1"));
    assert_eq!(config.string("certificates", "storage_path").as_deref(), Some("/srv/certs"));
    assert_eq!(config.findings(), [], "an option that others refer to is no slip of the pen");
}

#[test]
fn older_names_are_read_after_the_newer_ones() {
    let text = "[keystone_auth]\nauth_plugin = v3applicationcredential\n[DEFAULT]\nsql_connection = sqlite://\n\
                [database]\nconnection = mysql://db/magnum\n";
    let files = Files::with(&[("magnum.conf", text)]);
    let config = Config::load(&[files.path("magnum.conf")], &env(&[])).expect("good");
    assert_eq!(config.string("keystone_auth", "auth_type").as_deref(), Some("v3applicationcredential"));
    assert_eq!(config.string("database", "connection").as_deref(), Some("mysql://db/magnum"));
}

#[test]
fn the_last_file_counts_whatever_name_it_uses() {
    let files = Files::with(&[
        ("a.conf", "[keystone_auth]\nusername = new\nuser_name = old\n"),
        ("b.conf", "[keystone_auth]\nuser-name = older\n"),
        ("conf.d/c.conf", "[api]\nhost = ::1\n"),
        ("policy.yaml", ""),
        ("conf.d/policy.yaml", ""),
    ]);
    let name = |paths: &[&str]| {
        let paths: Vec<_> = paths.iter().map(|path| files.path(path)).collect();
        let config = Config::load(&paths, &env(&[])).expect("good");
        (config.string("keystone_auth", "username"), config.find_file("policy.yaml"))
    };
    let expected = |name: &str, file: &str| (Some(name.to_owned()), Some(files.path(file)));
    assert_eq!(name(&["a.conf", "b.conf"]), expected("older", "policy.yaml"));
    assert_eq!(name(&["b.conf", "a.conf", "conf.d"]), expected("new", "conf.d/policy.yaml"));
}

#[test]
fn what_to_look_at_is_named_with_its_line() {
    let cases: &[(&str, &[&str])] = &[
        ("[api]\nprot = 1\n", &["Unknown magnum.conf:2: [api] prot: there is no such option; did you mean port?"]),
        (
            "[DEFAULT]\nterm_of_validity = 1\n",
            &["Unknown magnum.conf:2: [DEFAULT] term_of_validity: there is no such option here; \
               did you mean term_of_validity in [x509]?"],
        ),
        (
            "[keystoneauth]\npassword = x\n",
            &["Unknown magnum.conf:2: [keystoneauth] password: there is no such option here; \
               did you mean password in [keystone_authtoken]?"],
        ),
        ("[mine]\nown = 1\n", &["Unknown magnum.conf:2: [mine] own: there is no such option; it has no effect"]),
        (
            "[trust]\nroles =\n",
            &["Removed magnum.conf:2: [trust] roles: clusters use application credentials in place of trusts; \
               the option can go"],
        ),
        (
            "[oslo_messaging_rabbit]\nprocessname = magnum\n",
            &["Unused magnum.conf:2: [oslo_messaging_rabbit] processname: only notifications use the message bus; \
               the option has no effect here"],
        ),
        (
            "[default]\nhost = a\n[api]\nmax-limit = 5\n",
            &[
                "Unknown magnum.conf:2: [default] host: the group is written in capitals: [DEFAULT]; the option has no effect",
                "Unknown magnum.conf:4: [api] max-limit: options are written with underscores in a file: max_limit",
            ],
        ),
        (
            "[oslo_messaging_rabbit]\nkombu_reconnect_timeout = 5\nrabbit_hosts = a\n[oslo_policy]\nenforce_scope = true\n",
            &[
                "Unused magnum.conf:2: [oslo_messaging_rabbit] kombu_reconnect_timeout: it is now \
                 kombu_missing_consumer_retry_timeout in [oslo_messaging_rabbit]; \
                 only notifications use the message bus; the option has no effect here",
                "Removed magnum.conf:3: [oslo_messaging_rabbit] rabbit_hosts: say transport_url in [DEFAULT]",
                "Removed magnum.conf:5: [oslo_policy] enforce_scope: oslo.policy has done without it since 6.0; \
                 the option can go",
            ],
        ),
        (
            "[ssl]\nversion = 1\n",
            &[
                "Unused magnum.conf:2: [ssl] version: there is no message bus but for notifications; the option has no effect here (and Magnum means to drop it)",
            ],
        ),
        (
            "[DEFAULT]\nlogfile = /x\n",
            &["Deprecated magnum.conf:2: [DEFAULT] logfile: it is now log_file in [DEFAULT]"],
        ),
        (
            "[api]\nport = http\n\nenabled_ssl = perhaps\n",
            &[
                "WrongValue magnum.conf:2: [api] port: \"http\" is not a whole number from 0 to 65535",
                "WrongValue magnum.conf:4: [api] enabled_ssl: \"perhaps\" is not true or false",
            ],
        ),
        (
            "[database]\nconnection = mysql://u:p$word@h/d\n",
            &["WrongValue magnum.conf:2: [database] connection: it refers to something that is no option; \
               a dollar sign is $$"],
        ),
        (
            "[DEFAULT]\nstate_path = /$nowhere\n",
            &["WrongValue magnum.conf:2: [DEFAULT] state_path: it refers to \"nowhere\", which is no option; \
               a dollar sign is $$"],
        ),
        (
            "[DEFAULT]\nstate_path = $keystone_auth.password\n[keystone_auth]\npassword = pa$word\n",
            &[
                "WrongValue magnum.conf:2: [DEFAULT] state_path: it refers to \"keystone_auth.password\", whose value cannot be used",
                "WrongValue magnum.conf:4: [keystone_auth] password: it refers to something that is no option; a dollar sign is $$",
            ],
        ),
        (
            "[api]\nport = $keystone_auth.password\n[keystone_auth]\npassword = hunter2\n",
            &[
                "WrongValue magnum.conf:2: [api] port: \"$keystone_auth.password\" is not a whole number from 0 to 65535",
            ],
        ),
        (
            "[DEFAULT]\nstate_path = $log_dir\nlog_dir = $state_path\n",
            &[
                "WrongValue magnum.conf:2: [DEFAULT] state_path: it refers to itself",
                "WrongValue magnum.conf:3: [DEFAULT] log_dir: it refers to itself",
            ],
        ),
        ("[api]\nport = 9511\n[keystone_auth]\nauth_section = shared\n[shared]\nauth_url = http://k\n", &[]),
    ];
    for (text, expected) in cases {
        let found = findings(text, &[]);
        assert_eq!(found, *expected, "{text}");
    }
}

#[test]
fn values_that_refer_to_ever_more_others_are_wrong_and_not_followed() {
    let line = |n: u32| format!("v{n} = {}\n", format!("$v{}", n + 1).repeat(10));
    let text = format!("[DEFAULT]\nhost = $v0\n{}v12 = x\n", (0..12).map(line).collect::<String>());
    let expected = "WrongValue magnum.conf:2: [DEFAULT] host: it has more than 100 references, those of the values that \
                    it refers to included";
    assert_eq!(findings(&text, &[]), [expected]);
}

#[test]
fn variables_are_looked_at_like_lines() {
    let found =
        findings("", &[("OS_API__PROT", "1"), ("OS_API__PORT", "x"), ("OS_USER__NAME", "me"), ("OS_CLOUD", "a")]);
    assert_eq!(
        found,
        [
            "WrongValue OS_API__PORT: [api] port: \"x\" is not a whole number from 0 to 65535",
            "Unknown OS_API__PROT: [api] prot: there is no such option; did you mean port?",
        ]
    );
}

#[test]
fn a_start_stops_at_wrong_values_and_not_at_unknown_options() {
    let files = Files::with(&[
        ("unknown.conf", "[api]\nprot = 1\n"),
        ("wrong.conf", "[api]\nport = x\n[x509]\nrsa_key_size = 1024\n"),
        ("syntax.conf", "[api]\nport 9511\n"),
    ]);
    let load = |name: &str| Config::load(&[files.path(name)], &env(&[]));
    assert_eq!(load("unknown.conf").expect("starts").findings().len(), 1);
    assert_eq!(
        files.shown(&load("wrong.conf").expect_err("stops")),
        "wrong.conf:2: [api] port: \"x\" is not a whole number from 0 to 65535\n\
         wrong.conf:4: [x509] rsa_key_size: \"1024\" is not a whole number from 2048 to 16384"
    );
    assert_eq!(
        files.shown(&load("syntax.conf").expect_err("stops")),
        "syntax.conf:2: neither an assignment nor a [group]"
    );
    assert_eq!(files.shown(&load("absent.conf").expect_err("stops")), "read configuration absent.conf");
}

#[test]
fn no_secret_is_shown() {
    let files =
        Files::with(&[("magnum.conf", "[database]\nconnection = $hunter2\n[keystone_auth]\npassword = hunter2\n")]);
    let config = Config::examine(&[files.path("magnum.conf")], &env(&[("OS_DATABASE__CONNECTION", "mysql://hunter2")]));
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
}

#[test]
fn the_sample_says_what_holds_anyway() {
    let files = Files::with(&[("magnum.conf", &sample())]);
    let config = Config::load(&[files.path("magnum.conf")], &env(&[])).expect("good");
    assert_eq!(config.findings(), []);
    let uncommented: String = sample().lines().map(uncomment).collect();
    let files = Files::with(&[("magnum.conf", &uncommented)]);
    let config = Config::load(&[files.path("magnum.conf")], &env(&[])).expect("good");
    assert_eq!(config.findings(), []);
    assert_eq!(config.int("api", "port"), Some(9511));
    let expected = "\n[api]\n\n# Port of the API.\n# (a whole number from 0 to 65535)\n#port = 9511\n";
    assert!(sample().contains(expected), "{}", sample());
}

fn uncomment(line: &str) -> String {
    let set = line.starts_with('#') && !line.starts_with("# ") && !line.ends_with("<not set>");
    format!("{}\n", if set { &line[1..] } else { line })
}
