//! What a path of an object looks like.

use crate::{Error, Kind, Result};

/// Whether an object may have this path: no leading slash, no empty part, no `.` and no `..`.
pub(crate) fn check(path: &str) -> Result<()> {
    if path.split('/').all(is_name) { Ok(()) } else { Err(bad(path)) }
}

/// Whether a listing may begin with this: with nothing, or with a folder.
pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
    let fine = prefix.is_empty() || prefix.strip_suffix('/').is_some_and(|folder| folder.split('/').all(is_name));
    if fine { Ok(()) } else { Err(Error::new(Kind::Misuse, format!("list below {prefix:?}, which is no folder"))) }
}

pub(crate) fn bad(path: &str) -> Error {
    Error::new(Kind::Misuse, format!("use {path:?} as the path of an object"))
}

fn is_name(part: &str) -> bool {
    !part.is_empty() && part != "." && part != ".." && !part.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_no_part_that_leads_elsewhere() {
        for path in ["", "/etc/passwd", "a//b", "a/", "../a", "a/../b", "a/.", "a\0b"] {
            assert_eq!(check(path).expect_err(path).kind(), Kind::Misuse, "{path:?}");
        }
        check("a/..b/c.d").expect("a fine path");
        for prefix in ["a", "/", "a//", "../"] {
            assert_eq!(check_prefix(prefix).expect_err(prefix).kind(), Kind::Misuse, "{prefix:?}");
        }
        check_prefix("").expect("everything");
        check_prefix("a/b/").expect("a folder");
    }
}
