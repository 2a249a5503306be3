//! What is made and signed, looked at by another program: `openssl`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use jeroboam_model::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
};

use super::csr::{Issuer, sign};
use super::{ClusterCertificates, SigningRules, for_cluster, keys};
use crate::{Error, Kind};

fn now() -> Timestamp {
    // The program compares with the machine's own clock.
    #[expect(clippy::disallowed_methods, reason = "openssl verifies against the time that it is")]
    Timestamp::now()
}

fn made() -> ClusterCertificates {
    for_cluster("prod", &SigningRules::default(), now()).expect("certificates")
}

fn openssl(dir: &Path, args: &[&str]) -> Output {
    Command::new("openssl").args(args).current_dir(dir).output().expect("openssl runs")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Signs with the cluster's CA and gives what `openssl x509 -text` says of the result.
fn signed_text(made: &ClusterCertificates, csr: &str) -> Result<String, Error> {
    let key = keys::open(&made.ca.key.pem, &made.ca.key.passphrase).expect("key");
    let issuer = Issuer { certificate: &made.ca.certificate, key: &key };
    let pem = sign(csr, &issuer, &SigningRules::default(), now())?;
    assert!(!pem.ends_with('\n'));
    let dir = tempfile::tempdir().expect("folder");
    fs::write(dir.path().join("ca.pem"), &made.ca.certificate).expect("write");
    fs::write(dir.path().join("leaf.pem"), &pem).expect("write");
    said(&openssl(dir.path(), &["verify", "-x509_strict", "-partial_chain", "-CAfile", "ca.pem", "leaf.pem"]));
    Ok(said(&openssl(dir.path(), &["x509", "-in", "leaf.pem", "-noout", "-text", "-nameopt", "RFC2253"])))
}

fn request(change: impl Fn(&mut CertificateParams)) -> String {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("key");
    request_with(&key, change)
}

fn request_with(key: &KeyPair, change: impl Fn(&mut CertificateParams)) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "admin");
    params.distinguished_name.push(DnType::OrganizationName, "system:masters");
    change(&mut params);
    params.serialize_request(key).expect("request").pem().expect("pem")
}

#[test]
fn a_cluster_is_made_with_three_authorities_and_a_client_of_the_first() {
    let made = made();
    let dir = tempfile::tempdir().expect("folder");
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("write");
    write("ca.pem", &made.ca.certificate);
    write("etcd.pem", &made.etcd_ca.certificate);
    write("proxy.pem", &made.front_proxy_ca.certificate);
    write("client.pem", &made.client.certificate);

    said(&openssl(dir.path(), &["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", "ca.pem", "client.pem"]));
    let other = openssl(dir.path(), &["verify", "-CAfile", "etcd.pem", "client.pem"]);
    assert!(!other.status.success(), "the etcd CA has a key of its own");
    for name in ["ca.pem", "etcd.pem", "proxy.pem"] {
        let text = said(&openssl(dir.path(), &["x509", "-in", name, "-noout", "-text"]));
        for part in ["Subject: CN = prod", "CA:TRUE, pathlen:0", "Subject Key Identifier", "Public-Key: (2048 bit)"] {
            assert!(text.contains(part), "{name} lacks {part}: {text}");
        }
        assert!(text.contains("Key Usage: critical\n                Certificate Sign\n"), "{text}");
    }
    let text = said(&openssl(dir.path(), &["x509", "-in", "client.pem", "-noout", "-text"]));
    for part in ["O = system:masters", "CN = admin", "TLS Web Client Authentication", "CA:FALSE"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn requests_of_every_common_key_are_signed_with_their_subject() {
    let made = made();
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519, &rcgen::PKCS_RSA_SHA256] {
        let key = KeyPair::generate_for(algorithm).expect("key");
        let text = signed_text(&made, &request_with(&key, |_| {})).expect("signed");
        assert!(text.contains("Issuer: CN=prod") && text.contains("O=system:masters"), "{text}");
        assert!(text.contains("Subject Key Identifier") && text.contains("Authority Key Identifier"), "{text}");
    }
}

#[test]
fn allowed_extensions_are_taken_over_and_others_are_left_out() {
    let made = made();
    let text = signed_text(
        &made,
        &request(|params| {
            params.subject_alt_names = vec![rcgen::SanType::DnsName("api.example".try_into().expect("name"))];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
            // nameConstraints without being critical.
            params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 30], vec![0x30, 0])];
        }),
    )
    .expect("signed");
    for part in ["DNS:api.example", "TLS Web Client Authentication", "Digital Signature, Key Encipherment\n"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("Name Constraints"), "{text}");
}

#[test]
fn a_request_with_a_subject_key_identifier_gets_the_true_one_once() {
    let made = made();
    let csr = request(|params| {
        let content = vec![0x04, 2, 0xab, 0xcd];
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 14], content)];
    });
    let text = signed_text(&made, &csr).expect("signed");
    assert_eq!(text.matches("Subject Key Identifier").count(), 1, "{text}");
    assert!(!text.contains("AB:CD\n"), "{text}");
}

#[test]
fn what_the_client_insists_on_and_may_not_have_is_refused() {
    let made = made();
    let unusual = |critical: bool| {
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![0x05, 0]);
        extension.set_criticality(critical);
        request(move |params| params.custom_extensions = vec![extension.clone()])
    };
    assert!(signed_text(&made, &unusual(false)).is_ok());
    for (csr, name) in [
        (unusual(true), "1.2.3.4"),
        (request(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), "basicConstraints"),
        // rcgen marks key usages critical.
        (request(|params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]), "keyUsage"),
    ] {
        let error = signed_text(&made, &csr).expect_err(name);
        assert_eq!(error.to_string(), format!("Extension '{name}' not allowed"));
        assert_eq!(error.kind(), Kind::BadRequest);
    }
}

#[test]
fn what_says_that_it_is_no_authority_says_nothing_else() {
    let made = made();
    // SEQUENCE { cA FALSE, written out; pathLenConstraint 5 }, SEQUENCE { pathLenConstraint 5 }, SEQUENCE {}.
    for content in [&[0x30, 6, 1, 1, 0, 2, 1, 5][..], &[0x30, 3, 2, 1, 5], &[0x30, 0]] {
        for critical in [false, true] {
            let csr = request(|params| {
                let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 19], content.to_vec());
                extension.set_criticality(critical);
                params.custom_extensions = vec![extension];
            });
            let text = signed_text(&made, &csr).expect("signed");
            let shown = if critical { "Basic Constraints: critical" } else { "Basic Constraints:" };
            assert!(text.contains("CA:FALSE") && text.contains(shown), "{content:?}: {text}");
            assert!(!text.contains("pathlen"), "{content:?}: {text}");
        }
    }
}

#[test]
fn an_extension_with_bytes_behind_its_value_is_refused() {
    let made = made();
    // A subject alternative name of `a`, and two bytes that nobody would have read.
    let content = vec![0x30, 3, 0x82, 1, b'a', 5, 0];
    let csr = request(|params| {
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], content.clone())];
    });
    let error = signed_text(&made, &csr).expect_err("refused");
    assert_eq!(error.kind(), Kind::BadRequest, "{error}");
}

/// Written by `openssl`, where nothing is critical unless asked for.
#[test]
fn a_foreign_request_for_an_authority_becomes_a_plain_certificate() {
    let made = made();
    let dir = tempfile::tempdir().expect("folder");
    let config = "[req]\nprompt=no\ndistinguished_name=dn\nreq_extensions=ext\n[dn]\n1.O=system:masters\n2.O=second group\n\
        OU=terraform\nCN=admin\n[ext]\nbasicConstraints=CA:TRUE,pathlen:3\nkeyUsage=digitalSignature,keyCertSign\n\
        subjectAltName=DNS:x.example,IP:10.0.0.1\nsubjectKeyIdentifier=hash\n";
    fs::write(dir.path().join("req.cnf"), config).expect("write");
    let args = ["req", "-new", "-newkey", "rsa:4096", "-nodes", "-sha512", "-keyout", "k.pem", "-config", "req.cnf"];
    let csr = said(&openssl(dir.path(), &args));
    let text = signed_text(&made, &csr).expect("signed");
    for part in ["CA:FALSE", "DNS:x.example, IP Address:10.0.0.1", "O=second group", "O=system:masters", "OU=terraform"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("Certificate Sign") && text.contains("Digital Signature"), "{text}");
}

#[test]
fn what_is_no_request_is_refused_in_magnums_words() {
    let made = made();
    let good = request(|_| {});
    let forged = {
        // Another name under the same signature.
        let other = request(|params| params.distinguished_name.push(DnType::CommonName, "amdin"));
        let body = |pem: &str| x509_parser::pem::parse_x509_pem(pem.as_bytes()).expect("pem").1.contents;
        let mut der = body(&good);
        let at = der.windows(5).position(|window| window == b"admin").expect("name");
        der[at..at + 5].copy_from_slice(b"amdin");
        assert_ne!(der, body(&other));
        pem("CERTIFICATE REQUEST", &der)
    };
    for csr in [
        "bad",
        "",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
        &forged,
        &made.ca.certificate,
    ] {
        let error = signed_text(&made, csr).expect_err(csr);
        assert_eq!(error.kind(), Kind::BadRequest);
        assert!(error.to_string().starts_with("Received invalid csr b'"), "{error}");
    }
    let said = signed_text(&made, "bad").expect_err("bad").to_string();
    assert_eq!(said, "Received invalid csr b'bad'.");
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;

    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
