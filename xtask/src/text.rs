//! What tracked files must not hold, and how long they may be.

/// A file of more lines is two files.
const FULL: usize = 600;

/// Directories of somebody's own machine; spelled without slashes so that this file passes.
const PRIVATE: [&str; 2] = ["work", "root"];

/// What is wrong with one tracked file.
pub(crate) fn complaints(name: &str, content: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(content.lines()) {
        if PRIVATE.iter().any(|dir| names_directory(line, dir)) {
            complaints.push(format!("{name}:{number}: a path of somebody's own machine"));
        }
    }
    let is_source = name.ends_with(".rs") || name.ends_with(".py");
    let lines = content.lines().count();
    if is_source && !is_test_or_generated(name) && lines > FULL {
        complaints.push(format!("{name}: {lines} lines, {FULL} is full"));
    }
    let is_root = name.ends_with("src/lib.rs") || name.ends_with("src/main.rs");
    if is_root && !content.starts_with("//! ") {
        complaints.push(format!("{name}: the crate does not say what it is: start with //!"));
    }
    let is_member = name.ends_with("/Cargo.toml");
    if is_member && !content.contains("[lints]\nworkspace = true") {
        complaints.push(format!("{name}: the lints of the workspace are not taken over"));
    }
    complaints
}

/// Whether an absolute path in this line starts with the directory. In the middle of an address it is no such path.
fn names_directory(line: &str, dir: &str) -> bool {
    let path = format!("/{dir}/");
    let is_start = |before: Option<char>| before.is_none_or(|c| !c.is_alphanumeric() && !"_-.~}>)".contains(c));
    line.match_indices(&path).any(|(at, _)| is_start(line[..at].chars().next_back()))
}

fn is_test_or_generated(name: &str) -> bool {
    let parts = || name.split('/');
    parts().any(|part| matches!(part, "tests" | "generated" | "benches" | "fixtures" | "tests.rs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_looked_through() {
        let long = "//! Long.\n".repeat(601);
        let private = format!("see\n/{}/main/x or /{}", "work", "root");
        let public = format!("https://example.org/{0}/x and ~/{0}/y and ${{HOME}}/{0}/z", "work");
        let member = "[package]\nname = \"x\"\n";
        for (name, content, expected) in [
            ("crates/a/src/lib.rs", "//! A crate.\n", vec![]),
            (
                "crates/a/src/lib.rs",
                "mod b;\n",
                vec!["crates/a/src/lib.rs: the crate does not say what it is: start with //!"],
            ),
            ("crates/a/src/b.rs", long.as_str(), vec!["crates/a/src/b.rs: 601 lines, 600 is full"]),
            ("crates/a/src/generated/b.rs", long.as_str(), vec![]),
            ("crates/a/tests/it/b.rs", long.as_str(), vec![]),
            ("crates/a/src/tests.rs", long.as_str(), vec![]),
            ("README.md", long.as_str(), vec![]),
            ("README.md", private.as_str(), vec!["README.md:2: a path of somebody's own machine"]),
            ("README.md", public.as_str(), vec![]),
            ("crates/a/Cargo.toml", member, vec!["crates/a/Cargo.toml: the lints of the workspace are not taken over"]),
        ] {
            assert_eq!(complaints(name, content), expected, "{name}");
        }
    }
}
