//! Every endpoint in every version by everybody, one combination after the other, each with a request that works.

use reqwest::Method;
use serde_json::{Value, json};

use super::Maker;
use super::objects::CSR;
use crate::sequence::{Request, Who};

/// How many combinations a sequence has.
const TURNS: u64 = 8;

/// Of five sequences one is of this kind, so that five thousand hold all combinations.
pub(super) const EVERY: u64 = 5;

/// The versions, and what a client asks for that names none.
const VERSIONS: u64 = 15;

/// What there has to be for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    Nothing,
    Template,
    Cluster,
    Pool,
    Federation,
}

struct Endpoint {
    method: Method,
    path: &'static str,
    needs: Needs,
    /// Whether the two hold different things afterwards: nothing that follows is compared.
    parts: bool,
}

const fn at(method: Method, path: &'static str, needs: Needs) -> Endpoint {
    Endpoint { method, path, needs, parts: false }
}

const fn parting(method: Method, path: &'static str, needs: Needs) -> Endpoint {
    Endpoint { method, path, needs, parts: true }
}

/// Those that look at the whole cloud come first, one beside the other: few sequences have to be alone for them.
static ENDPOINTS: [Endpoint; 39] = [
    at(Method::GET, "/v1/clusters", Needs::Cluster),
    at(Method::GET, "/v1/clusters/detail", Needs::Cluster),
    at(Method::GET, "/v1/clustertemplates", Needs::Template),
    at(Method::GET, "/v1/clustertemplates/detail", Needs::Template),
    at(Method::GET, "/v1/federations", Needs::Federation),
    at(Method::GET, "/v1/federations/detail", Needs::Federation),
    at(Method::GET, "/v1/quotas", Needs::Nothing),
    at(Method::GET, "/v1/stats", Needs::Cluster),
    at(Method::GET, "/v1/mservices", Needs::Nothing),
    at(Method::GET, "/", Needs::Nothing),
    at(Method::GET, "/v1", Needs::Nothing),
    at(Method::GET, "/healthcheck", Needs::Nothing),
    at(Method::POST, "/v1/clustertemplates", Needs::Nothing),
    at(Method::POST, "/v1/clusters", Needs::Template),
    at(Method::POST, "/v1/federations", Needs::Cluster),
    at(Method::POST, "/v1/quotas", Needs::Nothing),
    at(Method::PATCH, "/v1/clustertemplates/@t2@", Needs::Template),
    at(Method::GET, "/v1/clustertemplates/@t2@", Needs::Template),
    at(Method::DELETE, "/v1/clustertemplates/@t2@", Needs::Template),
    at(Method::GET, "/v1/quotas/@project@/Cluster", Needs::Nothing),
    at(Method::PATCH, "/v1/quotas/@project@/Cluster", Needs::Nothing),
    at(Method::DELETE, "/v1/quotas/@project@/Cluster", Needs::Nothing),
    at(Method::GET, "/v1/clusters/@c1@", Needs::Cluster),
    at(Method::GET, "/v1/clusters/@c1@/nodegroups", Needs::Pool),
    at(Method::GET, "/v1/clusters/@c1@/nodegroups/pool-1", Needs::Pool),
    at(Method::PATCH, "/v1/clusters/@c1@/nodegroups/pool-1", Needs::Pool),
    at(Method::DELETE, "/v1/clusters/@c1@/nodegroups/pool-1", Needs::Pool),
    at(Method::POST, "/v1/clusters/@c1@/nodegroups", Needs::Cluster),
    at(Method::GET, "/v1/certificates/@c1@", Needs::Cluster),
    at(Method::POST, "/v1/certificates", Needs::Cluster),
    at(Method::PATCH, "/v1/clusters/@c1@", Needs::Cluster),
    at(Method::POST, "/v1/clusters/@c1@/actions/resize", Needs::Cluster),
    parting(Method::POST, "/v1/clusters/@c1@/actions/upgrade", Needs::Cluster),
    parting(Method::PATCH, "/v1/certificates/@c1@", Needs::Cluster),
    parting(Method::PATCH, "/v1/credentials/@c1@", Needs::Cluster),
    at(Method::GET, "/v1/federations/f1-@project@", Needs::Federation),
    at(Method::PATCH, "/v1/federations/f1-@project@", Needs::Federation),
    at(Method::DELETE, "/v1/federations/f1-@project@", Needs::Federation),
    parting(Method::DELETE, "/v1/clusters/@c1@", Needs::Cluster),
];

impl Maker {
    /// The combinations of a sequence; `ordinal` counts the sequences of this kind.
    pub(super) fn everything(&mut self, ordinal: u64) {
        let all = u64::try_from(ENDPOINTS.len()).unwrap_or_default();
        let mut turns: Vec<(&Endpoint, Who, u64)> = (ordinal * TURNS..(ordinal + 1) * TURNS)
            .map(|turn| {
                let (round, place) = (turn / all, usize::try_from(turn % all).unwrap_or_default());
                let who = usize::try_from(round % Who::COUNT).unwrap_or_default();
                (&ENDPOINTS[place], Who::ALL[who], round % VERSIONS)
            })
            .collect();
        turns.sort_by_key(|(endpoint, ..)| endpoint.parts);
        // Who sees all projects must see the same in both; what they publish is seen by everybody.
        self.alone |= turns.iter().any(|(endpoint, who, _)| {
            let publishes = endpoint.method == Method::PATCH && endpoint.path.starts_with("/v1/clustertemplates");
            who.sees_all() && (publishes || !endpoint.path.contains('@'))
        });
        let needs: Vec<Needs> = turns.iter().map(|(endpoint, ..)| endpoint.needs).collect();
        let most = needs.iter().copied().max().unwrap_or(Needs::Nothing);
        if most >= Needs::Template {
            self.template();
        }
        if turns.iter().any(|(endpoint, ..)| endpoint.path.contains("@t2@")) {
            self.template();
        }
        if needs.iter().any(|needs| matches!(needs, Needs::Cluster | Needs::Pool)) {
            self.steady_cluster();
        }
        if needs.contains(&Needs::Pool) {
            self.good(
                Method::POST,
                "/v1/clusters/@c1@/nodegroups",
                Some(json!({"name": "pool-1", "max_node_count": 3})),
            );
        }
        if needs.contains(&Needs::Federation) {
            self.federation();
        }
        if self.alone && turns.iter().any(|(endpoint, ..)| endpoint.path == "/v1/mservices") {
            self.report();
        }
        for (endpoint, who, version) in turns {
            if endpoint.method != Method::GET && endpoint.path.contains("@c1@") {
                self.steady();
            }
            self.turn(endpoint, who, version);
        }
    }

    fn turn(&mut self, endpoint: &Endpoint, who: Who, version: u64) {
        let body = self.working_body(endpoint);
        let mut headers = Vec::new();
        if version > 0 {
            headers.push(("openstack-api-version", format!("container-infra 1.{version}")));
        }
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        self.push(Request {
            who,
            method: endpoint.method.clone(),
            path: endpoint.path.to_owned(),
            headers,
            body: body.map(|body| body.to_string()),
            saves: Vec::new(),
        });
    }

    /// What a client sends that knows what it wants.
    fn working_body(&mut self, endpoint: &Endpoint) -> Option<Value> {
        let count = 1 + self.random.below(3);
        let patch = |path: &str, value: Value| json!([{"op": "replace", "path": path, "value": value}]);
        let is = |method: &Method, end: &str| endpoint.method == *method && endpoint.path.ends_with(end);
        Some(match endpoint.method {
            Method::POST if is(&Method::POST, "/clustertemplates") => super::good_template("t9-@project@"),
            Method::POST if is(&Method::POST, "/v1/clusters") => {
                json!({"name": "c9-@project@", "cluster_template_id": "@t1@", "node_count": count})
            }
            Method::POST if is(&Method::POST, "/federations") => {
                json!({"name": "f9", "hostcluster_id": "@c1@", "properties": {"dns-zone": "example.org"}})
            }
            Method::POST if is(&Method::POST, "/quotas") => {
                json!({"project_id": "@project@", "hard_limit": 10 + count})
            }
            Method::POST if is(&Method::POST, "/nodegroups") => json!({"name": "pool-9", "node_count": count}),
            Method::POST if is(&Method::POST, "/certificates") => json!({"cluster_uuid": "@c1@", "csr": CSR}),
            Method::POST if is(&Method::POST, "/resize") => json!({"node_count": count}),
            Method::POST => json!({"cluster_template": "@t1@", "max_batch_size": 1}),
            Method::PATCH if endpoint.path.contains("/quotas") => json!({"hard_limit": 10 + count}),
            Method::PATCH if endpoint.path.contains("/clustertemplates") => patch("/tags", json!("a,b")),
            Method::PATCH if endpoint.path.contains("/federations") => patch("/name", json!("f2")),
            Method::PATCH if endpoint.path.contains("/nodegroups") => patch("/max_node_count", json!(3 + count)),
            Method::PATCH if endpoint.path.starts_with("/v1/clusters/") => patch("/node_count", json!(count)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::generate::{Area, sequence};
    use crate::sequence::Step;
    use clap::ValueEnum as _;

    #[test]
    fn five_thousand_sequences_hold_every_endpoint_in_every_version_by_everybody() {
        let mut seen = BTreeSet::new();
        for number in 0..5000 {
            for step in sequence(1, number, Area::value_variants()).steps {
                let Step::Ask(request) = step else { continue };
                let version = request.headers.iter().find(|(name, _)| *name == "openstack-api-version");
                let version = version.map_or(String::new(), |(_, value)| value.clone());
                seen.insert((request.method.to_string(), request.path, request.who, version));
            }
        }
        for Endpoint { method, path, .. } in &ENDPOINTS {
            for who in Who::ALL {
                for version in 0..VERSIONS {
                    let version = if version == 0 { String::new() } else { format!("container-infra 1.{version}") };
                    let wanted = (method.to_string(), (*path).to_owned(), who, version);
                    assert!(seen.contains(&wanted), "{wanted:?}");
                }
            }
        }
    }
}
