//! The little of DER that a certificate needs beside the parts that are copied.

use jeroboam_model::Timestamp;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// A tag, its length, and the parts one after the other.
pub(super) fn node(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
        out.push(0x80 | bytes.len() as u8);
        out.extend_from_slice(bytes);
    }
    out.extend(parts.concat());
    out
}

/// Bits of which none is left over.
pub(super) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    node(BIT_STRING, &[&[0], bytes])
}

/// A number without sign.
pub(super) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count().min(bytes.len().saturating_sub(1));
    let bytes = &bytes[zeros..];
    let looks_negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    if looks_negative { node(INTEGER, &[&[0], bytes]) } else { node(INTEGER, &[bytes]) }
}

/// A time as certificates hold it: two digits of the year before 2050, four from then on.
pub(super) fn time(at: Timestamp) -> Vec<u8> {
    let full = at.strftime("%Y%m%d%H%M%SZ").to_string();
    let year: u32 = full.get(..4).and_then(|year| year.parse().ok()).unwrap_or(9999);
    if (1950..2050).contains(&year) {
        node(UTC_TIME, &[&full.as_bytes()[2..]])
    } else {
        node(GENERALIZED_TIME, &[full.as_bytes()])
    }
}

/// Whether these bytes are one value and nothing beside it.
pub(super) fn is_one_value(bytes: &[u8]) -> bool {
    let [_tag, first, rest @ ..] = bytes else { return false };
    if *first < 0x80 {
        return rest.len() == usize::from(*first);
    }
    let size = usize::from(first & 0x7f);
    if size == 0 || size > 4 || rest.len() < size {
        return false;
    }
    let (length, content) = rest.split_at(size);
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    content.len() == length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_numbers_and_times_are_written_as_der_wants_them() {
        assert_eq!(node(SEQUENCE, &[&[1], &[2]]), [0x30, 2, 1, 2]);
        assert_eq!(&node(OCTET_STRING, &[&[7; 0x80]])[..3], [0x04, 0x81, 0x80]);
        assert_eq!(&node(OCTET_STRING, &[&[7; 0x123]])[..4], [0x04, 0x82, 0x01, 0x23]);
        assert_eq!(unsigned(&[0, 0, 5]), [2, 1, 5]);
        assert_eq!(unsigned(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(unsigned(&[0]), [2, 1, 0]);
        let at = |text: &str| text.parse::<Timestamp>().expect("time");
        assert_eq!(&time(at("2049-12-31T23:59:59Z"))[2..], b"491231235959Z");
        assert_eq!(&time(at("2050-01-01T00:00:00Z"))[2..], b"20500101000000Z");
    }
    #[test]
    fn a_value_is_told_from_one_with_something_behind_it() {
        let long = node(OCTET_STRING, &[&[7; 300]]);
        for one in [&[5, 0][..], &[4, 2, 1, 2], &long] {
            assert!(is_one_value(one), "{one:?}");
            assert!(!is_one_value(&[one, &[0]].concat()), "{one:?} and more");
            assert!(!is_one_value(&one[..one.len() - 1]), "{one:?} cut short");
        }
        for none in [&[][..], &[5], &[4, 0x80], &[4, 0x85, 0, 0, 0, 0, 1, 7]] {
            assert!(!is_one_value(none), "{none:?}");
        }
    }
}
