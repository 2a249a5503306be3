//! Values of attributes: good ones, and what a client may send by mistake.

use serde_json::{Map, Value, json};

use crate::random::Random;

/// An attribute: its name, good values, and values that are wrong in its own way. All are JSON.
pub(super) type Attribute = (&'static str, &'static [&'static str], &'static [&'static str]);

/// What is wrong, or nearly wrong, for some attribute or other.
const ODD: &[&str] = &[
    "null",
    "\"\"",
    "\" \"",
    "0",
    "-1",
    "1",
    "2",
    "2.7",
    "-0.5",
    "1e3",
    "1e12",
    "2147483647",
    "2147483648",
    "true",
    "false",
    "\"true\"",
    "\"False\"",
    "\"maybe\"",
    "\"yes\"",
    "\"3\"",
    "\" 3 \"",
    "\"3.5\"",
    "\"x\"",
    "\"none\"",
    "[]",
    "[\"a\"]",
    "{}",
    "{\"a\": 1}",
    "\"naïve ✓\"",
    "\"a b\"",
    "\"a/b\"",
    "\"a\\nb\"",
    "\"00000000-0000-4000-8000-000000000000\"",
];

/// One value out of JSON texts.
pub(super) fn pick(random: &mut Random, all: &[&str]) -> Value {
    serde_json::from_str(random.of(all)).unwrap_or_default()
}

/// Something that hardly anybody means.
pub(super) fn odd(random: &mut Random) -> Value {
    match random.below(30) {
        0 => json!("x".repeat(256)),
        1 => json!("y".repeat(243)),
        _ => pick(random, ODD),
    }
}

/// A value for an attribute: mostly good.
pub(super) fn value(random: &mut Random, (_, good, wrong): &Attribute, good_share: usize) -> Value {
    if random.percent(good_share) && !good.is_empty() {
        pick(random, good)
    } else if random.percent(60) && !wrong.is_empty() {
        pick(random, wrong)
    } else {
        odd(random)
    }
}

/// Adds some attributes to an object; how many are wrong in it is what makes it good, nearly good or wild.
pub(super) fn decorate(random: &mut Random, body: &mut Map<String, Value>, attributes: &[Attribute]) {
    let good_share = [100, 100, 70, 20][random.weighted(&[45, 0, 40, 15])];
    for _ in 0..random.below(5) {
        let attribute = &attributes[random.below(attributes.len())];
        body.insert(attribute.0.to_owned(), value(random, attribute, good_share));
    }
    if good_share < 100 && random.percent(8) {
        body.insert(random.of(&["nope", "Name", "bay_model_id", "id", "1"]).to_owned(), odd(random));
    }
}

/// A patch of these attributes.
pub(super) fn patch(random: &mut Random, attributes: &[Attribute]) -> Value {
    let operation = |random: &mut Random| {
        let attribute = &attributes[random.below(attributes.len())];
        let path = match random.below(24) {
            0 => random
                .of(&["", "/", "//", "name", "/nope", "/nope/x", "/name/", "/na me", "/é", "/name/x", "/~1a"])
                .to_owned(),
            1..=3 => format!("/labels/{}", random.of(&["a", "b", "new", "a.b", "a/b", "k-1", "k_1", ""])),
            4 => format!(
                "/{}",
                random.of(&["uuid", "id", "created_at", "links", "project_id", "user_id", "status", "stack_id"])
            ),
            _ => format!("/{}", attribute.0),
        };
        let op = match random.below(30) {
            0 => pick(random, &["\"move\"", "\"test\"", "\"copy\"", "\"ADD\"", "null", "3", "\"\"", "[]"]),
            1..=5 => json!("remove"),
            6..=9 => json!("add"),
            _ => json!("replace"),
        };
        let mut out = Map::new();
        out.insert("op".to_owned(), op);
        out.insert("path".to_owned(), json!(path));
        if out["op"] != "remove" || random.percent(10) {
            out.insert("value".to_owned(), value(random, attribute, 75));
        }
        match random.below(60) {
            0 => drop(out.remove("value")),
            1 => drop(out.remove("path")),
            2 => drop(out.remove("op")),
            3 => drop(out.insert("from".to_owned(), json!("/name"))),
            4 => drop(out.insert("path".to_owned(), odd(random))),
            _ => {}
        }
        Value::Object(out)
    };
    match random.below(40) {
        0 => pick(
            random,
            &["{}", "[]", "null", "[null]", "[[]]", "[3]", "\"x\"", "3", "{\"op\": \"replace\"}", "[{}]", "true"],
        ),
        1..=5 => json!([operation(random), operation(random)]),
        _ => json!([operation(random)]),
    }
}

pub(super) const TEMPLATE: &[Attribute] = &[
    ("name", &["\"alpha\"", "\"tmpl.1\"", "\"with space\"", "\"Ünicode\""], &["\"\"", "7", "null"]),
    ("coe", &["\"kubernetes\""], &["\"swarm\"", "\"mesos\"", "\"\"", "\"Kubernetes\"", "null"]),
    ("image_id", &["\"ubuntu-kube-v1.34.2\"", "\"ubuntu-kube-v1.35.0\""], &["\"cirros\"", "\"gone\"", "\"\""]),
    ("flavor_id", &["\"m1.small\"", "\"2\"", "\"m1.large\""], &["\"gone\"", "2", "null", "\"m1.volume\""]),
    ("master_flavor_id", &["\"m1.medium\"", "\"3\""], &["\"gone\"", "3", "null", "\"m1.volume\""]),
    (
        "dns_nameserver",
        &["\"8.8.8.8\"", "\"8.8.8.8,1.1.1.1\"", "null"],
        &["\"dns\"", "\"8.8.8.8, 1.1.1.1\"", "\"::1\"", "\"8.8\"", "\",\""],
    ),
    ("keypair_id", &["\"demo\"", "\"nobody-has-it\"", "null"], &["\"\"", "5"]),
    ("external_network_id", &["\"public\""], &["\"gone\"", "\"\"", "null"]),
    ("fixed_network", &["null"], &["\"gone\"", "\"public\"", "\"\""]),
    ("fixed_subnet", &["null"], &["\"gone\"", "\"public-subnet\"", "\"\""]),
    ("network_driver", &["\"flannel\"", "\"calico\"", "\"cilium\"", "null"], &["\"weave\"", "\"\"", "\"Calico\""]),
    ("apiserver_port", &["6443", "8443", "1024", "65535", "null"], &["80", "1023", "65536", "0", "\"6443\"", "\"\""]),
    ("docker_volume_size", &["1", "3", "50", "null"], &["0", "\"5\"", "\"5GB\"", "2.5"]),
    ("http_proxy", &["\"http://proxy:3128\"", "null"], &["\"\"", "1"]),
    ("https_proxy", &["\"http://proxy:3128\""], &["\"\""]),
    ("no_proxy", &["\"10.0.0.0/8,.example\""], &["\"\""]),
    ("volume_driver", &["\"cinder\"", "null"], &["\"rexray\"", "\"\""]),
    ("registry_enabled", &["true", "false", "null"], &["\"true\"", "\"x\"", "2"]),
    (
        "labels",
        &["{}", "{\"a\": \"1\"}", "{\"a\": 1, \"b\": true, \"c\": 1.5}", "{\"boot_volume_size\": 20, \"a\": \"x\"}"],
        &[
            "null",
            "{\"a\": null}",
            "{\"a\": {}}",
            "{\"a\": [1]}",
            "{\"boot_volume_size\": \"x\"}",
            "{\"boot_volume_size\": \"0\"}",
            "\"a=b\"",
            "[]",
            "\"{'a': 'b'}\"",
            "{\"\": \"\"}",
        ],
    ),
    ("tls_disabled", &["true", "false"], &["\"yes\"", "\"\""]),
    ("public", &["false"], &["true", "\"true\"", "null"]),
    ("hidden", &["false"], &["true", "\"1\"", "null"]),
    ("server_type", &["\"vm\""], &["\"bm\"", "\"VM\"", "null", "\"\""]),
    ("insecure_registry", &["\"registry:5000\""], &["\"\""]),
    ("docker_storage_driver", &["\"overlay2\"", "null"], &["\"devicemapper\"", "\"\""]),
    ("master_lb_enabled", &["true", "false"], &["\"on\"", "null", "3"]),
    ("floating_ip_enabled", &["true", "false"], &["\"off\"", "null", "\"\""]),
    ("tags", &["\"a,b\"", "\"\"", "null"], &["[\"a\"]", "5"]),
    ("driver", &["\"k8s_cluster_api_ubuntu\"", "null"], &["\"nope\"", "\"\"", "\"k8s_cluster_api_debian\""]),
    ("cluster_distro", &["\"ubuntu\"", "null"], &["\"fedora\"", "\"\""]),
    ("uuid", &[], &["\"x\"", "null", "\"not-a-uuid\""]),
    ("project_id", &[], &["\"p\""]),
    ("user_id", &[], &["\"u\""]),
    ("created_at", &[], &["\"2026-01-01T00:00:00+00:00\"", "null"]),
    ("links", &[], &["[]", "null"]),
];

pub(super) const CLUSTER: &[Attribute] = &[
    (
        "name",
        &["\"alpha\"", "\"k8s.one\"", "\"A_b-c.9\"", "null"],
        &["\"\"", "\"9lives\"", "\"a b\"", "\"-a\"", "\"ünicode\"", "7"],
    ),
    ("keypair", &["null"], &["\"gone\"", "\"\"", "4"]),
    ("node_count", &["1", "2", "3", "0"], &["\"2\"", "-1", "null", "2.7", "\"\"", "true"]),
    ("master_count", &["1", "3"], &["0", "2", "\"1\"", "-3", "null", "5"]),
    ("docker_volume_size", &["1", "5", "null"], &["0", "\"5\"", "-1"]),
    (
        "labels",
        &[
            "{}",
            "{\"a\": \"2\"}",
            "{\"b\": 1, \"c\": false}",
            "{\"min_node_count\": \"1\"}",
            "{\"boot_volume_size\": \"20\"}",
        ],
        &[
            "null",
            "{\"a\": null}",
            "{\"a\": {}}",
            "\"a=b\"",
            "[]",
            "{\"min_node_count\": \"x\"}",
            "{\"boot_volume_size\": \"x\"}",
        ],
    ),
    ("merge_labels", &["true", "false"], &["\"true\"", "null", "\"x\""]),
    ("master_flavor_id", &["\"m1.medium\"", "\"3\"", "null"], &["\"gone\"", "\"\"", "3"]),
    ("flavor_id", &["\"m1.small\"", "\"4\"", "null"], &["\"gone\"", "\"\"", "\"m1.volume\""]),
    ("create_timeout", &["60", "0", "1", "null"], &["\"15\"", "-1", "\"soon\"", "1.9"]),
    ("discovery_url", &["null", "\"https://discovery/x\""], &["\"\"", "5"]),
    ("fixed_network", &["null"], &["\"gone\"", "\"\"", "\"public\""]),
    ("fixed_subnet", &["null"], &["\"gone\"", "\"\""]),
    ("floating_ip_enabled", &["true", "false"], &["null", "\"yes\""]),
    ("master_lb_enabled", &["true", "false"], &["null", "\"no\""]),
    ("health_status", &["null", "\"HEALTHY\""], &["\"GOOD\"", "\"\""]),
    ("health_status_reason", &["{}", "{\"api\": \"ok\"}"], &["null", "\"x\""]),
    ("status", &[], &["\"CREATE_COMPLETE\"", "\"NOPE\"", "null"]),
    ("status_reason", &[], &["\"because\"", "null"]),
    ("cluster_id", &[], &["\"x\"", "null"]),
    ("stack_id", &[], &["\"x\"", "null"]),
    ("api_address", &[], &["\"https://x\"", "null"]),
    ("uuid", &[], &["\"x\"", "null"]),
    ("project_id", &[], &["\"p\"", "null"]),
    ("faults", &[], &["{}", "null"]),
    ("labels_added", &[], &["{}", "null"]),
    ("created_at", &[], &["null", "\"2026-01-01T00:00:00+00:00\""]),
    ("node_addresses", &[], &["[]", "null"]),
];

pub(super) const NODEGROUP: &[Attribute] = &[
    ("name", &["\"pool\"", "\"pool-2\"", "\"with space\""], &["\"\"", "null", "7", "\"default-worker\""]),
    ("node_count", &["1", "2", "3", "0"], &["\"2\"", "-1", "null", "2.7"]),
    ("min_node_count", &["0", "1", "2"], &["\"1\"", "-1", "null", "9"]),
    ("max_node_count", &["3", "5", "0", "null"], &["\"4\"", "-1", "1"]),
    ("role", &["\"worker\"", "\"gpu\""], &["\"master\"", "\"\"", "null", "5"]),
    ("flavor_id", &["\"m1.small\"", "\"m1.large\"", "null"], &["\"gone\"", "\"\"", "\"m1.volume\""]),
    ("image_id", &["\"ubuntu-kube-v1.33.5\"", "null"], &["\"gone\"", "\"\""]),
    ("docker_volume_size", &["5", "null"], &["0", "\"5\""]),
    ("labels", &["{}", "{\"a\": \"9\"}", "{\"new\": 1}"], &["null", "{\"a\": null}", "\"x\"", "[]"]),
    ("merge_labels", &["true", "false"], &["null", "\"x\""]),
    (
        "node_labels",
        &["{}", "{\"tier\": \"db\"}", "{\"node.kubernetes.io/x\": \"y\"}", "{\"example.org/x\": \"y\"}"],
        &[
            "{\"kubernetes.io/x\": \"y\"}",
            "{\"a.k8s.io/x\": \"y\"}",
            "{\"a\": 1}",
            "null",
            "\"x\"",
            "{\"kubernetes.io/os\": \"linux\"}",
            "{\"\": \"y\"}",
        ],
    ),
    (
        "node_taints",
        &[
            "[]",
            "[{\"key\": \"a\", \"effect\": \"NoSchedule\"}]",
            "[{\"key\": \"a\", \"value\": \"b\", \"effect\": \"NoExecute\"}]",
        ],
        &[
            "[{\"key\": \"a\"}]",
            "[{\"effect\": \"NoSchedule\"}]",
            "[{\"key\": \"a\", \"effect\": \"Never\"}]",
            "null",
            "{}",
            "[3]",
            "[{\"key\": \"a\", \"effect\": \"NoSchedule\", \"x\": \"y\"}]",
        ],
    ),
    ("status", &[], &["\"CREATE_COMPLETE\"", "\"NOPE\""]),
    ("status_reason", &[], &["\"x\""]),
    ("version", &[], &["\"v1\""]),
    ("is_default", &[], &["true", "null"]),
    ("id", &[], &["5"]),
    ("project_id", &[], &["\"p\""]),
    ("stack_id", &[], &["\"x\""]),
    ("node_addresses", &[], &["[]"]),
];

/// What of a cluster is patched, as clients do and as they do not.
pub(super) const CLUSTER_PATCH: &[Attribute] = &[
    ("node_count", &["1", "2", "4", "0"], &["\"3\"", "-1", "null", "2.7", "\"many\"", "true"]),
    ("node_count", &["1", "2", "4", "0"], &["\"3\"", "-1"]),
    ("health_status", &["\"HEALTHY\"", "\"UNHEALTHY\"", "\"UNKNOWN\""], &["\"GOOD\"", "null", "3"]),
    (
        "health_status_reason",
        &["\"{'api': 'ok'}\"", "\"{\\\"api\\\": \\\"ok\\\"}\""],
        &["\"x\"", "{\"api\": \"ok\"}", "\"[]\"", "\"3\""],
    ),
    ("name", &["\"beta\""], &["\"\"", "\"9\""]),
    ("master_count", &["3"], &["2", "\"x\""]),
    ("labels", &["\"{'a': 'b'}\""], &["{}", "\"x\""]),
    ("flavor_id", &["\"m1.large\""], &["\"gone\""]),
    ("cluster_template_id", &["\"x\""], &["null"]),
    ("api_address", &[], &["\"x\""]),
    ("create_timeout", &["10"], &["\"x\""]),
    ("docker_volume_size", &["10"], &["0"]),
];

/// What of a node group is patched.
pub(super) const NODEGROUP_PATCH: &[Attribute] = &[
    ("min_node_count", &["0", "1"], &["9", "\"1\"", "-1", "\"x\""]),
    ("max_node_count", &["3", "5", "0"], &["1", "\"4\"", "-1", "\"x\""]),
    (
        "node_labels",
        &["\"{'tier': 'db'}\"", "\"{}\""],
        &["\"x\"", "{\"tier\": \"db\"}", "\"{'kubernetes.io/x': 'y'}\"", "\"{'a': 1}\""],
    ),
    (
        "node_taints",
        &["\"[{'key': 'a', 'effect': 'NoSchedule'}]\"", "\"[]\""],
        &["\"x\"", "[]", "\"[{'key': 'a'}]\"", "\"{}\""],
    ),
    ("node_count", &["2"], &[]),
    ("name", &["\"x\""], &[]),
    ("labels", &["\"{}\""], &[]),
    ("role", &["\"x\""], &[]),
    ("merge_labels", &["true"], &[]),
];

/// What of a federation would be patched.
pub(super) const FEDERATION_PATCH: &[Attribute] = &[
    ("properties", &["\"{'dns-zone': 'example.org'}\""], &["\"x\"", "null", "{}"]),
    ("member_ids", &["\"00000000-0000-4000-8000-000000000000\""], &["\"x\"", "null", "[]"]),
    ("name", &["\"f2\""], &["\"\"", "3"]),
    ("hostcluster_id", &["\"x\""], &["null"]),
    ("status", &[], &["\"CREATE_COMPLETE\""]),
];
