//! Authorities are shown and requests are signed, to the cluster's own user alone.

use std::fs;
use std::process::Command;

use jeroboam_service::{Kind, SignRequest};

use crate::bed::{Bed, refused};

fn openssl(dir: &std::path::Path, args: &[&str]) -> String {
    let output = Command::new("openssl").args(args).current_dir(dir).output().expect("openssl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn a_signed_certificate_is_the_authoritys() {
    let bed = Bed::new().await;
    let made = bed.cluster(|new| new.name = Some("prod".to_owned())).await.cluster;
    let (ann, certificates) = (bed.ann(), bed.service.certificates());
    let dir = tempfile::tempdir().expect("folder");
    let subject = "/O=system:masters/CN=admin";
    let args = ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-subj", subject];
    let csr = openssl(dir.path(), &args);
    let mut seen = Vec::new();
    for kind in [None, Some("etcd"), Some("front-proxy"), Some("kubernetes")] {
        let ca = certificates.authority(&ann, "prod", kind).await.expect("authority");
        let request =
            SignRequest { cluster: "prod".to_owned(), csr: csr.clone(), ca_cert_type: kind.map(str::to_owned) };
        let signed = certificates.sign(&ann, request).await.expect("signed");
        assert_eq!((ca.cluster, signed.cluster, signed.csr.as_str()), (made.id, made.id, csr.as_str()));
        fs::write(dir.path().join("ca.pem"), &ca.pem).expect("write");
        fs::write(dir.path().join("leaf.pem"), &signed.pem).expect("write");
        // Inside the lifetime, whatever the machine's clock says.
        let at = ["verify", "-attime", "1795262400", "-CAfile", "ca.pem", "leaf.pem"];
        openssl(dir.path(), &at);
        seen.push(ca.pem);
    }
    assert_eq!(seen[0], seen[3], "an unknown word means the Kubernetes authority");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3, "each purpose has an authority of its own");
}

#[tokio::test]
async fn certificates_are_the_owners() {
    let bed = Bed::new().await;
    let id = bed.cluster(|_| {}).await.cluster.id.to_string();
    let certificates = bed.service.certificates();
    let other = bed.caller("cid", "blue", &["member", "reader"]);
    let bob = bed.caller("bob", "red", &["member", "reader"]);
    let sign = |cluster: &str| SignRequest { cluster: cluster.to_owned(), csr: "bad".to_owned(), ca_cert_type: None };
    for (answer, words) in [
        (certificates.authority(&other, &id, None).await.map(drop), "certificate:get"),
        (certificates.sign(&other, sign(&id)).await.map(drop), "certificate:create"),
    ] {
        let words = format!("Policy doesn't allow {words} to be performed.");
        assert_eq!(refused(answer), (Kind::Forbidden, words));
    }
    assert!(certificates.authority(&bed.admin(), &id, None).await.is_ok());
    let missing = format!("Cluster {id} could not be found.");
    assert_eq!(refused(certificates.authority(&bob, &id, None).await), (Kind::NotFound, missing.clone()));
    assert_eq!(refused(certificates.sign(&bob, sign(&id)).await), (Kind::BadRequest, missing));
    let bad = refused(certificates.sign(&bed.ann(), sign(&id)).await);
    assert_eq!(bad, (Kind::BadRequest, "Received invalid csr b'bad'.".to_owned()));
}
