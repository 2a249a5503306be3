//! From paths of objects to paths of files, and what is no path of ours.

use std::path::{Path, PathBuf};

use crate::{Result, path};

/// What temporary files end with; nobody sees them.
pub(super) const TEMPORARY: &str = ".tmp";

/// Where the object at `path` lies.
pub(super) fn file(root: &Path, path: &str) -> Result<PathBuf> {
    path::check(path)?;
    if path.ends_with(TEMPORARY) { Err(path::bad(path)) } else { Ok(root.join(path)) }
}

/// The temporary file beside the file that it will become.
pub(super) fn temporary(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}{TEMPORARY}", uuid::Uuid::new_v4()));
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn no_path_leaves_the_root() {
        for path in ["/etc/passwd", "../a", "a/../b", "a/b.tmp"] {
            assert_eq!(file(Path::new("/root"), path).expect_err(path).kind(), Kind::Misuse, "{path:?}");
        }
        assert_eq!(file(Path::new("/r"), "a/..b/c").expect("a fine path"), Path::new("/r/a/..b/c"));
    }

    #[test]
    fn a_temporary_file_lies_beside_the_file() {
        let temporary = temporary(Path::new("/r/a/data"));
        assert_eq!(temporary.parent(), Some(Path::new("/r/a")));
        let name = temporary.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(name.starts_with("data.") && name.ends_with(TEMPORARY), "{name}");
    }
}
