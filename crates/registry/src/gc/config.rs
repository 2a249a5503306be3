//! Settings of the garbage collection.

use std::str::FromStr;
use std::time::Duration;

use jeroboam_model::Timestamp;
use jeroboam_oci::gc::Times;

/// Settings of the garbage collection.
#[derive(Clone, Debug)]
pub struct GcConfig {
    /// The times of the protocol.
    pub times: Times,
    /// Most removals in a second; `None`: as fast as the place takes them.
    pub per_second: Option<u32>,
    /// The hours in which something is removed; `None`: any.
    pub window: Option<Window>,
    /// How long what is taken away can be restored; `None`: not at all, and what is in the trash stays as long as it was to when it was put there.
    pub trash: Option<Duration>,
    /// Whether what a tag once pointed to stays, as long as the tag does.
    pub tag_history: bool,
    /// How old uploads are that nobody goes on with; `None`: they stay.
    pub uploads: Option<Duration>,
    /// Whether abandoned uploads are only counted. distribution: `maintenance.uploadpurging.dryrun`.
    pub uploads_dry_run: bool,
    /// How old temporary files, segments and parts are that no path leads to.
    pub leftovers: Duration,
    /// Whether this process may collect where the place cannot tell which of two was first. One process alone may be told so.
    pub only_collector: bool,
    /// Whether nothing is collected where the store's clock and ours differ by more than the slack.
    pub check_clock: bool,
}

impl Default for GcConfig {
    fn default() -> Self {
        let week = Duration::from_secs(7 * 24 * 60 * 60);
        Self {
            times: Times::default(),
            per_second: Some(50),
            window: None,
            trash: None,
            tag_history: true,
            uploads: Some(week),
            uploads_dry_run: false,
            leftovers: week,
            only_collector: false,
            check_clock: false,
        }
    }
}

/// Hours of a day in UTC, such as `22:00-04:30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Minutes since midnight.
    from: u32,
    to: u32,
}

/// Something is no pair of times of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("hours are written as 22:00-04:30, in UTC")]
pub struct BadWindow;

impl Window {
    /// Whether a moment lies in it.
    #[must_use]
    pub fn holds(self, now: Timestamp) -> bool {
        let minute = u32::try_from(now.as_second().rem_euclid(24 * 60 * 60) / 60).unwrap_or_default();
        if self.from <= self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

impl FromStr for Window {
    type Err = BadWindow;

    fn from_str(text: &str) -> Result<Self, BadWindow> {
        let (from, to) = text.split_once('-').ok_or(BadWindow)?;
        Ok(Self { from: minutes(from)?, to: minutes(to)? })
    }
}

fn minutes(text: &str) -> Result<u32, BadWindow> {
    let (hours, minutes) = text.trim().split_once(':').ok_or(BadWindow)?;
    let number = |text: &str, limit: u32| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|number| digits && *number < limit).ok_or(BadWindow)
    };
    Ok(number(hours, 24)? * 60 + number(minutes, 60)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_go_over_midnight() {
        let at = |hour: i64, minute: i64| Timestamp::from_second((hour * 60 + minute) * 60 + 86_400 * 9).unwrap();
        let night: Window = "22:00-04:30".parse().unwrap();
        assert!(night.holds(at(22, 0)) && night.holds(at(0, 0)) && night.holds(at(4, 29)));
        assert!(!night.holds(at(21, 59)) && !night.holds(at(4, 30)) && !night.holds(at(12, 0)));
        let noon: Window = "11:00-13:00".parse().unwrap();
        assert!(noon.holds(at(12, 59)) && !noon.holds(at(13, 0)) && !noon.holds(at(10, 59)));
        for text in ["", "22:00", "22-04", "24:00-01:00", "1:00-2:00", "10:60-11:00", "+1:00-02:00"] {
            assert_eq!(text.parse::<Window>(), Err(BadWindow), "{text}");
        }
    }
}
