//! Quotas, and how much there is.

use futures::future::join_all;
use http::StatusCode;
use jeroboam_store::testing::{Engine, TestDatabase};
use serde_json::json;

use crate::bed::{ANN, BOB, Bed, EVE, ROOT, is};

const COMMON: &str = r#"{"hard_limit":20,"project_id":"blue","resource":"Cluster"}"#;

#[tokio::test]
async fn a_quota_is_set_read_changed_and_taken_away() {
    let bed = Bed::new().await;
    let root = |method: &str, path: &str| bed.ask(method, path).token(ROOT).version("latest");
    let path = "/v1/quotas/blue/Cluster";
    assert_eq!(bed.ann("GET", path).send().await.text, COMMON);
    assert_eq!(bed.ann("GET", "/v1/quotas/blue/Nodes").send().await.text, COMMON);

    let made = root("POST", "/v1/quotas").json(&json!({"project_id": "blue", "hard_limit": "3"})).send().await;
    is(&made, StatusCode::CREATED);
    assert_eq!(made.keys(""), "id hard_limit project_id resource created_at updated_at");
    assert_eq!((&made.value()["hard_limit"], &made.value()["updated_at"]), (&json!(3), &json!(null)));
    assert_eq!(bed.ann("GET", path).send().await.value(), made.value());
    let again = root("POST", "/v1/quotas").json(&json!({"project_id": "blue"})).send().await;
    assert_eq!(
        (again.status, again.detail().as_str()),
        (409, "Quota for project blue already exists for resource Cluster.")
    );

    let body = json!({"hard_limit": 5, "project_id": "red", "resource": "Nodes"});
    let changed = root("PATCH", path).json(&body).send().await;
    is(&changed, StatusCode::ACCEPTED);
    let value = changed.value();
    assert_eq!((&value["hard_limit"], &value["project_id"]), (&json!(5), &json!("blue")));
    assert!(value["updated_at"].is_string());
    let emptied = root("PATCH", path).json(&json!({})).send().await;
    assert_eq!(emptied.value()["hard_limit"], 1, "what is not said is 1");

    is(&root("DELETE", path).send().await, StatusCode::NO_CONTENT);
    assert_eq!(bed.ann("GET", path).send().await.text, COMMON);
    for (method, body) in [("DELETE", None), ("PATCH", Some(json!({"hard_limit": 1})))] {
        let mut asking = root(method, path);
        if let Some(body) = &body {
            asking = asking.json(body);
        }
        let missing = asking.send().await;
        assert_eq!(
            (missing.status, missing.detail().as_str()),
            (404, "Quota could not be found: project_id blue resource Cluster.")
        );
    }
}

#[tokio::test]
async fn quotas_are_for_administrators_and_ones_own() {
    let bed = Bed::new().await;
    let body = json!({"project_id": "blue"});
    let rows = [
        ("GET", "/v1/quotas", ANN, "Policy doesn't allow quota:get_all to be performed."),
        ("POST", "/v1/quotas", ANN, "Policy doesn't allow quota:create to be performed."),
        ("PATCH", "/v1/quotas/blue/Cluster", ANN, "Policy doesn't allow quota:update to be performed."),
        ("DELETE", "/v1/quotas/blue/Cluster", ANN, "Policy doesn't allow quota:delete to be performed."),
        ("GET", "/v1/quotas/blue/Cluster", BOB, "Not authorized."),
        ("GET", "/v1/quotas/blue/Cluster", "joe/blue/nobody", "Policy doesn't allow quota:get to be performed."),
    ];
    for (method, path, token, detail) in rows {
        let mut asking = bed.ask(method, path).token(token);
        if ["POST", "PATCH"].contains(&method) {
            asking = asking.json(&body);
        }
        let refused = asking.send().await;
        assert_eq!((refused.status, refused.detail().as_str()), (403, detail), "{method} {path}");
    }
    for token in [EVE, ROOT] {
        is(&bed.ask("GET", "/v1/quotas/blue/Cluster").token(token).send().await, StatusCode::OK);
    }
}

#[tokio::test]
async fn keystone_has_to_know_the_project() {
    let bed = Bed::new().await;
    let create = |project: &str| {
        let asking = bed.ask("POST", "/v1/quotas").token(ROOT);
        asking.json(&json!({"project_id": project, "hard_limit": 1})).send()
    };
    let unknown = create("nope").await;
    assert_eq!((unknown.status, unknown.detail().as_str()), (404, "The project_id nope could not be found."));
    bed.cloud.things().failing = Some("/v3/projects");
    let away = create("blue").await;
    assert_eq!(
        (away.status, away.detail().as_str()),
        (503, "The identity service is temporarily unavailable, please try again later.")
    );
    bed.cloud.things().failing = None;
    is(&create("blue").await, StatusCode::CREATED);
}

#[tokio::test]
async fn quotas_are_listed_page_by_page() {
    let bed = Bed::new().await;
    for (project, limit) in [("admin", 1), ("blue", 2), ("red", 3)] {
        let body = json!({"project_id": project, "hard_limit": limit});
        is(&bed.ask("POST", "/v1/quotas").token(ROOT).json(&body).send().await, StatusCode::CREATED);
    }
    let of = |query: String| bed.ask("GET", &format!("/v1/quotas{query}")).token(ROOT).send();
    let own = of(String::new()).await.value();
    assert_eq!(own["quotas"].as_array().map(Vec::len), Some(1));
    assert_eq!(own["quotas"][0]["project_id"], "admin");
    let (mut query, mut seen) = ("?all_tenants=True&limit=2&sort_key=hard_limit&sort_dir=desc".to_owned(), Vec::new());
    loop {
        let page = of(query).await;
        is(&page, StatusCode::OK);
        let value = page.value();
        seen.extend(value["quotas"].as_array().expect("quotas").iter().map(|quota| quota["hard_limit"].clone()));
        let Some(next) = value["next"].as_str() else { break };
        let start = "http://cloud:9511/v1/quotas?all_tenants=True&sort_key=hard_limit&sort_dir=desc&limit=2&marker=";
        assert!(next.starts_with(start), "{next}");
        query = next.trim_start_matches("http://cloud:9511/v1/quotas").to_owned();
    }
    assert_eq!(seen, [json!(3), json!(2), json!(1)]);
    let unknown = of("?marker=99".to_owned()).await;
    assert_eq!((unknown.status, unknown.detail().as_str()), (404, "Quota could not be found: quota id 99 ."));
    for (query, detail) in [
        ("?marker=x", "Invalid input for field/attribute marker. Value: 'x'. unable to convert to int."),
        ("?sort_key=nope", "The sort_key value \"nope\" is an invalid field for sorting"),
        ("?all_tenants=maybe", "Invalid input for field/attribute all_tenants."),
        ("?project_id=red", "Unknown argument: \"project_id\""),
    ] {
        let refused = of(query.to_owned()).await;
        assert!(refused.status == 400 && refused.detail().starts_with(detail), "{query}: {}", refused.text);
    }
}

#[tokio::test]
async fn what_there_is_is_counted_for_those_who_may_know() {
    let bed = Bed::new().await;
    bed.cluster("one").await;
    let of = |token: &str, query: &str| bed.ask("GET", &format!("/v1/stats{query}")).token(token).send();
    let (some, none) = (r#"{"clusters":1,"nodes":2}"#, r#"{"clusters":0,"nodes":0}"#);
    let rows = [
        (ANN, "", 200, some),
        (EVE, "?project_id=blue", 200, some),
        (ANN, "?type=CLUSTER", 200, some),
        (BOB, "", 200, none),
        (ROOT, "", 200, some),
        (ROOT, "?project_id=red", 200, none),
        (BOB, "?project_id=blue", 403, "Not authorized."),
        (ANN, "?type=node", 400, "Invalid stats type. Allowed values are 'cluster'"),
        (ANN, "?limit=1", 400, "Unknown argument: \"limit\""),
        ("joe/blue/nobody", "", 403, "Policy doesn't allow stats:get_all to be performed."),
    ];
    for (token, query, status, expected) in rows {
        let answer = of(token, query).await;
        assert_eq!(answer.status, status, "{token} {query}: {}", answer.text);
        let said = if status == 200 { answer.text.clone() } else { answer.detail() };
        assert_eq!(said, expected, "{token} {query}");
    }
}

#[tokio::test]
async fn a_project_has_no_more_clusters_than_its_quota() {
    let bed = Bed::new().await;
    bed.cluster("one").await;
    let body = json!({"project_id": "blue", "hard_limit": 1});
    is(&bed.ask("POST", "/v1/quotas").token(ROOT).json(&body).send().await, StatusCode::CREATED);
    let refused = bed.ann("POST", "/v1/clusters").json(&json!({"cluster_template_id": "plain"})).send().await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(
        refused.detail().starts_with("Resource limit exceeded: You have reached the maximum clusters per project, 1.")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_requests_at_once_as_many_are_taken_as_the_quota_says() {
    for engine in Engine::ALL.into_iter().filter(|engine| engine.is_wanted()) {
        let database = TestDatabase::new(engine).await;
        let bed = Bed::on(database.store().await, |_| {}).await;
        bed.template().await;
        let quota = json!({"project_id": "blue", "hard_limit": 5});
        is(&bed.ask("POST", "/v1/quotas").token(ROOT).json(&quota).send().await, StatusCode::CREATED);
        let body = json!({"cluster_template_id": "plain"});
        let answers = join_all((0..200).map(|_| bed.ann("POST", "/v1/clusters").json(&body).send())).await;
        let taken = answers.iter().filter(|answer| answer.status == 202).count();
        let refused = answers.iter().filter(|answer| answer.status == 403).count();
        let others: Vec<_> = answers.iter().filter(|answer| ![202, 403].contains(&answer.status)).collect();
        assert!(others.is_empty(), "{}: {} {}", engine.name(), others.len(), others[0].text);
        assert_eq!((taken, refused), (5, 195), "{}", engine.name());
        assert_eq!(bed.store.cluster_count(&"blue".into()).await.expect("counted"), 5, "{}", engine.name());
        // Those who came too late have left nothing in the cloud either.
        let asked = bed.cloud.things().asked.clone();
        let count = |method: &str| {
            let credential = |asked: &&String| asked.starts_with(method) && asked.contains("application_credentials");
            asked.iter().filter(credential).count()
        };
        assert_eq!(count("POST") - count("DELETE"), 5, "{}", engine.name());
    }
}
