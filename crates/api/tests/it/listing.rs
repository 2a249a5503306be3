//! Pages of listings.

use serde_json::{Value, json};

use crate::bed::{ANN, Bed};

#[tokio::test]
async fn pages_lead_to_each_other_and_lose_nothing() {
    let bed = Bed::new().await;
    for name in ["a", "b", "c"] {
        bed.cluster(name).await;
    }
    for path in ["/v1/clusters", "/v1/clusters/detail", "/v1/clustertemplates", "/v1/clustertemplates/detail"] {
        let (mut next, mut seen, mut pages) = (format!("{path}?limit=2&sort_key=name&sort_dir=desc"), Vec::new(), 0);
        let kind = if path.contains("templates") { "clustertemplates" } else { "clusters" };
        loop {
            let answer = bed.ann("GET", &next).send().await;
            assert_eq!(answer.status, 200, "{next}: {}", answer.text);
            let value = answer.value();
            let items = value[kind].as_array().expect("items");
            seen.extend(items.iter().map(|item| item["uuid"].as_str().expect("an id").to_owned()));
            pages += 1;
            let Some(link) = value["next"].as_str() else { break };
            assert!(link.starts_with(&format!("http://cloud:9511{path}?sort_key=name&sort_dir=desc&limit=2&marker=")));
            next = link.trim_start_matches("http://cloud:9511").to_owned();
        }
        seen.sort();
        seen.dedup();
        assert_eq!((seen.len(), pages), (3, 2), "{path}");
    }
}

#[tokio::test]
async fn a_limit_is_capped_and_a_full_last_page_leads_to_an_empty_one() {
    let bed = Bed::with(|config| config.max_limit = 2).await;
    for name in ["a", "b"] {
        bed.cluster(name).await;
    }
    let full = bed.ann("GET", "/v1/clusters?limit=50").send().await.value();
    assert_eq!(full["clusters"].as_array().map(Vec::len), Some(2));
    let next = full["next"].as_str().expect("a full page").trim_start_matches("http://cloud:9511").to_owned();
    let last = bed.ann("GET", &next).send().await;
    assert_eq!(last.text, r#"{"clusters":[]}"#);
}

#[tokio::test]
async fn node_groups_are_listed_by_role() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    let names = |value: Value| -> Vec<String> {
        let groups = value["nodegroups"].as_array().expect("groups").clone();
        groups.iter().map(|group| group["name"].as_str().expect("a name").to_owned()).collect()
    };
    let of = |query: &str| bed.ann("GET", &format!("/v1/clusters/one/nodegroups/{query}")).send();
    assert_eq!(names(of("").await.value()), ["default-master", "default-worker"]);
    assert_eq!(names(of("?role=worker").await.value()), ["default-worker"]);
    assert!(names(of("?role=nobody").await.value()).is_empty());
    let page = of("?limit=1&role=worker").await;
    let next = page.value()["next"].as_str().expect("a full page").to_owned();
    assert!(next.starts_with(&format!("http://cloud:9511/v1/clusters/{id}/nodegroups?role=worker&sort_key=id")));
    assert_eq!(
        page.keys("\"nodegroups\":["),
        "uuid name flavor_id image_id node_count role min_node_count max_node_count is_default stack_id status merge_labels"
    );
}

#[tokio::test]
async fn bad_pages_are_refused() {
    let bed = Bed::new().await;
    let stranger = "11111111-1111-1111-1111-111111111111";
    let rows = [
        ("limit=0".to_owned(), 400, "Limit must be positive".to_owned()),
        ("sort_key=nope".to_owned(), 400, "The sort_key value \"nope\" is an invalid field for sorting".to_owned()),
        ("sort_dir=up".to_owned(), 400, "Invalid sort direction: up. Acceptable values are 'asc' or 'desc'".to_owned()),
        ("foo=1".to_owned(), 400, "Unknown argument: \"foo\"".to_owned()),
        (
            "marker=x".to_owned(),
            400,
            "Invalid input for field/attribute marker. Value: 'x'. unable to convert to uuid. Error: Expected a uuid but received x.".to_owned(),
        ),
        (format!("marker={stranger}"), 404, String::new()),
    ];
    for path in ["/v1/clusters", "/v1/clusters/detail", "/v1/clustertemplates"] {
        for (query, status, detail) in &rows {
            let answer = bed.ask("GET", &format!("{path}?{query}")).token(ANN).send().await;
            assert_eq!(answer.status, *status, "{path} {query}: {}", answer.text);
            if !detail.is_empty() {
                assert_eq!(&answer.detail(), detail, "{path}");
            }
        }
    }
    let answer = bed.ann("GET", "/v1/clusters/x?foo=1").send().await;
    assert_eq!(
        (answer.status, answer.value()["errors"][0]["title"].clone()),
        (400, json!("Unknown argument: \"foo\""))
    );
}
