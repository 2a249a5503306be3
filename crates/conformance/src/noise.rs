//! Bytes that look random and are the same for the same seed and name.

use bytes::Bytes;
use jeroboam_oci::{Algorithm, Digest};

/// So many bytes that nobody has pushed before.
pub(crate) fn bytes(seed: &str, name: &str, length: usize) -> Bytes {
    let mut all = Vec::with_capacity(length + 64);
    let mut block = 0_u64;
    while all.len() < length {
        let digest = Digest::of(Algorithm::Sha256, format!("{seed}/{name}/{block}").as_bytes());
        all.extend_from_slice(digest.hex().as_bytes());
        block += 1;
    }
    all.truncate(length);
    all.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_seeds_tell_bytes_apart() {
        let some = bytes("seed", "layer", 100);
        assert_eq!(some.len(), 100);
        assert_eq!(some, bytes("seed", "layer", 100));
        assert_ne!(some, bytes("seed", "other", 100));
        assert_ne!(some, bytes("other", "layer", 100));
    }
}
