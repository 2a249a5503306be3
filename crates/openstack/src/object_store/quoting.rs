//! Percent signs, as Swift has them in headers and in lists of names.

/// A name as it stands in `X-Object-Manifest`, `X-Copy-From` and lists of what is to be deleted: slashes stay.
#[must_use]
pub fn quoted(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The name that such a text stands for; what is no escape stays as it is. `None` where it is not UTF-8.
#[must_use]
pub fn unquoted(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.get(..2).and_then(byte_of)).flatten();
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).ok()
}

fn byte_of(hex: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(hex).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u8::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_its_quotes() {
        for (name, wanted) in
            [("a/b-c_d.e~1", "a/b-c_d.e~1"), ("my reg/ä%", "my%20reg/%C3%A4%25"), ("a+b:c", "a%2Bb%3Ac"), ("", "")]
        {
            assert_eq!(quoted(name), wanted);
            assert_eq!(unquoted(wanted).as_deref(), Some(name));
        }
        assert_eq!(unquoted("100%").as_deref(), Some("100%"));
        assert_eq!(unquoted("%zz%4").as_deref(), Some("%zz%4"));
        assert_eq!(unquoted("%FF"), None);
    }
}
