//! What all fuzzers do around what they try.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The most that may come of one input.
const SECOND: Duration = Duration::from_secs(1);

/// Calls a property. It may take no second of a processor's time; how long that is on the clock depends on who else is there.
pub fn hold(property: fn(&[u8]), input: &[u8]) {
    let before = processor_time();
    property(input);
    let took = processor_time().saturating_sub(before);
    assert!(took < SECOND, "it took {took:?}");
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
