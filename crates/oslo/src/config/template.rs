//! `$name`, `${name}` and `$group.name` in values.
//!
//! oslo.config uses Python's `string.Template` with dots allowed in names; `$$` and `\$` are a dollar sign.

/// A piece of a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// The name as it is written, with the text to keep when nothing has this name.
    Reference(String),
}

/// Splits a value into its pieces.
pub(super) fn pieces(value: &str) -> Vec<Piece> {
    let value = value.replace("\\$", "$$");
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = value.as_str();
    while let Some(at) = rest.find('$') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            plain.push('$');
            rest = after;
            continue;
        }
        let braced = rest.strip_prefix('{').and_then(|inner| {
            let (name, after) = inner.split_once('}')?;
            (!name.is_empty() && identifier(name) == name.len()).then_some((name, after))
        });
        let bare = identifier(rest);
        match (braced, bare) {
            (Some((name, after)), _) => {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                pieces.push(Piece::Reference(name.to_owned()));
                rest = after;
            }
            (None, 0) => plain.push('$'),
            (None, length) => {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                pieces.push(Piece::Reference(rest[..length].to_owned()));
                rest = &rest[length..];
            }
        }
    }
    plain.push_str(rest);
    pieces.push(Piece::Text(plain));
    pieces.retain(|piece| *piece != Piece::Text(String::new()));
    pieces
}

/// How many bytes at the start are a name: a letter or `_`, then letters, digits, `_` and dots.
fn identifier(text: &str) -> usize {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !text.starts_with(first) {
        return 0;
    }
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_and_escapes_are_not() {
        let shown = |value: &str| {
            let texts = pieces(value).into_iter().map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Reference(name) => format!("<{name}>"),
            });
            texts.collect::<String>()
        };
        for (value, expected) in [
            ("sqlite:///$state_path/magnum.sqlite", "sqlite:///<state_path>/magnum.sqlite"),
            ("${state_path}x", "<state_path>x"),
            ("http://$api.host:$api.port/", "http://<api.host>:<api.port>/"),
            (r"pa$$word \$five", "pa$word $five"),
            ("$ 5 and $5 and ${a b} ${}", "$ 5 and $5 and ${a b} ${}"),
            ("100%", "100%"),
            ("$", "$"),
            ("", ""),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }
}
