//! In place and back: a database that Magnum 23 made and filled is adopted, served, worked on, handed back, and read by Magnum.
//!
//! What Magnum says is asked of its own WSGI application on the same rows, before, between and after.

use std::process::{Command, Output};

use jeroboam_model::Status;
use jeroboam_store::oracle::Magnum;
use jeroboam_store::testing::{Engine, KEY, TestDatabase};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use crate::bed::{Cloud, Process, Tenant, until};
use crate::life;

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_is_taken_over_in_place_and_given_back() {
    in_place_and_back(Engine::MariaDb).await;
}

/// Magnum's alembic stops on PostgreSQL at a statement that only MySQL knows; its models make the tables there. All else is the same.
#[tokio::test(flavor = "multi_thread")]
async fn postgresql_is_taken_over_in_place_and_given_back() {
    in_place_and_back(Engine::PostgreSql).await;
}

const HEAT: &str = "10000000-0000-4000-8000-000000000001";
const HELM: &str = "10000000-0000-4000-8000-000000000002";
const OLD: &str = "10000000-0000-4000-8000-000000000003";
pub(crate) const TOPOLOGY: &str = "10000000-0000-4000-8000-000000000004";

/// One database between two programs.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    pub(crate) db: TestDatabase,
    pub(crate) magnum: Magnum,
    pub(crate) cloud: Cloud,
    config: String,
}

/// Who asks, as Keystone tells it.
pub(crate) struct Who {
    pub(crate) tenant: Tenant,
    user: String,
    pub(crate) project: String,
    roles: &'static str,
}

impl Place {
    pub(crate) async fn new(engine: Engine) -> Option<Self> {
        let magnum = Magnum::provided().filter(|_| engine.is_wanted())?;
        let dir = tempfile::tempdir().expect("a folder");
        let db = TestDatabase::new(engine).await;
        let cloud = Cloud::start(dir.path(), "20").await;
        let config = dir.path().join("adopted.conf");
        let text = format!(
            "[database]\nconnection = {}\n[jeroboam]\nencryption_key = {KEY}\n[certificates]\ncert_manager_type = x509keypair\n",
            db.url.expose_secret()
        );
        std::fs::write(&config, text).expect("a file");
        let config = config.display().to_string();
        Some(Self { dir, db, magnum, cloud, config })
    }

    pub(crate) fn ask_magnum(&self, command: &str, input: &Value) -> Value {
        self.magnum.run(&self.db.url, &[command], input)
    }

    /// `jeroboam db …` on this database.
    fn db(&self, words: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_jeroboam"))
            .arg("db")
            .args(words)
            .args(["--config-file", &self.config])
            .output()
            .expect("the binary starts");
        let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (status.code(), said)
    }

    pub(crate) fn db_well(&self, words: &[&str]) -> String {
        let (code, said) = self.db(words);
        assert_eq!(code, Some(0), "{words:?}: {said}");
        said
    }

    fn launch(&self) -> Process {
        let cloud = self.cloud.dir.join("magnum.conf").display().to_string();
        Process::start(self.dir.path(), "service", &["all", "--config-file", &cloud, "--config-file", &self.config])
    }

    pub(crate) async fn serve(&self) -> Process {
        let mut process = self.launch();
        let url = format!("http://127.0.0.1:{}/", self.cloud.api_port);
        until("the service", || {
            assert!(!process.ended(), "the service ended: {}", process.last_words());
            let asked = reqwest::get(&url);
            async move { asked.await.is_ok_and(|answer| answer.status().is_success()).then_some(()) }
        })
        .await;
        process
    }

    pub(crate) async fn who(&self, tenant: Tenant, roles: &'static str) -> Who {
        let url = format!("{}/v3/auth/tokens", self.cloud.base());
        let asked = reqwest::Client::new().get(url).header("x-auth-token", tenant.token());
        let answer = asked.header("x-subject-token", tenant.token()).send().await.expect("keystone answers");
        let token: Value = answer.json().await.expect("a token");
        let text = |pointer: &str| token.pointer(pointer).and_then(Value::as_str).expect(pointer).to_owned();
        Who { user: text("/token/user/id"), project: text("/token/project/id"), tenant, roles }
    }

    /// What Magnum's own API says of the paths.
    pub(crate) fn magnum_says(&self, who: &Who, version: &str, paths: &[String]) -> Map<String, Value> {
        let headers = json!({"X-User-Id": who.user, "X-Project-Id": who.project, "X-Roles": who.roles,
            "OpenStack-API-Version": format!("container-infra {version}"), "Accept": "application/json",
            "Host": format!("127.0.0.1:{}", self.cloud.api_port)});
        let said = self.ask_magnum("get", &json!({"headers": headers, "paths": paths}));
        said.as_object().expect("answers by path").clone()
    }

    /// What ours says of them.
    pub(crate) async fn we_say(&self, who: &Who, version: &str, paths: &[String]) -> Map<String, Value> {
        let mut all = Map::new();
        let http = reqwest::Client::new();
        for path in paths {
            let bare = path.strip_prefix("/v1").expect("a path below /v1");
            let asked = who.tenant.request(Method::GET, bare).header("openstack-api-version", "");
            let mut asked = asked.build().expect("a request");
            let version = format!("container-infra {version}").parse().expect("a header");
            asked.headers_mut().insert("openstack-api-version", version);
            let answer = http.execute(asked).await.expect("an answer");
            let status = answer.status().as_u16();
            let body: Value = answer.json().await.expect("JSON");
            all.insert(path.clone(), json!({"status": status, "body": body}));
        }
        all
    }

    /// Both say the same of every path.
    async fn agree(&self, who: &Who, versions: &[&str], paths: &[String]) {
        for version in versions {
            let (theirs, ours) = (self.magnum_says(who, version, paths), self.we_say(who, version, paths).await);
            let differ = paths.iter().filter(|path| plain(&ours[*path]) != plain(&theirs[*path]));
            let told = differ
                .map(|path| format!("{path} at {version}\n  ours     {}\n  Magnum's {}", ours[path], theirs[path]));
            let told: Vec<_> = told.take(4).collect();
            assert!(told.is_empty(), "{}", told.join("\n"));
        }
    }
}

/// An answer without what may differ: ids of requests, and fractions of seconds, which our rows have none of. How a version is
/// refused is compared elsewhere.
pub(crate) fn plain(answer: &Value) -> Value {
    if answer["status"] == 406 {
        return json!(406);
    }
    let mut answer = answer.clone();
    scrub(&mut answer);
    // Magnum: api/controllers/v1/nodegroup.py forgets the bounds when it lists groups and shows their defaults; ours are true.
    for group in answer.pointer_mut("/body/nodegroups").and_then(Value::as_array_mut).into_iter().flatten() {
        for bound in ["min_node_count", "max_node_count"] {
            group.as_object_mut().expect("a group").remove(bound);
        }
    }
    answer
}

fn scrub(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(_) if name == "request_id" => *value = Value::Null,
                    Some(text) if name.ends_with("_at") && text.contains('.') => {
                        *value = format!("{}+00:00", text.split('.').next().expect("a first part")).into();
                    }
                    _ => scrub(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(scrub),
        _ => {}
    }
}

/// What Magnum left: templates of every driver, and clusters in all eighteen states.
pub(crate) fn left_by_magnum(demo: &Who, admin: &Who) -> Value {
    let template = |id: &str, name: &str, driver: Value, distro: &str, more: Value| {
        let mut row = json!({"uuid": id, "name": name, "project_id": demo.project, "user_id": demo.user, "coe": "kubernetes",
            "image_id": "ubuntu-kube-v1.33.5", "flavor_id": "m1.small", "master_flavor_id": "m1.medium",
            "external_network_id": "public", "network_driver": "calico", "cluster_distro": distro, "server_type": "vm",
            "labels": {"kube_tag": "v1.33.5", "only": "here"}, "driver": driver, "master_lb_enabled": true});
        row.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
        row
    };
    let templates = json!([
        template(HEAT, "heat", json!("k8s_fedora_coreos_v1"), "fedora-coreos", json!({"public": true, "tags": "old"})),
        template(HELM, "helm", json!("k8s_capi_helm_v1"), "ubuntu", json!({"docker_volume_size": 5})),
        template(OLD, "older", Value::Null, "fedora-coreos", json!({"hidden": true})),
        template(TOPOLOGY, "topology", json!("k8s_cluster_api_ubuntu"), "ubuntu", json!({"dns_nameserver": "9.9.9.9"})),
    ]);
    let (mut clusters, mut groups) = (Vec::new(), Vec::new());
    let states = Status::all().map(|status| (status, HEAT, &demo.project));
    let others = [
        (Status::CREATE_COMPLETE, HELM, &demo.project),
        (Status::UPDATE_COMPLETE, OLD, &demo.project),
        (Status::CREATE_COMPLETE, TOPOLOGY, &demo.project),
        (Status::CREATE_COMPLETE, HEAT, &admin.project),
    ];
    for (index, (status, template, project)) in states.chain(others).enumerate() {
        let id = format!("20000000-0000-4000-8000-{index:012}");
        let mut cluster = json!({"uuid": id, "project_id": project, "user_id": demo.user, "cluster_template_id": template,
            "status": status.as_str(), "labels": {"kube_tag": "v1.33.5", "own": format!("größe {index}")},
            "stack_id": format!("stack-{index}"), "name": format!("cluster-{index}")});
        if index % 3 == 0 {
            let ca = format!("40000000-0000-4000-8000-{index:012}");
            let more = json!({"status_reason": format!("Grund {index}: „kein Platz“"), "health_status": "UNHEALTHY",
                "health_status_reason": {"api": "ok", "n.Ready": "False"}, "api_address": "https://10.0.0.9:6443",
                "coe_version": "v1.33.5", "container_version": "1.7", "discovery_url": "https://d", "keypair": "demo",
                "docker_volume_size": 5, "master_flavor_id": "m1.medium", "flavor_id": "m1.small", "create_timeout": 30,
                "fixed_network": "n", "fixed_subnet": "s", "floating_ip_enabled": false, "master_lb_enabled": true,
                "ca_cert_ref": ca, "magnum_cert_ref": ca, "etcd_ca_cert_ref": ca, "front_proxy_ca_cert_ref": ca});
            cluster.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
        }
        clusters.push(cluster);
        for (number, (name, role)) in
            [("default-master", "master"), ("default-worker", "worker"), ("extra", "infra")].into_iter().enumerate()
        {
            groups.push(json!({"uuid": format!("3000000{number}-0000-4000-8000-{index:012}"), "name": name, "cluster_id": id,
                "project_id": project, "role": role, "is_default": number < 2, "node_count": number + 1,
                "status": status.as_str(), "status_reason": "warum", "image_id": "i", "flavor_id": "f",
                "node_addresses": [format!("10.0.{index}.{number}")], "labels": {"kube_tag": "v1.33.5"}, "stack_id": "s",
                "max_node_count": (number == 1).then_some(5), "node_labels": {"tier": "a"},
                "node_taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}));
        }
    }
    let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";
    let pair = |cluster: &Value| {
        let id = cluster.get("ca_cert_ref")?;
        Some(json!({"uuid": id, "certificate": pem, "private_key": "k", "private_key_passphrase": "p",
            "project_id": demo.project, "user_id": demo.user}))
    };
    let pairs: Vec<Value> = clusters.iter().filter_map(pair).collect();
    json!({"ClusterTemplate": templates, "Cluster": clusters, "NodeGroup": groups, "X509KeyPair": pairs,
        "Quota": [{"project_id": demo.project, "resource": "Cluster", "hard_limit": 99}],
        "MagnumService": [{"host": "old-node", "binary": "magnum-conductor", "report_count": 4}]})
}

/// Everything that can be read of clusters and templates.
pub(crate) fn paths(read: &Value, project: &str) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/v1/clusters",
        "/v1/clusters/detail",
        "/v1/clusters?limit=5&sort_key=name&sort_dir=desc",
        "/v1/clusters/cluster-3",
        "/v1/clusters/nobody",
        "/v1/clustertemplates",
        "/v1/clustertemplates/detail",
        "/v1/clustertemplates/topology",
        "/v1/clustertemplates/older",
        "/v1/clusters?sort_key=status&limit=3",
        "/v1/clustertemplates?limit=2",
        "/v1/stats",
    ]
    .map(str::to_owned)
    .into();
    paths.push(format!("/v1/quotas/{project}/Cluster"));
    for cluster in read["Cluster"].as_array().expect("rows") {
        let id = cluster["uuid"].as_str().expect("a uuid");
        paths.push(format!("/v1/clusters/{id}"));
        paths.push(format!("/v1/clusters/{id}/nodegroups"));
        paths.push(format!("/v1/clusters/{id}/nodegroups/default-worker"));
    }
    for template in read["ClusterTemplate"].as_array().expect("rows") {
        paths.push(format!("/v1/clustertemplates/{}", template["uuid"].as_str().expect("a uuid")));
    }
    paths
}

async fn in_place_and_back(engine: Engine) {
    let Some(place) = Place::new(engine).await else { return };
    let made = if engine == Engine::MariaDb { "upgrade" } else { "tables" };
    assert_eq!(place.ask_magnum(made, &Value::Null), json!({"revision": "b3e1cf4a2d5e"}));
    let demo = place.who(place.cloud.demo().await, "member,reader").await;
    let admin = place.who(place.cloud.admin().await, "admin,member,reader").await;
    let left = place.ask_magnum("write", &left_by_magnum(&demo, &admin));

    // Nobody serves a database that is Magnum's.
    let mut refused = place.launch();
    until("the refusal", || {
        let ended = refused.ended().then_some(());
        async move { ended }
    })
    .await;
    assert!(refused.last_words().contains("db adopt"), "{}", refused.last_words());

    // A conductor has just reported, and looking changes nothing.
    let (code, said) = place.db(&["adopt", "--yes"]);
    assert!(code == Some(1) && said.contains("magnum-conductor on old-node reported"), "{said}");
    let said = place.db_well(&["adopt", "--dry-run", "--all-stopped"]);
    for words in ["can be adopted", "make table jeroboam_cluster", "of k8s_fedora_coreos_v1: ", "of k8s_capi_helm_v1: "]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(place.ask_magnum("read", &Value::Null), left, "looking changed something");
    let adopted = place.db_well(&["adopt", "--yes", "--all-stopped"]);
    assert!(adopted.contains("adopted: ready to be served"), "{adopted}");
    assert!(place.db_well(&["adopt", "--yes", "--all-stopped"]).contains("nothing had to be changed"));
    assert_eq!(place.ask_magnum("read", &Value::Null), left, "adopting changed rows of Magnum's");

    let mut service = place.serve().await;
    let all = paths(&left, &demo.project);
    // At the oldest version, the first with node groups, and the newest.
    place.agree(&demo, &["1.1", "1.9", "1.14"], &all).await;
    place.agree(&admin, &["1.14"], &all).await;
    let authority = demo.tenant.must(Method::GET, "/certificates/cluster-3", None, 200).await;
    assert!(authority["pem"].as_str().is_some_and(|pem| pem.contains("MIIB")), "{authority}");

    others_clusters_are_left_alone(&demo.tenant).await;
    let (kept, unfinished) = ours_are_worked_on(&demo.tenant).await;

    let (code, said) = place.db(&["hand-back", "--yes"]);
    assert!(code == Some(1) && said.contains("jeroboam all"), "a running process is in the way: {said}");
    terminate(&mut service).await;
    let foreseen = place.db_well(&["hand-back", "--dry-run"]);
    assert!(
        foreseen.contains(&format!("{unfinished} (unfinished) from CREATE_IN_PROGRESS to CREATE_FAILED")),
        "{foreseen}"
    );
    assert!(place.db_well(&["hand-back", "--yes"]).contains("handed back: Magnum can be started"));

    // Magnum's objects read every row and its API serves every path.
    let back = place.ask_magnum("read", &Value::Null);
    let row = |id: &str| {
        let rows = back["Cluster"].as_array().expect("rows");
        rows.iter().find(|row| row["uuid"] == id).cloned().unwrap_or_else(|| panic!("{id} is not there"))
    };
    assert_eq!(row(&kept)["status"], "CREATE_COMPLETE");
    assert_eq!(row(&unfinished)["status"], "CREATE_FAILED");
    assert!(row(&unfinished)["status_reason"].as_str().is_some_and(|reason| reason.contains("handed back")));
    let hosts: Vec<_> = back["MagnumService"].as_array().expect("rows").iter().map(|row| row["host"].clone()).collect();
    assert_eq!(hosts, ["old-node"], "our reports are gone");
    let after = paths(&back, &demo.project);
    for who in [&demo, &admin] {
        for (path, answer) in place.magnum_says(who, "1.14", &after) {
            let elsewhere = path.contains("000000000021") && who.project == demo.project;
            let expected = if path.ends_with("/nobody") || elsewhere { 404 } else { 200 };
            assert_eq!(answer["status"], expected, "{path}: {}", answer["body"]);
        }
    }

    // And forth again: what was unfinished is finished.
    let again = place.db_well(&["adopt", "--yes", "--all-stopped"]);
    assert!(again.contains("take up what was left"), "{again}");
    let _service = place.serve().await;
    place.agree(&demo, &["1.14"], &paths(&left_without_deleted(&back), &demo.project)).await;
    let healed = until("the unfinished cluster", || async {
        let seen = demo.tenant.find(&format!("/clusters/{unfinished}")).await?;
        (seen["status"] == "CREATE_COMPLETE").then_some(seen)
    })
    .await;
    assert!(healed["api_address"].is_string(), "{healed}");
    for id in [&kept, &unfinished] {
        demo.tenant.must(Method::DELETE, &format!("/clusters/{id}"), None, 204).await;
        demo.tenant.until_gone(id).await;
    }
}

/// Rows that do not move: those of clusters that we do not work on.
fn left_without_deleted(read: &Value) -> Value {
    let clusters = read["Cluster"].as_array().expect("rows").iter();
    let theirs = clusters.filter(|row| row["name"].as_str().is_some_and(|name| name.starts_with("cluster-")));
    json!({"Cluster": theirs.collect::<Vec<_>>(), "ClusterTemplate": []})
}

/// Clusters of other drivers are shown; what can't be done is refused with the reason, and nothing changes.
async fn others_clusters_are_left_alone(demo: &Tenant) {
    let heat = "20000000-0000-4000-8000-000000000002";
    let helm = "20000000-0000-4000-8000-000000000018";
    let replace = json!([{"op": "replace", "path": "/node_count", "value": 4}]);
    let before = demo.must(Method::GET, &format!("/clusters/{heat}"), None, 200).await;
    for (method, path, body) in [
        (Method::PATCH, format!("/clusters/{heat}"), Some(replace)),
        (Method::POST, format!("/clusters/{heat}/actions/resize"), Some(json!({"node_count": 3}))),
        (Method::POST, format!("/clusters/{heat}/actions/upgrade"), Some(json!({"cluster_template": TOPOLOGY}))),
        (Method::POST, format!("/clusters/{helm}/actions/resize"), Some(json!({"node_count": 3}))),
        (Method::DELETE, format!("/clusters/{heat}/nodegroups/extra"), None),
        (Method::DELETE, format!("/clusters/{helm}"), None),
    ] {
        let refused = demo.must(method.clone(), &path, body, 409).await;
        let detail = refused["errors"][0]["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("which does not run here"), "{method} {path}: {detail}");
    }
    assert_eq!(demo.must(Method::GET, &format!("/clusters/{heat}"), None, 200).await, before);
    // Two records go: of a Heat cluster that is there, and of one that Magnum was deleting.
    for id in [heat, "20000000-0000-4000-8000-000000000006"] {
        demo.must(Method::DELETE, &format!("/clusters/{id}"), None, 204).await;
        demo.must(Method::GET, &format!("/clusters/{id}"), None, 404).await;
    }
    let more = demo.must(Method::GET, "/certificates/cluster-3", None, 200).await;
    assert!(more["pem"].is_string(), "another cluster's certificate stays");
}

/// New clusters are made and deleted on the adopted database; the answer is one that is complete and one that is not.
async fn ours_are_worked_on(demo: &Tenant) -> (String, String) {
    let make = async |name: &str, nodes: u32| {
        let body = json!({"name": name, "cluster_template_id": TOPOLOGY, "master_count": nodes, "node_count": nodes, "keypair": "demo"});
        let made = demo.must(Method::POST, "/clusters", Some(body), 202).await;
        made["uuid"].as_str().expect("a uuid").to_owned()
    };
    let (kept, gone) = (make("kept", 1).await, make("gone", 1).await);
    for id in [&kept, &gone] {
        demo.until_status(id, "CREATE_COMPLETE").await;
    }
    life::resize(demo, &gone, 2, &[]).await;
    demo.must(Method::DELETE, &format!("/clusters/{gone}"), None, 204).await;
    demo.until_gone(&gone).await;
    // Large enough not to be done before the service is stopped.
    (kept, make("unfinished", 5).await)
}

/// Stops a process as an operator does.
pub(crate) async fn terminate(process: &mut Process) {
    let pid = process.pid().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("a kill command").success());
    until("the service to end", || {
        let ended = process.ended().then_some(());
        async move { ended }
    })
    .await;
}
