//! How far a digest has come, as distribution keeps it beside an upload: the state that Go's `crypto/sha256` and `crypto/sha512` marshal.
//!
//! Four bytes that say which, eight words, the bytes of the block that is not full, the number of bytes so far; all big-endian. With it an upload goes on
//! after a restart, in another process, or in distribution, and not a byte is read again.

use sha2::digest::common::hazmat::{SerializableState, SerializedState};

use crate::digest::State;
use crate::{Algorithm, Hasher};

/// Something is no state of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no state of a digest as Go keeps it")]
pub struct BadHashState;

const MAGIC_256: &[u8; 4] = b"sha\x03";
const MAGIC_512: &[u8; 4] = b"sha\x07";

/// The state as Go writes it: 108 bytes of a SHA-256, 204 of a SHA-512.
#[must_use]
pub fn write(hasher: &Hasher) -> Vec<u8> {
    match hasher.state() {
        State::Sha256(state) => to_go(&state.serialize(), &SHA256),
        State::Sha512(state) => to_go(&state.serialize(), &SHA512),
    }
}

/// Goes on from a state that Go or we have written. Gives how many bytes it has seen, too.
pub fn read(algorithm: Algorithm, state: &[u8]) -> Result<(Hasher, u64), BadHashState> {
    let shape = match algorithm {
        Algorithm::Sha256 => &SHA256,
        Algorithm::Sha512 => &SHA512,
    };
    let (ours, length) = from_go(state, shape).ok_or(BadHashState)?;
    let hasher = match algorithm {
        Algorithm::Sha256 => State::Sha256(deserialized(&ours)?),
        Algorithm::Sha512 => State::Sha512(deserialized(&ours)?),
    };
    Ok((Hasher::of_state(hasher), length))
}

fn deserialized<T: SerializableState>(ours: &[u8]) -> Result<T, BadHashState> {
    let state = SerializedState::<T>::try_from(ours).map_err(|_| BadHashState)?;
    T::deserialize(&state).map_err(|_| BadHashState)
}

/// What differs between the two. The crate `sha2` keeps: eight words and the number of full blocks, little-endian; one byte with the length of the rest,
/// and the rest, which is shorter than a block.
struct Shape {
    magic: &'static [u8; 4],
    word: usize,
    block: usize,
    /// Bytes of the number of full blocks.
    count: usize,
}

const SHA256: Shape = Shape { magic: MAGIC_256, word: 4, block: 64, count: 8 };
const SHA512: Shape = Shape { magic: MAGIC_512, word: 8, block: 128, count: 16 };

fn to_go(ours: &[u8], shape: &Shape) -> Vec<u8> {
    let (words, rest) = ours.split_at(8 * shape.word);
    let (count, rest) = rest.split_at(shape.count);
    let (filled, block) = (rest[0], &rest[1..]);
    // Go counts bytes in 64 bits, and so the upper half of the longer count is always 0.
    let count = count[..8].iter().rev().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    let length = count.wrapping_mul(shape.block as u64).wrapping_add(u64::from(filled));

    let mut go = shape.magic.to_vec();
    words.chunks(shape.word).for_each(|word| go.extend(word.iter().rev()));
    go.extend(block);
    go.resize(4 + 8 * shape.word + shape.block, 0);
    go.extend(length.to_be_bytes());
    go
}

fn from_go(state: &[u8], shape: &Shape) -> Option<(Vec<u8>, u64)> {
    let rest = state.strip_prefix(shape.magic)?;
    let (words, rest) = rest.split_at_checked(8 * shape.word)?;
    let (block, length) = rest.split_at_checked(shape.block)?;
    let length = u64::from_be_bytes(length.try_into().ok()?);
    let filled = usize::try_from(length % shape.block as u64).ok()?;

    let mut ours = Vec::new();
    words.chunks(shape.word).for_each(|word| ours.extend(word.iter().rev()));
    ours.extend(u128::from(length / shape.block as u64).to_le_bytes().iter().take(shape.count));
    ours.push(u8::try_from(filled).ok()?);
    // Behind it stand zeros.
    ours.extend(&block[..filled]);
    ours.resize(8 * shape.word + shape.count + shape.block, 0);
    Some((ours, length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Digest;

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|n| u8::try_from(n * 7 % 256).expect("a byte")).collect()
    }

    /// Which algorithm, how many bytes were seen, what Go 1.26 marshalled then, and the digest after nine bytes more: one line each.
    const OF_GO: &str = include_str!("hash_state.txt");

    #[test]
    fn states_are_those_of_go() {
        let mut lines = 0;
        for line in OF_GO.lines() {
            let [algorithm, count, state, digest] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let algorithm: Algorithm = algorithm.parse().expect("an algorithm");
            let count: usize = count.parse().expect("a number");
            let mut ours = Hasher::new(algorithm);
            ours.update(&bytes(count));
            assert_eq!(*crate::digest::hex(&write(&ours)), *state, "{algorithm} of {count} bytes");

            let state: Vec<_> = (0..state.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&state[at..at + 2], 16).expect("hex"))
                .collect();
            let (mut of_go, seen) = read(algorithm, &state).expect("it is a state");
            assert_eq!(seen, count as u64);
            of_go.update(b"the rest");
            assert_eq!(of_go.finish().hex(), digest, "{algorithm} of {count} bytes");
            lines += 1;
        }
        assert_eq!(lines, 16);
    }

    #[test]
    fn what_is_no_state_is_refused() {
        let state = write(&Hasher::new(Algorithm::Sha256));
        assert_eq!(state.len(), 108);
        assert_eq!(write(&Hasher::new(Algorithm::Sha512)).len(), 204);
        assert!(read(Algorithm::Sha512, &state).is_err());
        assert!(read(Algorithm::Sha256, &state[..107]).is_err());
        assert!(read(Algorithm::Sha256, &[&state[..], b"0"].concat()).is_err());
        assert!(read(Algorithm::Sha256, b"").is_err());
    }

    proptest! {
        #[test]
        fn a_digest_goes_on_where_it_was(before: Vec<u8>, after: Vec<u8>, long: bool) {
            let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
            let mut hasher = Hasher::new(algorithm);
            hasher.update(&before);
            let (mut again, seen) = read(algorithm, &write(&hasher)).expect("it is a state");
            again.update(&after);
            prop_assert_eq!(seen, before.len() as u64);
            prop_assert_eq!(again.finish(), Digest::of(algorithm, &[before, after].concat()));
        }
    }
}
