//! Patterns of names, in which `*` is anything and `?` one character.

/// Whether a text is as a pattern says.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut star) = ((0, 0), None);
    while at.1 < text.len() {
        match pattern.get(at.0) {
            Some(b'*') => {
                star = Some(at);
                at.0 += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[at.1] => at = (at.0 + 1, at.1 + 1),
            _ => match star {
                Some((of_pattern, of_text)) => {
                    star = Some((of_pattern, of_text + 1));
                    at = (of_pattern + 1, of_text + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at.0..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_stars_and_question_marks() {
        for (pattern, text, is) in [
            ("*", "", true),
            ("v*", "v1.2", true),
            ("v*", "1", false),
            ("v?", "v12", false),
            ("*-rc*", "v1-rc2", true),
            ("*-rc", "v1-rc-rc", true),
            ("a*b*c", "abxbc", true),
            ("a*b*c", "abxb", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), is, "{pattern} {text}");
        }
    }
}
