//! Ranges of bytes: what a client wants of a blob, and where a chunk of an upload belongs.

use std::ops::Range;

use crate::ErrorCode;

/// What a `Range` header means for a blob of some size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The whole blob: there is no header, or one that asks for several ranges or for nothing that we know.
    Whole,
    /// Some of its bytes; never none.
    Part(Range<u64>),
    /// Nothing of the blob is in the range.
    Unsatisfiable,
}

/// Finds what a `Range` header selects of a blob. The end is cut to the size; a range that ends before it begins selects nothing.
#[must_use]
pub fn select(header: Option<&str>, size: u64) -> Selection {
    let Some(range) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else { return Selection::Whole };
    let Some((first, last)) = range.split_once('-') else { return Selection::Whole };
    let (first, last) = (first.trim(), last.trim());
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => part(first, last.saturating_add(1), size),
        (Some(_), Some(_)) => Selection::Unsatisfiable,
        (Some(first), None) if last.is_empty() => part(first, size, size),
        (None, Some(last)) if first.is_empty() => part(size.saturating_sub(last), size, size),
        _ => Selection::Whole,
    }
}

fn part(start: u64, end: u64, size: u64) -> Selection {
    let end = end.min(size);
    if start < end { Selection::Part(start..end) } else { Selection::Unsatisfiable }
}

/// A number of digits alone; one that is too large for us is larger than any blob.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// `Content-Range` of an answer with some bytes of a blob.
#[must_use]
pub fn content_range(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1))
}

/// `Content-Range` of the answer that nothing of the blob is in the range.
#[must_use]
pub fn unsatisfied(size: u64) -> String {
    format!("bytes */{size}")
}

/// `Range` of an answer about an upload that has so many bytes. distribution: `0-0` is also said of none.
#[must_use]
pub fn progress(offset: u64) -> String {
    format!("0-{}", offset.saturating_sub(1))
}

/// Reads the `Range` of another registry's answer about an upload: how many bytes it has, or at most one where it says `0-0`.
#[must_use]
pub fn read_progress(header: &str) -> Option<u64> {
    let range = header.trim().strip_prefix("bytes=").unwrap_or(header.trim());
    let (first, last) = range.split_once('-')?;
    (number(first)? == 0).then_some(())?;
    match number(last)? {
        0 => Some(0),
        last => last.checked_add(1),
    }
}

/// Where a chunk of an upload belongs, as its `Content-Range` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRange {
    /// Its first byte.
    pub first: u64,
    /// Its last byte.
    pub last: u64,
}

/// Why a chunk is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChunk {
    /// The header is none.
    #[error("Content-Range of a chunk is <first byte>-<last byte>")]
    Form,
    /// It begins where the upload does not end.
    #[error("the chunk begins at {first}, and the upload has {offset} bytes")]
    OutOfOrder {
        /// Where it begins.
        first: u64,
        /// Where it would have to.
        offset: u64,
    },
    /// Its header and its length disagree.
    #[error("the chunk has {length} bytes, and its Content-Range says {said}")]
    Length {
        /// What `Content-Length` says.
        length: u64,
        /// What `Content-Range` says.
        said: u64,
    },
}

impl BadChunk {
    /// What the client reads.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        match self {
            Self::Form => ErrorCode::BlobUploadInvalid,
            Self::OutOfOrder { .. } => ErrorCode::RangeInvalid,
            Self::Length { .. } => ErrorCode::SizeInvalid,
        }
    }
}

impl ChunkRange {
    /// Reads the header of a chunk. The specification has no unit there; `bytes ` before it and a size behind it mean what they mean elsewhere.
    pub fn parse(header: &str) -> Result<Self, BadChunk> {
        let range = header.trim();
        let range = range.strip_prefix("bytes ").unwrap_or(range).trim();
        let range = range.split_once('/').map_or(range, |(range, _)| range);
        let (first, last) = range.split_once('-').ok_or(BadChunk::Form)?;
        let (first, last) = (number(first).ok_or(BadChunk::Form)?, number(last).ok_or(BadChunk::Form)?);
        if first > last || last == u64::MAX { Err(BadChunk::Form) } else { Ok(Self { first, last }) }
    }

    /// How many bytes it has; never none.
    #[must_use]
    pub fn length(self) -> u64 {
        self.last - self.first + 1
    }

    /// Whether it goes on where the upload ends, and has as many bytes as the request; `length` is not known where they come in pieces.
    pub fn check(self, offset: u64, length: Option<u64>) -> Result<(), BadChunk> {
        match length {
            _ if self.first != offset => Err(BadChunk::OutOfOrder { first: self.first, offset }),
            Some(length) if length != self.length() => Err(BadChunk::Length { length, said: self.length() }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_blob() {
        use Selection::{Part, Unsatisfiable, Whole};
        for (header, selection) in [
            ("bytes=500-1499", Part(500..1500)),
            ("bytes=500-", Part(500..2048)),
            ("bytes=-500", Part(1548..2048)),
            ("bytes=-5000", Part(0..2048)),
            ("bytes=2000-5000", Part(2000..2048)),
            ("bytes=2047-2047", Part(2047..2048)),
            ("bytes=0-99999999999999999999999999", Part(0..2048)),
            ("bytes=0-18446744073709551615", Part(0..2048)),
            (" bytes= 1 - 2 ", Part(1..3)),
            ("bytes=500-0", Unsatisfiable),
            ("bytes=5000-10000", Unsatisfiable),
            ("bytes=2048-", Unsatisfiable),
            ("bytes=99999999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=0-1,5-6", Whole),
            ("bytes=-", Whole),
            ("bytes=", Whole),
            ("bytes=a-b", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=--1", Whole),
            ("items=0-1", Whole),
            ("", Whole),
        ] {
            assert_eq!(select(Some(header), 2048), selection, "{header}");
        }
        assert_eq!(select(None, 2048), Whole);
        assert_eq!(select(Some("bytes=0-"), 0), Unsatisfiable);
        assert_eq!(select(Some("bytes=-1"), 0), Unsatisfiable);
        assert_eq!(content_range(&(500..1500), 2048), "bytes 500-1499/2048");
        assert_eq!(unsatisfied(2048), "bytes */2048");
    }

    #[test]
    fn chunks_go_on_where_the_upload_ends() {
        let chunk = |header| ChunkRange::parse(header).map(|chunk| (chunk.first, chunk.last));
        assert_eq!(chunk("0-9"), Ok((0, 9)));
        assert_eq!(chunk("bytes 10-19/20"), Ok((10, 19)));
        for header in ["", "-", "5-4", "0-", "-9", "a-b", "bytes=0-9", "0-18446744073709551615", "+1-2", "bytes */5"] {
            assert_eq!(chunk(header), Err(BadChunk::Form), "{header}");
        }
        let chunk = ChunkRange { first: 10, last: 19 };
        assert_eq!(chunk.check(10, Some(10)), Ok(()));
        assert_eq!(chunk.check(10, None), Ok(()));
        assert_eq!(chunk.check(9, Some(10)), Err(BadChunk::OutOfOrder { first: 10, offset: 9 }));
        assert_eq!(chunk.check(10, Some(9)), Err(BadChunk::Length { length: 9, said: 10 }));
        assert_eq!(BadChunk::OutOfOrder { first: 1, offset: 0 }.code().status(), 416);
    }

    #[test]
    fn progress_is_told_as_distribution_tells_it() {
        for (offset, header) in [(0, "0-0"), (2, "0-1"), (1024, "0-1023")] {
            assert_eq!(progress(offset), header);
            assert_eq!(read_progress(header), Some(offset));
        }
        for header in ["", "0", "1-2", "0-x", "0-18446744073709551615"] {
            assert_eq!(read_progress(header), None, "{header}");
        }
    }
}
