//! What is said of where a manifest is by now.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_where_something_is_again_and_again_is_no_burden_to_the_others() {
    let other = Server::start(Wanted::default()).await;
    let north = Server::start(wanted(region("north", other.address))).await;
    let one = image("one", None);
    push(&north, "team/app", Some("v1"), &one).await.unwrap();
    both_serve(&north, &other, "v1", &one).await;
    idle(&north).await;
    other.faults.asked("");
    let url = format!("http://{}/v2/team/app/_x/replication/{}", north.address, one.manifest.digest);
    let asked = futures::future::join_all((0..30).map(|_| reqwest::get(&url))).await;
    assert!(asked.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status() == 200)));
    // Each time for the manifest and for its tag.
    assert!(other.faults.asked("/manifests/").len() <= 6);
}

async fn whereabouts(server: &Server, image: &Image) -> Whereabouts {
    server.replication.report(&name("team/app"), &image.manifest.digest).await.unwrap().targets[0].state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_not_everywhere_before_its_tag_is() {
    let (north, south) = one_way(|settings| settings).await;
    let (one, two) = (image("one", None), image("two", None));
    // The manifest is there, and nothing in memory says that a tag has to follow, as after a restart.
    push(&south, "team/app", None, &one).await.unwrap();
    move_silently(&north, "team/app", "v1", &one).await;
    assert_eq!(whereabouts(&north, &one).await, Whereabouts::Pending);
    north.replication.compare_now();
    both_serve(&north, &south, "v1", &one).await;
    until("it is everywhere", || async { whereabouts(&north, &one).await == Whereabouts::Present }).await;
    // That somebody moves the tag there later takes nothing back.
    idle(&north).await;
    push(&south, "team/app", Some("v1"), &two).await.unwrap();
    tokio::time::sleep(BELIEVED + Duration::from_millis(100)).await;
    assert_eq!(whereabouts(&north, &one).await, Whereabouts::Present);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_not_everywhere_where_the_rule_keeps_another_tag() {
    let (north, south) = one_way(|settings| ReplicateSettings { rule: Rule::Deny, ..settings }).await;
    let (of_north, of_south) = (image("of north", None), image("of south", None));
    push(&south, "team/app", None, &of_north).await.unwrap();
    move_silently(&south, "team/app", "v1", &of_south).await;
    move_silently(&north, "team/app", "v1", &of_north).await;
    assert_eq!(whereabouts(&north, &of_north).await, Whereabouts::Absent);
}
