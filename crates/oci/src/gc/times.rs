//! How long things take that have to be right between machines.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The times of the protocol. They are those of the store: all processes that use it follow the ones that are written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Times {
    grace: Duration,
    interval: Duration,
    slack: Duration,
}

/// Why times do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTimes {
    /// A process would read what is announced too seldom.
    #[error("the interval is longer than a quarter of the grace time")]
    Interval,
    /// Nothing would be left for clocks that differ.
    #[error("the slack is zero")]
    Slack,
    /// Nothing would be read ever again.
    #[error("the interval is zero")]
    NoInterval,
}

/// As they stand in a file.
#[derive(Serialize, Deserialize)]
struct Written {
    grace_ms: u64,
    interval_ms: u64,
    slack_ms: u64,
}

impl Times {
    /// Times that fit together: a promise holds for `grace`; what is announced is read every `interval`; clocks differ by less than `slack`, and
    /// what follows from a look at the clock has happened within `slack`.
    pub fn new(grace: Duration, interval: Duration, slack: Duration) -> Result<Self, BadTimes> {
        if interval.is_zero() {
            return Err(BadTimes::NoInterval);
        }
        if slack.is_zero() {
            return Err(BadTimes::Slack);
        }
        if interval * 4 > grace {
            return Err(BadTimes::Interval);
        }
        Ok(Self { grace, interval, slack })
    }

    /// How long a promise holds.
    #[must_use]
    pub fn grace(self) -> Duration {
        self.grace
    }

    /// How often what is announced is read, and leadership renewed.
    #[must_use]
    pub fn interval(self) -> Duration {
        self.interval
    }

    /// How far clocks may differ, and how long a request takes that follows from a look at one.
    #[must_use]
    pub fn slack(self) -> Duration {
        self.slack
    }

    /// How old the last reading of the announcement may be for a promise.
    #[must_use]
    pub fn fence(self) -> Duration {
        self.interval * 2
    }

    /// How long after an announcement no promise is left that was made without knowing it. The slack counts three times: until the announcement can
    /// be read, from a promise to the answer, and for clocks that differ.
    #[must_use]
    pub fn settled(self) -> Duration {
        self.fence() + self.grace + self.slack * 3
    }

    /// How old a warrant is that nothing is removed on any more, and how old the word of a collector that is none any more. The slack counts twice:
    /// until a removal takes effect, and for clocks that differ.
    #[must_use]
    pub fn void(self) -> Duration {
        self.fence() + self.slack * 2
    }

    /// The longer ones of both: in force while the shorter ones are on their way to everybody.
    #[must_use]
    pub fn wider(self, other: Self) -> Self {
        Self {
            grace: self.grace.max(other.grace),
            interval: self.interval.max(other.interval),
            slack: self.slack.max(other.slack),
        }
    }
}

impl Default for Times {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self { grace: minutes(24 * 60), interval: minutes(2), slack: minutes(5) }
    }
}

impl TryFrom<Written> for Times {
    type Error = BadTimes;

    fn try_from(written: Written) -> Result<Self, BadTimes> {
        let time = Duration::from_millis;
        Self::new(time(written.grace_ms), time(written.interval_ms), time(written.slack_ms))
    }
}

impl From<Times> for Written {
    fn from(times: Times) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self { grace_ms: millis(times.grace), interval_ms: millis(times.interval), slack_ms: millis(times.slack) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fit_together_or_are_none() {
        let s = Duration::from_secs;
        assert_eq!(Times::new(s(40), s(11), s(1)), Err(BadTimes::Interval));
        assert_eq!(Times::new(s(40), s(10), s(0)), Err(BadTimes::Slack));
        assert_eq!(Times::new(s(40), s(0), s(1)), Err(BadTimes::NoInterval));
        let times = Times::new(s(40), s(10), s(1)).unwrap();
        assert_eq!((times.fence(), times.settled(), times.void()), (s(20), s(63), s(22)));
        assert!(Times::new(Times::default().grace, Times::default().interval, Times::default().slack).is_ok());
        let text = serde_json::to_string(&times).unwrap();
        assert_eq!(text, r#"{"grace_ms":40000,"interval_ms":10000,"slack_ms":1000}"#);
        assert_eq!(serde_json::from_str::<Times>(&text).unwrap(), times);
    }
}
