use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fake::{self, Cloud, refusal};

#[tokio::test]
async fn a_refusal_is_told_in_the_service_s_words() {
    let cloud = Cloud::start().await;
    let html = Value::String("<html>".to_owned());
    for (status, body, expected) in [
        (400, refusal(400, "master nodegroup size of 2 is invalid."), "error: master nodegroup size of 2 is invalid\n"),
        (
            403,
            refusal(403, "Policy doesn't allow cluster:get to be performed."),
            "error: Policy doesn't allow cluster:get to be performed\n\
             hint: ask for a role in this project, member for changes, reader for looking\n",
        ),
        (404, refusal(404, "Cluster kube could not be found."), "error: Cluster kube could not be found\n"),
        (
            409,
            refusal(409, "Multiple clusters exist with same name. Please use the cluster uuid instead."),
            "error: Multiple clusters exist with same name. Please use the cluster uuid instead\n",
        ),
        (
            406,
            json!({"errors": [{"code": "", "title": "", "detail": "", "status": 406}]}),
            "error: the service answered 406 Not Acceptable\nhint: the service is too old for this command\n",
        ),
        (
            500,
            refusal(500, "Something broke."),
            "error: Something broke\nhint: the operator finds more in the log, under req-1\n",
        ),
        (418, html, "error: the service answered 418 I'm a teapot\n"),
    ] {
        let route = format!("GET /v1/clusters/kube{status}");
        cloud.answers(&route, status, body);
        let ran = cloud.run(&format!("cluster show kube{status}")).await;
        assert_eq!((ran.code, ran.err.as_str(), ran.out.as_str()), (1, expected, ""), "{status}");
    }
}

#[tokio::test]
async fn settings_that_name_no_cloud_are_wrong_usage() {
    for (variables, says) in [
        (vec![], "error: no cloud is configured"),
        (vec![("OS_CLOUD", "nowhere")], "error: cloud nowhere was not found"),
    ] {
        let mut env: BTreeMap<_, _> =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        // A machine's own clouds.yaml is nobody's business here.
        env.insert("OS_CLIENT_CONFIG_FILE".to_owned(), "/nonexistent/clouds.yaml".to_owned());
        let ran = fake::run(env, "cluster list", None).await;
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.starts_with(says) && ran.err.contains("\nhint: "), "{ran:?}");
    }
}

#[tokio::test]
async fn no_failure_shows_the_password() {
    let mut env = Cloud::start().await.env();
    // Nobody listens there.
    env.insert("OS_AUTH_URL".to_owned(), "http://127.0.0.1:1/v3".to_owned());
    let ran = fake::run(env, "cluster list", None).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("error: identity can not be reached"), "{ran:?}");
    assert!(!ran.err.contains("hunter2"), "{ran:?}");
}
