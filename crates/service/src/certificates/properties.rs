//! What must hold whatever a client wants to have signed.

use std::sync::LazyLock;

use base64::Engine as _;
use jeroboam_model::Timestamp;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _};
use x509_parser::certificate::X509Certificate;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::ParsedExtension;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer;

use super::csr::{EXTENSIONS, Issuer, algorithm, sign};
use super::der::{self, SEQUENCE};
use super::{SigningRules, issue};
use crate::Kind;
use crate::properties::LONGEST_REFUSAL;

/// What a certificate may have beside what its request brings.
const OURS: [&str; 2] = ["2.5.29.14", "2.5.29.35"];

static NOW: LazyLock<Timestamp> = LazyLock::new(|| "2026-11-22T00:00:00Z".parse().expect("it is a time"));
static CLIENT_KEY: LazyLock<KeyPair> = LazyLock::new(key);
static AUTHORITY: LazyLock<(String, KeyPair)> = LazyLock::new(|| {
    let key = key();
    let params = issue::authority_params("prod", &SigningRules::default(), *NOW);
    (params.self_signed(&key).expect("it can be signed").pem(), key)
});

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("there is enough randomness")
}

/// Reads PEM text as it comes; or else the subject of a request in DER and its attributes behind that, of which a request is
/// made that a key of ours signs, so that more than its signature is looked at.
pub fn csr(input: &[u8]) {
    let generous = SigningRules {
        allow_ca: true,
        extensions: EXTENSIONS.iter().map(|(name, ..)| (*name).to_owned()).collect(),
        ..SigningRules::default()
    };
    let pem = match std::str::from_utf8(input) {
        Ok(text) if text.starts_with("-----BEGIN") => text.to_owned(),
        _ => pem(&request(input)),
    };
    for rules in [SigningRules::default(), generous] {
        signed_or_refused(&pem, &rules);
    }
}

/// A request for this subject with these attributes.
fn request(input: &[u8]) -> Vec<u8> {
    let (subject, attributes) = input.split_at(first_value(input));
    let key = CLIENT_KEY.subject_public_key_info();
    let info = der::node(SEQUENCE, &[&der::unsigned(&[0]), subject, &key, &der::node(0xa0, &[attributes])]);
    let signature = CLIENT_KEY.sign(&info).expect("it can be signed");
    let algorithm = algorithm(&CLIENT_KEY).expect("it is known");
    der::node(SEQUENCE, &[&info, algorithm, &der::bit_string(&signature)])
}

/// How long the first value is; all there is when it is none.
fn first_value(input: &[u8]) -> usize {
    (2..=input.len()).find(|end| der::is_one_value(&input[..*end])).unwrap_or(input.len())
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n")
}

fn signed_or_refused(request: &str, rules: &SigningRules) {
    let (certificate, key) = &*AUTHORITY;
    match sign(request, &Issuer { certificate, key }, rules, *NOW) {
        Ok(signed) => is_what_was_allowed(request, &signed, rules),
        Err(refusal) => {
            assert_eq!(refusal.kind(), Kind::BadRequest, "{refusal:?}");
            let said = refusal.to_string();
            assert!(said.len() <= LONGEST_REFUSAL, "{said}");
            assert!(said.chars().all(|c| (' '..='~').contains(&c) || c == '…'), "{said:?}");
        }
    }
}

fn is_what_was_allowed(request: &str, signed: &str, rules: &SigningRules) {
    let (_, asked) = parse_x509_pem(request.trim().as_bytes()).expect("a request in PEM");
    let (_, asked) = X509CertificationRequest::from_der(&asked.contents).expect("a request in DER");
    let asked = &asked.certification_request_info;
    let (_, block) = parse_x509_pem(signed.as_bytes()).expect("a certificate in PEM");
    let (rest, leaf) = X509Certificate::from_der(&block.contents).expect("a certificate in DER");
    assert!(rest.is_empty(), "nothing stands behind a certificate");
    let (certificate, _) = &*AUTHORITY;
    let (_, block) = parse_x509_pem(certificate.as_bytes()).expect("an authority in PEM");
    let authority = block.parse_x509().expect("an authority");
    assert_eq!(leaf.issuer().as_raw(), authority.subject().as_raw());
    assert_eq!(leaf.subject().as_raw(), asked.subject.as_raw());
    assert_eq!(leaf.public_key().raw, asked.subject_pki.raw);
    leaf.verify_signature(Some(authority.public_key())).expect("the authority signed it");

    let seconds = leaf.validity().not_after.timestamp() - NOW.as_second();
    assert_eq!(u64::try_from(seconds), Ok(rules.validity_days * 86_400));
    let serial = leaf.raw_serial();
    assert!(
        serial.len() <= 20 && serial.first().is_some_and(|first| first & 0x80 == 0),
        "{serial:?} is no serial number"
    );

    for (n, extension) in leaf.extensions().iter().enumerate() {
        let oid = extension.oid.to_id_string();
        let twice = leaf.extensions().iter().skip(n + 1).any(|other| other.oid == extension.oid);
        assert!(!twice, "{oid} is there twice");
        let name = EXTENSIONS.iter().find(|(_, known, _)| *known == oid).map_or(oid.as_str(), |(name, ..)| name);
        let allowed = rules.extensions.iter().any(|allowed| allowed == name) || OURS.contains(&oid.as_str());
        assert!(allowed, "{name} is not allowed");
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(limits) => assert!(rules.allow_ca || !limits.ca, "it is an authority"),
            ParsedExtension::KeyUsage(usage) => {
                let signs = usage.key_cert_sign() || usage.crl_sign();
                assert!(!signs, "no rule here lets a key sign certificates");
            }
            ParsedExtension::ParseError { error } => panic!("{name} cannot be read: {error}"),
            _ => {}
        }
    }
}
