use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use jeroboam_oci::Algorithm;
use serde_json::json;

use super::*;
use crate::bed::{Server, Wanted, by_tag, image, index, name, push, serves, tag};
use crate::client::PutCondition;
use crate::images::Images;

fn names(texts: &[&str]) -> Vec<ImageName> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

async fn export(
    from: &dyn Images,
    images: &[&str],
    to: &Path,
    since: &[Bundle],
    split: Option<u64>,
) -> Result<Exported> {
    let images = names(images);
    let to = to.to_owned();
    Export { from, images: &images, to, referrers: true, since, split, progress: &|_, _, _| {} }.run().await
}

async fn import(from: &Bundle, to: &dyn Images) -> Result<Imported> {
    Import { from, to, repository: None, prefix: None, progress: &|_, _, _| {} }.run().await
}

async fn filled() -> Server {
    let server = Server::start(Wanted::default()).await;
    let (one, other) = (image("one", None), image("other", None));
    push(&server, "team/app", Some("v1"), &one).await.unwrap();
    push(&server, "team/app", None, &other).await.unwrap();
    let all = index(&[&one.manifest, &other.manifest]);
    server
        .remote()
        .put_manifest(&name("team/app"), Some(&tag("all")), &all, &PutCondition::Always, None)
        .await
        .unwrap();
    push(&server, "team/app", None, &image("signature", Some(&all))).await.unwrap();
    push(&server, "team/tool", Some("v1"), &image("tool", None)).await.unwrap();
    server
}

#[test]
fn images_are_named_as_everywhere() {
    for (text, written) in [
        ("team/app", "team/app:latest"),
        ("team/app:v1", "team/app:v1"),
        (
            "a:v1@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "a@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        ),
    ] {
        assert_eq!(text.parse::<ImageName>().map(|name| name.to_string()), Ok(written.to_owned()));
    }
    for text in ["", ":v1", "a@", "a@sha256:0", "A:v1", "a:.x", "a/../b"] {
        assert!(text.parse::<ImageName>().is_err(), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn images_travel_in_an_archive_with_what_is_about_them() {
    let (from, folder) = (filled().await, tempfile::tempdir().unwrap());
    let path = folder.path().join("bundle.tar");
    let exported = export(&from.remote(), &["team/app:all", "team/tool:v1"], &path, &[], None).await.unwrap();
    assert_eq!((exported.images.len(), exported.manifests, exported.left_out), (2, 5, 0));
    let bundle = Bundle::open(&path).await.unwrap();
    let to = Server::start(Wanted::default()).await;
    let plan = Import { from: &bundle, to: &to.remote(), repository: None, prefix: None, progress: &|_, _, _| {} };
    assert_eq!(plan.plan().await.unwrap().images.len(), 3);
    assert_eq!(to.remote().repositories().await.unwrap(), []);
    let imported = import(&bundle, &to.remote()).await.unwrap();
    assert_eq!(imported.images.len(), 3);
    assert!(serves(&to, "team/tool", "v1", &image("tool", None)).await);
    for (repository, label) in [("team/app", "all"), ("team/tool", "v1")] {
        let (repository, reference) = (name(repository), by_tag(label));
        let there = from.remote().manifest(&repository, &reference).await.unwrap();
        assert_eq!(there, to.remote().manifest(&repository, &reference).await.unwrap());
    }
    let all = to.remote().manifest(&name("team/app"), &by_tag("all")).await.unwrap().unwrap();
    let about = to.remote().referrers(&name("team/app"), &all.digest).await.unwrap();
    assert_eq!(about.len(), 1);
    // Once more changes nothing.
    let again = import(&bundle, &to.remote()).await.unwrap();
    assert_eq!((again.blobs, again.bytes), (0, 0));
    // Under a name of their own.
    let prefix = name("mirror");
    let below =
        Import { from: &bundle, to: &to.local(), repository: None, prefix: Some(&prefix), progress: &|_, _, _| {} };
    below.run().await.unwrap();
    assert!(serves(&to, "mirror/team/tool", "v1", &image("tool", None)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_under_tags_travel_with_what_they_sign() {
    let (from, folder) = (filled().await, tempfile::tempdir().unwrap());
    let (app, path) = (name("team/app"), folder.path().join("bundle.tar"));
    let all = from.remote().manifest(&app, &by_tag("all")).await.unwrap().unwrap().digest;
    let (child, signature) = (image("one", None), image("cosign", None));
    let tag_of = |digest: &Digest, what: &str| format!("sha256-{}.{what}", digest.hex());
    let (of_all, of_child) = (tag_of(&all, "sig"), tag_of(&child.manifest.digest, "sbom"));
    for label in [&of_all, &of_child, &tag_of(&Digest::sha256(b"another"), "sig")] {
        push(&from, "team/app", Some(label), &signature).await.unwrap();
    }
    from.faults.asked("");
    export(&from.remote(), &["team/app:all", "team/app:v1"], &path, &[], None).await.unwrap();
    assert_eq!(from.faults.asked("/tags/list").len(), 1, "once, and not for each image");
    let to = Server::start(Wanted::default()).await;
    import(&Bundle::open(&path).await.unwrap(), &to.remote()).await.unwrap();
    for label in [&of_all, &of_child] {
        assert!(serves(&to, "team/app", label, &signature).await, "{label}");
    }
    assert_eq!(to.local().tags(&app).await.unwrap().unwrap().len(), 4, "the others are all and v1");

    // Who may read an image and not list the tags gets it without those.
    from.faults.refuse("/tags/list", http::StatusCode::FORBIDDEN, "");
    let bare = folder.path().join("bare.tar");
    export(&from.remote(), &["team/app:v1"], &bare, &[], None).await.unwrap();
    let to = Server::start(Wanted::default()).await;
    import(&Bundle::open(&bare).await.unwrap(), &to.remote()).await.unwrap();
    assert_eq!(to.local().tags(&app).await.unwrap(), Some(vec!["v1".parse().unwrap()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_images_make_the_same_bytes() {
    let (from, folder) = (filled().await, tempfile::tempdir().unwrap());
    let paths = ["1.tar", "2.tar", "3.tar"].map(|name| folder.path().join(name));
    export(&from.remote(), &["team/app:all", "team/tool:v1"], &paths[0], &[], None).await.unwrap();
    export(&from.local(), &["team/tool:v1", "team/app:all", "team/tool:v1"], &paths[1], &[], None).await.unwrap();
    let [one, two, pieces] = paths;
    let whole = std::fs::read(&one).unwrap();
    assert_eq!(whole, std::fs::read(&two).unwrap());
    let sums = std::fs::read_to_string(folder.path().join("1.tar.sha256")).unwrap();
    assert_eq!(sums, format!("{}  1.tar\n", Digest::sha256(&whole).hex()));

    let exported =
        export(&from.remote(), &["team/app:all", "team/tool:v1"], &pieces, &[], Some(256 << 10)).await.unwrap();
    let files: Vec<_> =
        exported.files.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert!(files.len() > 3 && files[0] == "3.tar.000" && files.last().unwrap() == "3.tar.sha256", "{files:?}");
    let joined: Vec<u8> =
        exported.files[..files.len() - 1].iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
    assert!(joined == whole, "pieces one after the other are the archive");
    let to = Server::start(Wanted::default()).await;
    import(&Bundle::open(&pieces).await.unwrap(), &to.remote()).await.unwrap();
    assert!(serves(&to, "team/tool", "v1", &image("tool", None)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_an_image_layout_as_others_read_it() {
    let (from, folder) = (filled().await, tempfile::tempdir().unwrap());
    let path = folder.path().join("layout/");
    export(&from.remote(), &["team/tool:v1"], &path, &[], None).await.unwrap();
    assert_eq!(std::fs::read(path.join("oci-layout")).unwrap(), br#"{"imageLayoutVersion":"1.0.0"}"#);
    let index: serde_json::Value = serde_json::from_slice(&std::fs::read(path.join("index.json")).unwrap()).unwrap();
    let annotations = &index["manifests"][0]["annotations"];
    assert_eq!(annotations["org.opencontainers.image.ref.name"], "team/tool:v1");
    let digest = image("tool", None).manifest.digest;
    assert_eq!(index["manifests"][0]["digest"], digest.to_string());
    assert!(path.join("blobs/sha256").join(digest.hex()).exists());
    let to = Server::start(Wanted::default()).await;
    import(&Bundle::open(&path).await.unwrap(), &to.remote()).await.unwrap();
    assert!(serves(&to, "team/tool", "v1", &image("tool", None)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_is_not_unpacked_and_moves_no_tag() {
    let (from, folder) = (filled().await, tempfile::tempdir().unwrap());
    let path = folder.path().join("layout/");
    export(&from.remote(), &["team/app:v1", "team/tool:v1"], &path, &[], None).await.unwrap();
    let (layer, _) = image("tool", None).blobs[1].clone();
    let file = path.join("blobs/sha256").join(layer.hex());
    let right = std::fs::read(&file).unwrap();
    let mut wrong = right.clone();
    wrong[100_000] ^= 1;
    let to = Server::start(Wanted::default()).await;
    for bytes in [Some(wrong), Some(right[..1000].to_vec()), None] {
        match bytes {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let refused = import(&Bundle::open(&path).await.unwrap(), &to.remote()).await.unwrap_err();
        assert!(matches!(refused, BundleError::Damaged { .. }), "{refused}");
        assert_eq!(to.remote().repositories().await.unwrap(), [], "nothing was sent");
    }
    let archive = folder.path().join("bundle.tar");
    export(&from.remote(), &["team/tool:v1"], &archive, &[], None).await.unwrap();
    let mut bytes = std::fs::read(&archive).unwrap();
    bytes[200_000] ^= 1;
    std::fs::write(&archive, &bytes).unwrap();
    assert!(matches!(Bundle::open(&archive).await, Err(BundleError::Damaged { .. })), "its sum says so");
    std::fs::remove_file(folder.path().join("bundle.tar.sha256")).unwrap();
    let refused = import(&Bundle::open(&archive).await.unwrap(), &to.remote()).await.unwrap_err();
    assert!(matches!(refused, BundleError::Damaged { .. }), "its digests say so: {refused}");
    std::fs::write(&archive, b"no archive at all").unwrap();
    let nothing = match Bundle::open(&archive).await {
        Ok(bundle) => import(&bundle, &to.remote()).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(nothing, BundleError::NoBundle { .. }), "{nothing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_may_go_on_from_an_earlier_one() {
    let (from, folder) = (filled().await, tempfile::tempdir().unwrap());
    let (first, second) = (folder.path().join("1.tar"), folder.path().join("2.tar"));
    export(&from.remote(), &["team/app:v1"], &first, &[], None).await.unwrap();
    // A new image with one new layer.
    let one = image("one", None);
    let first_bundle = Bundle::open(&first).await.unwrap();
    let exported =
        export(&from.remote(), &["team/app:all"], &second, std::slice::from_ref(&first_bundle), None).await.unwrap();
    assert_eq!((exported.left_out, exported.blobs), (one.blobs.len(), 6));
    let second_bundle = Bundle::open(&second).await.unwrap();
    let to = Server::start(Wanted::default()).await;
    let refused = import(&second_bundle, &to.remote()).await.unwrap_err();
    assert!(matches!(refused, BundleError::Earlier { .. }), "{refused}");
    assert_eq!(to.local().tags(&name("team/app")).await.unwrap(), None);
    import(&first_bundle, &to.remote()).await.unwrap();
    import(&second_bundle, &to.remote()).await.unwrap();
    let all = to.remote().manifest(&name("team/app"), &by_tag("all")).await.unwrap();
    assert_eq!(all, from.remote().manifest(&name("team/app"), &by_tag("all")).await.unwrap());
}

/// What `docker save` writes: a configuration, layers as tar archives, and a list.
fn saved(folder: &Path, right: bool) -> (Bytes, Bytes) {
    let layer = crate::bed::bytes("a layer", 5000);
    let diff = if right { Digest::sha256(&layer) } else { Digest::sha256(b"another") };
    let config = Bytes::from(
        json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff]}}).to_string(),
    );
    let config_name = format!("{}.json", Digest::sha256(&config).hex());
    let list = json!([{"Config": config_name, "RepoTags": ["localhost:5000/team/saved:v1", "other:v2"], "Layers": ["abc/layer.tar"]}]);
    let mut archive = tar::Builder::new(std::fs::File::create(folder.join("saved.tar")).unwrap());
    for (name, bytes) in [
        (config_name.as_str(), config.to_vec()),
        ("abc/layer.tar", layer.to_vec()),
        ("manifest.json", list.to_string().into_bytes()),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        archive.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    archive.finish().unwrap();
    (config, layer)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_docker_saved_is_unpacked_too() {
    let (folder, to) = (tempfile::tempdir().unwrap(), Server::start(Wanted::default()).await);
    let (config, layer) = saved(folder.path(), true);
    let bundle = Bundle::open(&folder.path().join("saved.tar")).await.unwrap();
    let imported = import(&bundle, &to.remote()).await.unwrap();
    let found: BTreeSet<_> = imported.images.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(found, BTreeSet::from(["other:v2".to_owned(), "team/saved:v1".to_owned()]));
    let raw = to.remote().manifest(&name("team/saved"), &by_tag("v1")).await.unwrap().unwrap();
    let manifest = jeroboam_oci::manifest::Manifest::stored(&raw.bytes).unwrap();
    let named: Vec<_> = manifest.references.iter().map(|named| named.descriptor.digest.clone()).collect();
    assert_eq!(named, [Digest::sha256(&config), Digest::sha256(&layer)]);
    assert_eq!(crate::bed::pull_blob(&to, "other", &named[1]).await, Some(layer));

    saved(folder.path(), false);
    let bundle = Bundle::open(&folder.path().join("saved.tar")).await.unwrap();
    assert!(matches!(import(&bundle, &to.remote()).await, Err(BundleError::Damaged { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_packed() {
    let (from, folder) = (filled().await, tempfile::tempdir().unwrap());
    let path = folder.path().join("bundle.tar");
    let refused = export(&from.remote(), &["team/app:v1", "team/none:v1"], &path, &[], None).await.unwrap_err();
    assert!(matches!(refused, BundleError::NoImage(_)), "{refused}");
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_a_long_digest_travels_in_an_archive() {
    let (from, folder) = (Server::start(Wanted::default()).await, tempfile::tempdir().unwrap());
    let mut one = image("one", None);
    let short = one.manifest.digest.clone();
    one.manifest.digest = Digest::of(Algorithm::Sha512, &one.manifest.bytes);
    push(&from, "team/app", Some("v1"), &one).await.unwrap();
    let (path, by_digest) = (folder.path().join("bundle.tar"), format!("team/app@{}", one.manifest.digest));
    export(&from.remote(), &["team/app:v1", &by_digest], &path, &[], None).await.unwrap();
    let archive = std::fs::File::open(&path).unwrap();
    let named =
        |entry: std::io::Result<tar::Entry<'_, std::fs::File>>| entry.unwrap().path().unwrap().display().to_string();
    let names: Vec<String> = tar::Archive::new(archive).entries().unwrap().map(named).collect();
    assert!(names.contains(&format!("blobs/sha512/{}", one.manifest.digest.hex())), "{names:?}");
    let to = Server::start(Wanted::default()).await;
    import(&Bundle::open(&path).await.unwrap(), &to.remote()).await.unwrap();
    let by_digest = Reference::Digest(one.manifest.digest.clone());
    let there = to.remote().manifest(&name("team/app"), &by_digest).await.unwrap();
    assert_eq!(there.as_ref(), Some(&one.manifest));
    // Between registries a tag goes by the digest that everybody knows.
    let tagged = to.remote().head_manifest(&name("team/app"), &by_tag("v1")).await.unwrap();
    assert_eq!(tagged.map(|head| head.digest), Some(short));
}
