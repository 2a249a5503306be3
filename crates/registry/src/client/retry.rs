//! When a request is sent again.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jeroboam_model::Timestamp;
use rand::RngExt as _;

/// The longest time that a registry can ask to be left alone for.
const LONGEST: Duration = Duration::from_secs(3600);

/// When a request is sent again: after 429, 500, 502, 503, 504 and broken connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Requests in all.
    pub attempts: u32,
    /// Longest first pause; it doubles each time, and a random part of it is taken.
    pub base: Duration,
    /// Longest time that a caller waits for another attempt; where the registry asks for more, the caller is told.
    pub patience: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 5, base: Duration::from_millis(200), patience: Duration::from_secs(30) }
    }
}

impl Retries {
    /// How long to wait before the next attempt; `None` where there is none.
    pub(super) fn pause(&self, attempt: u32, asked: Option<Duration>) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let whole = self.base.saturating_mul(1 << attempt.min(10)).min(self.patience);
        let ours = whole.mul_f64(rand::rng().random_range(0.5..=1.0));
        match asked {
            // Sooner than it asks would only be refused again.
            Some(asked) if asked > self.patience => None,
            Some(asked) => Some(asked.max(ours)),
            None => Some(ours),
        }
    }
}

pub(super) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

/// `Retry-After`: seconds, or a date. Nobody is believed that it takes longer than an hour.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_or(LONGEST, Duration::from_secs)
    } else {
        let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        Duration::try_from(date.duration_since(now)).unwrap_or_default()
    };
    Some(asked.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_says_when_to_come_back() {
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().expect("a time");
        for (text, wait) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Sun, 22 Nov 2026 00:01:00 GMT", Some(60)),
            ("Sat, 21 Nov 2026 00:01:00 GMT", Some(0)),
            ("Sun, 22 Nov 2082 00:01:00 GMT", Some(3600)),
            ("18446744073709551615", Some(3600)),
            ("99999999999999999999999999", Some(3600)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, text.parse().expect("a header"))]);
            assert_eq!(retry_after(&headers, now), wait.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn nobody_waits_for_longer_than_they_have_patience() {
        let retries = Retries { attempts: 3, base: Duration::from_secs(1), patience: Duration::from_secs(4) };
        let within = |pause: Option<Duration>, least: u64, most: u64| {
            pause.is_some_and(|pause| (Duration::from_secs(least)..=Duration::from_secs(most)).contains(&pause))
        };
        assert!(within(retries.pause(1, None), 1, 2));
        assert!(within(retries.pause(2, None), 2, 4));
        assert_eq!(retries.pause(3, None), None);
        assert_eq!(retries.pause(1, Some(Duration::from_secs(5))), None);
        assert_eq!(retries.pause(1, Some(Duration::from_secs(4))), Some(Duration::from_secs(4)));
    }
}
