//! What a promise is about, in 32 bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Algorithm, Digest, RepositoryName};

/// What a promise is about and what may be collected: a blob of the store, or a manifest's place in a repository.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key([u8; 32]);

/// Something is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key has 64 lower-case hexadecimal digits")]
pub struct BadKey;

impl Key {
    /// The blob that the store sorts by this digest.
    #[must_use]
    pub fn blob(digest: &Digest) -> Self {
        match digest.algorithm() {
            Algorithm::Sha256 => Self::of_hex(digest.hex()),
            Algorithm::Sha512 => Self::of_text(&format!("blob {digest}")),
        }
    }

    /// The place of a manifest in a repository: its revision.
    #[must_use]
    pub fn revision(repository: &RepositoryName, digest: &Digest) -> Self {
        Self::of_text(&format!("revision {repository}@{digest}"))
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn of_text(text: &str) -> Self {
        Self::of_hex(Digest::sha256(text.as_bytes()).hex())
    }

    /// The digits are those of a SHA-256 digest, which has been checked.
    fn of_hex(hex: &str) -> Self {
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = (digit(pair[0]) << 4) | digit(pair[1]);
        }
        Self(bytes)
    }
}

fn digit(character: u8) -> u8 {
    match character {
        b'a'..=b'f' => character - b'a' + 10,
        _ => character.wrapping_sub(b'0') & 0xf,
    }
}

impl From<[u8; 32]> for Key {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Key {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        // A key looks as the digits of a SHA-256 digest do.
        Digest::from_parts(Algorithm::Sha256, text).map(|digest| Self::of_hex(digest.hex())).map_err(|_| BadKey)
    }
}

impl TryFrom<String> for Key {
    type Error = BadKey;

    fn try_from(text: String) -> Result<Self, BadKey> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_blob_shows_its_digest() {
        let digest = Digest::sha256(b"layer");
        assert_eq!(Key::blob(&digest).to_string(), digest.hex());
        assert_eq!(digest.hex().parse(), Ok(Key::blob(&digest)));
        assert_eq!("sha256".parse::<Key>(), Err(BadKey));
    }

    #[test]
    fn a_blob_and_the_same_manifest_in_two_repositories_are_three_things() {
        let digest = Digest::sha256(b"{}");
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        let keys = [Key::blob(&digest), Key::revision(&a, &digest), Key::revision(&b, &digest)];
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
        assert_ne!(Key::blob(&Digest::of(Algorithm::Sha512, b"{}")), keys[0]);
    }
}
