//! Uploads go on after a crash, from what was saved.

use jeroboam_blobs::{Sweep, UploadState};
use jeroboam_model::Timestamp;

use super::*;

pub(super) async fn all(place: &SharedBlobs, bed: &Bed<'_>) {
    uploads_of_all_sizes_become_objects(place, bed).await;
    an_upload_goes_on_in_another_process(bed).await;
    what_is_behind_the_offset_is_forgotten(bed).await;
    the_state_before_the_last_is_still_good(bed).await;
    of_two_processes_each_has_its_own_bytes_or_is_told(bed).await;
    what_is_stored_is_what_was_written(bed).await;
    an_upload_replaces_what_is_there(place, bed).await;
    a_discarded_upload_is_gone(place, bed).await;
    a_sweep_takes_what_nobody_finishes(place, bed).await;
}

fn at(bed: &Bed<'_>, name: &str) -> String {
    bed.path(&format!("repositories/a/_uploads/{name}/data"))
}

/// Writes bytes `range` of the content of `seed` to an upload that is opened anew, and saves it.
async fn go_on(bed: &Bed<'_>, at: &str, state: Option<UploadState>, seed: u64, until: u64) -> UploadState {
    let place = (bed.open)().await;
    let from = state.as_ref().map_or(0, |state| state.offset);
    let mut upload = place.upload(at, state).await.expect("an upload");
    for piece in pieces(&bytes(seed, from..until)) {
        upload.write(piece).await.expect("taken");
    }
    let state = upload.save().await.expect("saved");
    assert_eq!(state.offset, until, "so much is safe");
    // A state is kept as text.
    serde_json::from_str(&serde_json::to_string(&state).expect("text")).expect("a state")
}

async fn finish(bed: &Bed<'_>, at: &str, state: UploadState, path: &str) {
    let place = (bed.open)().await;
    let upload = place.upload(at, Some(state)).await.expect("an upload");
    upload.commit(path).await.expect("committed");
}

async fn uploads_of_all_sizes_become_objects(place: &SharedBlobs, bed: &Bed<'_>) {
    for size in [0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, bed.large] {
        let (at, path) = (at(bed, &format!("size-{size}")), bed.path(&format!("uploaded/{size}/data")));
        let mut upload = place.upload(&at, None).await.expect("an upload");
        for piece in pieces(&bytes(size, 0..size)) {
            upload.write(piece).await.expect("taken");
        }
        is_absent(place, "before the commit", &path).await;
        upload.commit(&path).await.expect("committed");
        holds(place, &format!("uploaded, {size} bytes"), &path, &bytes(size, 0..size)).await;
    }
    let left = all_pages(place, &bed.path("repositories/"), false, 100).await;
    assert_eq!(paths(&left), [""; 0], "an upload is gone once it is an object");
}

async fn an_upload_goes_on_in_another_process(bed: &Bed<'_>) {
    let at = at(bed, "goes-on");
    let path = bed.path("goes-on/data");
    let mut state = None;
    // Less than a part, several times; then more than one; then nothing at all.
    let ends = [0, 1, MIB, MIB, 2 * MIB + 7, 9 * MIB, 9 * MIB + 1, bed.large.max(10 * MIB)];
    for until in ends {
        state = Some(go_on(bed, &at, state, 3, until).await);
    }
    let state = state.expect("a state");
    let size = state.offset;
    finish(bed, &at, state, &path).await;
    holds(&(bed.open)().await, "put together", &path, &bytes(3, 0..size)).await;
}

async fn what_is_behind_the_offset_is_forgotten(bed: &Bed<'_>) {
    for (name, saved, lost, size) in [
        ("short", 1000, 2000, 1500),
        ("none", 0, 2000, 1500),
        ("parts", 6 * MIB, 14 * MIB, 13 * MIB),
        ("only", 6 * MIB, 14 * MIB, 6 * MIB),
    ] {
        let (at, path) = (at(bed, &format!("forgets-{name}")), bed.path(&format!("forgets-{name}/data")));
        let state = go_on(bed, &at, None, 4, saved).await;
        let place = (bed.open)().await;
        let mut upload = place.upload(&at, Some(state.clone())).await.expect("an upload");
        for piece in pieces(&bytes(5, saved..lost)) {
            upload.write(piece).await.expect("taken");
        }
        drop(upload);
        let state = go_on(bed, &at, Some(state), 4, size).await;
        finish(bed, &at, state, &path).await;
        holds(&place, name, &path, &bytes(4, 0..size)).await;
    }
}

async fn the_state_before_the_last_is_still_good(bed: &Bed<'_>) {
    let steps =
        [(MIB, 2 * MIB, 3 * MIB), (MIB, 8 * MIB, 3 * MIB), (6 * MIB, 7 * MIB, 9 * MIB), (7 * MIB, 13 * MIB, 8 * MIB)];
    for (number, (first, second, size)) in steps.into_iter().enumerate() {
        let (at, path) = (at(bed, &format!("before-{number}")), bed.path(&format!("before-{number}/data")));
        let before = go_on(bed, &at, None, 6, first).await;
        let _lost = go_on(bed, &at, Some(before.clone()), 7, second).await;
        let again = go_on(bed, &at, Some(before), 6, size).await;
        finish(bed, &at, again, &path).await;
        holds(&(bed.open)().await, &format!("{first}, {second}, {size}"), &path, &bytes(6, 0..size)).await;
    }
}

/// One process was given up for dead and goes on all the same.
async fn of_two_processes_each_has_its_own_bytes_or_is_told(bed: &Bed<'_>) {
    let saved = 7 * MIB;
    for (name, late) in [("before", false), ("after", true)] {
        let at = at(bed, &format!("two-{name}"));
        let state = go_on(bed, &at, None, 8, saved).await;
        let (ours, theirs) = (bed.path(&format!("two-{name}/ours")), bed.path(&format!("two-{name}/theirs")));
        let first = (bed.open)().await;
        let mut upload = first.upload(&at, Some(state.clone())).await.expect("an upload");
        for piece in pieces(&bytes(9, saved..saved + 6 * MIB)) {
            upload.write(piece).await.expect("taken");
        }
        let second = go_on(bed, &at, Some(state), 8, saved + 1000).await;
        let first_ends = async {
            upload.write(bytes(9, saved + 6 * MIB..saved + 6 * MIB + 7)).await?;
            upload.save().await?;
            upload.commit(&ours).await
        };
        let second_ends = async { (bed.open)().await.upload(&at, Some(second)).await?.commit(&theirs).await };
        let outcomes = if late {
            let second = second_ends.await;
            (first_ends.await, second)
        } else {
            (first_ends.await, second_ends.await)
        };
        assert!(outcomes.0.is_ok() || outcomes.1.is_ok(), "{name}: nobody got to an end: {outcomes:?}");
        let place = (bed.open)().await;
        if outcomes.0.is_ok() {
            let whole = [bytes(8, 0..saved), bytes(9, saved..saved + 6 * MIB + 7)].concat().into();
            holds(&place, &format!("{name}: the first"), &ours, &whole).await;
        }
        if outcomes.1.is_ok() {
            holds(&place, &format!("{name}: the second"), &theirs, &bytes(8, 0..saved + 1000)).await;
        }
        place.delete(&[ours, theirs]).await.expect("removed");
    }
}

async fn what_is_stored_is_what_was_written(bed: &Bed<'_>) {
    for size in [0, 1000, MIB, 11 * MIB + 3] {
        let at = at(bed, &format!("stored-{size}"));
        let path = bed.path(&format!("stored-{size}/data"));
        let state = if size > MIB { Some(go_on(bed, &at, None, 5, 6 * MIB).await) } else { None };
        let from = state.as_ref().map_or(0, |state| state.offset);
        let place = (bed.open)().await;
        let mut upload = place.upload(&at, state).await.expect("an upload");
        for piece in pieces(&bytes(5, from..size)) {
            upload.write(piece).await.expect("taken");
        }
        let stored = collect(upload.stored().await.expect("its bytes")).await.expect("all of them");
        same(&format!("{size} bytes as they are stored"), Some(&stored), &bytes(5, 0..size));
        is_absent(&place, "although it was read", &path).await;
        upload.commit(&path).await.expect("committed");
        holds(&place, &format!("{size} bytes that were read before"), &path, &bytes(5, 0..size)).await;
    }
}

async fn an_upload_replaces_what_is_there(place: &SharedBlobs, bed: &Bed<'_>) {
    let path = bed.path("uploaded-over/data");
    put(place, &path, &bytes(1, 0..10)).await;
    let at = at(bed, "over");
    let state = go_on(bed, &at, None, 2, 6 * MIB).await;
    holds(place, "until the commit", &path, &bytes(1, 0..10)).await;
    finish(bed, &at, state, &path).await;
    holds(place, "after the commit", &path, &bytes(2, 0..6 * MIB)).await;
}

async fn a_discarded_upload_is_gone(place: &SharedBlobs, bed: &Bed<'_>) {
    for size in [0, 1000, 6 * MIB + 5] {
        let at = at(bed, &format!("discarded-{size}"));
        let state = go_on(bed, &at, None, 1, size).await;
        place.discard_upload(&at, &state).await.expect("discarded");
        place.discard_upload(&at, &state).await.expect("discarded twice");
        let path = bed.path("discarded/data");
        let committed = match place.upload(&at, Some(state)).await {
            Ok(upload) => upload.commit(&path).await,
            Err(error) => Err(error),
        };
        assert!(committed.is_err() || size == 0, "{size} bytes came back");
        let state = go_on(bed, &at, None, 2, 500).await;
        finish(bed, &at, state, &path).await;
        holds(place, "an upload at the same place", &path, &bytes(2, 0..500)).await;
    }
}

async fn a_sweep_takes_what_nobody_finishes(place: &SharedBlobs, bed: &Bed<'_>) {
    let (kept, dropped) = (at(bed, "kept"), at(bed, "dropped"));
    let state = go_on(bed, &kept, None, 1, 6 * MIB + 9).await;
    go_on(bed, &dropped, None, 2, 6 * MIB + 9).await;
    let object = bed.path("swept/data");
    create(place, &object, &bytes(3, 0..bed.large), None).await.expect("written");
    let mut writer = place.create(&bed.path("swept/never"), None).await.expect("begun");
    for piece in pieces(&bytes(4, 0..bed.large)) {
        writer.write(piece).await.expect("taken");
    }
    drop(writer);
    // What was on its way when it was dropped may still arrive.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;

    let live = [kept.clone()];
    let sweep = |older_than, dry_run| Sweep { older_than, live: &live, dry_run };
    let past = Timestamp::UNIX_EPOCH;
    let future: Timestamp = "2400-01-01T00:00:00Z".parse().expect("a moment");
    assert_eq!(place.sweep(sweep(past, false)).await.expect("swept").objects, 0, "all of it is younger");
    let looked = place.sweep(sweep(future, true)).await.expect("looked for");
    let took = place.sweep(sweep(future, false)).await.expect("swept");
    assert_eq!(looked, took, "what a dry run shows is what goes");
    assert_eq!(place.sweep(sweep(future, false)).await.expect("swept").objects, 0, "nothing is left");

    holds(place, "an object", &object, &bytes(3, 0..bed.large)).await;
    let state = go_on(bed, &kept, Some(state), 1, 7 * MIB).await;
    finish(bed, &kept, state, &bed.path("swept/kept")).await;
    holds(place, "an upload that goes on", &bed.path("swept/kept"), &bytes(1, 0..7 * MIB)).await;
}
