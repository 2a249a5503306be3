//! The file format: sections, assignments, continuation lines.
//!
//! oslo.config: `iniparser.py`. A line that starts with white space continues the value above it, a blank line ends it.

use std::borrow::Cow;

/// One assignment as it stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) group: String,
    pub(super) name: String,
    /// The value, its lines joined by line feeds.
    pub(super) value: String,
    /// Line of the name, from 1.
    pub(super) line: usize,
}

/// A line that is none of the things a line can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    pub(super) line: usize,
    pub(super) why: &'static str,
}

/// Reads a whole file.
pub(super) fn parse(text: &str) -> Result<Vec<Assignment>, BadLine> {
    let mut done = Vec::new();
    let mut group: Option<String> = None;
    let mut open: Option<Assignment> = None;
    // Python's text files end a line at a carriage return, too.
    let text = if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    };
    for (index, raw) in text.split('\n').enumerate() {
        let bad = |why| BadLine { line: index + 1, why };
        let text = raw.trim_end();
        if text.is_empty() {
            done.extend(open.take());
            continue;
        }
        if text.starts_with([' ', '\t']) {
            let Some(above) = &mut open else { return Err(bad("a continued line with nothing above it to continue")) };
            above.value.push('\n');
            above.value.push_str(text.trim_start());
            continue;
        }
        done.extend(open.take());
        if let Some(header) = text.strip_prefix('[') {
            let Some(name) = header.strip_suffix(']') else { return Err(bad("a group without its closing bracket")) };
            if name.is_empty() {
                return Err(bad("a group without a name"));
            }
            group = Some(group_name(name));
        } else if !text.starts_with(['#', ';']) {
            let Some(at) = text.find(['=', ':']) else { return Err(bad("neither an assignment nor a [group]")) };
            let name = text[..at].trim().to_owned();
            if name.is_empty() {
                return Err(bad("an assignment without a name"));
            }
            let Some(group) = &group else { return Err(bad("an assignment before the first [group]")) };
            let value = unquoted(text[at + 1..].trim()).to_owned();
            open = Some(Assignment { group: group.clone(), name, value, line: index + 1 });
        }
    }
    done.extend(open);
    Ok(done)
}

/// `DEFAULT` is written in capitals, every other group is compared in small letters.
pub(super) fn group_name(text: &str) -> String {
    if text == "DEFAULT" { text.to_owned() } else { text.to_lowercase() }
}

/// Takes off a pair of quotes. A quote alone is a pair of its own.
fn unquoted(value: &str) -> &str {
    let bare = |quote: char| match value.strip_prefix(quote)? {
        "" => Some(""),
        rest => rest.strip_suffix(quote),
    };
    ['"', '\''].into_iter().find_map(bare).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String, usize)> {
        let found = parse(text).expect("a good file");
        found.into_iter().map(|a| (format!("{}.{}", a.group, a.name), a.value, a.line)).collect()
    }

    #[test]
    fn values_are_read_as_oslo_reads_them() {
        let text = "# a comment\n[DEFAULT]\nhost = node1\n; another\nlog-file: /var/log/x\r\r\n[API]\n\
                    quoted = \" spaced \"\nurl=http://a:1/?b=c\nempty =\nlong = one,\n  two,\n\tthree\n\nport=9511";
        let expected = [
            ("DEFAULT.host", "node1", 3),
            ("DEFAULT.log-file", "/var/log/x", 5),
            ("api.quoted", " spaced ", 8),
            ("api.url", "http://a:1/?b=c", 9),
            ("api.empty", "", 10),
            ("api.long", "one,\ntwo,\nthree", 11),
            ("api.port", "9511", 15),
        ];
        let expected = expected.map(|(name, value, line)| (name.to_owned(), value.to_owned(), line));
        assert_eq!(values(text), expected);
    }

    #[test]
    fn a_bad_line_is_named() {
        for (text, line, why) in [
            ("port = 1", 1, "an assignment before the first [group]"),
            ("[api]\n\n  port = 1", 3, "a continued line with nothing above it to continue"),
            ("[api\n", 1, "a group without its closing bracket"),
            ("[]\n", 1, "a group without a name"),
            ("[api]\nport 9511\n", 2, "neither an assignment nor a [group]"),
            ("[api]\n= 9511\n", 2, "an assignment without a name"),
        ] {
            assert_eq!(parse(text), Err(BadLine { line, why }), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[ -~\n\t]{0,80}") {
            let _ = parse(&text);
        }
    }
}
