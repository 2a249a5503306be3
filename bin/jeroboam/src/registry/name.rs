//! The names by which the program is called in a container image: as `registry`, it takes what distribution's program takes.
//!
//! Images of registry:2 call `registry serve /etc/docker/registry/config.yml`; that of Docker Hub calls `/entrypoint.sh FILE`, and some
//! deployments call `registry FILE`. All of these and a bare `registry` serve.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The command line as it is meant.
pub(crate) fn arguments(typed: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut typed: Vec<OsString> = typed.collect();
    let called = typed.first().and_then(|program| Path::new(program).file_name()).unwrap_or_default().to_owned();
    if called != "registry" && called != "entrypoint.sh" {
        return typed;
    }
    let mut rest = typed.split_off(1);
    // distribution: the script of the image calls the program by its name unless it is given a file.
    if called == "entrypoint.sh" && rest.first().is_some_and(|word| word == "registry" || word == "/bin/registry") {
        rest.remove(0);
    }
    match rest.first().and_then(|word| word.to_str()) {
        None => rest.insert(0, "serve".into()),
        Some("-v" | "--version") => return vec!["registry".into(), "--version".into()],
        Some(_) if is_file(&rest[0]) => rest.insert(0, "serve".into()),
        Some(_) => {}
    }
    ["jeroboam", "registry"].into_iter().map(OsString::from).chain(rest).collect()
}

/// A word that names a file rather than something to do.
fn is_file(word: &OsStr) -> bool {
    let path = Path::new(word);
    let yaml = path.extension().is_some_and(|ending| ending == "yml" || ending == "yaml");
    yaml || path.is_absolute()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_an_image_mean_serving() {
        for (typed, meant) in [
            ("jeroboam cluster list", "jeroboam cluster list"),
            ("/usr/bin/jeroboam registry serve a.yml", "/usr/bin/jeroboam registry serve a.yml"),
            ("registry", "jeroboam registry serve"),
            ("/bin/registry /etc/a", "jeroboam registry serve /etc/a"),
            ("registry config.yml", "jeroboam registry serve config.yml"),
            ("registry serve /etc/a.yml", "jeroboam registry serve /etc/a.yml"),
            ("registry garbage-collect /etc/a.yml", "jeroboam registry garbage-collect /etc/a.yml"),
            ("registry --help", "jeroboam registry --help"),
            ("registry --version", "registry --version"),
            (
                "/entrypoint.sh /etc/docker/registry/config.yml",
                "jeroboam registry serve /etc/docker/registry/config.yml",
            ),
            ("/entrypoint.sh registry serve a.yaml", "jeroboam registry serve a.yaml"),
            ("/entrypoint.sh", "jeroboam registry serve"),
        ] {
            let words = arguments(typed.split(' ').map(OsString::from));
            assert_eq!(words.join(OsStr::new(" ")), meant, "{typed}");
        }
    }
}
