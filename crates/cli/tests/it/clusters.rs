use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

use crate::fake::{Cloud, refusal};

const ID: &str = "cad92b66-3023-426e-9584-e73170a1c965";

fn cluster(status: &str) -> Value {
    json!({
        "uuid": ID, "name": "kube", "cluster_template_id": "t", "node_count": 2, "master_count": 1,
        "status": status, "status_reason": null, "health_status": "HEALTHY", "api_address": "https://192.0.2.1:6443",
        "labels": {"kube_tag": "v1.33.4"}, "links": [{"href": "http://h/v1/clusters/x", "rel": "self"}],
    })
}

fn progress(status: &str, phase: &str, ready: u32, reason: Option<&str>) -> Value {
    let machine = json!({"name": "kube-1", "group": "default-worker", "node": null, "server": null,
                         "phase": "Provisioning", "version": null, "address": null, "ready": false, "reason": null});
    json!({"uuid": ID, "status": status, "status_reason": reason,
           "progress": {"phase": phase, "ready": ready, "wanted": 3, "machines": [machine], "took": {}}})
}

fn by_name(cloud: &Cloud) {
    cloud.answers("GET /v1/clusters/kube", 200, cluster("CREATE_COMPLETE"));
    cloud.answers(&format!("GET /v1/clusters/{ID}"), 200, cluster("CREATE_COMPLETE"));
}

#[tokio::test]
async fn clusters_are_listed_page_by_page_in_every_format() {
    let cloud = Cloud::start().await;
    let second = json!({"uuid": "2", "name": "lab", "node_count": 1, "master_count": 1, "status": "CREATE_FAILED", "health_status": null});
    let next = format!("{}/v1/clusters?limit=1&marker={ID}", cloud.url);
    for _ in 0..2 {
        cloud.answers("GET /v1/clusters", 200, json!({"clusters": [cluster("CREATE_COMPLETE")], "next": next}));
        let last = format!("GET /v1/clusters?limit=1&marker={ID}");
        cloud.answers(&last, 200, json!({"clusters": [second]}));
    }
    let ran = cloud.run("cluster list").await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_data_eq!(
        ran.out,
        str![[r#"
UUID                                  NAME  NODE_COUNT  MASTER_COUNT  STATUS           HEALTH_STATUS
cad92b66-3023-426e-9584-e73170a1c965  kube  2           1             CREATE_COMPLETE  HEALTHY
2                                     lab   1           1             CREATE_FAILED    -

"#]]
    );
    let ran = cloud.run("cluster list -f value -c name -c status").await;
    assert_data_eq!(ran.out, "kube CREATE_COMPLETE\nlab CREATE_FAILED\n");
    let ran = cloud.run("cluster list -f json -c name").await;
    let names: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(names, json!([{"name": "kube"}, {"name": "lab"}]));
}

#[tokio::test]
async fn a_list_is_sorted_by_the_service() {
    let cloud = Cloud::start().await;
    cloud.answers("GET /v1/clusters?sort_key=name&sort_dir=desc", 200, json!({"clusters": []}));
    let ran = cloud.run("cluster list --sort name --reverse -f json").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "[]\n"), "{ran:?}");
}

#[tokio::test]
async fn a_creation_sends_what_was_typed_and_nothing_else() {
    let cloud = Cloud::start().await;
    by_name(&cloud);
    cloud.answers("POST /v1/clusters", 202, json!({"uuid": ID}));
    let ran = cloud.run("cluster create kube -t k8s -f value -c uuid -c status").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, format!("{ID}\nCREATE_COMPLETE\n").as_str()), "{ran:?}");
    let line = "cluster create -t k8s --node-count 0 --master-count 3 --keypair mine --flavor f --master-flavor m \
                --fixed-network n --fixed-subnet s --docker-volume-size 5 --create-timeout 30 -l a=b=c --label d= \
                --merge-labels --floating-ip --no-master-lb";
    assert_eq!(cloud.run(line).await.code, 0);
    assert_eq!(
        cloud.changes(),
        [
            r#"POST /v1/clusters {"cluster_template_id":"k8s","master_count":1,"name":"kube","node_count":1}"#,
            r#"POST /v1/clusters {"cluster_template_id":"k8s","create_timeout":30,"docker_volume_size":5,"fixed_network":"n","fixed_subnet":"s","flavor_id":"f","floating_ip_enabled":true,"keypair":"mine","labels":{"a":"b=c","d":""},"master_count":3,"master_flavor_id":"m","master_lb_enabled":false,"merge_labels":true,"node_count":0}"#,
        ]
    );
}

#[tokio::test]
async fn waiting_names_phases_and_machines_until_the_end() {
    let cloud = Cloud::start().await;
    by_name(&cloud);
    cloud.answers("POST /v1/clusters", 202, json!({"uuid": ID}));
    let route = format!("GET /v1/jeroboam/clusters/{ID}/progress");
    cloud
        .answers(&route, 200, progress("CREATE_IN_PROGRESS", "infrastructure", 0, None))
        .answers(&route, 200, progress("CREATE_IN_PROGRESS", "infrastructure", 0, None))
        .answers(&route, 500, refusal(500, "Something broke."))
        .answers(&route, 200, progress("CREATE_IN_PROGRESS", "control plane", 1, Some("waiting for kube-1")))
        .answers(&route, 200, progress("CREATE_COMPLETE", "", 3, None));
    let ran = cloud.run("cluster create kube -t k8s --wait -f value -c name").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "kube\n"), "{ran:?}");
    assert_data_eq!(
        ran.err,
        str![[r#"
00:00 CREATE_IN_PROGRESS infrastructure 0/3 machines
00:00 Something broke, looking again
00:00 CREATE_IN_PROGRESS control plane 1/3 machines: waiting for kube-1

"#]]
    );
}

#[tokio::test]
async fn an_operation_that_fails_says_why_and_is_exit_code_one() {
    let cloud = Cloud::start().await;
    by_name(&cloud);
    cloud.answers("POST /v1/clusters/kube/actions/resize", 202, json!({"uuid": ID}));
    let route = format!("GET /v1/jeroboam/clusters/{ID}/progress");
    cloud.answers(&route, 200, progress("UPDATE_FAILED", "workers", 2, Some("No valid host was found.")));
    let ran = cloud.run("cluster resize kube 5 --remove kube-2 --nodegroup gpu --wait").await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert_data_eq!(
        ran.err,
        str![[r#"
error: cluster kube is UPDATE_FAILED: No valid host was found
hint: jeroboam cluster show kube says more

"#]]
    );
    let resize = r#"{"node_count":5,"nodegroup":"gpu","nodes_to_remove":["kube-2"]}"#;
    assert_eq!(cloud.changes(), [format!("POST /v1/clusters/kube/actions/resize {resize}")]);
}

#[tokio::test]
async fn waiting_ends_when_its_time_is_up() {
    let cloud = Cloud::start().await;
    by_name(&cloud);
    let route = format!("GET /v1/jeroboam/clusters/{ID}/progress");
    cloud.answers(&route, 200, progress("UPDATE_IN_PROGRESS", "workers", 2, None));
    let ran = cloud.run("cluster wait kube --timeout 0s").await;
    assert_eq!(ran.code, 1);
    assert_data_eq!(
        ran.err,
        str![[r#"
00:00 UPDATE_IN_PROGRESS workers 2/3 machines
error: cluster kube is not done after 00:00
hint: the operation goes on; follow it with: jeroboam cluster wait kube

"#]]
    );
}

#[tokio::test]
async fn a_magnum_without_progress_is_followed_by_its_status() {
    let cloud = Cloud::start().await;
    cloud.answers("GET /v1/clusters/kube", 200, cluster("UPDATE_IN_PROGRESS"));
    cloud.answers("POST /v1/clusters/kube/actions/upgrade", 202, json!({"uuid": ID}));
    let route = format!("GET /v1/clusters/{ID}");
    cloud.answers(&route, 200, cluster("UPDATE_IN_PROGRESS"));
    cloud.answers(&route, 200, cluster("UPDATE_IN_PROGRESS"));
    cloud.answers(&route, 200, cluster("UPDATE_COMPLETE"));
    let ran = cloud.run("cluster upgrade kube k8s-new --wait -f value -c status").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "UPDATE_COMPLETE\n"), "{ran:?}");
    assert_data_eq!(ran.err, "00:00 UPDATE_IN_PROGRESS\n");
    let upgrade = r#"POST /v1/clusters/kube/actions/upgrade {"cluster_template":"k8s-new","max_batch_size":1}"#;
    assert_eq!(cloud.changes(), [upgrade]);
}

#[tokio::test]
async fn nothing_is_deleted_without_a_yes() {
    let cloud = Cloud::start().await;
    by_name(&cloud);
    let question = format!("delete cluster kube ({ID}) with 1 control plane node and 2 worker nodes?");

    let ran = cloud.run("cluster delete kube").await;
    assert_eq!((ran.code, ran.err), (2, format!("error: there is nobody to ask: {question}\nhint: say --yes\n")));

    let ran = cloud.run_and_say("cluster delete kube", "\n").await;
    assert_eq!((ran.code, ran.err), (1, format!("{question} [y/N] error: nothing was deleted\n")));

    let ran = cloud.run("cluster delete kube kube --dry-run").await;
    let would = format!("would delete cluster kube ({ID}) with 1 control plane node and 2 worker nodes\n");
    assert_eq!((ran.code, ran.out), (0, would));

    let ran = cloud.run("cluster delete kube missing --yes").await;
    assert_eq!((ran.code, ran.err.as_str()), (1, "error: nothing at GET /v1/clusters/missing\n"));
    assert_eq!(cloud.changes(), [""; 0]);
}

#[tokio::test]
async fn a_deletion_is_followed_until_nothing_is_there() {
    let cloud = Cloud::start().await;
    by_name(&cloud);
    cloud.answers(&format!("DELETE /v1/clusters/{ID}"), 204, Value::Null);
    let ran = cloud.run_and_say("cluster delete kube", "y\n").await;
    assert_eq!(ran.code, 0);
    assert!(ran.err.ends_with("[y/N] cluster kube is being deleted\n"), "{}", ran.err);

    let gone = Cloud::start().await;
    gone.answers("GET /v1/clusters/kube", 200, cluster("CREATE_COMPLETE"));
    gone.answers(&format!("DELETE /v1/clusters/{ID}"), 204, Value::Null);
    let route = format!("GET /v1/jeroboam/clusters/{ID}/progress");
    gone.answers(&route, 200, progress("DELETE_IN_PROGRESS", "deleting", 2, None));
    gone.answers(&route, 404, refusal(404, "Cluster could not be found."));
    let ran = gone.run("cluster delete kube --yes --wait").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_data_eq!(ran.err, "00:00 DELETE_IN_PROGRESS deleting 2/3 machines\ncluster kube is gone\n");
}

#[tokio::test]
async fn a_cluster_is_shown_with_what_matters_first() {
    let cloud = Cloud::start().await;
    by_name(&cloud);
    let ran = cloud.run("cluster show kube").await;
    assert_data_eq!(
        ran.out,
        str![[r#"
FIELD                VALUE
uuid                 cad92b66-3023-426e-9584-e73170a1c965
name                 kube
status               CREATE_COMPLETE
status_reason        -
health_status        HEALTHY
api_address          https://192.0.2.1:6443
master_count         1
node_count           2
cluster_template_id  t
labels               kube_tag=v1.33.4

"#]]
    );
}
