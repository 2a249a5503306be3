//! Chance that can be had again: every "random" value is a pure function of a seed and of what it is for.

/// Mixes a seed with the words that say what the value is for.
pub(crate) fn mix(seed: u64, words: &[&str]) -> u64 {
    let mut hash = seed ^ 0xcbf2_9ce4_8422_2325;
    for word in words {
        for byte in word.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    scramble(hash)
}

/// Mixes in a number.
pub(crate) fn mix_number(seed: u64, number: u64) -> u64 {
    scramble(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// From 0 to just below 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
pub(crate) fn fraction(value: u64) -> f64 {
    (value >> 11) as f64 / (1_u64 << 53) as f64
}

/// A suffix as Kubernetes makes them: no vowels, nothing that could be misread.
pub(crate) fn suffix(mut value: u64, length: usize) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut text = String::with_capacity(length);
    for _ in 0..length {
        let count = LETTERS.len() as u64;
        text.push(char::from(LETTERS[usize::try_from(value % count).unwrap_or(0)]));
        value /= count;
    }
    text
}

/// A version 4 UUID.
pub(crate) fn uuid(value: u64) -> uuid::Uuid {
    let wide = (u128::from(value) << 64) | u128::from(scramble(value));
    uuid::Builder::from_random_bytes(wide.to_be_bytes()).into_uuid()
}

const fn scramble(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
