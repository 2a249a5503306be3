//! Percent-encoding, as paths and query strings have it.

use std::fmt::Write as _;

/// Something is percent-encoded wrongly, or is no UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("behind % stand two hexadecimal digits, and what comes of it is UTF-8")]
pub struct BadEncoding;

/// What stands behind the encoding of a path, where `+` means itself.
pub fn decode(text: &str) -> Result<String, BadEncoding> {
    decode_as(text, false)
}

/// What stands behind the encoding of a query, where `+` means a space.
pub fn decode_query(text: &str) -> Result<String, BadEncoding> {
    decode_as(text, true)
}

fn decode_as(text: &str, plus_is_space: bool) -> Result<String, BadEncoding> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16)).ok_or(BadEncoding);
                let value = digit()? * 16 + digit()?;
                u8::try_from(value).map_err(|_| BadEncoding)?
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| BadEncoding)
}

/// The text with everything encoded that is not a letter, a digit or one of `-._~`.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        assert_eq!(decode("sha256%3Aab+c").as_deref(), Ok("sha256:ab+c"));
        assert_eq!(decode_query("sha256%3aab+c").as_deref(), Ok("sha256:ab c"));
        for wrong in ["%", "%4", "%zz", "%ff", "%+1"] {
            assert_eq!(decode(wrong), Err(BadEncoding), "{wrong}");
        }
        assert_eq!(encode("a/b:ä ~"), "a%2Fb%3A%C3%A4%20~");
    }
}
