//! What every request meets before a handler does.

use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bed::{ANN, Bed, is};

const VERSIONS: &str = "container-infrastructure-management";

#[tokio::test]
async fn the_documents_about_versions_need_no_token() {
    let bed = Bed::new().await;
    let root = bed.ask("GET", "/").send().await;
    assert_eq!(
        root.text,
        r#"{"name":"OpenStack Magnum API","description":"Magnum is an OpenStack project which aims to provide container cluster management.","versions":[{"id":"v1","links":[{"href":"http://cloud:9511/v1/","rel":"self"}],"status":"CURRENT","max_version":"1.14","min_version":"1.1"}]}"#
    );
    assert_eq!(root.header("openstack-api-version"), "");
    assert!(root.header("x-openstack-request-id").starts_with("req-"));
    for path in ["/v1", "/v1/", "//v1"] {
        let answer = bed.ask("GET", path).send().await;
        is(&answer, StatusCode::OK);
        assert_eq!(
            answer.keys(""),
            "id media_types links clustertemplates clusters quotas certificates mservices stats federations nodegroups credentials"
        );
        let value = answer.value();
        assert_eq!(value["clusters"][1]["href"], "http://cloud:9511/clusters/");
        assert_eq!(value["nodegroups"][0]["href"], "http://cloud:9511/v1/clusters/{cluster_id}/nodegroups");
        assert_eq!(value["links"][1]["type"], "text/html");
        assert_eq!(answer.header("openstack-api-version"), format!("{VERSIONS} 1.1"));
    }
}

#[tokio::test]
async fn versions_are_negotiated_on_every_answer() {
    let bed = Bed::new().await;
    // Header, status, version that is answered; none means no version headers at all.
    let rows = [
        (None, 200, Some("1.1")),
        (Some("container-infra 1.9"), 200, Some("1.9")),
        (Some("container-infrastructure 1.14"), 200, Some("1.14")),
        (Some("container-infrastructure-management 1.3"), 200, Some("1.3")),
        (Some("container-infra latest"), 200, Some("1.14")),
        (Some("anything latest"), 200, Some("1.14")),
        (Some("latest"), 406, None),
        (Some("1.9"), 406, None),
        (Some("foo 1.9"), 406, None),
        (Some("container-infra abc"), 406, None),
        (Some("container-infra 1"), 406, None),
        (Some("container-infra 1.99"), 406, Some("1.99")),
        (Some("container-infra 2.0"), 406, Some("2.0")),
        (Some("container-infra 1.0"), 406, Some("1.0")),
    ];
    for (header, status, version) in rows {
        let mut asking = bed.ask("GET", "/v1/clusters").token(ANN);
        if let Some(header) = header {
            asking = asking.header("OpenStack-API-Version", header);
        }
        let answer = asking.send().await;
        assert_eq!(answer.status, status, "{header:?}: {}", answer.text);
        let expected = version.map(|version| format!("{VERSIONS} {version}")).unwrap_or_default();
        assert_eq!(answer.header("openstack-api-version"), expected, "{header:?}");
        if version.is_some() {
            assert_eq!(answer.header("openstack-api-minimum-version"), format!("{VERSIONS} 1.1"));
            assert_eq!(answer.header("openstack-api-maximum-version"), format!("{VERSIONS} 1.14"));
            assert_eq!(answer.header("vary"), "OpenStack-API-Version");
        }
        if status == 406 && version.is_some() {
            let error = &answer.value()["errors"][0];
            assert_eq!(error["code"], "magnum.microversion-unsupported");
            assert_eq!((&error["min_version"], &error["max_version"]), (&json!("1.1"), &json!("1.14")));
            assert!(error.get("request_id").is_none());
        } else if status == 406 {
            let error = &answer.value()["errors"][0];
            assert_eq!((&error["code"], &error["detail"], &error["status"]), (&json!(""), &json!(""), &json!(406)));
        }
    }
    let missing = bed.ann("GET", "/v1/clusters/nope").send().await;
    assert_eq!((missing.status, missing.header("openstack-api-version")), (404, format!("{VERSIONS} 1.14").as_str()));
}

#[tokio::test]
async fn an_operator_may_end_the_versions_early_and_name_the_service() {
    let bed = Bed::with(|config| {
        config.versions.max.minor = 11;
        config.version_service = "container-infra".to_owned();
    });
    let bed = bed.await;
    let answer = bed.ann("GET", "/v1/clusters").send().await;
    assert_eq!(answer.header("openstack-api-version"), "container-infra 1.11");
    is(&bed.ask("GET", "/v1/clusters").token(ANN).version("1.12").send().await, StatusCode::NOT_ACCEPTABLE);
    assert_eq!(bed.ask("GET", "/").send().await.value()["versions"][0]["max_version"], "1.11");
}

#[tokio::test]
async fn a_method_that_lacks_its_object_says_what_is_missing() {
    let bed = Bed::new().await;
    let rows = [
        ("PATCH", "/v1/clusters", "cluster_ident"),
        ("DELETE", "/v1/clusters/", "cluster_ident"),
        ("DELETE", "/v1/clustertemplates", "cluster_template_ident"),
        ("PATCH", "/v1/certificates", "cluster_ident"),
        ("PATCH", "/v1/credentials", "cluster_ident"),
        ("DELETE", "/v1/clusters/x/nodegroups", "nodegroup_id"),
        ("DELETE", "/v1/quotas", "project_id"),
        ("GET", "/v1/quotas/p", "resource"),
        ("PATCH", "/v1/quotas/p", "resource"),
        ("DELETE", "/v1/federations", "federation_ident"),
    ];
    for (method, path, argument) in rows {
        let answer = bed.ann(method, path).send().await;
        assert_eq!(
            (answer.status, answer.detail()),
            (400, format!("Missing argument: \"{argument}\"")),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_call() {
    let bed = Bed::with(|config| config.cors.origins = vec!["https://horizon.example".to_owned()]).await;
    let horizon = |method: &str, path: &str| bed.ask(method, path).header("origin", "https://horizon.example");
    let asking = horizon("OPTIONS", "/v1/clusters").header("access-control-request-method", "POST");
    let granted = asking.header("access-control-request-headers", "x-auth-token").send().await;
    assert_eq!((granted.status, granted.text.as_str()), (200, ""));
    assert_eq!(granted.header("access-control-allow-origin"), "https://horizon.example");
    assert_eq!(granted.header("access-control-allow-methods"), "POST");
    let refused = bed.ask("OPTIONS", "/v1/clusters").header("origin", "https://evil.example").send().await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (200, ""));
    for (path, status) in [("/v1/clusters", 200), ("/v1/clusters/nope", 404)] {
        let answer = horizon("GET", path).token(ANN).send().await;
        assert_eq!((answer.status, answer.header("vary")), (status, "OpenStack-API-Version,Origin"));
        assert_eq!(answer.header("access-control-allow-origin"), "https://horizon.example");
    }
    // Also the page that has no token is to read why.
    assert_eq!(
        horizon("GET", "/v1/clusters").send().await.header("access-control-allow-origin"),
        "https://horizon.example"
    );
    let plain = bed.ann("GET", "/v1/clusters").send().await;
    assert_eq!((plain.header("vary"), plain.header("access-control-allow-origin")), ("OpenStack-API-Version", ""));
}

#[tokio::test]
async fn the_services_that_are_asked_know_the_request_by_its_id() {
    let bed = Bed::new().await;
    let global = "req-0f2a3b4c-1111-4222-8333-0123456789ab";
    let body = json!({"coe": "kubernetes", "image_id": "ubuntu"});
    for (given, taken) in [(Some(global), true), (Some("req-of-mine"), false), (None, false)] {
        bed.cloud.things().asked.clear();
        bed.cloud.things().ids.clear();
        let mut asking = bed.ann("POST", "/v1/clustertemplates").json(&body);
        if let Some(given) = given {
            asking = asking.header("x-openstack-request-id", given);
        }
        let made = asking.send().await;
        is(&made, StatusCode::CREATED);
        let own = made.header("x-openstack-request-id");
        assert!(own.starts_with("req-") && own != global, "{own}");
        let things = bed.cloud.things();
        let ids = things.asked.iter().zip(&things.ids).filter(|(asked, _)| asked.contains("/image/"));
        let ids: Vec<&str> = ids.map(|(_, id)| id.as_str()).collect();
        assert!(!ids.is_empty() && ids.iter().all(|id| *id == if taken { global } else { own }), "{ids:?}");
    }
}

#[tokio::test]
async fn a_health_check_is_answered_in_the_callers_form() {
    let bed = Bed::new().await;
    let head = bed.ask("HEAD", "/healthcheck").send().await;
    assert_eq!((head.status, head.text.as_str()), (204, ""));
    let json = bed.ask("GET", "/healthcheck").header("accept", "application/json").send().await;
    assert_eq!((json.status, json.text.as_str()), (200, r#"{"detailed":false,"reasons":["OK"]}"#));
    let page = bed.ask("GET", "/healthcheck").header("accept", "text/html,*/*;q=0.8").send().await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text.contains("OK"), "{}", page.text);
    // HAProxy asks with OPTIONS unless told otherwise.
    for (method, path) in [("OPTIONS", "/healthcheck"), ("POST", "/healthcheck/"), ("GET", "/healthcheck/x")] {
        let plain = bed.ask(method, path).send().await;
        assert_eq!((plain.status, plain.text.as_str()), (200, "OK"), "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_not_routed_is_an_empty_envelope() {
    let bed = Bed::new().await;
    let rows = [
        ("GET", "/v1/nope", 404, ""),
        ("GET", "/v2", 404, ""),
        ("GET", "/v1.json", 404, ""),
        ("GET", "/v1/bays", 404, ""),
        ("GET", "/v1/clusters/detail/", 404, ""),
        ("GET", "/v1/clusters/%00", 404, ""),
        ("GET", "/v1/clusters/%ff", 404, ""),
        ("GET", "/v1/certificates", 405, "PATCH, POST"),
        ("GET", "/v1/credentials", 405, "PATCH"),
        ("GET", "/v1/credentials/x", 405, "PATCH"),
        ("PUT", "/v1/clusters", 405, "DELETE, GET, PATCH, POST"),
        ("HEAD", "/v1/clusters", 405, "DELETE, GET, PATCH, POST"),
        ("HEAD", "/v1", 405, "GET"),
        ("HEAD", "/", 405, "GET"),
        ("GET", "/v1/clusters/x/actions/resize", 405, "POST"),
    ];
    for (method, path, status, allow) in rows {
        let answer = bed.ann(method, path).send().await;
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{method} {path}: {}", answer.text);
        let error = &answer.value()["errors"][0];
        assert_eq!((&error["code"], &error["title"], &error["detail"]), (&json!(""), &json!(""), &json!("")));
        assert_eq!(error["status"], status);
        assert_eq!(error["request_id"], answer.header("x-openstack-request-id"));
    }
}

#[tokio::test]
async fn slashes_and_the_missing_version_are_forgiven() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    for path in [
        format!("/v1/clusters/{id}"),
        format!("/v1/clusters/{id}/"),
        format!("/v1//clusters//{id}"),
        format!("/clusters/{id}"),
        "/clusters/one/".to_owned(),
        "/v1/clusters/on%65".to_owned(),
    ] {
        let answer = bed.ann("GET", &path).send().await;
        assert_eq!((answer.status, &answer.value()["uuid"]), (200, &json!(id)), "{path}");
    }
    is(&bed.ann("GET", "/v1/clusters/?limit=1").send().await, StatusCode::OK);
}

#[tokio::test]
async fn bodies_and_answers_are_json() {
    let bed = Bed::new().await;
    for (accept, status) in
        [("", 200), ("*/*", 200), ("application/json", 200), ("text/html", 406), ("application/xml", 406)]
    {
        let answer = bed.ann("GET", "/v1/clusters").header("accept", accept).send().await;
        assert_eq!(answer.status, status, "{accept:?}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
    let plain = bed.ann("POST", "/v1/clusters").body("text/plain", b"{}").send().await;
    assert_eq!((plain.status, plain.detail().as_str()), (415, "Unknown mimetype: text/plain"));
    let id = bed.cluster("one").await;
    let deleted = bed.ann("DELETE", &format!("/v1/clusters/{id}")).body("application/octet-stream", b"").send().await;
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
}

#[tokio::test]
async fn links_follow_the_proxy_and_the_mount() {
    let bed = Bed::with(|config| {
        config.proxy_headers = true;
        config.prefix = "/container-infra".to_owned();
    });
    let bed = bed.await;
    let asking = bed.ask("GET", "/container-infra/v1/").header("x-forwarded-proto", "https");
    let answer = asking.header("x-forwarded-host", "api.example").send().await;
    assert_eq!(answer.value()["clusters"][0]["href"], "https://api.example/container-infra/v1/clusters/");
}

#[tokio::test]
async fn health_and_numbers_need_no_token_and_carry_no_names() {
    let bed = Bed::new().await;
    for (path, text) in [("/healthcheck", "OK"), ("/healthz", "ok"), ("/readyz", "ok")] {
        let answer = bed.ask("GET", path).send().await;
        assert_eq!((answer.status, answer.text.as_str()), (200, text), "{path}");
    }
    let id = bed.cluster("one").await;
    bed.ann("GET", &format!("/v1/clusters/{id}")).send().await;
    bed.ann("BREW", "/v1/clusters").send().await;
    let numbers = bed.metrics.render();
    let counted = r#"jeroboam_http_requests_total{method="GET",route="/v1/clusters/{cluster}",status="200"} 1"#;
    assert!(numbers.contains(counted), "{numbers}");
    assert!(!numbers.contains(&id) && !numbers.contains("BREW"), "{numbers}");
    // The numbers are the operator's: they are on an address of their own.
    assert_eq!(bed.ask("GET", "/metrics").send().await.status, 401);
    assert_eq!(bed.ann("GET", "/metrics").send().await.status, 404);
    let document = bed.ask("GET", "/openapi.json").send().await;
    assert_eq!(document.value()["openapi"], "3.1.0");
    bed.store.close().await;
    let answer = bed.ask("GET", "/readyz").send().await;
    assert_eq!((answer.status, answer.text.as_str()), (503, "the database does not answer"));
    let away = bed.ann("GET", "/v1/clusters").send().await;
    assert_eq!((away.status, away.value()["errors"][0]["code"].as_str()), (503, Some("server")), "{}", away.text);
}

#[tokio::test]
async fn a_file_takes_the_process_out_of_its_load_balancer() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("healthcheck_disable");
    let bed = Bed::with(|config| config.healthcheck_disabled_by = Some(file.clone())).await;
    is(&bed.ask("GET", "/healthcheck").send().await, StatusCode::OK);
    std::fs::write(&file, "").expect("written");
    is(&bed.ask("GET", "/healthcheck").send().await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let bed = Bed::with(|config| config.request_timeout = std::time::Duration::from_millis(100)).await;
    bed.cloud.things().hanging = Some("/image");
    let body = json!({"coe": "kubernetes", "image_id": "ubuntu"});
    let answer = bed.ann("POST", "/v1/clustertemplates").json(&body).send().await;
    assert_eq!((answer.status, answer.value()["errors"][0]["code"].as_str()), (503, Some("server")), "{}", answer.text);
    assert_eq!(answer.header("openstack-api-version"), format!("{VERSIONS} 1.14"));
}

#[tokio::test]
async fn head_leaves_a_connection_in_order() {
    let bed = Bed::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (router, mut tasks) = (bed.router.clone(), tokio::task::JoinSet::new());
    tasks.spawn(async move { axum::serve(listener, router).await.expect("served") });
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
    let requests = "HEAD /v1 HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(requests.as_bytes()).await.expect("written");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("answers");
    let (head, get) = text.split_once("\r\n\r\n").expect("two answers");
    assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("allow: GET"), "{head}");
    assert!(get.starts_with("HTTP/1.1 200 ") && get.ends_with("\r\n\r\nok"), "{get}");
}
