//! Links: small files that say which blob is meant.
//!
//! distribution v2 writes them in place, so that a crash may leave one empty or cut. Such a link counts as absent and is mended by
//! the next push; [`BadLink`] says which kind of damage it is.

use crate::Digest;

/// Longest link that anybody writes.
pub const LONGEST: usize = 7 + 128;

/// Why something is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// It has no bytes.
    #[error("the link is empty")]
    Empty,
    /// It is the beginning of a digest.
    #[error("the link is cut off")]
    Cut,
    /// It is something else.
    #[error("the link holds no digest")]
    Foreign,
}

/// What a link to this blob holds: the digest, and nothing behind it.
#[must_use]
pub fn content(digest: &Digest) -> String {
    digest.to_string()
}

/// Reads a link.
pub fn parse(bytes: &[u8]) -> Result<Digest, BadLink> {
    if bytes.is_empty() {
        return Err(BadLink::Empty);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| BadLink::Foreign)?;
    text.parse().map_err(|_| if begins_a_digest(text) { BadLink::Cut } else { BadLink::Foreign })
}

fn begins_a_digest(text: &str) -> bool {
    ["sha256:", "sha512:"].iter().any(|name| {
        let hex = text.strip_prefix(name).unwrap_or_default();
        let digits = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        name.starts_with(text) || (text.starts_with(name) && digits && text.len() <= LONGEST)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Algorithm;

    #[test]
    fn links_are_read_and_their_damage_is_named() {
        let digest = Digest::sha256(b"blob");
        let whole = content(&digest);
        assert_eq!(whole.len(), 71);
        assert_eq!(parse(whole.as_bytes()), Ok(digest));
        for cut in [1, 5, 7, 8, 70] {
            assert_eq!(parse(&whole.as_bytes()[..cut]), Err(BadLink::Cut), "{cut}");
        }
        let longer = content(&Digest::of(Algorithm::Sha512, b"blob"));
        assert_eq!(longer.len(), LONGEST);
        assert_eq!(parse(b""), Err(BadLink::Empty));
        for foreign in [format!("{whole}\n"), "\0".repeat(71), "md5:ab".to_owned(), format!("{longer}0")] {
            assert_eq!(parse(foreign.as_bytes()), Err(BadLink::Foreign), "{foreign:?}");
        }
        assert_eq!(parse(b"\xff"), Err(BadLink::Foreign));
    }
}
