//! The life of a cluster on a real kube-apiserver with real Cluster API controllers and their in-memory infrastructure.
//!
//! Runs when `JEROBOAM_KUBECONFIG` names the kubeconfig of such a management cluster and says so when it does not.

#![expect(clippy::print_stdout, reason = "a test that is skipped, or waits for long, says so")]

mod support;

use std::time::Duration;

use jeroboam_capi::{
    Assessment, BootVolume, ClassInfo, ClusterKey, CoreVersion, DELETE_MACHINE_ANNOTATION, GroupState, Network,
    OWN_CLASS, OperatingSystem, Phase, ResolvedCluster, Resources, SYSTEM_NAMESPACE, Wanted, WantedGroup, WorkerGroup,
    assess, build, machines_to_remove, own_class,
};
use jeroboam_management::{ErrorKind, Management};
use jeroboam_model::{Clock as _, HealthStatus, NodeGroupId, Operation, Removal, SystemClock, Taint, TaintEffect};
use support::{class_objects, management, resolved, worker};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A cluster and what is wanted of it.
struct Life {
    management: Management,
    class: ClassInfo,
    cluster: ResolvedCluster,
    leaving: Vec<WantedGroup>,
    generation: Option<i64>,
}

impl Life {
    async fn apply(&mut self) {
        let prepared = build(&self.cluster, &self.class).expect("a class that fits");
        let applied = self.management.apply(prepared).await.expect("applied");
        self.generation = applied.cluster_generation();
        let pruned = self.management.prune(&self.cluster.key, &applied).await.expect("pruned");
        assert_eq!(pruned, [] as [String; 0]);
    }

    fn wanted(&self, operation: Operation) -> Wanted {
        let wanted = |id: NodeGroupId, name: &str, count| WantedGroup { id, name: name.to_owned(), count };
        let workers = self.cluster.workers.iter();
        Wanted {
            operation,
            release: Some(self.cluster.release.clone()),
            control_plane: wanted(self.cluster.control_plane.id, "default-master", self.cluster.control_plane.count),
            workers: workers.map(|group| wanted(group.id, &group.name, group.count)).collect(),
            leaving: self.leaving.clone(),
            generation: self.generation,
            grace: Duration::from_secs(60),
        }
    }

    /// Waits for changes until the assessment is as it should be.
    async fn until(&self, what: &str, operation: Operation, is: impl Fn(&Assessment) -> bool) -> Assessment {
        let wanted = self.wanted(operation);
        let dirty = self.management.dirty();
        let mut lines: Vec<String> = Vec::new();
        let mut last = None;
        let found = tokio::time::timeout(Duration::from_secs(240), async {
            loop {
                let observed = self.management.observe(&self.cluster.key).expect("the watches have listed");
                let now = assess(&wanted, &observed, SystemClock.now());
                if lines.last() != Some(&now.reason) {
                    lines.push(now.reason.clone());
                }
                if is(&now) {
                    return now;
                }
                last = Some(now);
                // A refusal becomes a failure by lasting, without any change.
                let _ = tokio::time::timeout(Duration::from_secs(5), dirty.next()).await;
            }
        });
        let found = found.await;
        println!("{what}:\n  {}", lines.join("\n  "));
        found.unwrap_or_else(|_| panic!("{what} did not come to pass: {last:#?}"))
    }

    /// Deletes as the reconciler does, looking after what stays behind.
    async fn delete(&self) {
        self.management.delete_cluster(&self.cluster.key).await.expect("deleted");
        let again = async {
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                self.management.release_orphans(&self.cluster.key).await.expect("looked at");
            }
        };
        tokio::select! {
            _ = self.until_complete("delete", Operation::Delete) => {}
            () = again => {}
        }
    }

    async fn until_complete(&self, what: &str, operation: Operation) -> Assessment {
        self.until(what, operation, |now| now.complete).await
    }
}

async fn start(management: &Management) -> (TaskTracker, CancellationToken) {
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    management.start(&tracker, token.clone());
    tokio::time::timeout(Duration::from_secs(30), management.wait_ready()).await.expect("all kinds listed");
    (tracker, token)
}

async fn memory_class(management: &Management) -> ClassInfo {
    management.apply(class_objects()).await.expect("the class is applied");
    wait_for_class(management, "memory").await
}

async fn wait_for_class(management: &Management, name: &str) -> ClassInfo {
    for _ in 0..300 {
        let class = management.class(SYSTEM_NAMESPACE, name).await.expect("readable").expect("there");
        if class.ready {
            return class;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("class {name} did not become ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_lives_from_create_to_delete() {
    let Some(management) = management().await else { return };
    let (tracker, token) = start(&management).await;
    assert_eq!(management.served().await.expect("discovered"), CoreVersion::V1Beta2);
    let class = memory_class(&management).await;
    assert!(class.declares("boot") && class.workers[0].name == "default-worker");

    let cluster = resolved("life", "v1.33.5", 3, vec![worker("default-worker", 2)]);
    let key = cluster.key.clone();
    let mut life = Life { management: management.clone(), class, cluster, leaving: Vec::new(), generation: None };
    life.apply().await;
    let made = life.until_complete("create 3 + 2", Operation::Create).await;
    assert_eq!(made.phase, Phase::Settled);
    assert_eq!(made.coe_version.as_deref(), Some("v1.33.5"));
    assert!(made.api_address.as_deref().is_some_and(|address| address.starts_with("https://127.")), "{made:?}");
    assert_eq!(made.health.status, HealthStatus::Healthy, "{:?}", made.health);
    assert_eq!(made.groups.iter().map(|group| group.ready).collect::<Vec<_>>(), [3, 2]);
    assert_eq!((made.progress.ready, made.progress.wanted, made.progress.machines.len()), (5, 5, 5));
    assert!(management.kubeconfig(&key).await.expect("readable").is_some());

    // The same again changes nothing.
    let generation = life.generation;
    life.apply().await;
    assert!(life.generation >= generation);
    assert!(life.until_complete("the same again", Operation::Update).await.complete);

    life.cluster.workers[0].count = 4;
    life.apply().await;
    let grown = life.until_complete("grow to 4", Operation::Update).await;
    assert_eq!(grown.group(life.cluster.workers[0].id).map(|group| group.ready), Some(4));

    let victims: Vec<_> = grown.progress.machines.iter().filter(|machine| machine.group == "default-worker").collect();
    let group = life.cluster.workers[0].id;
    let named = [
        Removal { group, node: victims[1].node.clone().expect("a node") },
        Removal { group, node: victims[2].name.clone() },
    ];
    let observed = management.observe(&key).expect("listed");
    for machine in machines_to_remove(&observed, &named) {
        let name = &machine.meta.name;
        management.annotate_machine(&key, name, DELETE_MACHINE_ANNOTATION, "yes").await.expect("annotated");
    }
    life.cluster.workers[0].count = 2;
    life.apply().await;
    let shrunk = life.until_complete("remove two named nodes", Operation::Update).await;
    let left: Vec<_> = shrunk.progress.machines.iter().filter(|machine| machine.group == "default-worker").collect();
    assert_eq!(
        left.iter().map(|machine| &machine.name).collect::<Vec<_>>(),
        [&victims[0].name, &victims[3].name],
        "the named ones went and the others stayed"
    );

    let second = WorkerGroup { role: "ingress".into(), ..worker("Second Group", 1) };
    life.cluster.workers.push(second);
    life.apply().await;
    let with_two = life.until_complete("add a node group", Operation::Update).await;
    assert_eq!(with_two.groups.len(), 3);

    let gone = life.cluster.workers.pop().expect("two groups");
    life.leaving = vec![WantedGroup { id: gone.id, name: gone.name.clone(), count: gone.count }];
    life.apply().await;
    let without = life.until_complete("remove the node group", Operation::Update).await;
    assert_eq!(without.group(gone.id).map(|group| group.state), Some(GroupState::Gone));
    life.leaving.clear();

    life.cluster.release = "v1.34.2".parse().expect("valid");
    life.apply().await;
    let upgraded = life.until_complete("upgrade", Operation::Upgrade).await;
    assert_eq!(upgraded.coe_version.as_deref(), Some("v1.34.2"));
    assert!(upgraded.progress.machines.iter().all(|machine| machine.version.as_deref() == Some("v1.34.2")));

    let fresh = management.fresh_observe(&key).await.expect("readable");
    assert_eq!(fresh.machines.len(), 5);
    let early = management.delete_leftovers(&key).await.expect("looked at");
    assert!(!early.is_empty(), "nothing is taken from under a cluster that is there");
    assert!(management.delete_cluster(&key).await.expect("deleted"));
    life.until_complete("delete", Operation::Delete).await;
    assert!(!management.delete_cluster(&key).await.expect("deleted twice"));
    // Cluster API's own secrets go by garbage collection, a moment later.
    for attempt in 0..100 {
        let left = management.delete_leftovers(&key).await.expect("looked at");
        if left.is_empty() {
            break;
        }
        assert!(attempt < 99, "left: {left}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    remove_namespace(&management, &key).await;
    token.cancel();
    tracker.close();
    tracker.wait().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_told_in_words() {
    let Some(management) = management().await else { return };
    let (tracker, token) = start(&management).await;
    let class = memory_class(&management).await;

    let mut wrong = resolved("wrong", "v1.33.5", 1, vec![]);
    wrong.extra_variables.insert("boot".into(), 7.into());
    let refused = management.apply(build(&wrong, &class).expect("built")).await.expect_err("a number is no text");
    assert_eq!(refused.kind(), ErrorKind::Refused, "{refused}");
    assert!(refused.to_string().contains("boot"), "{refused}");

    let even = resolved("even", "v1.33.5", 2, vec![]);
    let mut life = Life { management: management.clone(), class, cluster: even, leaving: vec![], generation: None };
    life.apply().await;
    let stuck = life.until("an even control plane", Operation::Create, |now| now.cause.is_some()).await;
    assert!(!stuck.complete && stuck.failed.is_none(), "not yet: conflicts heal by themselves");
    let found = life.until("the reason", Operation::Create, |now| now.reason.contains("even number")).await;
    assert!(found.cause.is_some_and(|cause| cause.contains("even number")));

    for cluster in [&wrong, &life.cluster] {
        management.delete_cluster(&cluster.key).await.expect("deleted");
    }
    life.until_complete("delete", Operation::Delete).await;
    for cluster in [&wrong, &life.cluster] {
        management.delete_leftovers(&cluster.key).await.expect("cleaned");
        remove_namespace(&management, &cluster.key).await;
    }
    token.cancel();
    tracker.close();
    tracker.wait().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_class_is_taken_by_the_api_server_where_capo_is_known() {
    let Some(management) = management().await else { return };
    match management.apply(own_class(CoreVersion::V1Beta2, SYSTEM_NAMESPACE)).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: the management cluster has no OpenStack kinds");
            return;
        }
        applied => drop(applied.expect("every object of the class is valid")),
    }
    for old in own_class(CoreVersion::V1Beta1, SYSTEM_NAMESPACE).into_objects() {
        let one = Resources::prepared(vec![old]);
        management.dry_run(one).await.expect("every object of the class is valid in the older contract");
    }
    let (tracker, token) = start(&management).await;
    let class = wait_for_class(&management, OWN_CLASS).await;

    // No controller of CAPO is needed to see that every patch fits: Cluster API makes the objects from the class.
    let mut cluster = resolved("own", "v1.32.5", 3, vec![worker("default-worker", 2), worker("big", 1)]);
    let volume = BootVolume { size: 20, volume_type: Some("fast".into()), availability_zone: Some("az1".into()) };
    cluster.control_plane.boot_volume = Some(volume);
    cluster.control_plane.availability_zones = vec!["az1".into(), "az2".into()];
    cluster.api.allowed_cidrs = vec!["192.0.2.0/24".into()];
    cluster.api.cert_sans = vec!["api.example".into()];
    cluster.api.floating_ip_address = Some("198.51.100.7".into());
    cluster.workers[1].node_labels.insert("example.org/disk".into(), "fast".into());
    cluster.workers[1].node_taints.push(Taint {
        key: "example.org/only".into(),
        value: Some("gpu".into()),
        effect: TaintEffect::NoSchedule,
    });
    cluster.workers[1].availability_zone = Some("az2".into());
    let mut flatcar = resolved("flatcar", "v1.34.2", 1, vec![]);
    flatcar.control_plane.image.operating_system = OperatingSystem::Flatcar;
    flatcar.network = Network::Existing {
        network: "5d0f0f0e-4e7d-4c2b-9d0e-0a1b2c3d4e5f".into(),
        subnet: Some("6d0f0f0e-4e7d-4c2b-9d0e-0a1b2c3d4e5f".into()),
        external: Some("7d0f0f0e-4e7d-4c2b-9d0e-0a1b2c3d4e5f".into()),
    };
    flatcar.api.load_balancer = false;
    flatcar.api.floating_ip = false;
    for cluster in [cluster, flatcar] {
        let mut life =
            Life { management: management.clone(), class: class.clone(), cluster, leaving: vec![], generation: None };
        life.apply().await;
        let seen = life
            .until("objects of OpenStack", Operation::Create, |now| {
                let observed = management.observe(&life.cluster.key).unwrap_or_default();
                let groups = life.cluster.workers.len();
                let made = observed.control_plane.is_some() && observed.deployments.len() == groups;
                made || now.reason.contains("reconciling")
            })
            .await;
        // Ignition is behind a feature gate of Cluster API; that it is refused for nothing else is what counts.
        let gated = seen.reason.contains("KubeadmBootstrapFormatIgnition");
        assert!(gated || !seen.reason.contains("reconciling"), "{}", seen.reason);
        life.delete().await;
        management.delete_leftovers(&life.cluster.key).await.expect("cleaned");
        remove_namespace(&management, &life.cluster.key).await;
    }
    token.cancel();
    tracker.close();
    tracker.wait().await;
}

/// A namespace that another cluster of these tests still uses stays.
async fn remove_namespace(management: &Management, key: &ClusterKey) {
    if let Some(found) = management.own_namespace(&key.namespace).await.expect("read") {
        match management.delete_namespace(&found).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            done => done.expect("deleted"),
        }
    }
}
