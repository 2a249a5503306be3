//! What no client and no operator should send: each is refused in a sentence, nothing is left behind, and nothing is a 500.

use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::bed::{Answer, Cloud, Process, Tenant, free_port, until};

/// A cloud and a service.
struct Bed {
    _dir: tempfile::TempDir,
    cloud: Cloud,
    service: Process,
    tenant: Tenant,
}

impl Bed {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let cloud = Cloud::start(dir.path(), "20").await;
        let service = cloud.service(dir.path(), "service", &[]).await;
        let tenant = cloud.demo().await;
        Self { _dir: dir, cloud, service, tenant }
    }
}

/// The sentence of an error.
fn detail(answer: &Answer) -> &str {
    answer.body["errors"][0]["detail"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn what_can_not_be_made_is_refused_in_a_sentence_and_leaves_nothing() {
    let bed = Bed::start().await;
    bed.tenant.template("good", "ubuntu-kube-v1.33.5").await;
    let template = json!({"name": "t", "coe": "kubernetes", "image_id": "ubuntu-kube-v1.33.5", "flavor_id": "m1.small",
        "master_flavor_id": "m1.medium", "external_network_id": "public", "master_lb_enabled": true});
    let cluster = json!({"name": "c", "cluster_template_id": "good", "keypair": "demo"});
    let pattern = "Value should match the pattern ^[a-zA-Z][a-zA-Z0-9_.-]*$";
    let (object, number) = ("Value should be an object", "invalid literal for int() with base 10: ");
    let long = "x".repeat(243);
    // The attribute, what is sent, as it is repeated, and what is wrong with it.
    let invalid = [
        ("/clusters", "cluster_template_id", json!(7), "7", "Value should be string".to_owned()),
        ("/clusters", "master_count", json!(0), "0", "Value should be greater or equal to 1".to_owned()),
        ("/clusters", "master_count", json!(-1), "-1", "Value should be greater or equal to 1".to_owned()),
        ("/clusters", "node_count", json!(-1), "-1", "Value should be greater or equal to 0".to_owned()),
        ("/clusters", "node_count", json!("many"), "many", format!("{number}'many'")),
        (
            "/clusters",
            "node_count",
            json!(1e12),
            "1000000000000.0",
            "Value should be lower or equal to 2147483647".to_owned(),
        ),
        ("/clusters", "create_timeout", json!("soon"), "soon", format!("{number}'soon'")),
        ("/clusters", "labels", json!("a=b"), "a=b", object.to_owned()),
        ("/clusters", "labels", json!(["a"]), "['a']", object.to_owned()),
        (
            "/clusters",
            "labels",
            json!({"a": {"b": 1}}),
            "{'b': 1}",
            "Value of 'a' should be a string, a number or a boolean".to_owned(),
        ),
        ("/clusters", "name", json!("1st"), "1st", pattern.to_owned()),
        ("/clusters", "name", json!("-c"), "-c", pattern.to_owned()),
        ("/clusters", "name", json!("two words"), "two words", pattern.to_owned()),
        ("/clusters", "name", json!("ärger"), "ärger", pattern.to_owned()),
        ("/clusters", "name", json!("a/b"), "a/b", pattern.to_owned()),
        (
            "/clusters",
            "name",
            json!(long),
            &long,
            "Value should have a maximum character requirement of 242".to_owned(),
        ),
        ("/clustertemplates", "coe", json!("swarm"), "swarm", "Value should be one of: kubernetes".to_owned()),
        ("/clustertemplates", "labels", json!([1]), "[1]", object.to_owned()),
    ];
    // What is sent, the status, and the sentence.
    let refused = [
        ("/clusters", "cluster_template_id", json!("nope"), 404, "ClusterTemplate nope could not be found."),
        ("/clusters", "flavor_id", json!("nope"), 400, "Unable to find flavor nope."),
        ("/clusters", "master_flavor_id", json!("nope"), 400, "Unable to find flavor nope."),
        ("/clusters", "keypair", json!("nope"), 404, "Unable to find keypair nope."),
        ("/clusters", "fixed_network", json!("nope"), 400, "Unable to find fixed network nope."),
        (
            "/clusters",
            "master_count",
            json!(2),
            400,
            "master nodegroup size of 2 is invalid, size cannot be an even number.",
        ),
        (
            "/clusters",
            "labels",
            json!({"boot_volume_size": "big"}),
            400,
            "Invalid label: label boot_volume_size is \"big\", expected a whole number.",
        ),
        (
            "/clusters",
            "labels",
            json!({"kube_tag": "newest"}),
            400,
            "Invalid label kube_tag: \"newest\" is not a Kubernetes version, expected something like v1.33.4.",
        ),
        (
            "/clusters",
            "labels",
            json!({"kube_tag": "v1.34.2"}),
            400,
            "Image ubuntu-kube-v1.33.5 holds Kubernetes v1.33.5, but the label kube_tag asks for v1.34.2: the two have to be the same.",
        ),
        ("/clusters", "colour", json!("blue"), 400, "Unknown attribute for argument cluster: colour"),
        ("/clustertemplates", "image_id", json!("nope"), 400, "Image nope could not be found."),
        ("/clustertemplates", "image_id", json!("cirros"), 400, "Image cirros doesn't contain os_distro field."),
        ("/clustertemplates", "flavor_id", json!("nope"), 400, "Unable to find flavor nope."),
        ("/clustertemplates", "external_network_id", json!("nope"), 400, "Unable to find external network nope."),
        (
            "/clustertemplates",
            "network_driver",
            json!("tin-cans"),
            400,
            "Network driver type tin-cans is not supported, expecting a flannel/calico/cilium/unspecified network driver.",
        ),
        (
            "/clustertemplates",
            "dns_nameserver",
            json!("nine"),
            400,
            "Expected a single dns address or comma separated dns list, but received nine.",
        ),
        (
            "/clustertemplates",
            "public",
            json!(true),
            403,
            "Not authorized to set public or hidden flag for cluster template.",
        ),
    ];
    let invalid = invalid.into_iter().map(|(path, attribute, value, shown, why)| {
        let words = format!("Invalid input for field/attribute {attribute}. Value: '{shown}'. {why}");
        (path, attribute, value, 400, words)
    });
    let refused = refused
        .into_iter()
        .map(|(path, attribute, value, status, words)| (path, attribute, value, status, words.to_owned()));
    let mut wrongs = Vec::new();
    for (path, attribute, value, status, words) in invalid.chain(refused) {
        let mut body = if path == "/clusters" { cluster.clone() } else { template.clone() };
        body[attribute] = value;
        let answer = bed.tenant.ask(Method::POST, path, Some(body.clone())).await.expect("an answer");
        if (answer.status, detail(&answer)) != (status, words.as_str()) {
            wrongs.push(format!("{path} {body}\n   {} {}\n   {status} {words}", answer.status, detail(&answer)));
        }
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
    let clusters = bed.tenant.must(Method::GET, "/clusters", None, 200).await;
    assert_eq!(clusters["clusters"], json!([]), "nothing was made");
    assert_eq!(credentials(&bed).await, json!([]), "no credential is left behind");
}

/// The application credentials of the demo user.
async fn credentials(bed: &Bed) -> Value {
    let http = reqwest::Client::new();
    let url = format!("{}/v3/auth/tokens", bed.cloud.base());
    let token = bed.tenant.token();
    let shown = http.get(&url).header("x-auth-token", token).header("x-subject-token", token).send().await;
    let shown: Value = shown.expect("keystone answers").json().await.expect("json");
    let user = shown["token"]["user"]["id"].as_str().expect("a user");
    let url = format!("{}/v3/users/{user}/application_credentials", bed.cloud.base());
    let listed = http.get(url).header("x-auth-token", token).send().await;
    let listed: Value = listed.expect("keystone answers").json().await.expect("json");
    listed["application_credentials"].clone()
}

/// Every place that takes a body.
const PLACES: [(Method, &str); 9] = [
    (Method::POST, "/clusters"),
    (Method::PATCH, "/clusters/one"),
    (Method::POST, "/clusters/one/actions/resize"),
    (Method::POST, "/clusters/one/actions/upgrade"),
    (Method::POST, "/clusters/one/nodegroups"),
    (Method::PATCH, "/clusters/one/nodegroups/default-worker"),
    (Method::POST, "/clustertemplates"),
    (Method::PATCH, "/clustertemplates/good"),
    (Method::POST, "/certificates"),
];

/// 10 MB that look like the beginning of something.
fn huge() -> Vec<u8> {
    let mut body = br#"{"name": ""#.to_vec();
    body.resize(10_000_000, b'x');
    body
}

#[tokio::test]
async fn bodies_that_are_no_json_or_without_end_are_refused_everywhere() {
    let bed = Bed::start().await;
    bed.tenant.template("good", "ubuntu-kube-v1.33.5").await;
    let body = json!({"name": "one", "cluster_template_id": "good"});
    bed.tenant.must(Method::POST, "/clusters", Some(body), 202).await;
    let json = "application/json";
    let bodies: [(&str, &str, Vec<u8>, u16, &str); 9] = [
        ("half an object", json, br#"{"name": "#.to_vec(), 400, "Request is not in valid JSON format"),
        ("no text", json, b"\xff\xfe".to_vec(), 400, "Request is not in valid JSON format"),
        (
            "a form",
            "application/x-www-form-urlencoded",
            b"name=c".to_vec(),
            415,
            "Unknown mimetype: application/x-www-form-urlencoded",
        ),
        ("XML", "application/xml", b"<cluster/>".to_vec(), 415, "Unknown mimetype: application/xml"),
        ("a deep nest", json, "[".repeat(500_000).into_bytes(), 400, "Request is not in valid JSON format"),
        ("nothing", json, Vec::new(), 400, "Missing argument: "),
        ("null", json, b"null".to_vec(), 400, "Missing argument: "),
        ("a number", json, b"7".to_vec(), 400, "Invalid input for field/attribute "),
        ("10 MB", json, huge(), 413, "Request is too large. A body may have no more than 1048576 bytes."),
    ];
    for (method, path) in PLACES {
        for (what, mimetype, body, status, words) in &bodies {
            let what = format!("{method} {path} with {what}");
            let asking = bed.tenant.request(method.clone(), path).header("content-type", *mimetype).body(body.clone());
            let answer = answer(asking).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(answer.status, *status, "{what}: {}", answer.body);
            assert!(detail(&answer).starts_with(words), "{what}: {}", answer.body);
        }
        // Without saying beforehand how much it will be.
        let pieces = futures::stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 100_000])));
        let asking = bed.tenant.request(method.clone(), path).header("content-type", json);
        let answer = answer(asking.body(reqwest::Body::wrap_stream(pieces))).await;
        let answer = answer.unwrap_or_else(|error| panic!("{method} {path} in pieces: {error}"));
        assert_eq!(answer.status, 413, "{method} {path} in pieces: {}", answer.body);
    }
    bed.tenant.must(Method::GET, "/clusters/one", None, 200).await;
}

async fn answer(asking: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let answer = asking.send().await?;
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
}

#[tokio::test]
async fn tokens_that_do_not_do_open_nothing() {
    let mut bed = Bed::start().await;
    bed.tenant.template("good", "ubuntu-kube-v1.33.5").await;
    let body = json!({"name": "one", "cluster_template_id": "good"});
    let made = bed.tenant.must(Method::POST, "/clusters", Some(body), 202).await;
    let id = made["uuid"].as_str().expect("a uuid").to_owned();

    let stranger = stranger(&bed).await;
    for path in [
        format!("/clusters/{id}"),
        "/clusters/one".to_owned(),
        format!("/certificates/{id}"),
        format!("/clusters/{id}/nodegroups"),
    ] {
        let answer = stranger.ask(Method::GET, &path, None).await.expect("an answer");
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
    }
    let resize = json!({"node_count": 5});
    stranger.must(Method::POST, &format!("/clusters/{id}/actions/resize"), Some(resize), 404).await;
    stranger.must(Method::DELETE, &format!("/clusters/{id}"), None, 404).await;
    let listed = stranger.must(Method::GET, "/clusters", None, 200).await;
    assert_eq!(listed["clusters"], json!([]));

    let (expired, revoked) = (bed.cloud.demo().await, bed.cloud.demo().await);
    let asked = reqwest::Client::new()
        .delete(format!("{}/v3/auth/tokens", bed.cloud.base()))
        .header("x-auth-token", revoked.token())
        .header("x-subject-token", revoked.token())
        .send();
    assert_eq!(asked.await.expect("keystone answers").status(), 204);
    bed.cloud.process.kill();
    end_token(&bed.cloud.dir.join("sandbox/state.jsonl"), expired.token());
    bed.cloud.again("20").await;
    let rows = [
        ("none", None),
        ("an empty one", Some(Vec::new())),
        ("nonsense", Some(b"nonsense".to_vec())),
        ("no ASCII", Some("tok\u{e9}n".as_bytes().to_vec())),
        ("a very long one", Some(vec![b'x'; 60_000])),
        ("a path", Some(b"../../users".to_vec())),
        ("an expired one", Some(expired.token().as_bytes().to_vec())),
        ("a revoked one", Some(revoked.token().as_bytes().to_vec())),
    ];
    for (what, token) in rows {
        for path in ["/clusters", "/clustertemplates", "/mservices", "/nothing/here"] {
            let mut asking = reqwest::Client::new().get(format!("http://127.0.0.1:{}/v1{path}", bed.cloud.api_port));
            if let Some(token) = &token {
                asking = asking.header("x-auth-token", token.as_slice());
            }
            let answer = answer(asking).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(answer.status, 401, "{what} on {path}: {}", answer.body);
            assert_eq!(answer.body["error"]["message"], "The request you have made requires authentication.", "{what}");
        }
    }
    bed.tenant.must(Method::GET, &format!("/clusters/{id}"), None, 200).await;
}

/// Somebody who is a member of a project of their own.
async fn stranger(bed: &Bed) -> Tenant {
    let admin = bed.cloud.admin().await;
    let http = reqwest::Client::new();
    let base = format!("{}/v3", bed.cloud.base());
    let make = async |kind: &str, body: Value| {
        let asked =
            http.post(format!("{base}/{kind}s")).header("x-auth-token", admin.token()).json(&json!({kind: body}));
        let made: Value = asked.send().await.expect("keystone answers").json().await.expect("json");
        made[kind]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    };
    let project = make("project", json!({"name": "elsewhere", "domain_id": "default"})).await;
    let user = make("user", json!({"name": "eve", "domain_id": "default", "password": "secret"})).await;
    let roles = http.get(format!("{base}/roles")).header("x-auth-token", admin.token()).send().await;
    let roles: Value = roles.expect("keystone answers").json().await.expect("json");
    for role in roles["roles"].as_array().expect("roles") {
        let name = role["name"].as_str().expect("a name");
        if name != "member" && name != "reader" {
            continue;
        }
        let id = role["id"].as_str().expect("an id");
        let grant = http.put(format!("{base}/projects/{project}/users/{user}/roles/{id}"));
        let granted = grant.header("x-auth-token", admin.token()).send().await.expect("keystone answers");
        assert_eq!(granted.status(), 204);
    }
    Tenant::log_in(&bed.cloud.dir.join("clouds.yaml"), bed.cloud.api_port, "eve", "elsewhere").await
}

/// Makes a token end long ago, in what the cloud remembers.
fn end_token(journal: &Path, token: &str) {
    let text = std::fs::read_to_string(journal).expect("a journal");
    let mut ended = 0;
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).expect("json");
        for change in line["changes"].as_array_mut().expect("changes") {
            if change[0] == "token" && change[1] == token {
                change[2]["expires_at"] = json!("2020-01-01T00:00:00.000000Z");
                ended += 1;
            }
        }
        format!("{line}\n")
    });
    let text: String = lines.collect();
    assert_eq!(ended, 1, "the token is in the journal");
    std::fs::write(journal, text).expect("written");
}

/// Runs the binary to its end: exit code, and all that it said.
fn run(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_jeroboam")).args(args).output().expect("the binary runs");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code().unwrap_or(-1), said)
}

/// What the service does with a configuration.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    /// Starts, and says this in its log.
    Starts(&'static str),
    /// Ends at once with this.
    Refuses(&'static str),
}

#[tokio::test]
async fn a_configuration_that_is_wrong_is_named_with_its_line_by_the_check_and_by_the_service() {
    use Does::{Refuses, Starts};

    let dir = tempfile::tempdir().expect("a folder");
    let cloud = Cloud::start(dir.path(), "20").await;
    let base = cloud.dir.join("magnum.conf");
    std::fs::write(dir.path().join("bad.yaml"), "- no\n- mapping\n").expect("written");
    let rows = [
        ("[api]\nprot = 1\n", Starts("row.conf:2: [api] prot: there is no such option; did you mean port?")),
        ("[conductor]\nworkers = 4\n", Starts("row.conf:2: [conductor] workers: there is no conductor")),
        ("[api]\nhost = everywhere\n", Refuses("row.conf:2: [api] host: \"everywhere\" is not an IP address")),
        ("[api]\nport = x\n", Refuses("row.conf:2: [api] port: \"x\" is not a whole number from 0 to 65535")),
        ("[api]\nport = 70000\n", Refuses("row.conf:2: [api] port: \"70000\" is not a whole number from 0 to 65535")),
        ("[DEFAULT]\ndebug = perhaps\n", Refuses("row.conf:2: [DEFAULT] debug: \"perhaps\"")),
        ("[api]\nport 9511\n", Refuses("row.conf:2: ")),
        (
            "[jeroboam]\nencryption_key = AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n[database]\nconnection = oracle://m:hunter2@h/d\n",
            Refuses("\"oracle\" is none of sqlite, mysql, postgresql"),
        ),
        (
            "[database]\nconnection = mysql+pymysql://m:hunter2@127.0.0.1/m\n",
            Refuses("[jeroboam] encryption_key is not set"),
        ),
        ("[jeroboam]\nencryption_key = hunter2\n", Refuses("key")),
        ("[jeroboam]\nmax_microversion = new\n", Refuses("max_microversion")),
        ("[keystone_authtoken]\nauth_type = kerberos\n", Refuses("auth_type is \"kerberos\"")),
        ("[keystone_auth]\nauth_url = over there\n", Refuses("\"over there\" is no address")),
        ("[keystone_authtoken]\ncafile = /nonexistent/ca.pem\n", Refuses("/nonexistent/ca.pem")),
        ("[jeroboam_management]\nkubeconfig = /nonexistent/config\n", Refuses("/nonexistent/config")),
        (
            "[jeroboam_topology]\ncluster_class = memory\n",
            Refuses("cluster_class is \"memory\", expected namespace/name"),
        ),
        ("[jeroboam_topology]\nnamespace_prefix = Mine\n", Refuses("namespace_prefix is \"Mine\"")),
        ("[api]\nenabled_ssl = true\nssl_cert_file = /nonexistent/c\nssl_key_file = /k\n", Refuses("/nonexistent/c")),
        ("[oslo_policy]\npolicy_file = bad.yaml\n", Refuses("bad.yaml is not a mapping of rules")),
    ];
    let mut wrongs = Vec::new();
    for (number, (text, does)) in rows.into_iter().enumerate() {
        let folder = dir.path().join(number.to_string());
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::copy(dir.path().join("bad.yaml"), folder.join("bad.yaml")).expect("copied");
        let own = folder.join("own.conf");
        let port = free_port();
        let lines = format!("[api]\nport = {port}\n[database]\nconnection = sqlite:///{}/m.sqlite\n", folder.display());
        std::fs::write(&own, lines).expect("written");
        let row = folder.join("row.conf");
        std::fs::write(&row, text).expect("written");
        let files = [base.as_path(), &own, &row].map(|path| path.to_str().expect("utf-8"));
        let files: Vec<&str> = files.iter().flat_map(|path| ["--config-file", path]).collect();

        let (code, checked) = run(&[&["config", "check"], files.as_slice()].concat());
        let (words, expected) = match does {
            Starts(words) => (words, 0),
            Refuses(words) => (words, 1),
        };
        if code != expected || !checked.contains(words) {
            wrongs.push(format!("{text}: config check ends with {code}: {checked}"));
        }
        assert!(!folder.join("m.sqlite.key").exists(), "{text}: a check writes nothing");
        let mut service =
            Process::start(&folder, "service", &[&["all", "--upgrade-database"], files.as_slice()].concat());
        let url = format!("http://127.0.0.1:{port}/");
        let answered = until("the service to answer or to end", || {
            let (ended, asked) = (service.ended(), reqwest::get(&url));
            async move { if ended { Some(false) } else { asked.await.is_ok().then_some(true) } }
        })
        .await;
        let said = service.last_words();
        if answered != matches!(does, Starts(_)) || !said.contains(words) {
            wrongs.push(format!("{text}: the service {}: {said}", if answered { "starts" } else { "ends" }));
        }
        for said in [said, checked] {
            assert!(!said.contains("hunter2"), "{text}: a secret is told: {said}");
        }
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));

    let (code, said) =
        run(&["config", "check", "--strict", "--config-file", dir.path().join("0/row.conf").to_str().expect("utf-8")]);
    assert_eq!(code, 1, "{said}");
    let (code, said) = run(&["config", "check", "--config-file", "/nonexistent/magnum.conf"]);
    assert!(code == 1 && said.contains("/nonexistent/magnum.conf"), "{said}");
    let (code, said) = run(&["all", "--config-file", "/nonexistent/magnum.conf"]);
    assert!(code == 1 && said.contains("/nonexistent/magnum.conf"), "{said}");
}

#[tokio::test]
async fn policy_files_are_checked_and_followed_while_the_service_runs() {
    let bed = Bed::start().await;
    let (config, file) = (bed.cloud.dir.join("magnum.conf"), bed.cloud.dir.join("policy.yaml"));
    let config = config.to_str().expect("utf-8");
    bed.tenant.must(Method::GET, "/clusters", None, 200).await;
    let rows = [
        ("\"cluster:get_all\": \"!\"\n", 0, "the policy can be used", 403),
        ("\"cluster:get_all\": \"role:member\"\n", 0, "the policy can be used", 200),
        ("\"cluster:get_all\": \"role:member and\"\n", 1, "the rule ends too early; it refuses everybody", 403),
        // What can not be read at all changes nothing.
        ("- no\n- mapping\n", 1, "is not a mapping of rules", 403),
        ("", 0, "the policy can be used", 200),
    ];
    for (text, code, words, status) in rows {
        // Whole or not at all, as a deployment tool does it.
        let draft = file.with_extension("draft");
        std::fs::write(&draft, text).expect("written");
        std::fs::rename(&draft, &file).expect("renamed");
        let (ended, said) = run(&["policy", "check", "--config-file", config]);
        assert!(ended == code && said.contains(words), "{text}: {ended} {said}");
        let announced =
            if text.starts_with('-') { "the old rules stay in force" } else { "their new rules are in force" };
        until(&format!("{text} to be seen"), || async {
            let log = std::fs::read_to_string(&bed.service.log).expect("a log");
            let seen = log.lines().rfind(|line| line.contains("the policy files changed"))?.contains(announced);
            let answer = bed.tenant.ask(Method::GET, "/clusters", None).await?;
            (seen && answer.status == status).then_some(())
        })
        .await;
    }
}
