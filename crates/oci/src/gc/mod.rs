//! The protocol by which blobs are collected while clients push: decisions only, no I/O and no clock.
//!
//! The words, and who decides what:
//!
//! * A **mark** finds which blobs nothing refers to ([`Mark`]). What a mark finds is announced as the **candidates** of an **epoch** ([`Epoch`]) before
//!   anything is done about it, and nothing but a candidate is ever collected.
//! * Every process that answers clients reads the announcement once per interval ([`Adoption`]). One that has not managed to for two intervals promises
//!   nothing more (it fences itself off). Once it knows the candidates, a **promise** that one of them stays is written into the store, as a
//!   **lease** under a name that follows from the epoch and the candidate, before the answer leaves. So a crash forgets no promise: one about a
//!   candidate is written down, and one about anything else, or from before the announcement, has ended by the time of the sweep.
//! * Of all processes one **collects** ([`lead`]). It sweeps no earlier than two intervals, the grace time and some slack after the announcement,
//!   and only what a second mark, begun after that, finds unreferenced again ([`Epoch::sweep`]).
//! * Right before each removal it writes a **warrant** and then looks for a lease ([`judge`]); a promise writes the lease and then looks for a warrant
//!   ([`Adoption::passage`]). Whoever comes second sees the other: the collector spares, or the promise waits until the candidate is gone or spared.
//!   Both look under exact names, never into a listing.
//! * What could not be read is no evidence: all that it may refer to is kept ([`Mark::keep`]).
//!
//! Times that have to be right between machines: clocks differ by less than the slack, and from a look at the clock to the effect of the request that
//! follows from it passes less than the slack. `tests/gc.rs` searches all interleavings of a small world that takes these very decisions.

mod adoption;
mod collector;
mod epoch;
mod key;
mod mark;
pub mod paths;
mod times;

pub use adoption::{Adopted, Adoption, Lease, Passage, Promise};
pub use collector::{Facts, Issue, Lead, Leader, Next, Spared, Stop, Verdict, Warrant, judge, lead, may_act, next};
pub use epoch::{Epoch, Marked, Stage, TooSoon};
pub use key::{BadKey, Key};
pub use mark::{Mark, Unreferenced};
pub use times::{BadTimes, Times};
