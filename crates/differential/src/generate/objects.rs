//! Requests about each kind of object.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::values::{
    CLUSTER, CLUSTER_PATCH, FEDERATION_PATCH, NODEGROUP, NODEGROUP_PATCH, TEMPLATE, decorate, odd, patch, pick,
};
use super::{Maker, SAVES, good_template};
use crate::sequence::{Step, Who};

/// A request for a certificate that openssl made.
pub(super) const CSR: &str = include_str!("request.pem");

impl Maker {
    /// A template that works, with or without extras.
    pub(super) fn template(&mut self) {
        self.templates = (self.templates + 1).min(SAVES.len());
        let number = self.templates;
        let mut body = good_template(&format!("t{number}-@project@"));
        let extras: [(&str, &[&str]); 6] = [
            ("labels", &["{\"a\": \"1\", \"b\": \"2\"}", "{\"k\": true}"]),
            ("fixed_network", &["null"]),
            ("docker_volume_size", &["5", "20"]),
            ("floating_ip_enabled", &["false"]),
            ("network_driver", &["\"calico\"", "\"cilium\""]),
            ("tls_disabled", &["true"]),
        ];
        for (name, values) in extras {
            if self.random.percent(20) {
                body[name] = pick(&mut self.random, values);
            }
        }
        let saves = SAVES[number - 1].0;
        self.good(Method::POST, "/v1/clustertemplates", Some(body)).saves = vec![(saves, "/uuid")];
    }

    /// A cluster that works, mostly with a status that lets it be changed.
    pub(super) fn cluster(&mut self) {
        self.clusters = (self.clusters + 1).min(SAVES.len());
        let number = self.clusters;
        let mut body = json!({"name": format!("c{number}-@project@"), "cluster_template_id": "@t1@"});
        let extras: [(&str, &[&str]); 5] = [
            ("labels", &["{\"a\": \"2\", \"c\": \"3\"}", "{\"min_node_count\": \"1\"}"]),
            ("merge_labels", &["true"]),
            ("node_count", &["2", "3"]),
            ("master_count", &["3"]),
            ("create_timeout", &["15", "null"]),
        ];
        for (name, values) in extras {
            if self.random.percent(25) {
                body[name] = pick(&mut self.random, values);
            }
        }
        let saves = SAVES[number - 1].1;
        self.good(Method::POST, "/v1/clusters", Some(body)).saves = vec![(saves, "/uuid")];
        if self.random.percent(85) {
            self.rows(number);
        }
    }

    /// A cluster that was made well, whatever chance says.
    pub(super) fn steady_cluster(&mut self) {
        self.clusters = 1;
        let body = json!({"name": "c1-@project@", "cluster_template_id": "@t1@"});
        self.good(Method::POST, "/v1/clusters", Some(body)).saves = vec![("c1", "/uuid")];
        self.steady();
    }

    /// Whatever was asked of the first cluster is done.
    pub(super) fn steady(&mut self) {
        self.status(1, "CREATE_COMPLETE");
    }

    /// A federation, which no request can make.
    pub(super) fn federation(&mut self) {
        self.steps.push(Step::Rows(
            "INSERT INTO federation (created_at, uuid, name, project_id, hostcluster_id, member_ids, status, properties) \
             VALUES (NOW(), UUID(), 'f1-@project@', '@project@', 'host', '[\"one\", \"two\"]', 'CREATE_COMPLETE', \
             '{\"dns-zone\": \"example.org\"}');"
                .to_owned(),
        ));
    }

    /// What a conductor reported, which no request can make it do.
    pub(super) fn report(&mut self) {
        let values = [
            "UTC_TIMESTAMP(), 0, 0, NULL",
            "UTC_TIMESTAMP(), 0, 0, NULL",
            "UTC_TIMESTAMP() - INTERVAL 1 HOUR, 0, 0, NULL",
            "NULL, 0, 0, NULL",
            "UTC_TIMESTAMP(), 1, 0, NULL",
            "UTC_TIMESTAMP(), 0, 1, 'for repair'",
        ];
        let values = self.random.of(&values);
        self.steps.push(Step::Rows(format!(
            "DELETE FROM magnum_service; INSERT INTO magnum_service (created_at, host, `binary`, report_count, last_seen_up, \
             forced_down, disabled, disabled_reason) VALUES (UTC_TIMESTAMP(), 'bed', 'magnum-conductor', 3, {values});"
        )));
    }

    pub(super) fn about_templates(&mut self) {
        let id = self.template_ref();
        match self.random.below(20) {
            0..=4 => {
                let mut body = good_template("");
                let body = body.as_object_mut().map(std::mem::take).unwrap_or_default();
                let body = self.loosely(body, TEMPLATE, "t");
                self.ask(Method::POST, "/v1/clustertemplates".to_owned(), Some(body));
            }
            5..=7 => {
                self.ask(Method::GET, format!("/v1/clustertemplates/{id}"), None);
            }
            8 | 9 => {
                let path = if self.random.percent(30) { "/v1/clustertemplates/detail" } else { "/v1/clustertemplates" };
                let query = self.list_query();
                self.ask(Method::GET, format!("{path}{query}"), None);
            }
            10..=15 => {
                let body = patch(&mut self.random, TEMPLATE);
                self.ask(Method::PATCH, format!("/v1/clustertemplates/{id}"), Some(body));
                self.good(Method::GET, "/v1/clustertemplates/@t1@", None);
            }
            16 => {
                self.ask(Method::DELETE, format!("/v1/clustertemplates/{id}"), None);
            }
            17 => self.template(),
            18 if self.clusters == 0 => self.cluster(),
            _ => {
                self.good(Method::GET, "/v1/clustertemplates", None);
            }
        }
    }

    pub(super) fn about_clusters(&mut self) {
        let id = self.cluster_ref();
        match self.random.below(30) {
            0..=5 => {
                let template = if self.random.percent(80) { "@t1@".to_owned() } else { self.template_ref() };
                let mut body = Map::new();
                body.insert("cluster_template_id".to_owned(), json!(template));
                let body = self.loosely(body, CLUSTER, "c");
                self.ask(Method::POST, "/v1/clusters".to_owned(), Some(body));
            }
            6..=8 => {
                self.ask(Method::GET, format!("/v1/clusters/{id}"), None);
            }
            9..=11 => {
                let path = if self.random.percent(40) { "/v1/clusters/detail" } else { "/v1/clusters" };
                let query = self.list_query();
                self.ask(Method::GET, format!("{path}{query}"), None);
            }
            12..=17 => {
                let body = patch(&mut self.random, CLUSTER_PATCH);
                let query =
                    self.random.of(&["", "", "", "", "?rollback=true", "?rollback=False", "?rollback=x", "?nope=1"]);
                self.ask(Method::PATCH, format!("/v1/clusters/{id}{query}"), Some(body));
                self.good(Method::GET, "/v1/clusters/@c1@", None);
            }
            18..=22 => {
                let body = self.resize();
                self.ask(Method::POST, format!("/v1/clusters/{id}/actions/resize"), Some(body));
                self.good(Method::GET, "/v1/clusters/@c1@/nodegroups", None);
            }
            23..=25 => {
                let body = self.upgrade();
                self.ask(Method::POST, format!("/v1/clusters/{id}/actions/upgrade"), Some(body));
                self.good(Method::GET, "/v1/clusters/@c1@", None);
            }
            26 => {
                let query = self.random.of(&["", "", "", "?force=true"]);
                self.ask(Method::DELETE, format!("/v1/clusters/{id}{query}"), None);
                self.good(Method::GET, "/v1/clusters/@c1@", None);
            }
            27 => self.template(),
            28 if self.clusters < 3 => self.cluster(),
            _ => self.rows(1),
        }
    }

    pub(super) fn about_nodegroups(&mut self) {
        let cluster = if self.random.percent(92) { "@c1@".to_owned() } else { self.cluster_ref() };
        let groups = [
            "default-worker",
            "default-worker",
            "default-master",
            "pool-1",
            "pool-1",
            "@g1@",
            "@g1@",
            "@n1@",
            "Default-Worker",
            "nope",
            "0",
            "00000000-0000-4000-8000-000000000000",
            "999999999",
        ];
        let group = self.random.of(&groups).to_owned();
        let base = format!("/v1/clusters/{cluster}/nodegroups");
        match self.random.below(20) {
            0 | 1 => {
                self.good(
                    Method::POST,
                    "/v1/clusters/@c1@/nodegroups",
                    Some(json!({"name": "pool-1", "max_node_count": 3})),
                );
                self.good(Method::GET, "/v1/clusters/@c1@/nodegroups/pool-1", None).saves =
                    vec![("g1", "/uuid"), ("n1", "/id")];
            }
            2..=6 => {
                let body = self.loosely(Map::new(), NODEGROUP, "n");
                self.ask(Method::POST, base, Some(body));
                self.good(Method::GET, "/v1/clusters/@c1@/nodegroups", None);
            }
            7 | 8 => {
                let query = self.list_query();
                self.ask(Method::GET, format!("{base}{query}"), None);
            }
            9..=11 => {
                self.ask(Method::GET, format!("{base}/{group}"), None);
            }
            12..=16 => {
                let body = patch(&mut self.random, NODEGROUP_PATCH);
                self.ask(Method::PATCH, format!("{base}/{group}"), Some(body));
                self.good(Method::GET, &format!("/v1/clusters/@c1@/nodegroups/{group}"), None);
            }
            17 => {
                self.ask(Method::DELETE, format!("{base}/{group}"), None);
                self.good(Method::GET, "/v1/clusters/@c1@/nodegroups", None);
            }
            18 => {
                let body = self.resize();
                self.ask(Method::POST, format!("/v1/clusters/{cluster}/actions/resize"), Some(body));
                self.good(Method::GET, "/v1/clusters/@c1@/nodegroups", None);
            }
            _ => self.rows(1),
        }
    }

    pub(super) fn about_certificates(&mut self) {
        let id = self.cluster_ref();
        match self.random.below(12) {
            0..=3 => {
                let kinds = [
                    "",
                    "",
                    "?ca_cert_type=etcd",
                    "?ca_cert_type=front_proxy",
                    "?ca_cert_type=front-proxy",
                    "?ca_cert_type=kubernetes",
                    "?ca_cert_type=nope",
                    "?ca_cert_type=",
                    "?nope=1",
                ];
                let query = self.random.of(&kinds).to_owned();
                self.ask(Method::GET, format!("/v1/certificates/{id}{query}"), None);
            }
            4..=7 => {
                let mut body = json!({"cluster_uuid": id, "csr": CSR});
                match self.random.below(10) {
                    0 => body["csr"] = odd(&mut self.random),
                    1 => body["csr"] = json!("bad"),
                    2 => body["cluster_uuid"] = odd(&mut self.random),
                    3 => body["ca_cert_type"] = json!(self.random.of(&["etcd", "front-proxy", "nope"])),
                    4 => body[self.random.of(&["pem", "links", "bay_uuid", "nope"])] = odd(&mut self.random),
                    _ => {}
                }
                self.ask(Method::POST, "/v1/certificates".to_owned(), Some(body));
            }
            8 => {
                self.ask(Method::PATCH, format!("/v1/certificates/{id}"), None);
                self.good(Method::GET, "/v1/clusters/@c1@", None);
            }
            9 => {
                self.ask(Method::PATCH, format!("/v1/credentials/{id}"), None);
                self.good(Method::GET, "/v1/clusters/@c1@", None);
            }
            10 => {
                self.ask(Method::GET, "/v1/certificates".to_owned(), None);
            }
            _ => self.rows(1),
        }
    }

    pub(super) fn about_quotas(&mut self) {
        let project = self.random.of(&["@project@", "@project@", "@project@", "@elsewhere@", "nobody"]).to_owned();
        let resource = self.random.of(&["Cluster", "Cluster", "Cluster", "cluster", "Node"]).to_owned();
        let one = format!("/v1/quotas/{project}/{resource}");
        let admin = self.random.percent(60);
        let request = match self.random.below(12) {
            0..=2 => {
                let mut body =
                    json!({"project_id": project, "resource": "Cluster", "hard_limit": self.random.below(30)});
                if self.random.percent(30) {
                    let name = self.random.of(&["project_id", "resource", "hard_limit", "id", "nope"]);
                    body[name] = odd(&mut self.random);
                }
                self.ask(Method::POST, "/v1/quotas".to_owned(), Some(body))
            }
            3 | 4 => {
                let mut body = json!({"hard_limit": self.random.below(30)});
                if self.random.percent(40) {
                    let name = self.random.of(&["project_id", "resource", "hard_limit", "nope"]);
                    body[name] = odd(&mut self.random);
                }
                self.ask(Method::PATCH, one, Some(body))
            }
            5 => self.ask(Method::DELETE, one, None),
            6 | 7 => self.ask(Method::GET, one, None),
            8 => {
                let query = self.random.of(&[
                    "",
                    "?all_tenants=true",
                    "?all_tenants=x",
                    "?limit=1",
                    "?marker=1",
                    "?marker=x",
                    "?sort_key=project_id",
                ]);
                self.ask(Method::GET, format!("/v1/quotas{query}"), None)
            }
            9 => {
                if self.alone {
                    self.report();
                }
                self.ask(Method::GET, "/v1/mservices".to_owned(), None)
            }
            _ => {
                let queries = [
                    "",
                    "?project_id=@project@",
                    "?project_id=@elsewhere@",
                    "?type=cluster",
                    "?type=nope",
                    "?project_id=@project@&type=cluster",
                    "?nope=1",
                    "?project_id=",
                ];
                let query = self.random.of(&queries).to_owned();
                self.ask(Method::GET, format!("/v1/stats{query}"), None)
            }
        };
        // Most of this is for administrators, and touches only projects of this sequence.
        let own = request.path.contains('@') || request.body.as_deref().is_some_and(|body| body.contains('@'));
        if own && admin && request.who == Who::Member {
            request.who = Who::Admin;
        }
    }

    pub(super) fn about_federations(&mut self) {
        let id = if self.random.percent(60) { "f1-@project@".to_owned() } else { self.unknown() };
        match self.random.below(8) {
            0 | 1 => {
                let path = if self.random.percent(50) { "/v1/federations/detail" } else { "/v1/federations" };
                let query = self.list_query();
                self.ask(Method::GET, format!("{path}{query}"), None);
            }
            2 => {
                self.ask(Method::GET, format!("/v1/federations/{id}"), None);
            }
            3 => {
                self.ask(Method::DELETE, format!("/v1/federations/{id}"), None);
            }
            4 => {
                let body = patch(&mut self.random, FEDERATION_PATCH);
                self.ask(Method::PATCH, format!("/v1/federations/{id}"), Some(body));
            }
            _ => {
                let host = if self.random.percent(50) { "@c1@".to_owned() } else { id };
                let mut body = json!({"name": "f", "hostcluster_id": host, "properties": {"dns-zone": "example.org"}});
                if self.random.percent(50) {
                    let name = self.random.of(&["name", "hostcluster_id", "properties", "member_ids", "nope"]);
                    body[name] = odd(&mut self.random);
                }
                self.ask(Method::POST, "/v1/federations".to_owned(), Some(body));
            }
        }
    }

    pub(super) fn about_discovery(&mut self) {
        let paths = [
            "/",
            "/v1",
            "/v1/",
            "/v2",
            "/v1.json",
            "/clusters",
            "/v1/clusters/",
            "/v1//clusters",
            "/clusters/",
            "/v1/clusters/detail/",
            "/v1/clusters//detail",
            "/v1/clusters/detail//",
            "/clusters/detail",
            "/v1/clustertemplates/detail/",
            "/clustertemplates/detail/",
            "/v1/federations/detail/",
            "/v1/quotas/detail",
            "/healthcheck",
            "/healthcheck",
            "/healthcheck/",
            "/healthcheck/x",
            "/healthcheckx",
            "/v1/healthcheck",
            "/v1/clusters/x",
            "/v1/clustertemplates/",
            "/clustertemplates",
            "/v1/bays",
            "/v1/baymodels",
            "/v1/pods",
            "/v1/x509keypairs",
            "/v1/clusters.json",
            "/v1/nope",
            "/nope",
            "/v1/nope/x",
            "/v1/clusters/x/nope",
            "/v1/clusters/x/nodegroups/y/z",
            "/v1/clusters/x/actions",
            "/v1/clusters/x/actions/",
            "/v1/clusters/x/actions/nope",
            "/v1/clusters/x/actions/resize",
            "/v1/clusters/x/actions/upgrade",
            "/v1/certificates",
            "/v1/credentials",
            "/v1/credentials/x",
            "/v1/quotas",
            "/v1/quotas/x",
            "/v1/quotas/x/y/z",
            "/v1/stats",
            "/v1/stats/x",
            "/v1/mservices",
            "/v1/mservices/",
            "/v1/mservices/1",
            "/v1/federations",
            "/v1/clusters?nope=1",
            "/v1/clusters/x/nodegroups",
            "/v1/clusters/x/nodegroups/detail",
            "/v1/clusters/x/nodegroups/",
            "//v1/clusters",
            "/v1/clustertemplates/detail/x",
            "/v1/Clusters",
            "/V1/clusters",
            "/v1/clusters/x/",
            "/v1/v1/clusters",
        ];
        let path = self.random.of(&paths).to_owned();
        let methods = [
            Method::GET,
            Method::GET,
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::HEAD,
            Method::OPTIONS,
        ];
        let method = methods[self.random.below(methods.len())].clone();
        let body = (method != Method::GET && self.random.percent(40)).then(|| json!({}));
        let mut form = Vec::new();
        if path.contains("healthcheck") && self.random.percent(60) {
            self.accept(&mut form);
        }
        let request = self.ask(method, path, body);
        if !form.is_empty() {
            request.headers.retain(|(name, _)| *name != "accept");
            request.headers.extend(form);
        }
    }

    fn resize(&mut self) -> Value {
        let mut body = json!({"node_count": self.random.below(6)});
        for (name, values) in [
            (
                "nodegroup",
                &[
                    "\"default-worker\"",
                    "\"default-master\"",
                    "\"pool-1\"",
                    "null",
                    "\"nope\"",
                    "\"@g1@\"",
                    "\"\"",
                    "3",
                ][..],
            ),
            ("nodes_to_remove", &["[]", "[\"a\"]", "null", "\"x\"", "[1]", "[null]"][..]),
            ("node_count", &["\"3\"", "-1", "null", "2.5", "\"x\"", "1", "3", "100"][..]),
            ("nope", &["1"][..]),
        ] {
            if self.random.percent(20) {
                body[name] = pick(&mut self.random, values);
            }
        }
        if self.random.percent(4)
            && let Some(body) = body.as_object_mut()
        {
            body.remove("node_count");
        }
        body
    }

    fn upgrade(&mut self) -> Value {
        let template = self.template_ref();
        let mut body = json!({"cluster_template": template, "max_batch_size": 1});
        for (name, values) in [
            ("nodegroup", &["\"default-worker\"", "\"default-master\"", "\"pool-1\"", "null", "\"nope\"", "\"\""][..]),
            ("max_batch_size", &["2", "0", "null", "\"1\"", "-1", "\"x\""][..]),
            ("cluster_template", &["null", "\"\"", "3", "\"nope\""][..]),
            ("nope", &["1"][..]),
        ] {
            if self.random.percent(12) {
                body[name] = pick(&mut self.random, values);
            }
        }
        if self.random.percent(8)
            && let Some(body) = body.as_object_mut()
        {
            body.remove(self.random.of(&["max_batch_size", "cluster_template"]));
        }
        body
    }

    /// A body that is good, nearly good or wild, under a name that is its own.
    fn loosely(
        &mut self,
        mut body: Map<String, Value>,
        attributes: &[super::values::Attribute],
        letter: &str,
    ) -> Value {
        let number = 5 + self.random.below(3);
        body.insert("name".to_owned(), json!(format!("{letter}{number}-@project@")));
        decorate(&mut self.random, &mut body, attributes);
        if self.random.percent(6) {
            let names: Vec<String> = body.keys().cloned().collect();
            body.remove(&names[self.random.below(names.len())]);
        }
        Value::Object(body)
    }
}
