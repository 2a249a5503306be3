//! The same life on real Cluster API with its in-memory infrastructure. `JEROBOAM_KUBECONFIG` names the management cluster,
//! `JEROBOAM_CLASS` the class to use, `JEROBOAM_KUBECTL` the program that puts it there.

use std::path::PathBuf;
use std::process::Command;

use jeroboam_model::{Clock, HealthStatus, NodeGroup, NodeGroupId, Operation, Removal, Status, SystemClock};

use crate::world::{World, eventually};

struct Bed {
    kubectl: PathBuf,
    kubeconfig: PathBuf,
}

#[expect(clippy::disallowed_methods, reason = "tests have no settings of their own")]
fn bed() -> Option<(Bed, PathBuf)> {
    let path = |name: &str| std::env::var(name).ok().map(PathBuf::from);
    let found = path("JEROBOAM_KUBECTL").zip(path("JEROBOAM_KUBECONFIG")).zip(path("JEROBOAM_CLASS"));
    let all = path("JEROBOAM_ALL").is_some();
    assert!(found.is_some() || !all, "JEROBOAM_KUBECTL, JEROBOAM_KUBECONFIG and JEROBOAM_CLASS are wanted");
    found.map(|((kubectl, kubeconfig), class)| (Bed { kubectl, kubeconfig }, class))
}

impl Bed {
    fn kubectl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.kubectl);
        let output = command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments).output().expect("kubectl");
        assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn names(&self, kind: &str, namespace: &str) -> Vec<String> {
        self.kubectl(&["get", kind, "-n", namespace, "-o", "name"]).lines().map(str::to_owned).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
async fn on_real_cluster_api_a_cluster_is_made_changed_and_deleted_to_nothing_left() {
    let Some((bed, class)) = bed() else {
        return eprintln!("skipped: no management cluster is named");
    };
    let project = format!("reconcile{}", SystemClock.now().as_millisecond());
    let (system, namespace) = (format!("class-of-{project}"), format!("magnum-{project}"));
    bed.kubectl(&["create", "namespace", &system]);
    bed.kubectl(&["apply", "--server-side", "-n", &system, "-f", &class.display().to_string()]);
    let kubeconfig = std::fs::read_to_string(&bed.kubeconfig).expect("a kubeconfig");
    let world = World::with_cluster_api(kubeconfig.into(), (system.clone(), "memory".into()), &project).await;
    let one = world.start("one").await;
    let two = world.start("two").await;

    let id = world.create("blue").await;
    let made = world.until(id, Status::CREATE_COMPLETE).await;
    assert_eq!(made.cluster.coe_version.as_deref(), Some("v1.33.4"));
    assert_eq!(made.cluster.health_status, Some(HealthStatus::Healthy), "{:?}", made.cluster.health_status_reason);
    assert!(made.cluster.api_address.is_some());
    assert!(made.groups.iter().all(|group| group.status == Status::CREATE_COMPLETE), "{:?}", made.groups);

    let machines = world.work(id).await.progress.machines;
    let victim = machines.iter().find(|machine| machine.group == "default-worker").expect("a worker").name.clone();
    world
        .change(id, Operation::Update, Status::UPDATE_IN_PROGRESS, |was, change| {
            let group = was.default_worker().expect("workers").clone();
            change.removals = vec![Removal { group: group.id, node: victim.clone() }];
            change.changed_groups = vec![NodeGroup { node_count: 1, status: Status::UPDATE_IN_PROGRESS, ..group }];
        })
        .await;
    world.until(id, Status::UPDATE_COMPLETE).await;
    let left = bed.names("machines.cluster.x-k8s.io", &namespace);
    assert!(left.len() == 2 && !left.iter().any(|name| name.ends_with(&victim)), "{victim} in {left:?}");

    let group = NodeGroupId::random();
    world
        .change(id, Operation::Update, Status::UPDATE_IN_PROGRESS, |was, change| {
            let like = was.default_worker().expect("workers").clone();
            let status = Status::CREATE_IN_PROGRESS;
            let (name, is_default) = ("second".to_owned(), false);
            change.added_groups = vec![NodeGroup { id: group, name, is_default, node_count: 2, status, ..like }];
        })
        .await;
    let with = world.until(id, Status::UPDATE_COMPLETE).await;
    assert_eq!(with.groups.iter().find(|found| found.id == group).expect("a row").status, Status::CREATE_COMPLETE);
    world
        .change(id, Operation::Upgrade, Status::UPDATE_IN_PROGRESS, |was, change| {
            let mut labels = was.cluster.labels.clone();
            labels.set("kube_tag", "v1.34.1");
            change.labels = Some(labels);
        })
        .await;
    let upgraded = world.until(id, Status::UPDATE_COMPLETE).await;
    assert_eq!(upgraded.cluster.coe_version.as_deref(), Some("v1.34.1"));
    world
        .change(id, Operation::Update, Status::UPDATE_IN_PROGRESS, |was, change| {
            let leaving = was.groups.iter().find(|found| found.id == group).expect("a row").clone();
            change.changed_groups = vec![NodeGroup { status: Status::DELETE_IN_PROGRESS, ..leaving }];
        })
        .await;
    let without = world.until(id, Status::UPDATE_COMPLETE).await;
    assert!(without.groups.iter().all(|found| found.id != group));

    world.delete(id).await;
    world.until_gone(id).await;
    assert_eq!(world.cloud.credentials(), [] as [String; 0]);
    let namespaces = async || !bed.names("namespaces", &namespace).contains(&format!("namespace/{namespace}"));
    assert!(eventually(namespaces).await, "the project's namespace goes with its last cluster");
    one.stop().await;
    two.stop().await;
    bed.kubectl(&["delete", "namespace", &system, "--wait=false"]);
}
