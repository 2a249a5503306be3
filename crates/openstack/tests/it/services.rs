//! What each call sends, and what it makes of the answers.

use jeroboam_openstack::{Error, Kind, NewApplicationCredential};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::fake::{Fake, Reply, Seen, not_found};

fn ok(body: Value) -> Reply {
    Reply::Json(200, body)
}

fn kind<T>(outcome: Result<T, Error>) -> Option<Kind> {
    outcome.err().map(|error| error.kind())
}

fn nova(seen: &Seen) -> Reply {
    let flavor = json!({"id": "1", "name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 20});
    match (seen.path.as_str(), seen.query.as_str()) {
        ("/compute/v2.1/flavors/1", _) => ok(json!({"flavor": flavor})),
        ("/compute/v2.1/flavors/detail", _) => ok(json!({"flavors": [flavor]})),
        ("/compute/v2.1/flavors", "limit=1000") => ok(json!({
            "flavors": [{"id": "0", "name": "m1.tiny"}],
            "flavors_links": [{"rel": "next", "href": "http://inner/v2.1/flavors?limit=1000&marker=0"}]})),
        ("/compute/v2.1/flavors", "limit=1000&marker=0") => ok(json!({"flavors": [{"id": "1", "name": "m1.small"}]})),
        ("/compute/v2.1/os-keypairs/my%20key", _) => {
            ok(json!({"keypair": {"name": "my key", "public_key": "ssh-ed25519 A"}}))
        }
        ("/compute/v2.1/servers/detail", _) => ok(json!({"servers": [
            {"id": "s1", "name": "c1-abc", "status": "ACTIVE"}, {"id": "s2", "name": "c1xabc", "status": "ACTIVE"}]})),
        ("/compute/v2.1/flavors/secret", _) => Reply::Json(403, json!({"forbidden": {"message": "not yours"}})),
        _ => not_found(),
    }
}

#[tokio::test]
async fn a_flavor_is_found_by_id_then_by_name_on_any_page() {
    let cloud = Fake::cloud(nova).await;
    let session = cloud.session();
    for ident in ["1", "m1.small"] {
        assert_eq!(session.compute().flavor(ident).await.unwrap().ram, 2048, "{ident}");
    }
    for (ident, wanted) in [
        ("none", Kind::NotFound),
        ("", Kind::NotFound),
        ("..", Kind::NotFound),
        ("a/b", Kind::NotFound),
        ("detail", Kind::NotFound),
        ("secret", Kind::Forbidden),
    ] {
        assert_eq!(kind(session.compute().flavor(ident).await), Some(wanted), "{ident:?}");
    }
    assert_eq!(session.compute().flavor("none").await.unwrap_err().to_string(), "compute has no flavor none");
    assert_eq!(session.compute().keypair("my key").await.unwrap().public_key, "ssh-ed25519 A");
    assert_eq!(kind(session.compute().keypair("other").await), Some(Kind::NotFound));
    let servers = session.compute().servers("c1-").await.unwrap();
    assert_eq!(servers.iter().map(|server| server.id.as_str()).collect::<Vec<_>>(), ["s1"]);
}

#[tokio::test]
async fn an_image_is_found_by_id_then_by_name_and_shows_its_properties() {
    let image = json!({"id": "i1", "name": "ubuntu", "status": "active", "os_distro": "ubuntu", "kube_version": "v1.33.5",
        "min_disk": 0, "size": 1, "tags": []});
    let cloud = Fake::cloud(move |seen| match (seen.path.as_str(), seen.query.as_str()) {
        ("/image/v2/images/i1", _) => ok(image.clone()),
        ("/image/v2/images", "name=ubuntu&limit=100") => ok(json!({"images": [image], "next": null})),
        ("/image/v2/images", "name=twice&limit=100") => {
            ok(json!({"images": [{"id": "1", "name": "twice"}], "next": "/v2/images?name=twice&marker=1"}))
        }
        ("/image/v2/images", "name=twice&marker=1") => ok(json!({"images": [{"id": "2", "name": "twice"}]})),
        ("/image/v2/images", _) => ok(json!({"images": []})),
        _ => not_found(),
    })
    .await;
    let session = cloud.session();
    for ident in ["i1", "ubuntu"] {
        let image = session.image().find(ident).await.unwrap();
        assert_eq!((image.os_distro(), image.kube_version()), (Some("ubuntu"), Some("v1.33.5")), "{ident}");
        assert_eq!(image.property("hw_disk_bus"), None);
    }
    assert_eq!(kind(session.image().find("twice").await), Some(Kind::Ambiguous));
    assert_eq!(kind(session.image().find("none").await), Some(Kind::NotFound));
}

/// Many a web server undoes `%2F` before it routes.
fn decoded(path: &str) -> String {
    path.replace("%2F", "/").replace("%2E", ".").replace("%20", " ")
}

#[tokio::test]
async fn names_of_odd_characters_are_looked_for_as_names_and_lead_nowhere_else() {
    let cloud = Fake::cloud(|seen| match decoded(&seen.path).as_str() {
        "/image/v2/images/i1/members" => ok(json!({"members": []})),
        "/image/v2/images" if seen.query.starts_with("name=a%2Fb+%C3%BC%25%3F%23&") => {
            ok(json!({"images": [{"id": "i2", "name": "a/b ü%?#"}]}))
        }
        "/image/v2/images" => ok(json!({"images": []})),
        "/compute/v2.1/flavors/1/os-extra_specs" => ok(json!({"extra_specs": {}})),
        "/compute/v2.1/flavors" => ok(json!({"flavors": [{"id": "a b", "name": "ü/1"}]})),
        "/compute/v2.1/flavors/a b" => {
            ok(json!({"flavor": {"id": "a b", "name": "ü/1", "vcpus": 1, "ram": 1, "disk": 1}}))
        }
        "/compute/v2.1/os-keypairs/../flavors/1/os-extra_specs" => ok(json!({"extra_specs": {}})),
        "/network/v2.0/networks" => ok(json!({"networks": []})),
        path if path.len() > 300 || seen.query.len() > 8000 => Reply::Json(414, json!({})),
        path if path.contains('%') => Reply::Json(500, json!({})),
        _ => not_found(),
    })
    .await;
    let session = cloud.session();
    assert_eq!(session.image().find("a/b ü%?#").await.unwrap().id, "i2");
    assert_eq!(session.compute().flavor("ü/1").await.unwrap().id, "a b");
    assert_eq!(session.compute().flavor("a b").await.unwrap().name, "ü/1");
    let long = "x".repeat(10_000);
    let odd = [
        "i1/members",
        "1/os-extra_specs",
        "../flavors/1/os-extra_specs",
        "/",
        ".",
        "..",
        "%",
        "%2f",
        "100%25",
        "a?b=c",
        "#",
        " ",
        "\n",
        "ключ",
        "🦀",
        &long,
    ];
    for name in odd {
        let start: String = name.chars().take(30).collect();
        assert_eq!(kind(session.image().find(name).await), Some(Kind::NotFound), "image {start:?}");
        assert_eq!(kind(session.compute().flavor(name).await), Some(Kind::NotFound), "flavor {start:?}");
        assert_eq!(kind(session.compute().keypair(name).await), Some(Kind::NotFound), "keypair {start:?}");
        assert_eq!(kind(session.network().network(name, None).await), Some(Kind::NotFound), "network {start:?}");
    }
}

#[tokio::test]
async fn networks_are_asked_for_by_id_then_by_name_and_never_all_listed() {
    let net = |id: &str, name: &str| json!({"id": id, "name": name, "router:external": true, "subnets": ["s"]});
    let cloud = Fake::cloud(move |seen| match (seen.path.as_str(), seen.query.as_str()) {
        ("/network/v2.0/networks", "router%3Aexternal=true&id=n1") => ok(json!({"networks": [net("n1", "public")]})),
        ("/network/v2.0/networks", "router%3Aexternal=true&name=public") => {
            ok(json!({"networks": [net("n1", "public")]}))
        }
        ("/network/v2.0/networks", "name=twin") => ok(json!({"networks": [net("1", "twin"), net("2", "twin")]})),
        ("/network/v2.0/networks", _) => ok(json!({"networks": []})),
        ("/network/v2.0/subnets", "network_id=n1&id=s1") => ok(
            json!({"subnets": [{"id": "s1", "name": "s", "network_id": "n1", "cidr": "10.0.0.0/24", "ip_version": 4}]}),
        ),
        ("/network/v2.0/security-groups", _) => ok(json!({"security_groups": [{"id": "g", "name": "default"}]})),
        _ => not_found(),
    })
    .await;
    let session = cloud.session();
    let network = session.network();
    for ident in ["n1", "public"] {
        assert_eq!(network.network(ident, Some(true)).await.unwrap().id, "n1", "{ident}");
    }
    assert_eq!(kind(network.network("twin", None).await), Some(Kind::Ambiguous));
    assert_eq!(kind(network.network("", None).await), Some(Kind::NotFound));
    let error = network.network("none", Some(true)).await.unwrap_err();
    assert_eq!(error.to_string(), "network has no external network none");
    assert_eq!(network.subnet("s1", Some("n1")).await.unwrap().cidr, "10.0.0.0/24");
    assert_eq!(network.security_group("default").await.unwrap().id, "g");
    let unfiltered =
        cloud.seen().iter().filter(|seen| seen.path.contains("/network/") && seen.query.is_empty()).count();
    assert_eq!(unfiltered, 0);
}

#[tokio::test]
async fn an_application_credential_is_made_once_found_by_name_and_deleted_for_good() {
    let path = "/v3/users/u1/application_credentials";
    let cloud = Fake::cloud(move |seen| match (seen.method.as_str(), seen.path.as_str(), seen.nth) {
        ("POST", p, 0) if p == path => Reply::Json(
            201,
            json!({"application_credential": {"id": "ac", "name": "n", "secret": "s3", "project_id": "p1"}}),
        ),
        ("POST", p, _) if p == path => Reply::Json(503, json!({})),
        ("GET", p, _) if p == path => {
            ok(json!({"application_credentials": [{"id": "ac", "name": "n"}, {"id": "x", "name": "m"}]}))
        }
        ("DELETE", "/v3/users/u1/application_credentials/ac", 0) => Reply::Json(204, Value::Null),
        _ => not_found(),
    })
    .await;
    let session = cloud.session();
    let identity = session.identity();
    let roles = Some(vec!["member".to_owned()]);
    let new = NewApplicationCredential { name: "n".into(), roles, ..NewApplicationCredential::default() };
    let made = identity.create_application_credential(&new).await.unwrap();
    assert_eq!((made.id.as_str(), made.secret.as_ref().unwrap().expose_secret()), ("ac", "s3"));
    assert!(!format!("{made:?}").contains("s3"));
    let sent = cloud.seen().iter().find(|seen| seen.path == path).unwrap().body.clone();
    assert_eq!(sent["application_credential"]["roles"], json!([{"name": "member"}]));
    assert_eq!(sent["application_credential"]["unrestricted"], json!(false));

    assert_eq!(kind(identity.create_application_credential(&new).await), Some(Kind::Unavailable));
    assert_eq!(cloud.count(&format!("POST {path}")), 2, "it is never sent twice by itself");

    let user = "u1".into();
    assert_eq!(identity.application_credentials(&user, Some("n")).await.unwrap().len(), 1);
    assert!(identity.delete_application_credential(&user, "ac").await.unwrap());
    assert!(!identity.delete_application_credential(&user, "ac").await.unwrap());
    assert!(identity.project(&"p9".into()).await.unwrap().is_none());
}

#[tokio::test]
async fn load_balancers_volume_types_and_secrets_are_reached_where_the_catalogue_says() {
    let cloud = Fake::cloud(|seen| match (seen.method.as_str(), seen.path.as_str(), seen.query.as_str()) {
        ("GET", "/lb/v2/lbaas/loadbalancers", "vip_network_id=n1") => {
            ok(json!({"loadbalancers": [{"id": "l1", "name": "a"}]}))
        }
        ("GET", "/lb/v2/lbaas/loadbalancers", "name=b") => {
            ok(json!({"loadbalancers": [{"id": "l2", "name": "b"}, {"id": "l3", "name": "bb"}]}))
        }
        ("DELETE", "/lb/v2/lbaas/loadbalancers/l1", "cascade=true") => Reply::Json(204, Value::Null),
        ("GET", "/lb/v2/lbaas/providers", _) => ok(json!({"providers": [{"name": "ovn", "description": ""}]})),
        ("GET", "/volume/v3/p1/types", _) => ok(json!({"volume_types": [{"id": "t1", "name": "fast"}]})),
        ("POST", "/keys/v1/secrets", _) => Reply::Json(201, json!({"secret_ref": "http://x/v1/secrets/k1"})),
        ("GET", "/keys/v1/secrets/k1/payload", _) => ok(json!("quiet")),
        _ => not_found(),
    })
    .await;
    let session = cloud.session();
    let balancers = session.load_balancer();
    assert_eq!(balancers.list(Some("n1")).await.unwrap()[0].id, "l1");
    assert_eq!(balancers.named("b").await.unwrap().len(), 1);
    assert!(balancers.delete("l1").await.unwrap());
    assert!(!balancers.delete("l9").await.unwrap());
    assert_eq!(balancers.providers().await.unwrap()[0].name, "ovn");
    assert_eq!(session.volume().volume_type("fast").await.unwrap().id, "t1");
    assert_eq!(kind(session.volume().volume_type("slow").await), Some(Kind::NotFound));
    assert!(session.volume().default_volume_type().await.unwrap().is_none());
    let id = session.key_manager().store("x", &"quiet".into()).await.unwrap();
    assert_eq!(session.key_manager().payload(&id).await.unwrap().expose_secret(), "\"quiet\"");
    assert!(!session.key_manager().delete(&id).await.unwrap());
}

#[tokio::test]
async fn an_answer_of_another_shape_is_an_error_without_its_content() {
    for body in [json!({}), json!({"flavor": {"name": "hidden"}}), json!([1]), json!({"flavor": 4})] {
        let printed = body.clone();
        let cloud = Fake::cloud(move |_| ok(body.clone())).await;
        let error = cloud.session().compute().flavor("1").await.unwrap_err();
        assert_eq!(error.kind(), Kind::Bad, "{printed}");
        assert!(!error.to_string().contains("hidden"), "{error}");
    }
}
