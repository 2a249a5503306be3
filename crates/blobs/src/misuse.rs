//! What every place refuses, and in the same words.

use std::ops::Range;

use crate::{Error, Kind, Result};

/// A range that does not lie within its object.
pub(crate) fn outside(path: &str, range: &Range<u64>, size: u64) -> Error {
    let what = format!("read bytes {} to {} of {path}, which has {size}", range.start, range.end);
    Error::new(Kind::Misuse, what)
}

/// The bytes of an object of this size that are asked for; all of them, unless a range says otherwise.
pub(crate) fn within(path: &str, range: Option<Range<u64>>, size: u64) -> Result<Range<u64>> {
    let range = range.unwrap_or(0..size);
    if range.start > range.end || range.end > size { Err(outside(path, &range, size)) } else { Ok(range) }
}

/// Whether as many bytes came as were announced.
pub(crate) fn check_length(path: &str, announced: Option<u64>, came: u64) -> Result<()> {
    match announced {
        Some(size) if size != came => {
            Err(Error::new(Kind::Misuse, format!("write {path}: {came} bytes came instead of {size}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_lies_within_its_object() {
        for (range, expected) in [
            (None, Some(0..10)),
            (Some(0..10), Some(0..10)),
            (Some(10..10), Some(10..10)),
            (Some(3..11), None),
            (Some(11..11), None),
            #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
            (Some(5..4), None),
        ] {
            assert_eq!(within("a", range.clone(), 10).ok(), expected, "{range:?}");
        }
    }

    #[test]
    fn an_announcement_is_kept() {
        check_length("a", None, 7).expect("nothing was announced");
        check_length("a", Some(7), 7).expect("as announced");
        let error = check_length("a", Some(8), 7).expect_err("one is missing");
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Misuse, "write a: 7 bytes came instead of 8"));
    }
}
