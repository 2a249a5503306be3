//! What is kept is read back and forgotten, in each place alike; and what happens when a place fails.

use jeroboam_certificates::{Certificates, CertificatesConfig, ErrorKind, Kind, NewCertificate};
use jeroboam_model::CertificateRef;
use jeroboam_openstack::{ServiceOptions, ServiceType};
use jeroboam_sandbox::{Fault, FaultRule};
use secrecy::ExposeSecret;

use crate::bed::{Bed, new};

/// Barbican answers so.
fn fault(status: u16) -> FaultRule {
    FaultRule::always(Fault::Cloud { service: "key-manager".to_owned(), status, retry_after_seconds: None })
}

async fn reads(certificates: &Certificates, reference: &CertificateRef, kept: &NewCertificate) {
    let read = certificates.read(reference).await.expect("read").expect("there");
    assert_eq!(read.certificate, kept.certificate);
    assert_eq!(read.private_key.expose_secret(), kept.private_key.expose_secret());
    assert_eq!(read.passphrase.expose_secret(), kept.passphrase.expose_secret());
}

#[tokio::test]
async fn whatever_is_chosen_now_old_certificates_are_found() {
    let bed = Bed::start().await;
    let mut references = Vec::new();
    for kind in [Kind::Barbican, Kind::Directory] {
        let certificates = bed.certificates(kind);
        let pair = [new("prod"), new("Magnum-Conductor")];
        let kept = certificates.keep(pair.to_vec()).await.expect("kept");
        assert!(kept.iter().all(|one| one.row.is_none()));
        for (one, wanted) in kept.iter().zip(pair) {
            references.push((one.reference.clone(), wanted));
        }
    }
    assert_eq!(bed.kept(), (6, 2));
    for kind in [Kind::Database, Kind::Barbican, Kind::Directory] {
        for (reference, wanted) in &references {
            reads(&bed.certificates(kind), reference, wanted).await;
        }
    }
    for (reference, _) in &references {
        let certificates = bed.certificates(Kind::Database);
        certificates.discard(reference).await.expect("discarded");
        assert!(certificates.read(reference).await.expect("read").is_none());
        certificates.discard(reference).await.expect("gone before");
    }
    assert_eq!(bed.kept(), (0, 0));
}

#[tokio::test]
async fn a_certificate_is_kept_whole_or_not_at_all() {
    for (nth, path) in [(2, "/v1/secrets"), (1, "/v1/containers"), (2, "/v1/containers")] {
        let bed = Bed::start().await;
        let certificates = bed.certificates(Kind::Barbican);
        let rule = FaultRule { verb: "POST".to_owned(), resource: path.to_owned(), skip: nth - 1, ..fault(403) };
        bed.faults.add(&rule.times(1));
        let refused = certificates.keep(vec![new("prod"), new("Magnum-Conductor")]).await.expect_err("it fails");
        assert_eq!(refused.kind(), ErrorKind::Broken, "{refused}");
        assert_eq!(bed.kept(), (0, 0), "{nth} of {path}: nothing is left behind");
    }
}

#[tokio::test]
async fn a_cloud_without_barbican_says_what_to_set() {
    let bed = Bed::start().await;
    let session = bed.session_with(|config| {
        let nowhere = ServiceOptions { region: Some("nowhere".to_owned()), ..ServiceOptions::default() };
        config.services.insert(ServiceType::KeyManager, nowhere);
    });
    let certificates = Certificates::new(CertificatesConfig::default(), bed.store.clone(), session);
    let refused = certificates.keep(vec![new("prod")]).await.expect_err("it fails");
    assert_eq!(refused.kind(), ErrorKind::Broken);
    assert!(refused.to_string().contains("set [certificates] cert_manager_type = x509keypair"), "{refused}");
}

#[tokio::test]
async fn a_barbican_that_is_away_is_told_from_one_that_refuses() {
    let bed = Bed::start().await;
    let certificates = bed.certificates(Kind::Barbican);
    let kept = certificates.keep(vec![new("prod")]).await.expect("kept");
    for (status, kind) in
        [(503, ErrorKind::Away), (500, ErrorKind::Away), (403, ErrorKind::Broken), (400, ErrorKind::Broken)]
    {
        bed.faults.add(&fault(status));
        let read = certificates.read(&kept[0].reference).await.expect_err("it fails");
        assert_eq!((read.kind(), read.place()), (kind, "key manager service"), "{status}");
        assert_eq!(certificates.discard(&kept[0].reference).await.expect_err("it fails").kind(), kind, "{status}");
        bed.faults.clear();
    }
    assert!(certificates.read(&kept[0].reference).await.expect("read").is_some());
}
