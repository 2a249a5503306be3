//! Names of uploads.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of an upload: a UUID in lower case, such as `0197a1b2-…`, as distribution gives them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UploadId(Box<str>);

/// Something is no name of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an upload is named by a UUID in lower case")]
pub struct BadUploadId;

/// Hexadecimal digits between the dashes.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

impl UploadId {
    /// A name of 16 random bytes, of which some bits say that they are random.
    #[must_use]
    pub fn of_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let digits = crate::digest::hex(&bytes);
        let mut text = String::with_capacity(36);
        let mut at = 0;
        for length in GROUPS {
            if at > 0 {
                text.push('-');
            }
            text.push_str(&digits[at..at + length]);
            at += length;
        }
        Self(text.into())
    }

    /// The name as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UploadId {
    type Err = BadUploadId;

    fn from_str(text: &str) -> Result<Self, BadUploadId> {
        let groups = || text.split('-');
        let lengths = groups().map(str::len).eq(GROUPS);
        let digits = groups().all(|group| group.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        if lengths && digits { Ok(Self(text.into())) } else { Err(BadUploadId) }
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for UploadId {
    type Error = BadUploadId;

    fn try_from(text: String) -> Result<Self, BadUploadId> {
        text.parse()
    }
}

impl From<UploadId> for String {
    fn from(id: UploadId) -> Self {
        id.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_have_uuids() {
        let id = UploadId::of_random([0xff; 16]);
        assert_eq!(id.as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(id.as_str().parse(), Ok(id));
        for text in ["", "x", "FFFFFFFF-ffff-4fff-bfff-ffffffffffff", "ffffffff-ffff-4fff-bfff-fffffffffff", "../x"] {
            assert_eq!(text.parse::<UploadId>(), Err(BadUploadId), "{text}");
        }
    }
}
