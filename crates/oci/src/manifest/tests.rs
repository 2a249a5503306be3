use serde_json::{Value, json};

use super::*;

fn digest(what: &str) -> String {
    Digest::sha256(what.as_bytes()).to_string()
}

fn descriptor(media_type: &str, what: &str) -> Value {
    json!({"mediaType": media_type, "digest": digest(what), "size": what.len()})
}

fn image() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OciManifest.as_str(),
        "config": descriptor("application/vnd.oci.image.config.v1+json", "config"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", "layer")],
    })
}

fn index() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OciIndex.as_str(),
        "manifests": [descriptor(MediaType::OciManifest.as_str(), "image")],
    })
}

fn with(mut value: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    value.as_object_mut().expect("an object").extend(changes);
    value
}

fn without(mut value: Value, field: &str) -> Value {
    value.as_object_mut().expect("an object").remove(field).expect("it was there");
    value
}

fn pushed(value: &Value, content_type: Option<&str>) -> Result<Manifest, BadManifest> {
    Manifest::pushed(value.to_string().as_bytes(), content_type)
}

fn stored(value: &Value) -> Result<Manifest, BadManifest> {
    Manifest::stored(value.to_string().as_bytes())
}

fn names(manifest: &Manifest) -> Vec<(Role, String)> {
    manifest.references.iter().map(|named| (named.role, named.descriptor.digest.to_string())).collect()
}

#[test]
fn an_image_names_its_configuration_and_its_layers() {
    let json = with(
        image(),
        json!({"annotations": {"k": "v"}, "unknown": [1, {"x": null}], "subject": descriptor("a/b", "subject")}),
    );
    let manifest = pushed(&json, Some(MediaType::OciManifest.as_str())).expect("a manifest");
    assert_eq!(manifest.media_type, MediaType::OciManifest);
    assert_eq!(names(&manifest), [(Role::Config, digest("config")), (Role::Layer, digest("layer"))]);
    assert_eq!(manifest.subject.as_ref().map(|s| s.digest.to_string()), Some(digest("subject")));
    assert_eq!(manifest.artifact_type.as_deref(), Some("application/vnd.oci.image.config.v1+json"));
    assert_eq!(manifest.annotations.get("k").map(String::as_str), Some("v"));
    assert_eq!(manifest.keeps().len(), 2);
    assert_eq!(manifest.config().map(|config| config.size), Some(6));
    assert_eq!(stored(&json), Ok(manifest));
}

#[test]
fn an_index_names_its_manifests() {
    let manifest = pushed(&index(), None).expect("a manifest");
    assert_eq!(names(&manifest), [(Role::Child, digest("image"))]);
    assert_eq!(manifest.artifact_type, None);
    assert_eq!(manifest.children().count(), 1);
    assert_eq!(manifest.blobs().count(), 0);
    let typed = pushed(&with(index(), json!({"artifactType": "a/b", "manifests": []})), None).expect("a manifest");
    assert_eq!((typed.artifact_type.as_deref(), typed.references.len()), (Some("a/b"), 0));
    let platform = json!({"platform": {"architecture": "arm64", "os": "linux", "variant": "v8", "os.version": "1"}});
    let child = with(descriptor(MediaType::OciManifest.as_str(), "image"), platform);
    let manifest = stored(&with(index(), json!({"manifests": [child]}))).expect("a manifest");
    let arm = Platform { architecture: "arm64".to_owned(), os: "linux".to_owned(), variant: Some("v8".to_owned()) };
    assert_eq!(manifest.references[0].descriptor.platform, Some(arm));
}

#[test]
fn the_type_is_its_own_word_then_the_header_s_then_its_shape() {
    let bare = without(image(), "mediaType");
    let docker = MediaType::DockerManifest.as_str();
    for (json, header, found) in [
        (&image(), Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"), MediaType::OciManifest),
        (&image(), Some(""), MediaType::OciManifest),
        (&bare, Some(docker), MediaType::DockerManifest),
        (&bare, Some("Application/Vnd.Docker.Distribution.Manifest.v2+json"), MediaType::DockerManifest),
        (&bare, None, MediaType::OciManifest),
        (&without(index(), "mediaType"), None, MediaType::OciIndex),
        (&without(index(), "mediaType"), Some(MediaType::DockerList.as_str()), MediaType::DockerList),
        (&with(image(), json!({"mediaType": docker})), None, MediaType::DockerManifest),
    ] {
        assert_eq!(pushed(json, header).map(|manifest| manifest.media_type), Ok(found), "{header:?} {json}");
    }
    let disagrees = BadManifest::Disagrees { said: MediaType::OciManifest.to_string(), header: docker.to_owned() };
    assert_eq!(pushed(&image(), Some(docker)), Err(disagrees));
    assert_eq!(pushed(&bare, Some("application/json")), Err(BadManifest::UnknownType("application/json".to_owned())));
    let artifact = "application/vnd.oci.artifact.manifest.v1+json";
    let unknown = Err(BadManifest::UnknownType(artifact.to_owned()));
    assert_eq!(stored(&with(image(), json!({"mediaType": artifact}))), unknown);
}

#[test]
fn what_could_be_understood_in_two_ways_is_refused() {
    let lists = json!({"manifests": []});
    assert_eq!(pushed(&with(image(), lists.clone()), None), Err(BadManifest::Misplaced("manifests")));
    assert_eq!(stored(&without(with(image(), lists), "mediaType")), Err(BadManifest::Misplaced("config")));
    assert_eq!(pushed(&with(index(), json!({"layers": []})), None), Err(BadManifest::Misplaced("layers")));
    assert_eq!(pushed(&without(image(), "config"), None), Err(BadManifest::Lacks("config")));
    assert_eq!(pushed(&without(index(), "manifests"), None), Err(BadManifest::Lacks("manifests")));
    assert_eq!(pushed(&with(image(), json!({"schemaVersion": 3})), None), Err(BadManifest::Version));
    assert_eq!(pushed(&without(image(), "schemaVersion"), None), Err(BadManifest::Version));
    assert!(stored(&without(image(), "schemaVersion")).is_ok());
    let twice = image().to_string().replacen('{', r#"{"layers":[],"#, 1);
    assert!(matches!(Manifest::pushed(twice.as_bytes(), None), Err(BadManifest::Form(_))));
    assert!(pushed(&with(image(), json!({"layers": null, "annotations": null, "subject": null})), None).is_ok());
}

#[test]
fn what_is_no_manifest_is_refused() {
    for text in [
        "",
        "null",
        "[]",
        "{}",
        "{",
        r#"{"schemaVersion":2}"#,
        r#"{"schemaVersion":"2"}"#,
        "\u{feff}{}",
        r#"{"schemaVersion":2,"manifests":{}}"#,
        r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:x","size":1}]}"#,
        r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":-1}]}"#,
        r#"{"schemaVersion":2,"manifests":[{"size":1}]}"#,
    ] {
        let error = Manifest::pushed(text.as_bytes(), None).expect_err(text);
        assert!(error.to_string().len() < 300, "{error}");
    }
    let long = format!(r#"{{"schemaVersion":2,"mediaType":"{}"}}"#, "ä".repeat(4000));
    assert!(Manifest::pushed(long.as_bytes(), None).is_err_and(|error| error.to_string().len() < 300));
}

#[test]
fn limits_are_kept() {
    let nested = |depth: usize| {
        let inner = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        image().to_string().replacen('{', &format!(r#"{{"deep":{inner},"#), 1)
    };
    assert!(Manifest::pushed(nested(DEEPEST - 1).as_bytes(), None).is_ok());
    assert_eq!(Manifest::pushed(nested(DEEPEST).as_bytes(), None), Err(BadManifest::TooDeep));
    assert_eq!(Manifest::pushed("[".repeat(1 << 20).as_bytes(), None), Err(BadManifest::TooDeep));
    let brackets = with(image(), json!({"annotations": {"k\"\\": "[".repeat(100)}}));
    assert!(pushed(&brackets, None).is_ok());

    let layers = |count| with(image(), json!({"layers": vec![descriptor("a/b", "layer"); count]}));
    assert_eq!(pushed(&layers(MOST - 1), None).map(|manifest| manifest.references.len()), Ok(MOST));
    assert_eq!(pushed(&layers(MOST), None), Err(BadManifest::TooMany));
    assert_eq!(pushed(&layers(MOST + 1), None), Err(BadManifest::TooMany));
}

#[test]
fn what_is_not_understood_is_called_by_the_type_that_it_says_or_looks_like() {
    let no_size = with(image(), json!({"layers": [without(descriptor("a/b", "layer"), "size")]}));
    let negative = with(image(), json!({"config": with(descriptor("a/b", "config"), json!({"size": -1}))}));
    let twice = image().to_string().replacen('{', r#"{"layers":[],"mediaType":"a/b","#, 1);
    let deep = format!(r#"{{"deep":{}{},"#, "[".repeat(1000), "]".repeat(1000));
    let many = with(index(), json!({"manifests": vec![descriptor("a/b", "x"); MOST + 1]}));
    let first = json!({"schemaVersion": 1, "fsLayers": [{"blobSum": "x"}]});
    let (oci, list) = (MediaType::OciManifest.as_str(), MediaType::OciIndex.as_str());
    for (text, media_type) in [
        (no_size.to_string(), oci),
        (negative.to_string(), oci),
        (twice, oci),
        (image().to_string().replacen('{', &deep, 1), oci),
        (without(no_size.clone(), "mediaType").to_string(), oci),
        (many.to_string(), list),
        (without(many, "mediaType").to_string(), list),
        (first.to_string(), MediaType::DockerSchema1.as_str()),
        (with(first, json!({"signatures": []})).to_string(), MediaType::DockerSchema1Signed.as_str()),
        (json!({"schemaVersion": 2, "mediaType": "a/b+json", "config": 5}).to_string(), "a/b+json"),
    ] {
        assert!(Manifest::stored(text.as_bytes()).is_err(), "{media_type}");
        assert_eq!(presumed_type(text.as_bytes()).as_deref(), Some(media_type));
    }
    let configuration = json!({"architecture": "amd64", "config": {"Cmd": ["sh"]}, "rootfs": {"type": "layers"}});
    for text in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "{".to_owned(),
        format!("{no_size} {no_size}"),
        configuration.to_string(),
        without(no_size.clone(), "schemaVersion").to_string(),
        with(no_size.clone(), json!({"schemaVersion": 3})).to_string(),
        with(no_size.clone(), json!({"mediaType": 5})).to_string(),
        with(no_size.clone(), json!({"mediaType": "a/b\r\nc: d"})).to_string(),
        with(no_size.clone(), json!({"manifests": []})).to_string(),
        without(with(no_size.clone(), json!({"manifests": []})), "mediaType").to_string(),
        with(no_size, json!({"mediaType": list})).to_string(),
    ] {
        assert_eq!(presumed_type(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn layers_that_are_elsewhere_need_not_be_here() {
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let restricted = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let with_url = with(descriptor("a/b", "c"), json!({"urls": ["https://example.org/c"]}));
    let no_url = with(descriptor("a/b", "d"), json!({"urls": null}));
    let layers = json!({"layers": [descriptor(foreign, "a"), descriptor(restricted, "b"), with_url, no_url]});
    let manifest = pushed(&with(image(), layers), None).expect("a manifest");
    let elsewhere: Vec<_> = manifest.references.iter().map(Named::is_elsewhere).collect();
    assert_eq!(elsewhere, [false, true, true, true, false]);
    let child = with(descriptor(MediaType::OciManifest.as_str(), "x"), json!({"urls": ["https://example.org/x"]}));
    let manifest = pushed(&with(index(), json!({"manifests": [child]})), None).expect("a manifest");
    assert!(!manifest.references[0].is_elsewhere(), "children of an index are manifests, not layers");
}

#[test]
fn the_first_form_is_read_and_not_taken() {
    let signed = json!({
        "schemaVersion": 1, "name": "a", "tag": "b", "architecture": "amd64",
        "fsLayers": [{"blobSum": digest("one")}, {"blobSum": digest("two")}],
        "history": [{"v1Compatibility": "{}"}],
        "signatures": [{"header": {}, "signature": "x", "protected": "y"}],
    });
    let manifest = stored(&signed).expect("a manifest");
    assert_eq!(manifest.media_type, MediaType::DockerSchema1Signed);
    assert_eq!(names(&manifest), [(Role::Layer, digest("one")), (Role::Layer, digest("two"))]);
    let unsigned = stored(&without(signed.clone(), "signatures")).expect("a manifest");
    assert_eq!(unsigned.media_type, MediaType::DockerSchema1);
    for header in [None, Some(MediaType::DockerSchema1Signed.as_str()), Some(MediaType::DockerSchema1.as_str())] {
        assert_eq!(pushed(&signed, header), Err(BadManifest::Schema1));
    }
    assert_eq!(stored(&without(signed, "fsLayers")), Err(BadManifest::Lacks("fsLayers")));
}
