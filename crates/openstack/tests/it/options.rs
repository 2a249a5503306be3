//! What is set for one service ends up in the requests to it, and in no others.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use jeroboam_openstack::{Auth, Interface, Kind, ServiceOptions, ServiceType, Session, SessionConfig};
use serde_json::{Value, json};

use crate::fake::{Fake, Reply, clock, password, token_body};

/// Every service in two regions, with three endpoints in each.
fn catalog(url: &str) -> Value {
    let endpoints = |kind: &str| -> Vec<Value> {
        let all = ["east", "west"].into_iter().flat_map(|region| ["public", "internal", "admin"].map(|i| (region, i)));
        let endpoint = |(region, interface)| json!({"interface": interface, "region": region, "region_id": region, "url": format!("{url}/{region}/{interface}/{kind}/v1")});
        all.map(endpoint).collect()
    };
    let kinds =
        ["identity", "compute", "image", "network", "load-balancer", "volumev3", "key-manager", "container-infra"];
    kinds.map(|kind| json!({"type": kind, "name": kind, "endpoints": endpoints(kind)})).into()
}

async fn cloud() -> Fake {
    Fake::start(|seen| {
        if seen.path != "/v3/auth/tokens" {
            return Reply::Json(200, json!({}));
        }
        let mut body = token_body(&seen.url);
        body["token"]["catalog"] = catalog(&seen.url);
        Reply::Headers(201, vec![("x-subject-token", "token".to_owned())], body)
    })
    .await
}

#[tokio::test]
async fn each_service_is_asked_where_its_options_say() {
    use Interface::{Admin, Internal, Public};
    use ServiceType::{BlockStorage, Compute, Identity, Image, KeyManager, LoadBalancer, Network};

    let cloud = cloud().await;
    let mut config = SessionConfig::new(cloud.url(), password());
    config.region = Some("east".into());
    for (service, region, interface) in [
        (KeyManager, Some("west"), None),
        (Compute, None, Some(Internal)),
        (Network, Some("west"), Some(Admin)),
        (Image, Some("nowhere"), None),
        (LoadBalancer, None, Some(Public)),
    ] {
        let options = ServiceOptions { region: region.map(str::to_owned), interface, ..ServiceOptions::default() };
        config.services.insert(service, options);
    }
    let own = Session::new(config, clock()).unwrap();
    // Whoever's login it is, the services are where the operator said.
    let lent = own.for_token("theirs".into(), Some(own.token().await.unwrap().info.clone()));
    let cluster = own.for_auth(Auth::ApplicationCredential { id: "a".into(), secret: "s".into() });
    for session in [own, lent, cluster] {
        for (service, wanted) in [
            (KeyManager, "/west/public/key-manager/v1"),
            (Compute, "/east/internal/compute/v1"),
            (Network, "/west/admin/network/v1"),
            (LoadBalancer, "/east/public/load-balancer/v1"),
            (BlockStorage, "/east/public/volumev3/v1"),
            (Identity, "/east/public/identity/v1"),
        ] {
            let before = cloud.count(&format!("GET {wanted}/things"));
            session.get(service, &["things"]).send().await.unwrap();
            assert_eq!(cloud.count(&format!("GET {wanted}/things")), before + 1, "{service}");
        }
        let missing = session.get(Image, &["things"]).send().await.unwrap_err();
        assert_eq!(missing.to_string(), "the catalogue has no public endpoint of image in region nowhere");
    }
}

/// A server with a certificate of its own making; gone when dropped.
struct Tls(Child, u16);

impl Drop for Tls {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn tls(folder: &Path) -> Tls {
    let args = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out ca.pem -days 2 -subj /CN=127.0.0.1 \
                -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let made = Command::new("openssl").args(args.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut child = Command::new("openssl")
        .args(["s_server", "-accept", "127.0.0.1:0", "-cert", "ca.pem", "-key", "key.pem", "-www"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("ACCEPT")).unwrap();
    Tls(child, line.rsplit_once(':').unwrap().1.parse().unwrap())
}

#[tokio::test]
async fn a_service_may_have_certificates_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = tls(folder.path());
    let url = format!("https://127.0.0.1:{}", server.1);
    let cloud = Fake::cloud(|_| Reply::Json(200, json!({}))).await;
    let ca = folder.path().join("ca.pem");
    for (options, wanted) in [
        (ServiceOptions::default(), Some(Kind::Unavailable)),
        (ServiceOptions { cacert: Some(ca), ..ServiceOptions::default() }, None),
        (ServiceOptions { insecure: true, ..ServiceOptions::default() }, None),
    ] {
        let mut config = SessionConfig::new(cloud.url(), password());
        config.transport.retry.attempts = 1;
        config.endpoint_overrides.insert(ServiceType::KeyManager, url.clone());
        config.services.insert(ServiceType::KeyManager, options.clone());
        let session = Session::new(config, clock()).unwrap();
        let outcome = session.get(ServiceType::KeyManager, &[]).send().await;
        assert_eq!(outcome.err().map(|error| error.kind()), wanted, "{options:?}");
        assert!(session.get(ServiceType::Compute, &["things"]).send().await.is_ok(), "others are asked as ever");
    }
    let mut config = SessionConfig::new(cloud.url(), password());
    let options = ServiceOptions { cacert: Some(folder.path().join("none.pem")), ..ServiceOptions::default() };
    config.services.insert(ServiceType::KeyManager, options);
    let error = Session::new(config, clock()).unwrap_err();
    assert!(error.to_string().contains("none.pem"), "{error}");
}
