//! Which object has which name: the layout that distribution's Swift driver gave its container.
//!
//! No I/O. A path `x/y` is the object `P/files/x/y`; the bytes of large objects are `P/segments/<3>/<rest>/<number>`.

use jeroboam_openstack::object_store::ObjectStore;

/// Names below a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// Empty, or with a slash at its end.
    prefix: String,
}

/// So many digits tell whose a directory of segments is.
const OWNER: usize = 16;

/// Digits of a segment's number.
const NUMBER: usize = 16;

impl Names {
    pub(crate) fn new(prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        Self { prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") } }
    }

    pub(crate) fn file(&self, path: &str) -> String {
        format!("{}files/{path}", self.prefix)
    }

    /// The path whose object has this name.
    pub(crate) fn path<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(&self.prefix)?.strip_prefix("files/").filter(|path| !path.is_empty())
    }

    /// What all segments begin with.
    pub(crate) fn segments(&self) -> String {
        format!("{}segments/", self.prefix)
    }

    /// What all files begin with.
    pub(crate) fn files(&self) -> String {
        format!("{}files/", self.prefix)
    }

    /// An object that is written only to find out what the store can do.
    pub(crate) fn trial(&self, random: &str) -> String {
        format!("{}trials/{random}", self.prefix)
    }

    /// A directory of segments that nobody else has. Half of it tells whose it is, so that a sweep knows the uploads that go on.
    pub(crate) fn directory(&self, owner: &str, random: u64) -> String {
        let name = format!("{}{random:016x}", mark(owner));
        format!("{}{}/{}", self.segments(), &name[..3], &name[3..])
    }

    /// What tells whose a directory of ours is.
    pub(crate) fn mark_of(&self, directory: &str) -> Option<String> {
        let mut digits = self.digits(directory).filter(|digits| digits.len() == 2 * OWNER)?;
        digits.truncate(OWNER);
        Some(digits)
    }

    /// The directory of a segment; `None` where the name is none.
    pub(crate) fn directory_of<'a>(&self, name: &'a str) -> Option<&'a str> {
        let (directory, number) = name.rsplit_once('/')?;
        let is_number = number.len() == NUMBER && number.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && self.digits(directory).is_some()).then_some(directory)
    }

    /// The upload of distribution's first generation, whose directories have it in their name: hexadecimal, then 32 random bytes, then a hash.
    pub(crate) fn upload_of(&self, directory: &str) -> Option<String> {
        const RANDOM_AND_HASH: usize = 64 + 40;
        let digits = self.digits(directory)?;
        let path = digits.get(..digits.len().checked_sub(RANDOM_AND_HASH)?)?;
        let bytes: Option<Vec<u8>> = path
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        let path = String::from_utf8(bytes?).ok()?;
        let path = path.strip_prefix('/')?;
        (!path.is_empty()).then(|| self.file(path))
    }

    /// `segments/abc/def` as `abcdef`.
    fn digits(&self, directory: &str) -> Option<String> {
        let rest = directory.strip_prefix(&self.prefix)?.strip_prefix("segments/")?;
        let (first, rest) = rest.split_once('/')?;
        let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (first.len() == 3 && !rest.is_empty() && hex(first) && hex(rest)).then(|| format!("{first}{rest}"))
    }
}

/// The name of a segment.
pub(crate) fn segment(directory: &str, number: u64) -> String {
    format!("{directory}/{number:016}")
}

/// What tells that a directory is this owner's.
pub(crate) fn mark(owner: &str) -> String {
    let mut mark = ObjectStore::fingerprint(owner);
    mark.truncate(OWNER);
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_its_name_are_one() {
        for (prefix, path, name) in [
            ("", "docker/x", "files/docker/x"),
            ("/reg/", "docker/x", "reg/files/docker/x"),
            ("a/b", "y", "a/b/files/y"),
        ] {
            let names = Names::new(prefix);
            assert_eq!(names.file(path), name);
            assert_eq!(names.path(name), Some(path));
            assert_eq!(names.path("other/files/x"), None);
        }
        assert_eq!(Names::new("").path("segments/abc/de/0000000000000001"), None);
    }

    #[test]
    fn directories_of_all_generations_are_known() {
        let names = Names::new("p");
        let ours = names.directory("up/1", 7);
        assert_eq!(ours.len(), "p/segments/".len() + 3 + 1 + 29);
        assert!(names.mark_of(&ours) == Some(mark("up/1")) && mark("up/1") != mark("up/2"));
        assert_eq!(names.directory_of(&segment(&ours, 12)), Some(ours.as_str()));
        let sha1 = "p/segments/da3/9a3ee5e6b4b0d3255bfef95601890afd80709";
        assert_eq!(names.directory_of(&format!("{sha1}/0000000000000000")), Some(sha1));
        assert_eq!(names.upload_of(sha1), None);
        for odd in [
            "p/segments/da3/xyz/0000000000000001",
            "p/segments/da3/1",
            "p/files/da3/1/0000000000000001",
            "p/segments/da3/9a/1",
        ] {
            assert_eq!(names.directory_of(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_first_generation_tells_its_upload() {
        let path = "/docker/registry/v2/repositories/a/_uploads/u/data";
        let hex: String = path.bytes().map(|byte| format!("{byte:02x}")).collect();
        let digits = format!("{hex}{}da39a3ee5e6b4b0d3255bfef95601890afd80709", "ab".repeat(32));
        let directory = format!("segments/{}/{}", &digits[..3], &digits[3..]);
        let wanted = "files/docker/registry/v2/repositories/a/_uploads/u/data";
        assert_eq!(Names::new("").upload_of(&directory).as_deref(), Some(wanted));
    }
}
