use super::*;

#[test]
fn addresses_of_pages_are_read() {
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let by_digest = format!("/ui/team/app@{digest}");
    let name = || "team/app".parse().expect("a name");
    for (path, page) in [
        ("/", Some(About::Repositories)),
        ("/ui/team/app", Some(About::Repository(name()))),
        ("/ui/team%2Fapp", Some(About::Repository(name()))),
        ("/ui/team/app:1.0", Some(About::Manifest(name(), Reference::Tag("1.0".parse().expect("a tag"))))),
        (by_digest.as_str(), Some(About::Manifest(name(), Reference::Digest(digest.parse().expect("a digest"))))),
        ("/ui/", None),
        ("/ui/UPPER", None),
        ("/ui/team/app@sha256:short", None),
        ("/ui/team/app:", None),
        ("/other", None),
    ] {
        assert_eq!(about(path), page, "{path}");
    }
}
