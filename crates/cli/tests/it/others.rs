use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

use crate::fake::Cloud;

#[tokio::test]
async fn templates_are_made_changed_and_deleted() {
    let cloud = Cloud::start().await;
    let template = json!({"uuid": "t-1", "name": "k8s", "coe": "kubernetes", "image_id": "ubuntu", "public": false,
                          "driver": null, "labels": {"kube_tag": "v1.33.4"}, "links": []});
    cloud
        .answers("GET /v1/clustertemplates", 200, json!({"clustertemplates": [template]}))
        .answers("GET /v1/clustertemplates/k8s", 200, template.clone())
        .answers("POST /v1/clustertemplates", 201, template.clone())
        .answers("PATCH /v1/clustertemplates/k8s", 200, template)
        .answers("DELETE /v1/clustertemplates/t-1", 204, Value::Null);
    let ran = cloud.run("template list").await;
    assert_data_eq!(
        ran.out,
        str![[r#"
UUID  NAME  COE         IMAGE_ID  PUBLIC  DRIVER
t-1   k8s   kubernetes  ubuntu    false   -

"#]]
    );
    let line =
        "template create k8s --image ubuntu --external-network public -l kube_tag=v1.33.4 --master-lb --no-floating-ip";
    assert_eq!(cloud.run(line).await.code, 0);
    assert_eq!(cloud.run("template update k8s --set name=new --unset driver").await.code, 0);
    let ran = cloud.run("template delete k8s --yes").await;
    assert_eq!((ran.code, ran.err.as_str()), (0, "template k8s is deleted\n"));
    assert_eq!(
        cloud.changes(),
        [
            r#"POST /v1/clustertemplates {"coe":"kubernetes","external_network_id":"public","floating_ip_enabled":false,"image_id":"ubuntu","labels":{"kube_tag":"v1.33.4"},"master_lb_enabled":true,"name":"k8s"}"#,
            r#"PATCH /v1/clustertemplates/k8s [{"op":"replace","path":"/name","value":"new"},{"op":"remove","path":"/driver"}]"#,
            "DELETE /v1/clustertemplates/t-1",
        ]
    );
}

#[tokio::test]
async fn node_groups_are_made_changed_and_deleted() {
    let cloud = Cloud::start().await;
    let group = json!({"uuid": "g-1", "name": "gpu", "role": "worker", "node_count": 1, "flavor_id": "f",
                       "is_default": false, "status": "CREATE_COMPLETE"});
    let cluster = json!({"uuid": "c-1", "name": "kube", "status": "UPDATE_COMPLETE"});
    let collection = "/v1/clusters/kube/nodegroups";
    cloud
        .answers(&format!("GET {collection}?role=worker"), 200, json!({"nodegroups": [group]}))
        .answers(&format!("GET {collection}/gpu"), 200, group.clone())
        .answers(&format!("GET {collection}/g-1"), 200, group.clone())
        .answers(&format!("POST {collection}"), 202, group.clone())
        .answers(&format!("PATCH {collection}/gpu"), 202, group)
        .answers(&format!("DELETE {collection}/g-1"), 204, Value::Null)
        .answers("GET /v1/clusters/kube", 200, cluster.clone())
        .answers("GET /v1/clusters/c-1", 200, cluster);
    let ran = cloud.run("nodegroup list kube --role worker -f value -c name -c status").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "gpu CREATE_COMPLETE\n"), "{ran:?}");
    let line = "nodegroup create kube gpu --flavor f --max-nodes 3 --node-label a=b --node-taint gpu:NoSchedule --wait";
    let ran = cloud.run(&format!("{line} -f value -c uuid")).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "g-1\n"), "{ran:?}");
    assert_eq!(cloud.run("nodegroup update kube gpu --min-nodes 1 --max-nodes 0").await.code, 0);
    let ran = cloud.run("nodegroup delete kube gpu --yes").await;
    assert_eq!((ran.code, ran.err.as_str()), (0, "node group gpu is being deleted\n"));
    assert_eq!(
        cloud.changes(),
        [
            r#"POST /v1/clusters/kube/nodegroups {"flavor_id":"f","max_node_count":3,"name":"gpu","node_count":1,"node_labels":{"a":"b"},"node_taints":[{"effect":"NoSchedule","key":"gpu"}]}"#,
            r#"PATCH /v1/clusters/kube/nodegroups/gpu [{"op":"replace","path":"/min_node_count","value":1},{"op":"replace","path":"/max_node_count","value":0}]"#,
            "DELETE /v1/clusters/kube/nodegroups/g-1",
        ]
    );
}

#[tokio::test]
async fn services_are_listed() {
    let cloud = Cloud::start().await;
    let service = json!({"id": 1, "host": "node1", "binary": "magnum-conductor", "state": "up", "updated_at": null});
    cloud.answers("GET /v1/mservices", 200, json!({"mservices": [service]}));
    let ran = cloud.run("service list -f value").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "1 node1 magnum-conductor up None\n"), "{ran:?}");
}
