use proptest::prelude::*;

use super::*;

const HEX: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
const ID: &str = "0197a1b2-0000-4000-8000-000000000000";

fn name(text: &str) -> RepositoryName {
    text.parse().expect("it is a name")
}

/// Every object of the store: its path, and what it means.
fn everything(
    repository: &RepositoryName,
    digest: &Digest,
    label: &Tag,
    id: &UploadId,
    offset: u64,
) -> Vec<(String, Meaning<'static>)> {
    let of = |what| Meaning::Repository(repository.clone(), what);
    let (d, t, i) = (digest.clone(), label.clone(), id.clone());
    vec![
        (blob(digest), Meaning::Blob(d.clone())),
        (layer(repository, digest), of(InRepository::Layer(d.clone()))),
        (revision(repository, digest), of(InRepository::Revision(d.clone()))),
        (tag_current(repository, label), of(InRepository::TagCurrent(t.clone()))),
        (tag_once(repository, label, digest), of(InRepository::TagOnce(t, d.clone()))),
        (upload_data(repository, id), of(InRepository::UploadData(i.clone()))),
        (upload_started(repository, id), of(InRepository::UploadStarted(i.clone()))),
        (
            upload_hash_state(repository, id, digest.algorithm(), offset),
            of(InRepository::UploadHashState(i, digest.algorithm(), offset)),
        ),
    ]
}

#[test]
fn paths_are_those_of_distribution() {
    let (a_b, digest, latest) = (name("a/b"), Digest::sha256(b"{}"), "latest".parse().expect("a tag"));
    let id = ID.parse().expect("an upload");
    let paths: Vec<_> = everything(&a_b, &digest, &latest, &id, 1024).into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        paths,
        [
            format!("docker/registry/v2/blobs/sha256/44/{HEX}/data"),
            format!("docker/registry/v2/repositories/a/b/_layers/sha256/{HEX}/link"),
            format!("docker/registry/v2/repositories/a/b/_manifests/revisions/sha256/{HEX}/link"),
            "docker/registry/v2/repositories/a/b/_manifests/tags/latest/current/link".to_owned(),
            format!("docker/registry/v2/repositories/a/b/_manifests/tags/latest/index/sha256/{HEX}/link"),
            format!("docker/registry/v2/repositories/a/b/_uploads/{ID}/data"),
            format!("docker/registry/v2/repositories/a/b/_uploads/{ID}/startedat"),
            format!("docker/registry/v2/repositories/a/b/_uploads/{ID}/hashstates/sha256/1024"),
        ]
    );
    for (folder, path) in [
        (repository(&a_b), &paths[1]),
        (layers(&a_b), &paths[1]),
        (revisions(&a_b), &paths[2]),
        (tags(&a_b), &paths[3]),
        (tag(&a_b, &latest), &paths[3]),
        (tag_history(&a_b, &latest), &paths[4]),
        (uploads(&a_b), &paths[5]),
        (upload(&a_b, &id), &paths[7]),
        (blobs_shard(Algorithm::Sha256, 0x44), &paths[0]),
    ] {
        assert!(path.starts_with(&folder) && folder.ends_with('/'), "{folder} is above {path}");
    }
}

#[test]
fn what_is_ours_stays_below_its_folder() {
    let path = own(Area::Leases, &["registry-0", "sha256:ab", "..", "", "a/b", "x%2f", "."]);
    assert_eq!(path, "docker/registry/v2/_x/leases/registry-0/sha256%3aab/%2e%2e/%/a%2fb/x%252f/%2e");
    assert!(path.starts_with(&area(Area::Leases)));
    assert_eq!(meaning("docker/registry/v2/_x/leases/a/b"), Meaning::Own(Area::Leases, "a/b"));
    assert_eq!(meaning("docker/registry/v2/_x/others/a/b"), Meaning::Foreign);
    let (subject, manifest) = (Digest::sha256(b"{}"), Digest::of(Algorithm::Sha512, b"{}"));
    let path = referrer(&name("a/b"), &subject, &manifest);
    assert!(path.starts_with(&referrers(&name("a/b"), &subject)));
    assert!(path.starts_with(&referrers_of_repository(&name("a/b"))));
    assert!(is_referrers_complete(&referrers_complete(&name("a/b"))) && !is_referrers_complete(&path));
    let latest = "latest".parse().expect("a tag");
    let stamp = tag_stamp(&name("a/b"), &latest);
    assert_eq!(meaning(&stamp), Meaning::Own(Area::Replication, "@tags/a/b/_tags/latest"));
    assert!(mirrored(&name("a/b"), &subject).starts_with(&mirrored_of_repository(&name("a/b"))));
    let rest = format!("a/b/_subjects/sha256/{HEX}/sha512/{}", manifest.hex());
    assert_eq!(meaning(&path), Meaning::Own(Area::Referrers, &rest));
}

#[test]
fn what_others_left_there_is_foreign() {
    for path in [
        "scheduler-state.json".to_owned(),
        "docker/registry/v2/blobs/README".to_owned(),
        format!("docker/registry/v2/blobs/sha256/45/{HEX}/data"),
        format!("docker/registry/v2/blobs/sha256/441/{HEX}/data"),
        format!("docker/registry/v2/blobs/sha256/44/{HEX}/data.0197.tmp"),
        format!("docker/registry/v2/blobs/md5/44/{HEX}/data"),
        format!("docker/registry/v2/repositories/A/_layers/sha256/{HEX}/link"),
        format!("docker/registry/v2/repositories/_layers/sha256/{HEX}/link"),
        format!("docker/registry/v2/repositories/a/_layers/sha256/{HEX}/data"),
        format!("docker/registry/v2/repositories/a/_referrers/sha256/{HEX}/link"),
        "docker/registry/v2/repositories/a/_manifests/tags/latest/link".to_owned(),
        "docker/registry/v2/repositories/a/_manifests/tags/.x/current/link".to_owned(),
        "docker/registry/v2/repositories/a/_uploads/x/data".to_owned(),
        format!("docker/registry/v2/repositories/a/_uploads/{ID}/hashstates/sha256/01"),
        format!("docker/registry/v2/repositories/a/_uploads/{ID}/hashstates/sha256/+1"),
        String::new(),
    ] {
        assert_eq!(meaning(&path), Meaning::Foreign, "{path}");
    }
}

#[test]
fn folders_have_a_meaning() {
    let (id, latest) = (ID.parse().expect("an upload"), "latest".parse().expect("a tag"));
    let below = |rest: &str| folder(&format!("docker/registry/v2/repositories/{rest}"));
    assert_eq!(below("a/b/"), Folder::Repository(name("a/b")));
    assert_eq!(below("a/_layers/"), Folder::Layers(name("a")));
    assert_eq!(below("a/_manifests/"), Folder::Manifests(name("a")));
    assert_eq!(below("a/_uploads/"), Folder::Uploads(name("a")));
    assert_eq!(below("a/_manifests/tags/latest/"), Folder::Tag(name("a"), latest));
    assert_eq!(below(&format!("a/_uploads/{ID}/")), Folder::Upload(name("a"), id));
    for other in ["", "_x/", "a/_manifests/tags/", "a/_referrers/", "a/_layers/sha256/", "a/_manifests/tags/.x/"] {
        assert_eq!(below(other), Folder::Other, "{other}");
    }
    assert_eq!(folder("docker/registry/v2/blobs/"), Folder::Other);
}

proptest! {
    #[test]
    fn a_path_means_what_it_was_made_of(
        repository in "[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}){0,3}",
        label in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}",
        bytes: Vec<u8>,
        long: bool,
        random: [u8; 16],
        offset: u64,
    ) {
        let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
        let digest = Digest::of(algorithm, &bytes);
        let label = label.parse().expect("a tag");
        for (path, means) in everything(&name(&repository), &digest, &label, &UploadId::of_random(random), offset) {
            prop_assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{}", path);
            prop_assert!(path.starts_with(ROOT));
            prop_assert_eq!(meaning(&path), means);
        }
    }

    #[test]
    fn no_path_makes_a_scan_stumble(path in "(docker/registry/v2/)?(blobs|repositories|_x)?/?[a-z0-9_/.-]{0,60}") {
        let _ = (meaning(&path), folder(&path));
    }
}
