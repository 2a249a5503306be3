//! Makes sequences of requests: a template, a cluster, and then what good clients, hasty ones and scanners ask.

mod everything;
mod headers;
mod objects;
mod values;

use reqwest::Method;
use serde_json::{Value, json};

use crate::random::Random;
use crate::sequence::{Request, Sequence, Step, Who};

/// What a sequence is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Area {
    /// Cluster templates.
    Templates,
    /// Clusters, their actions and node groups.
    Clusters,
    /// Node groups.
    Nodegroups,
    /// Certificates and credentials.
    Certificates,
    /// Quotas and stats.
    Quotas,
    /// Federations, which nobody can make.
    Federations,
    /// Versions, paths, methods, and who is asking.
    Discovery,
    /// Every endpoint in every version by everybody.
    Everything,
}

impl Area {
    /// What is chosen by chance.
    const WEIGHTS: [(Self, usize); 7] = [
        (Self::Templates, 32),
        (Self::Clusters, 24),
        (Self::Nodegroups, 16),
        (Self::Certificates, 6),
        (Self::Quotas, 9),
        (Self::Federations, 4),
        (Self::Discovery, 9),
    ];
}

/// The sequence with a number out of the run with a seed.
pub(crate) fn sequence(seed: u64, number: u64, areas: &[Area]) -> Sequence {
    let random = Random::new(seed, number);
    let mut maker = Maker { random, steps: Vec::new(), alone: false, templates: 0, clusters: 0 };
    let weights: Vec<usize> =
        Area::WEIGHTS.iter().map(|(area, weight)| if areas.contains(area) { *weight } else { 0 }).collect();
    let by_chance = weights.iter().any(|weight| *weight > 0);
    if areas.contains(&Area::Everything) && (!by_chance || number.is_multiple_of(everything::EVERY)) {
        maker.everything(number / if by_chance { everything::EVERY } else { 1 });
    } else {
        let area = Area::WEIGHTS[maker.random.weighted(&weights)].0;
        maker.alone = maker.random.percent(5);
        maker.fill(area);
    }
    let alone = maker.alone || maker.steps.iter().any(counts_far);
    Sequence { steps: maker.steps, alone }
}

/// Whether a row may be given a large number. Magnum's database counts on from there, and then has no room for rows of anybody.
fn counts_far(step: &Step) -> bool {
    let Step::Ask(request) = step else { return false };
    let body: Value = request.body.as_deref().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    let number = match &body["id"] {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    request.method == Method::POST && number.is_some_and(|number: f64| number > 1e6)
}

/// A sequence that is being made.
struct Maker {
    random: Random,
    steps: Vec<Step>,
    alone: bool,
    /// How many templates and clusters were asked for; `@t1@` and so on are their identifiers.
    templates: usize,
    clusters: usize,
}

const SAVES: [(&str, &str); 4] = [("t1", "c1"), ("t2", "c2"), ("t3", "c3"), ("t4", "c4")];

impl Maker {
    fn fill(&mut self, area: Area) {
        match area {
            Area::Templates => {
                self.template();
                self.times(2, 6, Self::about_templates);
            }
            Area::Clusters => {
                self.template();
                self.cluster();
                self.times(2, 6, Self::about_clusters);
            }
            Area::Nodegroups => {
                self.template();
                self.cluster();
                self.times(3, 7, Self::about_nodegroups);
            }
            Area::Certificates => {
                self.template();
                self.cluster();
                self.times(2, 5, Self::about_certificates);
            }
            Area::Quotas => self.times(2, 7, Self::about_quotas),
            Area::Federations => {
                if self.random.percent(40) {
                    self.template();
                    self.cluster();
                }
                if self.random.percent(60) {
                    self.federation();
                }
                self.times(1, 4, Self::about_federations);
            }
            Area::Discovery => self.times(3, 8, Self::about_discovery),
            // It is no matter of chance.
            Area::Everything => {}
        }
    }

    fn times(&mut self, from: usize, to: usize, mut what: impl FnMut(&mut Self)) {
        for _ in 0..from + self.random.below(to - from + 1) {
            what(self);
        }
    }

    /// Adds a request. Who, which version and which headers are chosen here.
    fn ask(&mut self, method: Method, path: String, body: Option<Value>) -> &mut Request {
        let text = body.map(|body| self.text(&body));
        let who = self.who();
        let mut headers = Vec::new();
        if let Some(version) = self.version() {
            headers.push(("openstack-api-version", version));
        }
        self.odd_headers(&method, &mut headers);
        if text.is_some() && !self.random.percent(1) {
            let types = [
                "application/json",
                "application/json; charset=utf-8",
                "text/plain",
                "application/octet-stream",
                "application/xml",
                "application/x-www-form-urlencoded",
                "APPLICATION/JSON",
                "x",
            ];
            let odd = self.random.percent(3);
            headers.push(("content-type", if odd { self.random.of(&types) } else { types[0] }.to_owned()));
        }
        self.push(Request { who, method, path, headers, body: text, saves: Vec::new() })
    }

    /// Adds a good request of the member, at the newest version.
    fn good(&mut self, method: Method, path: &str, body: Option<Value>) -> &mut Request {
        let mut headers = vec![("openstack-api-version", "container-infra latest".to_owned())];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let body = body.map(|body| body.to_string());
        self.push(Request { who: Who::Member, method, path: path.to_owned(), headers, body, saves: Vec::new() })
    }

    fn push(&mut self, mut request: Request) -> &mut Request {
        // Lists of the whole cloud, and what the whole cloud sees, are for those that are alone.
        let publishes = request.method == Method::PATCH && request.path.starts_with("/v1/clustertemplates");
        let names_its_own = request.path.split('?').next().is_some_and(|path| path.contains('@'));
        if request.who.sees_all() && !self.alone && (publishes || !names_its_own) {
            request.who = Who::Member;
        }
        self.steps.push(Step::Ask(request));
        match self.steps.last_mut() {
            Some(Step::Ask(request)) => request,
            _ => unreachable!("it was put there in the line above"),
        }
    }

    fn who(&mut self) -> Who {
        const ALL: [(Who, usize); 13] = [
            (Who::Member, 70),
            (Who::Colleague, 5),
            (Who::Reader, 5),
            (Who::Guest, 2),
            (Who::Stranger, 4),
            (Who::Admin, 6),
            (Who::Manager, 1),
            (Who::System, 1),
            (Who::Domain, 1),
            (Who::Unscoped, 1),
            (Who::Credential, 1),
            (Who::Revoked, 1),
            (Who::Nobody, 2),
        ];
        ALL[self.random.weighted(&ALL.map(|(_, weight)| weight))].0
    }

    fn version(&mut self) -> Option<String> {
        let random = &mut self.random;
        let odd = [
            "latest",
            "1.9",
            "foo 1.9",
            "container-infra abc",
            "container-infra 1",
            "container-infra 1.99",
            "container-infra 2.0",
            "container-infra 1.0",
            "compute 2.1, container-infra 1.9",
            "",
            "container-infra  1.9",
            "container-infra 1.9.1",
            "container-infra -1.2",
            "container-infra latest ",
            "foo latest",
            "CONTAINER-INFRA 1.9",
            "container-infra 1.09",
            "container-infra 1.9 x",
        ];
        let services =
            ["container-infra", "container-infra", "container-infrastructure-management", "container-infrastructure"];
        match random.below(100) {
            0..=49 => Some("container-infra latest".to_owned()),
            50..=61 => None,
            62..=64 => Some(random.of(&odd).to_owned()),
            _ => Some(format!("{} 1.{}", random.of(&services), 1 + random.below(14))),
        }
    }

    /// A body as it is sent: mostly whole.
    fn text(&mut self, body: &Value) -> String {
        if !self.random.percent(3) {
            return body.to_string();
        }
        let bad = [
            "",
            "{",
            "[]",
            "null",
            "\"x\"",
            "3",
            "{\"a\": 1}",
            "{\"name\": \"a\", \"name\": \"b\"}",
            "[{\"name\": \"a\"}]",
            "{'name': 'a'}",
            "{\"name\": NaN}",
            "not json",
            "true",
            "{}",
            " ",
            "{\"name\": \"a\"} x",
        ];
        self.random.of(&bad).to_owned()
    }

    /// Arguments of a list.
    fn list_query(&mut self) -> String {
        let random = &mut self.random;
        if random.percent(45) {
            return String::new();
        }
        let mut parts = Vec::new();
        for _ in 0..=random.below(3) {
            parts.push(match random.below(12) {
                0..=2 => format!(
                    "limit={}",
                    random.of(&["1", "2", "1", "3", "0", "-1", "x", "1000", "1001", "", "99999999999"])
                ),
                3..=5 => {
                    let keys = [
                        "uuid",
                        "name",
                        "id",
                        "created_at",
                        "status",
                        "updated_at",
                        "nope",
                        "",
                        "flavor_id",
                        "labels",
                        "node_count",
                        "cluster_template_id",
                    ];
                    format!("sort_key={}", random.of(&keys))
                }
                6..=8 => format!("sort_dir={}", random.of(&["asc", "desc", "ASC", "down", ""])),
                9 | 10 => {
                    let marker = ["@c1@", "@t1@", "00000000-0000-4000-8000-000000000000", "x", "1", ""];
                    format!("marker={}", random.of(&marker))
                }
                _ => random
                    .of(&["nope=1", "detail=true", "role=worker", "role=", "all_tenants=true", "limit", "=", "%zz"])
                    .to_owned(),
            });
        }
        format!("?{}", parts.join("&"))
    }

    /// Who has the status that nobody but a reconciler gives.
    fn rows(&mut self, cluster: usize) {
        let status = match self.random.below(100) {
            0..=69 => "CREATE_COMPLETE",
            70..=79 => "UPDATE_COMPLETE",
            80..=84 => "UPDATE_FAILED",
            85..=89 => "CREATE_FAILED",
            _ => self.random.of(&[
                "DELETE_IN_PROGRESS",
                "DELETE_FAILED",
                "UPDATE_IN_PROGRESS",
                "RESUME_COMPLETE",
                "RESUME_FAILED",
                "RESTORE_COMPLETE",
                "ROLLBACK_IN_PROGRESS",
                "ROLLBACK_FAILED",
                "ROLLBACK_COMPLETE",
                "SNAPSHOT_COMPLETE",
                "CHECK_COMPLETE",
                "ADOPT_COMPLETE",
            ]),
        };
        self.status(cluster, status);
    }

    fn status(&mut self, cluster: usize, status: &str) {
        let reason = if status.ends_with("FAILED") { "'no more room'" } else { "NULL" };
        let id = SAVES[cluster - 1].1;
        self.steps.push(Step::Rows(format!(
            "UPDATE cluster SET status = '{status}', status_reason = {reason}, api_address = 'https://172.24.4.9:6443', \
             coe_version = 'v1.33.5', stack_id = 'kube-abcde' WHERE uuid = '@{id}@'; \
             UPDATE nodegroup SET status = '{status}', status_reason = {reason}, stack_id = 'kube-abcde', \
             node_addresses = '[\"10.0.0.5\"]' WHERE cluster_id = '@{id}@';"
        )));
    }

    fn template_ref(&mut self) -> String {
        let last = self.templates.clamp(1, SAVES.len());
        let number = 1 + self.random.below(last);
        match self.random.below(20) {
            0..=13 => format!("@t{number}@"),
            14..=16 => format!("t{number}-@project@"),
            17 => format!("T{number}-@project@"),
            _ => self.unknown(),
        }
    }

    fn cluster_ref(&mut self) -> String {
        let last = self.clusters.clamp(1, SAVES.len());
        let number = 1 + self.random.below(last);
        match self.random.below(24) {
            0..=17 => format!("@c{number}@"),
            18..=20 => format!("c{number}-@project@"),
            21 => format!("C{number}-@project@"),
            _ => self.unknown(),
        }
    }

    /// What names nothing.
    fn unknown(&mut self) -> String {
        let names = [
            "00000000-0000-4000-8000-000000000000",
            "nobody-@project@",
            "00000000000040008000000000000000",
            "999999999",
            "x y-@project@",
            "é-@project@",
            "a.b-@project@",
            "-",
            "%2F",
            "null",
            "nobody@project@%20",
            "{00000000-0000-4000-8000-000000000000}",
            "a%00b",
            "x.json",
        ];
        self.random.of(&names).to_owned()
    }
}

/// The body of a template that works.
fn good_template(name: &str) -> Value {
    json!({"name": name, "coe": "kubernetes", "image_id": "ubuntu-kube-v1.33.5", "external_network_id": "public", "flavor_id": "m1.small",
        "master_flavor_id": "m1.medium", "master_lb_enabled": true, "dns_nameserver": "9.9.9.9"})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::ValueEnum;

    use super::*;

    #[test]
    fn a_seed_and_a_number_always_give_the_same_sequence() {
        let made = |seed, number| sequence(seed, number, Area::value_variants()).to_string();
        assert_eq!(made(3, 14), made(3, 14));
        assert_ne!(made(3, 14), made(3, 15));
        assert_ne!(made(3, 14), made(4, 14));
    }

    #[test]
    fn every_route_is_asked_for() {
        let mut routes = BTreeSet::new();
        for number in 0..3000 {
            for step in sequence(1, number, Area::value_variants()).steps {
                if let Step::Ask(request) = step {
                    routes.insert(request.route());
                }
            }
        }
        for route in [
            "GET /v1/clusters",
            "GET /v1/clusters/detail",
            "GET /v1/clusters/*",
            "POST /v1/clusters",
            "PATCH /v1/clusters/*",
            "DELETE /v1/clusters/*",
            "POST /v1/clusters/*/actions/resize",
            "POST /v1/clusters/*/actions/upgrade",
            "GET /v1/clusters/*/nodegroups",
            "GET /v1/clusters/*/nodegroups/*",
            "POST /v1/clusters/*/nodegroups",
            "PATCH /v1/clusters/*/nodegroups/*",
            "DELETE /v1/clusters/*/nodegroups/*",
            "GET /v1/clustertemplates",
            "GET /v1/clustertemplates/detail",
            "GET /v1/clustertemplates/*",
            "POST /v1/clustertemplates",
            "PATCH /v1/clustertemplates/*",
            "DELETE /v1/clustertemplates/*",
            "GET /v1/certificates/*",
            "POST /v1/certificates",
            "PATCH /v1/certificates/*",
            "PATCH /v1/credentials/*",
            "GET /v1/quotas",
            "GET /v1/quotas/*/*",
            "POST /v1/quotas",
            "PATCH /v1/quotas/*/*",
            "DELETE /v1/quotas/*/*",
            "GET /v1/stats",
            "GET /v1/mservices",
            "GET /v1/federations",
            "GET /v1/federations/detail",
            "POST /v1/federations",
            "GET /v1/federations/*",
            "PATCH /v1/federations/*",
            "DELETE /v1/federations/*",
            "GET /v1",
            "GET /",
            "GET /healthcheck",
            "HEAD /healthcheck",
            "OPTIONS /healthcheck",
            "OPTIONS /v1/clusters",
            "OPTIONS /v1/clusters/*",
            "PUT /v1/clusters",
            "HEAD /v1/clusters",
        ] {
            assert!(routes.contains(route), "{route} is never asked for");
        }
    }
}
