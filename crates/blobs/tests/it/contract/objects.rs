//! Objects appear whole or not at all.

use futures::future::join_all;

use super::*;

pub(super) async fn all(place: &SharedBlobs, bed: &Bed<'_>) {
    what_is_not_there_is_no_error(place, bed).await;
    small_objects_are_replaced_whole(place, bed).await;
    a_condition_protects_what_is_there(place, bed).await;
    notes_come_back_where_they_are_kept(place, bed).await;
    objects_of_all_sizes_come_back(place, bed).await;
    ranges_are_exact(place, bed).await;
    nobody_sees_an_object_before_its_commit(place, bed).await;
    an_abort_leaves_what_was_there(place, bed).await;
    a_wrong_size_is_refused(place, bed).await;
    one_of_many_writers_wins(place, bed).await;
    a_reader_never_gets_a_mixture(place, bed).await;
    deleting_is_idempotent(place, bed).await;
    objects_are_relocated(place, bed).await;
    bad_paths_are_refused(place).await;
    addresses_are_given_where_they_are_promised(place, bed).await;
}

async fn what_is_not_there_is_no_error(place: &SharedBlobs, bed: &Bed<'_>) {
    is_absent(place, "nothing", &bed.path("nothing")).await;
    put(place, &bed.path("leaf"), &bytes(1, 0..3)).await;
    is_absent(place, "below an object", &bed.path("leaf/below")).await;
    put(place, &bed.path("folder/leaf"), &bytes(1, 0..3)).await;
    is_absent(place, "a folder", &bed.path("folder")).await;
}

async fn small_objects_are_replaced_whole(place: &SharedBlobs, bed: &Bed<'_>) {
    let path = bed.path("small/link");
    for (seed, size) in [(1, 71), (2, 0), (3, 135), (4, 1), (5, 100_000)] {
        let content = bytes(seed, 0..size);
        put(place, &path, &content).await;
        holds(place, &format!("put of {size}"), &path, &content).await;
    }
    let meta = place.head(&path, Freshness::Newest).await.expect("an answer").expect("an object");
    assert!(meta.modified.is_some(), "a store knows when it was written");
}

async fn a_condition_protects_what_is_there(place: &SharedBlobs, bed: &Bed<'_>) {
    let path = bed.path("condition");
    let first = place.put(&path, bytes(1, 0..9), Condition::Absent).await.expect("an answer");
    let second = place.put(&path, bytes(2, 0..9), Condition::Absent).await.expect("an answer");
    assert_eq!((first, second), (Written::Yes, Written::Refused));
    holds(place, "the first stays", &path, &bytes(1, 0..9)).await;
    if !place.capabilities().create_if_absent {
        return;
    }
    let path = bed.path("condition-of-many");
    let all = join_all((0..8).map(|seed| place.put(&path, bytes(seed, 0..9), Condition::Absent))).await;
    let wins: Vec<u64> =
        (0..8).zip(&all).filter(|(_, written)| matches!(written, Ok(Written::Yes))).map(|(seed, _)| seed).collect();
    if place.capabilities().one_is_first {
        assert_eq!(wins.len(), 1, "of many at the same moment one is first");
    }
    let object = place.read(&path, None, Freshness::Newest).await.expect("an answer").expect("an object");
    let content = collect(object.body).await.expect("a body");
    assert!(wins.iter().any(|seed| bytes(*seed, 0..9) == content), "what is there is of one who was told so");
}

async fn notes_come_back_where_they_are_kept(place: &SharedBlobs, bed: &Bed<'_>) {
    let path = bed.path("noted");
    let (first, second, note) = (bytes(1, 0..71), bytes(2, 0..71), "1234 application/vnd.a.b+json");
    let noted =
        || async { place.read(&path, None, Freshness::Newest).await.expect("an answer").expect("an object").note };
    put(place, &path, &first).await;
    assert_eq!(noted().await, None);
    place.put_noted(&path, second.clone(), note).await.expect("written");
    holds(place, "what was noted at", &path, &second).await;
    assert_eq!(noted().await.as_deref(), bed.notes.then_some(note));
    let again = (bed.open)().await;
    holds(&again, "the same for another process", &path, &second).await;
    put(place, &path, &first).await;
    assert_eq!(noted().await, None, "what is written anew has the notes that come with it");
}

async fn objects_of_all_sizes_come_back(place: &SharedBlobs, bed: &Bed<'_>) {
    for size in [0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, bed.large] {
        for known in [true, false] {
            let path = bed.path(&format!("sizes/{size}-{known}/data"));
            let content = bytes(size, 0..size);
            create(place, &path, &content, known.then_some(size)).await.expect("written");
            holds(place, &format!("{size} bytes, size known: {known}"), &path, &content).await;
        }
    }
}

async fn ranges_are_exact(place: &SharedBlobs, bed: &Bed<'_>) {
    let path = bed.path("ranges/data");
    let size = bed.large;
    let content = bytes(7, 0..size);
    create(place, &path, &content, Some(size)).await.expect("written");
    let ranges = [0..1, 0..size, size - 1..size, 5 * MIB - 3..5 * MIB + 3, 1000..1000, MIB..3 * MIB + 1, size..size];
    for range in ranges {
        let object =
            place.read(&path, Some(range.clone()), Freshness::Any).await.expect("an answer").expect("an object");
        assert_eq!(object.meta.size, size, "{range:?}: the size is that of the whole");
        let part = collect(object.body).await.expect("a body");
        same(&format!("{range:?}"), Some(&part), &content.slice(range.start as usize..range.end as usize));
    }
    for range in [0..size + 1, size..size + 1, size + 5..size + 9] {
        let outcome = place.read(&path, Some(range.clone()), Freshness::Any).await;
        assert_eq!(kind(outcome, &format!("{range:?}")), Kind::Misuse, "{range:?}");
    }
}

async fn nobody_sees_an_object_before_its_commit(place: &SharedBlobs, bed: &Bed<'_>) {
    let path = bed.path("unseen/data");
    for known in [None, Some(bed.large)] {
        let mut writer = place.create(&path, known).await.expect("begun");
        for piece in pieces(&bytes(1, 0..bed.large)) {
            writer.write(piece).await.expect("taken");
        }
        is_absent(place, "before the commit", &path).await;
        assert!(all_pages(place, &bed.path("unseen/"), false, 10).await.is_empty(), "a listing shows nothing either");
        drop(writer);
        is_absent(place, "after it was dropped", &path).await;
    }
}

async fn an_abort_leaves_what_was_there(place: &SharedBlobs, bed: &Bed<'_>) {
    let path = bed.path("aborted/data");
    let old = bytes(1, 0..1000);
    put(place, &path, &old).await;
    for (size, known) in [(10, None), (10, Some(10)), (6 * MIB, None), (bed.large, Some(bed.large))] {
        let mut writer = place.create(&path, known).await.expect("begun");
        for piece in pieces(&bytes(2, 0..size)) {
            writer.write(piece).await.expect("taken");
        }
        writer.abort().await;
        holds(place, &format!("after an abort of {size}"), &path, &old).await;
    }
}

async fn a_wrong_size_is_refused(place: &SharedBlobs, bed: &Bed<'_>) {
    let path = bed.path("wrong/data");
    let old = bytes(1, 0..1000);
    put(place, &path, &old).await;
    for (said, came) in [(10, 9), (9, 10), (0, 1), (1, 0), (6 * MIB, 6 * MIB - 1), (6 * MIB, 6 * MIB + 1)] {
        let outcome = create(place, &path, &bytes(2, 0..came), Some(said)).await;
        assert_eq!(kind(outcome, "a wrong size"), Kind::Misuse, "{came} bytes instead of {said}");
        holds(place, &format!("{came} bytes instead of {said}"), &path, &old).await;
    }
}

async fn one_of_many_writers_wins(place: &SharedBlobs, bed: &Bed<'_>) {
    let path = bed.path("contended/data");
    let contents: Vec<_> = (0..6).map(|seed| bytes(seed, 0..200_000 + seed)).collect();
    let outcomes =
        join_all(contents.iter().map(|content| create(place, &path, content, Some(content.len() as u64)))).await;
    for outcome in outcomes {
        outcome.expect("each of them is written");
    }
    let is = read(place, &path, None).await.expect("an object");
    assert!(contents.contains(&is), "a mixture of {} bytes", is.len());
}

async fn a_reader_never_gets_a_mixture(place: &SharedBlobs, bed: &Bed<'_>) {
    let path = bed.path("replaced/data");
    let (old, new) = (bytes(1, 0..bed.large), bytes(2, 0..bed.large));
    create(place, &path, &old, None).await.expect("written");
    let object = place.read(&path, None, Freshness::Any).await.expect("an answer").expect("an object");
    create(place, &path, &new, None).await.expect("written");
    match collect(object.body).await {
        Ok(is) => assert!(is == old || is == new, "a mixture of {} bytes", is.len()),
        Err(error) => assert_ne!(error.kind(), Kind::Misuse),
    }
}

async fn deleting_is_idempotent(place: &SharedBlobs, bed: &Bed<'_>) {
    let paths: Vec<_> = (0..12).map(|number| bed.path(&format!("deleted/{number}/link"))).collect();
    for path in &paths {
        put(place, path, &bytes(1, 0..71)).await;
    }
    let large = bed.path("deleted/large/data");
    create(place, &large, &bytes(1, 0..bed.large), None).await.expect("written");
    let mut gone = paths[1..].to_vec();
    gone.extend([large.clone(), bed.path("deleted/never-there")]);
    place.delete(&gone).await.expect("deleted");
    place.delete(&gone).await.expect("deleted again");
    place.delete(&[]).await.expect("nothing");
    is_absent(place, "deleted", &large).await;
    is_absent(place, "deleted", &paths[1]).await;
    holds(place, "the one that was not named", &paths[0], &bytes(1, 0..71)).await;
    let left = all_pages(place, &bed.path("deleted/"), false, 100).await;
    assert_eq!(super::paths(&left), [&paths[0]]);
}

async fn objects_are_relocated(place: &SharedBlobs, bed: &Bed<'_>) {
    let (from, to) = (bed.path("moved/from/data"), bed.path("moved/to/deep/data"));
    for size in [71, 0, bed.large] {
        let content = bytes(size, 0..size);
        create(place, &from, &content, None).await.expect("written");
        place.relocate(&from, &to).await.expect("moved");
        is_absent(place, "moved away", &from).await;
        holds(place, &format!("moved here, {size} bytes"), &to, &content).await;
        assert_eq!(kind(place.relocate(&from, &to).await, "nothing to move"), Kind::Misuse);
        holds(place, "what is there when nothing is to be moved", &to, &content).await;
    }
}

async fn bad_paths_are_refused(place: &SharedBlobs) {
    for path in ["", "/a", "a/", "a//b", "../a", "a/../../b", "a/./b"] {
        assert_eq!(kind(place.head(path, Freshness::Any).await, path), Kind::Misuse, "head {path:?}");
        let put = place.put(path, Bytes::from_static(b"1"), Condition::Always).await;
        assert_eq!(kind(put, path), Kind::Misuse, "put {path:?}");
    }
}

async fn addresses_are_given_where_they_are_promised(place: &SharedBlobs, bed: &Bed<'_>) {
    let path = bed.path("presigned/data");
    put(place, &path, &bytes(1, 0..100)).await;
    let address = place.presign(&path, std::time::Duration::from_secs(60)).await.expect("an answer");
    assert_eq!(address.is_some(), place.capabilities().presign);
}
