//! Scalars as distribution reads them: flags of YAML 1.1, durations of Go, sizes.

use std::time::Duration;

/// `true`, `yes`, `on` and their opposites; numbers as drivers' parameters have them.
pub(crate) fn flag(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" | "t" | "T" | "1" => {
            Some(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" | "f" | "F" | "0" => {
            Some(false)
        }
        _ => None,
    }
}

/// A number that is not negative, decimal or hexadecimal, with `_` between digits where somebody likes them.
pub(crate) fn number(text: &str) -> Option<u64> {
    let text = text.replace('_', "");
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// `1h30m`, `250ms`, or a number of nanoseconds, as Go writes durations; days (`7d`) as an addition.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if let Some(nanoseconds) = number(text) {
        return Some(Duration::from_nanos(nanoseconds));
    }
    let mut rest = text;
    let mut whole = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|at| *at > 0)?;
        let (value, after) = rest.split_at(digits);
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(value.parse::<f64>().ok()? * seconds).ok()?;
        whole = whole.checked_add(part)?;
        rest = after;
    }
    (!text.is_empty()).then_some(whole)
}

/// A number of bytes, with `k`, `M`, `G`, `T` or `KiB`, `MiB`, `GiB`, `TiB` behind it; all of them powers of 1024.
pub(crate) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Some(bytes) = number(text) {
        return Some(bytes);
    }
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.')?);
    let factor: u64 = match unit.trim().to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return None,
    };
    match digits.split_once('.') {
        None => digits.parse::<u64>().ok()?.checked_mul(factor),
        Some((whole, fraction)) => {
            let (tenths, places) = (fraction.parse::<u64>().ok()?, u32::try_from(fraction.len()).ok()?);
            let part = tenths.checked_mul(factor)? / 10u64.checked_pow(places)?;
            whole.parse::<u64>().ok()?.checked_mul(factor)?.checked_add(part)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, milliseconds) in [
            ("168h", Some(604_800_000)),
            ("1h30m", Some(5_400_000)),
            ("1.5s", Some(1500)),
            ("250ms", Some(250)),
            ("5000000000", Some(5000)),
            ("7d", Some(604_800_000)),
            ("0", Some(0)),
            ("", None),
            ("soon", None),
            ("5", Some(0)),
            ("5x", None),
            ("-1h", None),
            ("h", None),
            ("9999999999999999999999h", None),
        ] {
            assert_eq!(duration(text).map(|duration| duration.as_millis()), milliseconds, "{text}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("5242880", Some(5_242_880)),
            ("5M", Some(5 << 20)),
            ("64MiB", Some(64 << 20)),
            ("1.5 GiB", Some(3 << 29)),
            ("2gb", Some(2 << 30)),
            ("0x10", Some(16)),
            ("many", None),
            ("5X", None),
            ("-5", None),
            ("99999999999999999999T", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    #[test]
    fn flags_are_those_of_yaml_1_1() {
        assert_eq!(
            [flag("yes"), flag("Off"), flag("true"), flag("maybe")],
            [Some(true), Some(false), Some(true), None]
        );
    }
}
