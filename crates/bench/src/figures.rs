//! Medians and quantiles.

use std::time::Duration;

use serde::Serialize;

/// The value at a share of a sorted list, by the nearest rank.
pub(crate) fn quantile(sorted: &[Duration], share: f64) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank within the list"
    )]
    let rank = (share * sorted.len() as f64).ceil() as usize;
    let rank = rank.clamp(1, sorted.len().max(1));
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// The middle of some numbers; 0 of none.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match (numbers.len() % 2, numbers.get(middle)) {
        (_, None) => 0.0,
        (1, Some(number)) => *number,
        (_, Some(upper)) => f64::midpoint(*upper, numbers[middle - 1]),
    }
}

/// What is told of many durations, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Spread {
    /// How many there were.
    pub(crate) count: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Spread {
    pub(crate) fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        Self {
            count: durations.len(),
            p50_ms: ms(quantile(&durations, 0.5)),
            p99_ms: ms(quantile(&durations, 0.99)),
            max_ms: ms(durations.last().copied().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let sorted: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        for (share, expected) in [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)] {
            assert_eq!(quantile(&sorted, share), Duration::from_millis(expected), "{share}");
        }
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        for (numbers, expected) in [(vec![], 0.0), (vec![3.0], 3.0), (vec![4.0, 1.0], 2.5), (vec![9.0, 1.0, 2.0], 2.0)]
        {
            assert!((median(numbers.clone()) - expected).abs() < f64::EPSILON, "{numbers:?}");
        }
    }
}
