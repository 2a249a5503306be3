use jeroboam_blobs::SwiftConfig;
use jeroboam_openstack::clouds::Lookup;

use super::*;

fn read(text: &str) -> Read {
    Config::read(text, &BTreeMap::new()).expect("YAML")
}

fn remarks(text: &str) -> Vec<String> {
    read(text).remarks.iter().map(ToString::to_string).collect()
}

fn config(text: &str, variables: &[(&str, &str)]) -> Config {
    let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::read(text, &environment).expect("YAML").into_config().expect("a configuration")
}

fn swift(config: &Config) -> &Parameters {
    match &config.storage.place {
        PlaceConfig::Swift(swift) => swift,
        other => panic!("{other:?} is not Swift"),
    }
}

/// What Magnum's nodes write to `/etc/sysconfig/registry-config.yml`.
const MAGNUM: &str = r#"version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    layerinfo: inmemory
  swift:
    authurl: "https://keystone.example.org:5000/v3"
    region: "RegionOne"
    username: "5d9c-1a2b_trustee"
    password: "0123456789"
    domainid: "4f0d6b1a5d0e4d0b8a3b2c1d0e9f8a7b"
    trustid: "9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d"
    container: "docker_registry"
    insecureskipverify: true
    chunksize: 5242880
http:
    addr: :5000
"#;

#[test]
fn what_magnum_writes_starts_as_it_is() {
    let config = config(MAGNUM, &[]);
    let swift = swift(&config);
    assert_eq!(swift.get("container"), Some("docker_registry"));
    assert_eq!(swift.get("trustid"), Some("9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d"));
    assert_eq!(swift.get("domainid"), Some("4f0d6b1a5d0e4d0b8a3b2c1d0e9f8a7b"));
    assert_eq!((swift.get("password"), swift.get("insecureskipverify")), (Some("0123456789"), Some("true")));
    let (store, unknown) = SwiftConfig::from_parameters(swift.all(), &Lookup::default()).expect("settings of Swift");
    assert!(unknown.is_empty() && store.container == "docker_registry", "{unknown:?}");
    assert_eq!(config.http.address, Address::Tcp(":5000".to_owned()));
    assert_eq!(config.log.fields, [("service".to_owned(), "registry".to_owned())]);
    // The node's unit publishes the port; nobody is asked who they are, which has to be said to be meant.
    assert!(config.auth.is_open() && !config.ours.insecure_open);
    let said = remarks(MAGNUM);
    let wanted = [
        "storage.cache has no effect",
        "storage.swift.chunksize has no effect",
        "any certificate of the store is believed",
    ];
    assert_eq!(said.len(), wanted.len(), "{said:#?}");
    assert!(said.iter().zip(wanted).all(|(said, wanted)| said.contains(wanted)), "{said:#?}");
}

/// What `tutor openstack registry` writes to a temporary file.
const TUTOR: &str = "version: 0.1
log:
  level: debug
http:
  addr: :5000
  headers:
    Access-Control-Allow-Origin: ['*']
    Access-Control-Allow-Methods: ['HEAD', 'GET', 'OPTIONS', 'DELETE']
    Access-Control-Expose-Headers: ['Docker-Content-Digest']
storage:
  swift:
    authurl: https://keystone.example.org/v3
    authversion: 3
    username: demo
    domain: Default
    password: secret
    container: docker_registry
    tenant: demo
    tenantdomain: Default
    region: RegionOne
  delete:
    enabled: true
  maintenance:
    readonly:
      enabled: false
";

#[test]
fn what_tutor_writes_starts_as_it_is() {
    let config = config(TUTOR, &[]);
    let swift = swift(&config);
    assert_eq!((swift.get("tenant"), swift.get("tenantdomain")), (Some("demo"), Some("Default")));
    let (_, unknown) = SwiftConfig::from_parameters(swift.all(), &Lookup::default()).expect("settings of Swift");
    assert!(swift.get("authversion") == Some("3") && unknown.is_empty(), "{unknown:?}");
    assert!(config.storage.delete && !config.storage.read_only);
    assert_eq!(config.log.level, Level::Debug);
    let methods = ["HEAD", "GET", "OPTIONS", "DELETE"].map(str::to_owned).to_vec();
    assert!(config.http.headers.contains(&("Access-Control-Allow-Methods".to_owned(), methods)));
    assert!(remarks(TUTOR).is_empty(), "{:#?}", remarks(TUTOR));
}

#[test]
fn a_slip_of_the_pen_below_auth_lets_nobody_in() {
    for (auth, is_open) in [
        ("", true),
        ("auth: none\n", true),
        ("auth: {none: {}}\n", true),
        ("auth: {}\n", true),
        ("auth:\n", true),
        ("auth: {builtin: {}}\n", false),
        ("auth: {anonymous: {pull: ['*']}}\n", false),
        ("auth: {certificates: {rules: [{names: ['*'], prefixes: ['*'], actions: [pull]}]}}\n", false),
        ("auth: {htpasswd: {realm: r, path: /p}, oidc: {}}\n", false),
    ] {
        let read = read(&format!("version: 0.1\nstorage: inmemory\n{auth}"));
        let config = read.into_config().unwrap_or_else(|errors| panic!("{auth}: {errors:?}"));
        assert_eq!(config.auth.is_open(), is_open, "{auth}");
    }
    for auth in [
        "auth: {htpaswd: {realm: r, path: /p}}\n",
        "auth: {oidc: {issuer: i}}\n",
        "auth: htpaswd\n",
        "auth: [htpasswd]\n",
        "auth: {none: {}, htpaswd: {realm: r, path: /p}}\n",
        "auth: {limits: {failures: 3}}\n",
        "auth: {anonymous: {pul: ['*']}}\n",
        "auth: {certificates: {rule: [{names: ['*']}]}}\n",
    ] {
        let errors = read(&format!("version: 0.1\nstorage: inmemory\n{auth}")).into_config().expect_err(auth);
        assert!(errors.iter().any(|error| error.contains("auth names no way")), "{auth}: {errors:?}");
    }
    let variables = BTreeMap::from([("REGISTRY_AUTH_HTPASWD_REALM".to_owned(), "r".to_owned())]);
    let read = Config::read("version: 0.1\nstorage: inmemory\n", &variables).expect("YAML");
    assert!(read.into_config().is_err());
}

#[test]
fn an_environment_alone_is_enough() {
    let config = config(
        "version: 0.1\nstorage: {filesystem: {rootdirectory: /var/lib/registry}}\n",
        &[
            ("REGISTRY_STORAGE", "swift"),
            ("REGISTRY_STORAGE_SWIFT_AUTHURL", "http://keystone/v3"),
            ("REGISTRY_STORAGE_SWIFT_CONTAINER", "c"),
            ("REGISTRY_STORAGE_SWIFT_PASSWORD", "'1234'"),
            ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
            ("REGISTRY_HTTP_SECRET", "s"),
        ],
    );
    assert_eq!(swift(&config).get("container"), Some("c"));
    assert_eq!(swift(&config).get("password"), Some("1234"));
    assert!(config.storage.delete && config.http.secret.is_some());
}

#[test]
fn what_cannot_stay_as_it_is_is_named_with_its_place() {
    for (text, error) in [
        ("version: 0.1\n", "line 1: storage names no driver: filesystem, s3, swift and inmemory are known"),
        ("version: 0.2\nstorage: inmemory\n", "line 1: version is \"0.2\", and there is only 0.1"),
        ("storage: inmemory\n", "line 1: version is missing: it has to be 0.1"),
        (
            "version: 0.1\nstorage:\n  inmemory:\n  filesystem:\n",
            "line 3: storage names more than one driver: inmemory, filesystem",
        ),
        (
            "version: 0.1\nstorage: {gcs: {bucket: b}}\n",
            "line 2: storage.gcs is a driver that is not here: filesystem, s3, swift and inmemory are known",
        ),
        ("version: 0.1\nstorage: {swift: {authurl: a}}\n", "line 2: storage.swift.container is missing"),
        (
            "version: 0.1\nstorage: inmemory\nhttp:\n  relativeurls: perhaps\n",
            "line 4: http.relativeurls has to be true or false",
        ),
        (
            "version: 0.1\nstorage: inmemory\nhttp:\n  draintimeout: soon\n",
            "line 4: http.draintimeout has to be a time such as 90s, 10m or 24h",
        ),
        ("version: 0.1\nstorage: inmemory\nhttp:\n  tls:\n    certificate: /c\n", "line 5: http.tls.key is missing"),
        (
            "version: 0.1\nstorage: inmemory\nhttp: {host: registry}\n",
            "line 3: http.host has to be a whole address such as https://registry.example.org",
        ),
        ("version: 0.1\nstorage: inmemory\nauth: {htpasswd: {realm: r}}\n", "line 3: auth.htpasswd.path is missing"),
        (
            "version: 0.1\nstorage: inmemory\njeroboam:\n  compat: none\n",
            "line 4: jeroboam.compat is \"none\" and has to be one of shared, exclusive",
        ),
        (
            "version: 0.1\nstorage: inmemory\njeroboam:\n  limits: {uri: 2MiB}\n",
            "line 4: jeroboam.limits.uri has to be at most 1MiB",
        ),
        (
            "version: 0.1\nstorage: inmemory\njeroboam:\n  cache: {existence: 61s}\n",
            "line 4: jeroboam.cache.existence has to be at most 60s with compat: shared: distribution may remove what is believed to be there for longer",
        ),
        (
            "version: 0.1\nstorage: inmemory\njeroboam:\n  warnings: [größer]\n",
            "line 4: jeroboam.warnings has \"größer\": a warning is a line of ASCII, and not empty",
        ),
        (
            "version: 0.1\nstorage: inmemory\nnotifications: {endpoints: [{name: a}]}\n",
            "line 3: notifications.endpoints[].url is missing",
        ),
    ] {
        assert_eq!(read(text).into_config().map(drop), Err(vec![error.to_owned()]), "{text}");
    }
}

#[test]
fn that_a_blob_is_there_is_believed_for_long_where_distribution_removes_none() {
    for (ours, seconds) in
        [("", 60), ("cache: {existence: 60s}", 60), ("compat: exclusive, cache: {existence: 1h}", 3600)]
    {
        let config = config(&format!("version: 0.1\nstorage: inmemory\njeroboam: {{{ours}}}\n"), &[]);
        assert_eq!(config.ours.existence_ttl.as_secs(), seconds, "{ours}");
    }
}

#[test]
fn the_sample_is_read_without_a_word() {
    assert!(remarks(sample()).is_empty(), "{:#?}", remarks(sample()));
    let config = config(sample(), &[]);
    assert!(matches!(config.storage.place, PlaceConfig::Filesystem { .. }));
}

#[test]
fn what_is_mounted_comes_before_what_an_image_is_shipped_with() {
    let cases: [(&[usize], Option<usize>); 5] =
        [(&[], None), (&[2], Some(2)), (&[1, 2], Some(1)), (&[0, 2], Some(0)), (&[0, 1, 2], Some(0))];
    for (there, found) in cases {
        let root = tempfile::tempdir().expect("a folder");
        let at = |place: usize| root.path().join(USUAL_PLACES[place].trim_start_matches('/'));
        for place in there {
            std::fs::create_dir_all(at(*place).parent().expect("a folder")).expect("made");
            std::fs::write(at(*place), "").expect("written");
        }
        assert_eq!(usual_place(root.path()), found.map(at), "{there:?}");
    }
    // Our image has its own in the last place alone, and names none, so that it looks into all of them.
    let image = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/registry/Containerfile"));
    let copied = image.lines().filter_map(|line| line.strip_prefix("COPY image.yml "));
    assert_eq!(copied.collect::<Vec<_>>(), [USUAL_PLACES[2]]);
    assert!(!image.lines().any(|line| line.starts_with("CMD")), "{image}");
}

#[test]
fn what_is_mounted_and_cannot_be_read_is_not_passed_over() {
    let root = tempfile::tempdir().expect("a folder");
    let [mounted, .., shipped] = USUAL_PLACES.map(|place| root.path().join(place.trim_start_matches('/')));
    for path in [&mounted, &shipped] {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    }
    std::fs::write(&shipped, "").expect("written");
    // A link that leads nowhere, and one that leads to itself.
    for target in [root.path().join("nothing"), mounted.clone()] {
        std::os::unix::fs::symlink(target, &mounted).expect("a link");
        assert_eq!(usual_place(root.path()).as_ref(), Some(&mounted));
        std::fs::remove_file(&mounted).expect("removed");
    }
    assert_eq!(usual_place(root.path()), Some(shipped));
}

#[test]
fn what_needs_compat_exclusive_takes_the_word_in_any_case() {
    for (compat, warnings) in [("shared", 2), ("exclusive", 0), ("Exclusive", 0)] {
        let said = remarks(&format!(
            "version: 0.1\nstorage: {{swift: {{authurl: 'http://k/v3', container: c, tempurlrotateafter: 48h}}}}\njeroboam: {{compat: {compat}, gc: {{enabled: true}}}}\n"
        ));
        let said: Vec<_> = said.iter().filter(|said| said.contains("no effect with compat")).collect();
        assert_eq!(said.len(), warnings, "{compat}: {said:?}");
    }
}

#[test]
fn the_reference_is_what_the_program_knows() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/registry/configuration.md");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == reference(),
        "write it again: jeroboam registry config reference > docs/registry/configuration.md"
    );
}

/// What is used here is what the stores read, so that nothing is lost between the two.
#[test]
fn parameters_of_stores_are_those_that_the_stores_know() {
    let used = |driver: &str| {
        let names = keys::children(&["storage".to_owned(), driver.to_owned()]).into_iter();
        names.filter(|name| keys::kind(driver, name) != Some(keys::Kind::Free)).collect::<Vec<_>>()
    };
    for name in used("s3") {
        assert!(jeroboam_blobs::s3::S3Config::is_parameter(name), "S3 knows no {name}");
    }
    let swift = used("swift");
    let one = |name: &str| (name.to_owned(), if name == "authurl" { "http://k/v3" } else { "" }.to_owned());
    let parameters: BTreeMap<String, String> = swift.iter().map(|name| one(name)).collect();
    let set = [("container", "c"), ("username", "u"), ("password", "p")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let parameters = parameters.into_iter().chain(set).collect();
    let (_, unknown) = SwiftConfig::from_parameters(&parameters, &Lookup::default()).expect("settings of Swift");
    assert_eq!(unknown, ["secretsfile"], "read here");
}
