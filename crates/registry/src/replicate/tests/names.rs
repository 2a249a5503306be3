//! Tags and manifests that the regions call by different digests.

use jeroboam_oci::Algorithm;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_is_called_the_same_in_both_regions() {
    let (north, south) = regions(|settings| settings).await;
    let mut one = image("one", None);
    one.manifest.digest = Digest::of(Algorithm::Sha512, &one.manifest.bytes);
    push(&north, "team/app", Some("v1"), &one).await.unwrap();
    both_serve(&north, &south, "v1", &one).await;
    idle(&north).await;
    south.faults.asked("");
    north.replication.compare_now();
    until("they are compared", || async { !south.faults.asked("/_x/replication/").is_empty() }).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(south.faults.asked("/manifests/").is_empty(), "nothing differs");
    let two = image("two", None);
    push(&south, "team/app", Some("v1"), &two).await.unwrap();
    both_serve(&north, &south, "v1", &two).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_stays_where_a_tag_of_the_other_region_leads_to_it() {
    let called = |algorithm| {
        let mut image = image("one", None);
        image.manifest.digest = Digest::of(algorithm, &image.manifest.bytes);
        image
    };
    // Under whichever of its digests it is tagged there and removed here.
    for (there, here) in [
        (Algorithm::Sha256, Algorithm::Sha256),
        (Algorithm::Sha512, Algorithm::Sha256),
        (Algorithm::Sha256, Algorithm::Sha512),
    ] {
        let (north, south) = one_way(|settings| ReplicateSettings { deletes: true, ..settings }).await;
        let (one, other) = (called(here), called(there));
        push(&north, "team/app", Some("v1"), &one).await.unwrap();
        both_serve(&north, &south, "v1", &one).await;
        push(&south, "team/app", Some("theirs"), &other).await.unwrap();
        idle(&north).await;
        let by_digest = Reference::Digest(one.manifest.digest.clone());
        north.remote().delete_manifest(&name("team/app"), &by_digest, None, None).await.unwrap();
        until("its own tag is gone", || async { !serves_tag(&south, "team/app", "v1").await }).await;
        idle(&north).await;
        assert!(serves(&south, "team/app", "theirs", &other).await);
        // Without it, it goes.
        south.remote().delete_manifest(&name("team/app"), &by_tag("theirs"), None, None).await.unwrap();
        push(&north, "team/app", Some("v1"), &one).await.unwrap();
        both_serve(&north, &south, "v1", &one).await;
        idle(&north).await;
        north.remote().delete_manifest(&name("team/app"), &by_digest, None, None).await.unwrap();
        until("it is gone", || async {
            south.remote().head_manifest(&name("team/app"), &by_digest).await.unwrap().is_none()
        })
        .await;
    }
}
