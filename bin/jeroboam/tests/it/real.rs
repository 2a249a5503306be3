//! The same life on a real kube-apiserver with real Cluster API controllers and their in-memory infrastructure.

use std::process::Command;

use reqwest::Method;
use serde_json::Value;

use crate::bed::{Cloud, Tenant, provided, until};
use crate::life;

/// kubectl against the management cluster.
fn kubectl(program: &str, kubeconfig: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(["--kubeconfig", kubeconfig]).args(args).output().expect("kubectl");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "kubectl {args:?}: {said}");
    String::from_utf8(output.stdout).expect("utf-8")
}

/// Every object of the clusters of these names, by namespace, kind and name. Others may use the same management cluster.
fn leftovers(program: &str, kubeconfig: &str, clusters: [&str; 2]) -> Vec<String> {
    let kinds = "clusters.cluster.x-k8s.io,machines.cluster.x-k8s.io,machinedeployments.cluster.x-k8s.io,\
        kubeadmcontrolplanes.controlplane.cluster.x-k8s.io,devmachines.infrastructure.cluster.x-k8s.io,\
        devclusters.infrastructure.cluster.x-k8s.io,secrets,serviceaccounts,roles,rolebindings";
    let all = kubectl(program, kubeconfig, &["get", kinds, "-A", "-o", "json"]);
    let all: Value = serde_json::from_str(&all).expect("json");
    let named = all["items"].as_array().expect("items").iter().map(|item| {
        let meta = &item["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&meta["namespace"]), format!("{}/{}", text(&item["kind"]), text(&meta["name"])))
    });
    let ours = named.filter(|(_, name)| clusters.iter().any(|cluster| name.contains(&format!("/{cluster}-"))));
    ours.map(|(namespace, name)| format!("{namespace}/{name}")).collect()
}

async fn break_a_node(program: &str, kubeconfig: &str, tenant: &Tenant, id: &str) {
    let seen = life::machines(tenant, id).await;
    let victim = seen.iter().find(|machine| machine["group"] == "default-worker").expect("a worker");
    let (name, node) = (victim["name"].as_str().expect("a name"), victim["node"].as_str().expect("a node"));
    let cluster = tenant.must(Method::GET, &format!("/clusters/{id}"), None, 200).await;
    let stack = cluster["cluster_id"].as_str().expect("a name in the management cluster");
    let secrets = kubectl(program, kubeconfig, &["get", "secrets", "-A", "-o", "json"]);
    let secrets: Value = serde_json::from_str(&secrets).expect("json");
    let wanted = format!("{stack}-kubeconfig");
    let secret =
        secrets["items"].as_array().expect("items").iter().find(|item| item["metadata"]["name"] == wanted.as_str());
    let namespace = secret.expect("a kubeconfig")["metadata"]["namespace"].as_str().expect("a namespace").to_owned();
    let template = "{{.data.value | base64decode}}";
    let config = kubectl(
        program,
        kubeconfig,
        &["-n", &namespace, "get", "secret", &wanted, "-o", &format!("go-template={template}")],
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, config).expect("written");
    let unready = r#"{"status":{"conditions":[{"type":"Ready","status":"False","reason":"Broken","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}"#;
    kubectl(program, path.to_str().expect("utf-8"), &["patch", "node", node, "--type=merge", "-p", unready]);
    until("the broken machine to be replaced", || async {
        let seen = life::machines(tenant, id).await;
        seen.iter().all(|machine| machine["name"] != name).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_cluster_lives_its_whole_life_on_real_cluster_api() {
    let Some(kubeconfig) = provided("JEROBOAM_KUBECONFIG", "a management cluster; make test starts one") else {
        return;
    };
    let Some(program) = provided("JEROBOAM_KUBECTL", "the kubectl program; make test sets it") else { return };
    let Some(class) = provided("JEROBOAM_CLASS", "the manifest of an in-memory class; make test sets it") else {
        return;
    };
    kubectl(&program, &kubeconfig, &["apply", "--server-side", "-n", "default", "-f", &class]);
    let dir = tempfile::tempdir().expect("a folder");
    let cloud = Cloud::start(dir.path(), "20").await;
    let extra = dir.path().join("real.conf");
    let settings = format!(
        "[jeroboam_management]\nkubeconfig = {kubeconfig}\n[jeroboam_topology]\ncluster_class = default/memory\n"
    );
    std::fs::write(&extra, settings).expect("written");
    let extra = extra.to_str().expect("utf-8").to_owned();
    let _service = cloud.service(dir.path(), "service", &["--config-file", &extra]).await;
    let tenant = cloud.demo().await;
    life::whole(&tenant, "real", &life::SANDBOX).await;

    let template = tenant.template("healing", life::SANDBOX.older_image).await;
    let plan = life::Plan { control_planes: 1, workers: 2, ..life::SANDBOX };
    let id = life::create(&tenant, "healing", &template, &plan).await;
    tenant.until_status(&id, "CREATE_COMPLETE").await;
    break_a_node(&program, &kubeconfig, &tenant, &id).await;
    life::until_machines(&tenant, &id, 3).await;
    tenant.must(Method::DELETE, &format!("/clusters/{id}"), None, 204).await;
    tenant.until_gone(&id).await;
    assert_eq!(leftovers(&program, &kubeconfig, ["real", "healing"]), [""; 0], "nothing of the clusters is left");
}
