//! Every interleaving of clients, collectors, crashes and slow listings in a small world: nothing that a client relies on is ever collected, and
//! each rule of the protocol is needed for that.

mod collector;
mod search;
mod server;
mod world;

use search::{Found, search};
use world::Rule::{
    KeepBefore, KeepUnreadable, LeaseAfterWarrant, LookAtClock, LookAtEpoch, LookForWarrant, Promise,
    PromiseBeforeLook, SecondMark, SelfFence, Settle, WriteThrough,
};
use world::What::{Head, Mount, PutManifest, Upload};
use world::{Event, Rule, Scene, Start, Store};

/// More worlds than any scene has.
const MOST: usize = 1_000_000;

/// A client pushes, to two processes by turns, a blob that nothing refers to.
const PUSH: Scene = Scene {
    without: &[],
    start: Start::Unreferenced,
    asks: &[(Head, 0), (Upload, 0), (PutManifest, 0)],
    servers: 2,
    requests: 2,
    collectors: 1,
    crashes: 0,
    failures: 0,
    lag: 1,
    epochs: 1,
    lazy: 2,
};

/// A client only looks whether the blob is there.
const LOOK: Scene = Scene { asks: &[(Head, 0)], requests: 1, ..PUSH };

/// A client looks, and then pushes a manifest.
const LOOK_AND_PUT: Scene = Scene { asks: &[(Head, 0), (PutManifest, 0)], servers: 1, ..PUSH };

/// A blob comes to be used in another repository while its manifest goes from the first.
const MOVE: Scene =
    Scene { start: Start::Referenced, asks: &[(Mount, 1), (PutManifest, 1)], servers: 1, requests: 3, ..PUSH };

/// A process that has promised something ends without a word, and begins anew.
const CRASH: Scene = Scene { crashes: 1, ..LOOK };

/// The collector ends without a word in the middle of a sweep, and begins anew; or stands still for long.
const SWEEP: Scene = Scene { start: Start::Sweeping, servers: 1, crashes: 1, lazy: 6, ..PUSH };

/// A repository cannot be read by a mark.
const FAILURE: Scene = Scene { start: Start::Referenced, requests: 0, failures: 2, ..PUSH };

/// Two collectors in the middle of a sweep, each of which may stand still for long.
const TWO: Scene = Scene { asks: LOOK.asks, requests: 1, crashes: 0, collectors: 2, ..SWEEP };

/// A collector in the middle of a sweep that does not know of another one, as after a store has been divided: that there is one collector saves work,
/// and is not what keeps blobs.
const OVERTAKEN: Scene = Scene { start: Start::Overtaken, crashes: 0, lazy: 8, ..SWEEP };

fn never_wrong(scene: Scene) {
    match search(Store::begin(scene), MOST) {
        Found::Nothing(worlds) => assert!(worlds > 200, "only {worlds} worlds"),
        Found::Wrong { what, way } => panic!("{what}:\n{}", told(&way)),
    }
}

/// Without these rules something goes wrong. How is shown to whoever asks for the output of tests.
#[expect(clippy::print_stderr, reason = "the shortest way to a lost blob is worth reading: --nocapture shows it")]
fn wrong_without(rules: &'static [Rule], scene: Scene) {
    match search(Store::begin(Scene { without: rules, ..scene }), MOST) {
        Found::Nothing(worlds) => panic!("nothing goes wrong without {rules:?}, in {worlds} worlds"),
        Found::Wrong { what, way } => eprintln!("without {rules:?} {what}:\n{}", told(&way)),
    }
}

fn told(way: &[Event]) -> String {
    way.iter().map(|event| format!("  {event:?}\n")).collect()
}

#[test]
fn a_push_beside_a_collector_loses_nothing() {
    never_wrong(PUSH);
}

#[test]
fn a_blob_that_moves_between_repositories_is_not_lost() {
    never_wrong(MOVE);
}

#[test]
fn a_crash_forgets_no_promise() {
    never_wrong(CRASH);
}

#[test]
fn a_sweep_that_is_cut_or_stands_still_loses_nothing() {
    never_wrong(SWEEP);
}

#[test]
fn what_cannot_be_read_is_kept() {
    never_wrong(FAILURE);
}

#[test]
fn one_collector_after_the_other_loses_nothing() {
    never_wrong(TWO);
}

#[test]
fn two_collectors_at_once_lose_nothing_either() {
    never_wrong(OVERTAKEN);
    never_wrong(Scene { start: Start::OvertakenLate, ..OVERTAKEN });
}

#[test]
fn somebody_has_to_promise() {
    wrong_without(&[Promise], LOOK);
}

#[test]
fn the_promise_comes_before_the_look() {
    wrong_without(&[PromiseBeforeLook], LOOK);
}

#[test]
fn a_lease_is_written_before_the_answer() {
    wrong_without(&[WriteThrough], LOOK);
    wrong_without(&[WriteThrough], SWEEP);
}

#[test]
fn a_promise_looks_for_a_warrant() {
    wrong_without(&[LookForWarrant], SWEEP);
}

#[test]
fn a_collector_looks_for_a_lease_after_its_warrant() {
    wrong_without(&[LeaseAfterWarrant], SWEEP);
}

#[test]
fn one_mark_is_not_enough() {
    wrong_without(&[SecondMark], LOOK_AND_PUT);
}

#[test]
fn old_promises_have_to_end_before_the_second_mark() {
    wrong_without(&[Settle], LOOK);
}

#[test]
fn who_is_out_of_touch_may_not_promise() {
    wrong_without(&[SelfFence], LOOK);
}

#[test]
fn what_cannot_be_read_may_refer_to_anything() {
    wrong_without(&[KeepUnreadable], FAILURE);
}

#[test]
fn a_collector_looks_at_the_clock() {
    wrong_without(&[LookAtClock], SWEEP);
}

#[test]
fn of_two_collectors_one_sees_the_other_s_announcement() {
    wrong_without(&[LookAtEpoch], OVERTAKEN);
}

#[test]
fn of_two_collectors_the_slower_one_is_still_reckoned_with() {
    wrong_without(&[KeepBefore], Scene { start: Start::OvertakenLate, ..OVERTAKEN });
}
