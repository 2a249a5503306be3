mod names;
mod retained;
mod whereabouts;

use std::net::SocketAddr;

use super::*;
use crate::bed::{Image, Server, Wanted, by_tag, image, index, name, push, serves, settings, tag, until};
use crate::client::PutCondition;

/// A port where nobody listens, yet.
async fn free_port() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

fn region(origin: &str, peer: SocketAddr) -> ReplicateSettings {
    let target = TargetSettings { name: "peer".to_owned(), remote: settings(peer), prefixes: Vec::new() };
    ReplicateSettings {
        interval: Duration::from_secs(3600),
        patience: Duration::from_secs(3),
        targets: vec![target],
        ..ReplicateSettings::new(origin)
    }
}

fn wanted(settings: ReplicateSettings) -> Wanted {
    Wanted { replicate: Some(settings), ..Wanted::default() }
}

/// Two regions that are kept alike.
async fn regions(change: impl Fn(ReplicateSettings) -> ReplicateSettings) -> (Server, Server) {
    let port = free_port().await;
    let north = Server::start(wanted(change(region("north", port)))).await;
    let south = wanted(change(region("south", north.address)));
    let south = Server::at(port, Arc::new(jeroboam_blobs::Memory::default()), south).await;
    (north, south)
}

async fn both_serve(north: &Server, south: &Server, label: &str, image: &Image) {
    until(label, || async {
        serves(south, "team/app", label, image).await && serves(north, "team/app", label, image).await
    })
    .await;
}

async fn target(server: &Server, label: &str) -> Option<Digest> {
    server.remote().head_manifest(&name("team/app"), &by_tag(label)).await.unwrap().map(|head| head.digest)
}

async fn idle(server: &Server) {
    until("nothing waits", || async { server.replication.backlog().iter().all(|(_, waiting, _)| *waiting == 0) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_to_one_is_in_both() {
    let (north, south) = regions(|settings| settings).await;
    let (one, other) = (image("one", None), image("other", None));
    push(&north, "team/app", Some("v1"), &one).await.unwrap();
    both_serve(&north, &south, "v1", &one).await;
    push(&south, "team/app", Some("v2"), &other).await.unwrap();
    both_serve(&north, &south, "v2", &other).await;

    // An index goes with its children, and what is about it comes along.
    let all = index(&[&one.manifest, &other.manifest]);
    let signature = image("signature", Some(&all));
    let remote = north.remote();
    remote.put_manifest(&name("team/app"), Some(&tag("all")), &all, &PutCondition::Always, None).await.unwrap();
    push(&north, "team/app", None, &signature).await.unwrap();
    until("the index", || async { target(&south, "all").await.as_ref() == Some(&all.digest) }).await;
    until("the signature", || async {
        let about = south.remote().referrers(&name("team/app"), &all.digest).await.unwrap();
        about.iter().any(|descriptor| descriptor.digest == signature.manifest.digest)
    })
    .await;
    idle(&north).await;
    idle(&south).await;
    // What came from the other side is not sent back.
    south.faults.asked("");
    push(&north, "team/app", Some("v3"), &image("three", None)).await.unwrap();
    idle(&north).await;
    north.faults.asked("");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(north.faults.asked("/manifests/"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_another_repository_there_has_is_not_sent_again() {
    let (north, south) = one_way(|settings| settings).await;
    let one = image("one", None);
    push(&north, "team/app", Some("v1"), &one).await.unwrap();
    both_serve(&north, &south, "v1", &one).await;
    idle(&north).await;
    south.faults.asked("");
    push(&north, "team/tool", Some("v1"), &one).await.unwrap();
    until("it is there, too", || async { serves(&south, "team/tool", "v1", &one).await }).await;
    idle(&north).await;
    let sent = south.faults.asked("PUT");
    assert!(!sent.is_empty() && sent.iter().all(|line| line.contains("/manifests/")), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_works_alone_and_the_other_catches_up_also_after_both_were_restarted() {
    let (north, south) = regions(|settings| settings).await;
    let before = image("before", None);
    push(&north, "team/app", Some("v1"), &before).await.unwrap();
    both_serve(&north, &south, "v1", &before).await;
    let north_s = region("north", south.address);
    let (address, blobs) = south.kill().await;

    let images: Vec<_> = (0..4).map(|n| image(&format!("during-{n}"), None)).collect();
    for (n, image) in images.iter().enumerate() {
        push(&north, "team/app", Some(&format!("during-{n}")), image).await.unwrap();
        push(&north, "team/app", Some("latest"), image).await.unwrap();
    }
    let report = north.replication.report(&name("team/app"), &images[3].manifest.digest).await.unwrap();
    assert!(!report.complete);
    assert_eq!(report.targets[0].state, Whereabouts::Unknown);
    until("it is known that the other one is away", || async { north.replication.backlog()[0].2.is_some() }).await;

    // The region that has the queue is restarted, too.
    let (at, kept) = north.kill().await;
    let north = Server::at(at, kept, wanted(north_s)).await;
    assert!(serves(&north, "team/app", "latest", &images[3]).await);
    let south = Server::at(address, blobs, wanted(region("south", north.address))).await;
    assert!(serves(&south, "team/app", "v1", &before).await);
    for (n, image) in images.iter().enumerate() {
        both_serve(&north, &south, &format!("during-{n}"), image).await;
    }
    both_serve(&north, &south, "latest", &images[3]).await;
    idle(&north).await;
    let report = north.replication.report(&name("team/app"), &images[3].manifest.digest).await.unwrap();
    assert!(report.complete, "{report:?}");
    let journal = north.blobs.list(jeroboam_blobs::List {
        prefix: "docker/registry/v2/_x/replication/peer/",
        after: None,
        folders: false,
        limit: 10,
    });
    assert_eq!(journal.await.unwrap().items, []);
}

/// Both regions push the same tag without knowing of each other. Gives them with what they pushed, the later one second.
async fn apart(change: impl Fn(ReplicateSettings) -> ReplicateSettings + Copy) -> (Server, Server, Image, Image) {
    // Each believes that the other is where nobody is.
    let nowhere = free_port().await;
    let north = Server::start(wanted(change(region("north", nowhere)))).await;
    let south = Server::start(wanted(change(region("south", nowhere)))).await;
    let (of_north, of_south) = (image("of north", None), image("of south", None));
    push(&north, "team/app", Some("v1"), &of_north).await.unwrap();
    push(&south, "team/app", Some("v1"), &of_south).await.unwrap();
    // Now they find each other.
    let (port, settings) = (free_port().await, change);
    let (_, north_s) = north.kill().await;
    let (_, south_s) = south.kill().await;
    let north = Server::at("127.0.0.1:0".parse().unwrap(), north_s, wanted(settings(region("north", port)))).await;
    let south = Server::at(port, south_s, wanted(settings(region("south", north.address)))).await;
    (north, south, of_north, of_south)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_tags_the_newest_wins_in_both_regions() {
    let (north, south, _, of_south) = apart(|settings| settings).await;
    both_serve(&north, &south, "v1", &of_south).await;
    idle(&north).await;
    idle(&south).await;
    both_serve(&north, &south, "v1", &of_south).await;
    // Both know of it now, and whoever pushes next is followed.
    let next = image("next", None);
    push(&north, "team/app", Some("v1"), &next).await.unwrap();
    both_serve(&north, &south, "v1", &next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_tags_that_of_the_primary_wins_in_both_regions() {
    let primary = |settings| ReplicateSettings { rule: Rule::Primary("north".to_owned()), ..settings };
    let (north, south, of_north, _) = apart(primary).await;
    both_serve(&north, &south, "v1", &of_north).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_tags_neither_wins_where_the_rule_says_so() {
    let (north, south, of_north, of_south) = apart(|settings| ReplicateSettings { rule: Rule::Deny, ..settings }).await;
    idle(&north).await;
    idle(&south).await;
    assert!(serves(&north, "team/app", "v1", &of_north).await);
    assert!(serves(&south, "team/app", "v1", &of_south).await);
    // Whoever decides pushes the one to both, and from there they go on together.
    push(&south, "team/app", Some("v1"), &of_north).await.unwrap();
    both_serve(&north, &south, "v1", &of_north).await;
    idle(&north).await;
    idle(&south).await;
    let decided = image("decided", None);
    push(&north, "team/app", Some("v1"), &decided).await.unwrap();
    both_serve(&north, &south, "v1", &decided).await;
    // A tag that only one of them has moved is no conflict.
    let other = image("other", None);
    push(&north, "team/app", Some("v2"), &other).await.unwrap();
    both_serve(&north, &south, "v2", &other).await;
    let next = image("next", None);
    push(&south, "team/app", Some("v2"), &next).await.unwrap();
    both_serve(&north, &south, "v2", &next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_may_have_a_rule_of_its_own() {
    let with_rules = |settings| ReplicateSettings {
        rule: Rule::Deny,
        rules: vec![(Prefix::Below("team".to_owned()), Rule::Primary("north".to_owned()))],
        ..settings
    };
    let (north, south, of_north, _) = apart(with_rules).await;
    both_serve(&north, &south, "v1", &of_north).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_may_wait_until_all_have_it() {
    let all = |settings| ReplicateSettings { acknowledge: Acknowledge::All, ..settings };
    let (north, south) = regions(all).await;
    let one = image("one", None);
    push(&north, "team/app", Some("v1"), &one).await.unwrap();
    assert!(serves(&south, "team/app", "v1", &one).await, "it is there when the push is answered");
    let (address, blobs) = south.kill().await;
    let two = image("two", None);
    let refused = push(&north, "team/app", Some("v2"), &two).await.unwrap_err();
    assert!(refused.to_string().contains("503"), "{refused}");
    assert!(serves(&north, "team/app", "v2", &two).await, "it is kept here");
    let south = Server::at(address, blobs, wanted(all(region("south", north.address)))).await;
    push(&north, "team/app", Some("v2"), &two).await.unwrap();
    assert!(serves(&south, "team/app", "v2", &two).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_here_is_removed_there_if_so_is_wanted_and_does_not_come_back() {
    let (north, south) = regions(|settings| ReplicateSettings { deletes: true, ..settings }).await;
    let one = image("one", None);
    push(&north, "team/app", Some("v1"), &one).await.unwrap();
    push(&north, "team/app", Some("v2"), &one).await.unwrap();
    both_serve(&north, &south, "v1", &one).await;
    both_serve(&north, &south, "v2", &one).await;
    idle(&north).await;
    north.remote().delete_manifest(&name("team/app"), &by_tag("v1"), None, None).await.unwrap();
    until("the tag is gone there", || async { target(&south, "v1").await.is_none() }).await;
    for server in [&north, &south] {
        server.replication.compare_now();
    }
    idle(&north).await;
    idle(&south).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((target(&north, "v1").await, target(&south, "v1").await), (None, None));
    north
        .remote()
        .delete_manifest(&name("team/app"), &Reference::Digest(one.manifest.digest.clone()), None, None)
        .await
        .unwrap();
    until("the manifest is gone there", || async { target(&south, "v2").await.is_none() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_nobody_told_of_are_found_when_all_are_compared() {
    let (north, south) = regions(|settings| settings).await;
    let one = image("one", None);
    push(&north, "team/app", Some("v1"), &one).await.unwrap();
    both_serve(&north, &south, "v1", &one).await;
    idle(&north).await;
    // Somebody moves a tag in the store itself, as distribution does.
    let two = image("two", None);
    let local = north.local();
    for (digest, bytes) in &two.blobs {
        north.store.put_small_blob(&name("team/app"), digest, bytes.clone()).await.unwrap();
    }
    crate::images::Images::put_manifest(
        &local,
        &name("team/app"),
        Some(&tag("v1")),
        &two.manifest,
        &PutCondition::Always,
        None,
    )
    .await
    .unwrap();
    assert!(serves(&south, "team/app", "v1", &one).await);
    north.replication.compare_now();
    both_serve(&north, &south, "v1", &two).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_no_registry_of_ours_gets_what_is_pushed() {
    let other = Server::start(Wanted::default()).await;
    let north = Server::start(wanted(region("north", other.address))).await;
    let one = image("one", None);
    push(&north, "team/app", Some("v1"), &one).await.unwrap();
    both_serve(&north, &other, "v1", &one).await;
    idle(&north).await;
    // It wants fewer requests, and gets them.
    other.faults.refuse("/blobs/", http::StatusCode::TOO_MANY_REQUESTS, "1");
    let two = image("two", None);
    push(&north, "team/app", Some("v1"), &two).await.unwrap();
    both_serve(&north, &other, "v1", &two).await;
    north.replication.compare_now();
    idle(&north).await;
    assert!(north.replication.report(&name("team/app"), &two.manifest.digest).await.unwrap().complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_repositories_of_a_target_go_there() {
    let other = Server::start(Wanted::default()).await;
    let mut settings = region("north", other.address);
    settings.targets[0].prefixes = vec!["team".to_owned()];
    let north = Server::start(wanted(settings)).await;
    let one = image("one", None);
    push(&north, "teams/app", Some("v1"), &one).await.unwrap();
    push(&north, "team/app", Some("v1"), &one).await.unwrap();
    both_serve(&north, &other, "v1", &one).await;
    assert_eq!(other.remote().tags(&name("teams/app")).await.unwrap(), None);
    let report = north.replication.report(&name("teams/app"), &one.manifest.digest).await.unwrap();
    assert_eq!((report.complete, report.targets.len()), (true, 0));
}

/// A region that brings everything to another one, which brings nothing back.
async fn one_way(change: impl Fn(ReplicateSettings) -> ReplicateSettings) -> (Server, Server) {
    let nowhere = free_port().await;
    let south = Server::start(wanted(change(region("south", nowhere)))).await;
    let north = Server::start(wanted(change(region("north", south.address)))).await;
    (north, south)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_loses_against_another_regions_is_not_said_to_be_there() {
    let strict = |settings| ReplicateSettings { rule: Rule::Deny, acknowledge: Acknowledge::All, ..settings };
    let (north, south) = one_way(strict).await;
    let (of_north, of_south) = (image("of north", None), image("of south", None));
    move_silently(&south, "team/app", "v1", &of_south).await;
    let refused = push(&north, "team/app", Some("v1"), &of_north).await.unwrap_err();
    assert!(refused.to_string().contains("0 of 1"), "{refused}");
    assert_eq!(target(&south, "v1").await.as_ref(), Some(&of_south.manifest.digest));
    // Another tag is no conflict.
    push(&north, "team/app", Some("v2"), &of_north).await.unwrap();
    assert!(serves(&south, "team/app", "v2", &of_north).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_could_not_be_queued_is_not_said_to_be_there() {
    let other = Server::start(Wanted::default()).await;
    let faults = jeroboam_blobs::Faults::new(Arc::new(jeroboam_blobs::Memory::default()));
    let settings = ReplicateSettings { acknowledge: Acknowledge::All, ..region("north", other.address) };
    let north = Server::at("127.0.0.1:0".parse().unwrap(), Arc::new(faults.clone()), wanted(settings)).await;
    idle(&north).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let digest = Digest::sha256(b"a manifest");
    faults.fail_one_in(1, 7);
    let not_yet = north.replication.pushed(&name("team/app"), &digest, &[], None).await;
    faults.fail_one_in(0, 7);
    assert_eq!(not_yet, Err(NotYet { have: 0, wanted: 1 }));
}

/// Moves a tag in the store itself, so that nobody is told.
async fn move_silently(server: &Server, repository: &str, label: &str, image: &Image) {
    let (repository, local) = (name(repository), server.local());
    for (digest, bytes) in &image.blobs {
        server.store.put_small_blob(&repository, digest, bytes.clone()).await.unwrap();
    }
    let (label, always) = (tag(label), PutCondition::Always);
    crate::images::Images::put_manifest(&local, &repository, Some(&label), &image.manifest, &always, None)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_cannot_be_compared_does_not_keep_the_others() {
    let (north, south) = one_way(|settings| settings).await;
    let one = image("one", None);
    // In the order in which they are compared.
    move_silently(&north, "a/refused", "v1", &one).await;
    move_silently(&north, "team/app", "v1", &one).await;
    south.faults.refuse("a/refused/_x/", http::StatusCode::FORBIDDEN, "");
    north.replication.compare_now();
    both_serve(&north, &south, "v1", &one).await;
    assert_eq!(south.remote().tags(&name("a/refused")).await.unwrap(), None);
    north.replication.compare_now();
    until("it is compared the next time", || async { serves_tag(&south, "a/refused", "v1").await }).await;
}

async fn serves_tag(server: &Server, repository: &str, label: &str) -> bool {
    server.remote().head_manifest(&name(repository), &by_tag(label)).await.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn caches_of_other_registries_are_not_kept_alike() {
    let left_out = vec![Prefix::Below("hub".to_owned())];
    let (north, south) = one_way(move |settings| ReplicateSettings { left_out: left_out.clone(), ..settings }).await;
    let one = image("one", None);
    push(&north, "hub/app", Some("v1"), &one).await.unwrap();
    move_silently(&north, "hub/other", "v1", &one).await;
    // One of our own, whatever lies below its name.
    move_silently(&north, "hub", "v1", &one).await;
    move_silently(&north, "team/app", "v1", &one).await;
    north.replication.compare_now();
    both_serve(&north, &south, "v1", &one).await;
    idle(&north).await;
    assert!(serves(&south, "hub", "v1", &one).await);
    assert_eq!(south.remote().repositories().await.unwrap(), [name("hub"), name("team/app")]);
    let report = north.replication.report(&name("hub/app"), &one.manifest.digest).await.unwrap();
    assert!(report.targets.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_image_that_is_damaged_here_keeps_no_others() {
    let (north, south) = one_way(|settings| settings).await;
    let (bad, good) = (image("bad", None), image("good", None));
    move_silently(&north, "a/bad", "v1", &bad).await;
    let path = jeroboam_oci::layout::blob(&bad.blobs[1].0);
    north.blobs.delete(&[path]).await.unwrap();
    north.store.forget_blobs(&[bad.blobs[1].0.clone()]).await;
    north.replication.compare_now();
    until("it is known that something is wrong", || async { north.replication.backlog()[0].2.is_some() }).await;
    let begun = std::time::Instant::now();
    for n in 0..10 {
        push(&north, "team/app", Some(&format!("v{n}")), &good).await.unwrap();
    }
    both_serve(&north, &south, "v9", &good).await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_here_removes_nothing_there() {
    let (north, south) = one_way(|settings| ReplicateSettings { deletes: true, ..settings }).await;
    let one = image("one", None);
    push(&north, "team/app", Some("v1"), &one).await.unwrap();
    both_serve(&north, &south, "v1", &one).await;
    idle(&north).await;
    // A torn link: the repository has no such manifest any more, and nobody removed it.
    for path in [
        jeroboam_oci::layout::revision(&name("team/app"), &one.manifest.digest),
        jeroboam_oci::layout::tag_current(&name("team/app"), &tag("v1")),
    ] {
        north.blobs.put(&path, "".into(), jeroboam_blobs::Condition::Always).await.unwrap();
    }
    let (at, blobs) = north.kill().await;
    let settings = ReplicateSettings { deletes: true, ..region("north", south.address) };
    let north = Server::at(at, blobs, wanted(settings)).await;
    north.replication.pushed(&name("team/app"), &one.manifest.digest, &[], None).await.unwrap();
    north.replication.compare_now();
    tokio::time::sleep(Duration::from_millis(300)).await;
    idle(&north).await;
    assert!(serves(&south, "team/app", "v1", &one).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_nobody_was_told_of_is_one_all_the_same() {
    for deletes in [false, true] {
        let (north, south) = regions(|settings| ReplicateSettings { deletes, ..settings }).await;
        let one = image("one", None);
        push(&north, "team/app", Some("v1"), &one).await.unwrap();
        both_serve(&north, &south, "v1", &one).await;
        idle(&north).await;
        // The process dies between the removal and the moment at which the others would be told.
        let (repository, reference) = (name("team/app"), by_tag("v1"));
        assert_eq!(north.replication.deleting(&repository, &reference, None).await.unwrap(), [tag("v1")]);
        north.store.delete_tag(&repository, &tag("v1"), &crate::store::TagCondition::Always).await.unwrap();
        for server in [&south, &north] {
            server.replication.compare_now();
        }
        if deletes {
            until("it is gone there, too", || async { target(&south, "v1").await.is_none() }).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        idle(&north).await;
        idle(&south).await;
        assert_eq!(target(&north, "v1").await, None, "it does not come back");
        assert_eq!(target(&south, "v1").await.is_none(), deletes);
        // And one that did not come about is none: both go on from what both have.
        push(&north, "team/app", Some("v2"), &one).await.unwrap();
        both_serve(&north, &south, "v2", &one).await;
        idle(&north).await;
        north.replication.deleting(&repository, &by_tag("v2"), None).await.unwrap();
        let two = image("two", None);
        push(&south, "team/app", Some("v2"), &two).await.unwrap();
        both_serve(&north, &south, "v2", &two).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_other_regions_are_believed_when_a_tag_was_moved() {
    let accounts = Believed::Accounts(["south".to_owned()].into());
    let (north, south) = one_way(move |settings| ReplicateSettings { believed: accounts.clone(), ..settings }).await;
    let header = HeaderMap::from_iter([(STAMP, "2026-11-22T00:00:00Z south".parse().unwrap())]);
    assert!(north.replication.stamp_of(&header, Some("south")).is_some());
    for other in [Some("mallory"), None] {
        assert_eq!(north.replication.stamp_of(&header, other), None);
    }
    // Whoever claims to be another region has their push brought to all like anybody's.
    let one = image("one", None);
    for (digest, bytes) in &one.blobs {
        north.store.put_small_blob(&name("team/app"), digest, bytes.clone()).await.unwrap();
    }
    let (remote, label) = (north.remote(), tag("v1"));
    let (always, stamp) = (PutCondition::Always, Stamp::parse("2026-11-22T00:00:00Z south"));
    remote.put_manifest(&name("team/app"), Some(&label), &one.manifest, &always, stamp.as_ref()).await.unwrap();
    both_serve(&north, &south, "v1", &one).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_are_compared() {
    let (north, south) = one_way(|settings| settings).await;
    let one = image("one", None);
    push(&north, "team/app", Some("v1"), &one).await.unwrap();
    both_serve(&north, &south, "v1", &one).await;
    for n in 0..1200 {
        let label = tag(&format!("t{n:04}"));
        south
            .store
            .point_tag(&name("team/app"), &label, &one.manifest.digest, &one.manifest.digest, None)
            .await
            .unwrap();
    }
    south.faults.asked("");
    let snapshot = south.remote().snapshot(&name("team/app")).await.unwrap().unwrap();
    assert_eq!(snapshot.len(), 1201);
    assert!(snapshot.values().all(|state| state.digest.as_ref() == Some(&one.manifest.digest)));
    assert_eq!(south.faults.asked("/_x/replication/").len(), 3);
}

/// The same registry at an address where nobody is answered about some paths before there is a permit.
async fn held_back(server: &Server, part: &'static str) -> (SocketAddr, Arc<Semaphore>, tokio::task::JoinSet<()>) {
    let gate = Arc::new(Semaphore::new(0));
    let gate_s = gate.clone();
    let hold = axum::middleware::from_fn(move |request: axum::extract::Request, next: axum::middleware::Next| {
        let gate = gate_s.clone();
        async move {
            if request.uri().path().contains(part) {
                let _permit = gate.acquire().await;
            }
            next.run(request).await
        }
    });
    let peer = crate::auth::Peer { address: Some("127.0.0.1".parse().unwrap()), ..Default::default() };
    let app = crate::http::service(server.registry.clone()).layer(axum::Extension(peer)).layer(hold);
    let (address, tasks) = crate::bed::listen("127.0.0.1:0".parse().unwrap(), app).await;
    (address, gate, tasks)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_slow_image_keeps_no_later_ones() {
    let other = Server::start(Wanted::default()).await;
    let (address, gate, _tasks) = held_back(&other, "/a/slow/").await;
    let north = Server::start(wanted(region("north", address))).await;
    let (slow, quick) = (image("slow", None), image("quick", None));
    push(&north, "a/slow", Some("v1"), &slow).await.unwrap();
    // Until it is being worked on.
    tokio::time::sleep(Duration::from_millis(300)).await;
    for n in 0..8 {
        push(&north, "team/app", Some(&format!("v{n}")), &quick).await.unwrap();
    }
    until("the others are there", || async { serves(&other, "team/app", "v7", &quick).await }).await;
    assert!(!serves_tag(&other, "a/slow", "v1").await);
    gate.add_permits(1);
    until("so is the slow one", || async { serves(&other, "a/slow", "v1", &slow).await }).await;
    idle(&north).await;
}
