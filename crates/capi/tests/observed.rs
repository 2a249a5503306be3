//! Recorded objects of real clusters, of both contracts, and what is made of them.
//!
//! Files without `capo` were recorded from Cluster API 1.12 with its in-memory infrastructure; those with `capo` follow
//! what CAPO 0.13 reports.

use std::fmt::Write as _;
use std::time::Duration;

use jeroboam_capi::{
    Assessment, ClusterSeen, ControlPlaneSeen, DeploymentSeen, GroupState, InfrastructureSeen, MachineSeen, Observed,
    Phase, Wanted, WantedGroup, assess, silent_infrastructure,
};
use jeroboam_model::{HealthStatus, Operation, Timestamp};
use serde_json::Value;

const CONTROL_PLANE: &str = "11111111-1111-4111-8111-111111111111";
const WORKERS: &str = "22222222-2222-4222-8222-222222222222";

fn documents(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/observed/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_saphyr::from_multiple(&text).expect("valid YAML")
}

fn observed(documents: &[Value]) -> Observed {
    let mut observed = Observed::default();
    for object in documents {
        match object["kind"].as_str().expect("a kind") {
            "Cluster" => observed.cluster = ClusterSeen::read(object),
            "KubeadmControlPlane" => observed.control_plane = ControlPlaneSeen::read(object),
            "MachineDeployment" => observed.deployments.extend(DeploymentSeen::read(object)),
            "Machine" => observed.machines.extend(MachineSeen::read(object)),
            "DevCluster" | "OpenStackCluster" => observed.infrastructure = InfrastructureSeen::read(object),
            _ => observed.infrastructure_machines.extend(InfrastructureSeen::read(object)),
        }
    }
    observed
}

fn wanted(operation: Operation, release: &str, control_planes: u32, workers: u32) -> Wanted {
    let group = |id: &str, name: &str, count| WantedGroup { id: id.parse().expect("an id"), name: name.into(), count };
    Wanted {
        operation,
        release: Some(release.parse().expect("a release")),
        control_plane: group(CONTROL_PLANE, "default-master", control_planes),
        workers: vec![group(WORKERS, "default-worker", workers)],
        leaving: Vec::new(),
        generation: None,
        grace: Duration::from_secs(120),
    }
}

/// A while after the recordings of one afternoon.
fn now() -> Timestamp {
    "2026-11-21T18:53:30Z".parse().expect("a time")
}

fn look(name: &str, wanted: &Wanted) -> Assessment {
    assess(wanted, &observed(&documents(name)), now())
}

fn creating() -> Wanted {
    wanted(Operation::Create, "v1.33.5", 3, 2)
}

const BOTH: [&str; 2] = ["v1beta2", "v1beta1"];

#[test]
fn a_cluster_is_complete_when_all_of_it_is_and_not_when_it_says_available() {
    for version in BOTH {
        for (name, complete) in [
            ("created", false),
            ("creating", false),
            ("available-too-early", false),
            ("complete", true),
            ("node-not-ready", false),
            ("deleting", false),
        ] {
            let seen = look(&format!("{name}.{version}"), &creating());
            assert_eq!(seen.complete, complete, "{name}.{version}: {seen:#?}");
            assert_eq!(seen.failed, None, "{name}.{version}");
            assert_eq!(seen.phase == Phase::Settled, complete, "{name}.{version}");
        }
        let seen = look(&format!("complete.{version}"), &creating());
        assert_eq!(seen.api_address.as_deref(), Some("https://127.0.34.1:20002"));
        assert_eq!(seen.coe_version.as_deref(), Some("v1.33.5"));
        assert_eq!(seen.reason, "");
        assert!(seen.groups.iter().all(|group| group.state == GroupState::Complete), "{:?}", seen.groups);
    }
}

#[test]
fn a_change_that_was_not_taken_up_is_not_complete() {
    for version in BOTH {
        let name = format!("complete.{version}");
        let more = Wanted { generation: Some(4), ..creating() };
        assert!(!look(&name, &more).complete, "the watch has not shown the new generation yet");
        assert_eq!(look(&name, &more).phase, Phase::Pending);
        let mut documents = documents(&name);
        documents[0]["metadata"]["generation"] = 4.into();
        assert!(!assess(&creating(), &observed(&documents), now()).complete, "nobody spoke of generation 4 yet");
        for other in [
            wanted(Operation::Update, "v1.33.5", 3, 3),
            wanted(Operation::Update, "v1.33.5", 5, 2),
            wanted(Operation::Upgrade, "v1.34.2", 3, 2),
        ] {
            assert!(!look(&name, &other).complete, "{other:?}");
        }
    }
}

#[test]
fn a_cluster_api_that_knows_only_old_conditions_is_understood() {
    let old = |name: &str| {
        let mut documents = documents(name);
        for object in &mut documents {
            if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
                status.remove("v1beta2");
            }
        }
        assess(&creating(), &observed(&documents), now())
    };
    assert!(old("complete.v1beta1").complete, "{:#?}", old("complete.v1beta1"));
    for name in ["created.v1beta1", "creating.v1beta1", "available-too-early.v1beta1", "deleting.v1beta1"] {
        assert!(!old(name).complete, "{name}");
    }
}

#[test]
fn a_group_that_is_to_go_is_gone_only_with_its_last_machine() {
    let mut leaving = creating();
    leaving.leaving = std::mem::take(&mut leaving.workers);
    for version in BOTH {
        let still = look(&format!("complete.{version}"), &leaving);
        assert!(!still.complete);
        assert_eq!(still.groups[1].state, GroupState::InProgress);
    }
    let mut rest = observed(&documents("complete.v1beta2"));
    rest.deployments.clear();
    assert_eq!(assess(&leaving, &rest, now()).groups[1].state, GroupState::InProgress);
    rest.machines.retain(|machine| machine.meta.control_plane);
    assert_eq!(assess(&leaving, &rest, now()).groups[1].state, GroupState::Gone);
}

#[test]
fn a_refusal_is_a_failure_when_it_lasts() {
    for version in BOTH {
        let name = format!("refused.{version}");
        let one = wanted(Operation::Create, "v1.34.2", 1, 0);
        let seen = observed(&documents(&name));
        let early: Timestamp = "2026-11-21T18:50:30Z".parse().expect("a time");
        let fresh = assess(&one, &seen, early);
        assert_eq!(fresh.failed, None, "conflicts heal by themselves");
        assert!(fresh.reason.contains("KubeadmBootstrapFormatIgnition"), "{}", fresh.reason);
        let lasting = assess(&one, &seen, now());
        assert!(lasting.failed.is_some_and(|why| why.contains("KubeadmBootstrapFormatIgnition")), "{name}");
        let deleting = Wanted { operation: Operation::Delete, ..one };
        assert_eq!(assess(&deleting, &seen, now()).failed, None, "a deletion does not fail of it");
    }
}

#[test]
fn the_deepest_cause_is_told() {
    let two = wanted(Operation::Create, "v1.33.5", 1, 2);
    let quota = look("capo-quota.v1beta2", &two);
    assert_eq!(quota.failed, None, "a quota may be raised: CAPO goes on trying");
    assert!(quota.cause.as_deref().is_some_and(|why| why.contains("Quota exceeded for cores")), "{quota:#?}");
    assert!(quota.reason.contains("2 of 3 machines ready") && quota.reason.contains("Quota"), "{}", quota.reason);
    assert_eq!(quota.groups[1].state, GroupState::InProgress);
    assert_eq!(quota.groups[1].addresses, ["10.0.0.6"]);
    assert_eq!(quota.api_address.as_deref(), Some("https://203.0.113.10:6443"));

    let error = look("capo-server-error.v1beta2", &two);
    assert!(error.failed.as_deref().is_some_and(|why| why.contains("No valid host was found")), "{error:#?}");
    assert_eq!(error.groups[1].state, GroupState::Failed);
    assert_eq!(error.groups[0].state, GroupState::Complete);

    let network = look("capo-no-network.v1beta2", &two);
    assert!(network.failed.as_deref().is_some_and(|why| why.contains("no external networks found")), "{network:#?}");
    assert_eq!(network.phase, Phase::Infrastructure);
}

#[test]
fn health_follows_the_api_and_the_nodes() {
    let health = |name: &str| look(name, &creating()).health;
    for version in BOTH {
        assert_eq!(health(&format!("created.{version}")).status, HealthStatus::Unknown);
        assert_eq!(health(&format!("complete.{version}")).status, HealthStatus::Healthy);
        assert_eq!(health(&format!("complete.{version}")).reasons.len(), 6, "the API and five nodes");
        assert_eq!(health(&format!("node-not-ready.{version}")).status, HealthStatus::Unhealthy);
        assert_eq!(health(&format!("deleting.{version}")).status, HealthStatus::Unknown);
    }
    let mut documents = documents("complete.v1beta2");
    let conditions = documents[0]["status"]["conditions"].as_array_mut().expect("a list");
    let probe = conditions.iter_mut().find(|c| c["type"] == "RemoteConnectionProbe").expect("there");
    probe["status"] = "False".into();
    probe["reason"] = "ProbeFailed".into();
    let away = assess(&creating(), &observed(&documents), now()).health;
    assert_eq!(away.status, HealthStatus::Unhealthy);
    assert_eq!(away.reasons["api"], "nok: ProbeFailed");
}

#[test]
fn a_node_that_no_longer_reports_is_ill_and_one_that_nobody_could_look_at_is_not() {
    for (reason, expected) in [
        ("NodeHealthyUnknown", HealthStatus::Unhealthy),
        ("ConnectionDown", HealthStatus::Healthy),
        ("InspectionFailed", HealthStatus::Healthy),
    ] {
        let mut documents = documents("complete.v1beta2");
        let machine = documents.iter_mut().find(|object| object["kind"] == "Machine").expect("there");
        let conditions = machine["status"]["conditions"].as_array_mut().expect("a list");
        let node = conditions.iter_mut().find(|c| c["type"] == "NodeHealthy").expect("there");
        node["status"] = "Unknown".into();
        node["reason"] = reason.into();
        let health = assess(&creating(), &observed(&documents), now()).health;
        assert_eq!(health.status, expected, "{reason}: {:?}", health.reasons);
    }
}

#[test]
fn infrastructure_that_waits_without_a_word_is_named() {
    let mut silent = documents("capo-no-network.v1beta2");
    let status = &mut silent.iter_mut().find(|object| object["kind"] == "OpenStackCluster").expect("there")["status"];
    *status = Value::Null;
    let silent = observed(&silent);
    let named = |observed: &Observed| silent_infrastructure(observed, now()).map(|seen| seen.meta.name.clone());
    assert_eq!(named(&silent).as_deref(), Some("shop-zlmswzrqenbg-4tn9s"));
    for speaks in ["capo-no-network.v1beta2", "capo-quota.v1beta2", "complete.v1beta2"] {
        assert_eq!(named(&observed(&documents(speaks))), None, "{speaks}");
    }
    let mut seen = assess(&creating(), &silent, now());
    let before = seen.reason.clone();
    seen.blame("OpenStackCluster shop: no more rules".into());
    assert_eq!(seen.reason, format!("{before}; OpenStackCluster shop: no more rules"));
    assert_eq!(seen.cause.as_deref(), Some("OpenStackCluster shop: no more rules"));
}

#[test]
fn addresses_of_the_sixth_version_are_bracketed() {
    let mut documents = documents("complete.v1beta2");
    documents[0]["spec"]["controlPlaneEndpoint"]["host"] = "2001:db8::1".into();
    let seen = assess(&creating(), &observed(&documents), now());
    assert_eq!(seen.api_address.as_deref(), Some("https://[2001:db8::1]:20002"));
}

#[test]
fn nothing_that_is_half_there_is_misread() {
    for name in ["complete.v1beta2", "upgrading.v1beta1", "capo-quota.v1beta2"] {
        let mut documents = documents(name);
        for object in &mut documents {
            object["status"] = Value::Null;
        }
        let seen = assess(&creating(), &observed(&documents), now());
        assert!(!seen.complete && seen.failed.is_none(), "{name}: {seen:#?}");
    }
    let nothing = assess(&creating(), &Observed::default(), now());
    assert_eq!((nothing.phase, nothing.complete), (Phase::Pending, false));
    let deleted = Wanted { operation: Operation::Delete, ..creating() };
    assert!(assess(&deleted, &Observed::default(), now()).complete);
}

#[test]
fn what_a_tenant_reads_on_the_way() {
    let mut text = String::new();
    for name in ["created", "creating", "available-too-early", "complete", "node-not-ready", "upgrading", "deleting"] {
        for version in BOTH {
            let wanted = match name {
                "upgrading" => wanted(Operation::Upgrade, "v1.34.2", 3, 2),
                "deleting" => wanted(Operation::Delete, "v1.33.5", 3, 2),
                _ => creating(),
            };
            let seen = look(&format!("{name}.{version}"), &wanted);
            writeln!(text, "{name}.{version} [{}] {}", seen.phase.as_str(), seen.reason).expect("memory");
            writeln!(text, "  cause: {}", seen.cause.unwrap_or_default()).expect("memory");
            for group in &seen.groups {
                let (state, reason) = (group.state, group.reason.as_deref().unwrap_or_default());
                writeln!(text, "  {state:?} {}/{} {reason}", group.ready, group.present).expect("memory");
            }
        }
    }
    insta::assert_snapshot!(text);
}
