//! The configuration file with every option at its default, to read and to start from.

use std::fmt::Write as _;

use super::options::{self, Opt};
use super::value::Kind;

/// Every option with its help and its default, commented out.
#[must_use]
pub fn sample() -> String {
    let mut text = String::from("# What stands here commented out is the default; uncomment a line to change it.\n");
    let mut group = "";
    for opt in options::options() {
        if opt.group != group {
            group = opt.group;
            let _ = write!(text, "\n[{group}]\n");
        }
        write_option(&mut text, opt);
    }
    text
}

fn write_option(text: &mut String, opt: &Opt) {
    text.push('\n');
    for line in wrapped(opt.help, 110) {
        let _ = writeln!(text, "# {line}");
    }
    let repeated = if opt.kind == Kind::Multi { ", may be repeated" } else { "" };
    let _ = writeln!(text, "# ({}{repeated})", opt.kind.expected());
    for (group, name) in opt.deprecated {
        let _ = writeln!(text, "# Formerly {name} in [{group}].");
    }
    let _ = match opt.default {
        Some(default) => writeln!(text, "#{} = {default}", opt.name),
        None => writeln!(text, "#{} = <not set>", opt.name),
    };
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
