//! The names by which the program is called in a container image: as `registry`, it takes what distribution's program takes.
//!
//! Images of registry:2 call `registry serve /etc/docker/registry/config.yml`; that of Docker Hub calls `/entrypoint.sh FILE`, and some
//! deployments call `registry FILE`. All of these and a bare `registry` serve. Where the file that they name is one that images of distribution come with,
//! and nobody mounted one there, the others of the usual places are meant: our image comes with its own in the last of them.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use jeroboam_registry::config::{self, USUAL_PLACES};

/// The command line as it is meant.
pub(crate) fn arguments(typed: impl Iterator<Item = OsString>) -> Vec<OsString> {
    meant(typed.collect(), config::is_there)
}

fn meant(mut typed: Vec<OsString>, is_there: impl Fn(&Path) -> bool) -> Vec<OsString> {
    let called = typed.first().and_then(|program| Path::new(program).file_name()).unwrap_or_default().to_owned();
    if called != "registry" && called != "entrypoint.sh" {
        return typed;
    }
    let mut rest = typed.split_off(1);
    // distribution: the script of the image calls the program by its name unless it is given a file.
    if called == "entrypoint.sh" && rest.first().is_some_and(|word| word == "registry" || word == "/bin/registry") {
        rest.remove(0);
    }
    // What distribution's program does with a configuration; other subcommands may mean a file that is to be.
    if rest.first().is_some_and(|word| word == "serve" || word == "garbage-collect" || is_file(word)) {
        rest.retain(|word| !is_usual(word) || is_there(Path::new(word)));
    }
    match rest.first().and_then(|word| word.to_str()) {
        None => rest.insert(0, "serve".into()),
        Some("-v" | "--version") => return vec!["registry".into(), "--version".into()],
        Some(_) if is_file(&rest[0]) => rest.insert(0, "serve".into()),
        Some(_) => {}
    }
    ["jeroboam", "registry"].into_iter().map(OsString::from).chain(rest).collect()
}

fn is_usual(word: &OsStr) -> bool {
    USUAL_PLACES.iter().any(|place| word == *place)
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
            assert_eq!(words(typed, |_| true), meant, "{typed}");
        }
    }

    fn words(typed: &str, is_there: impl Fn(&Path) -> bool) -> String {
        let words = super::meant(typed.split(' ').map(OsString::from).collect(), is_there);
        words.join(OsStr::new(" ")).into_string().expect("it was text")
    }

    #[test]
    fn a_configuration_that_nobody_mounted_is_looked_for_in_the_other_places() {
        let [two, three, _] = USUAL_PLACES;
        let is_there = |path: &Path| path == Path::new(three);
        for (typed, meant) in [
            (format!("/entrypoint.sh {two}"), "jeroboam registry serve".to_owned()),
            (format!("registry serve {two}"), "jeroboam registry serve".to_owned()),
            (format!("/bin/registry garbage-collect -m {two}"), "jeroboam registry garbage-collect -m".to_owned()),
            (format!("registry serve {three}"), format!("jeroboam registry serve {three}")),
            // That is a mistake, and not what images come with.
            ("registry serve /etc/mine.yml".to_owned(), "jeroboam registry serve /etc/mine.yml".to_owned()),
            (format!("registry node unit --config {two}"), format!("jeroboam registry node unit --config {two}")),
            (format!("jeroboam registry serve {two}"), format!("jeroboam registry serve {two}")),
        ] {
            assert_eq!(words(&typed, is_there), meant, "{typed}");
        }
    }
}
