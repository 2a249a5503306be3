//! Signs what clients ask for: their key and subject as they are, of their extensions only what is allowed.
//!
//! The certificate is put together from the request's own bytes. A library's model of names and keys would lose what it
//! does not know, such as the second `O` of a subject, which Kubernetes reads as a group.

use std::time::Duration;

use jeroboam_model::Timestamp;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, SigningKey};
use uuid::Uuid;
use x509_parser::certificate::{TbsCertificate, X509Certificate};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer;

use super::der::{self, BIT_STRING, BOOLEAN, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};
use super::{ONE_DAY, SigningRules};
use crate::Error;

const KEY_USAGE: &str = "keyUsage";
const BASIC_CONSTRAINTS: &str = "basicConstraints";
const SUBJECT_KEY_ID: &str = "subjectKeyIdentifier";
const AUTHORITY_KEY_ID: &str = "authorityKeyIdentifier";

/// Names of extensions as settings and messages spell them, with the bytes of their object identifiers.
pub(super) const EXTENSIONS: [(&str, &str, &[u8]); 11] = [
    (KEY_USAGE, "2.5.29.15", &[0x55, 0x1d, 0x0f]),
    ("extendedKeyUsage", "2.5.29.37", &[0x55, 0x1d, 0x25]),
    ("subjectAltName", "2.5.29.17", &[0x55, 0x1d, 0x11]),
    (BASIC_CONSTRAINTS, "2.5.29.19", &[0x55, 0x1d, 0x13]),
    (SUBJECT_KEY_ID, "2.5.29.14", &[0x55, 0x1d, 0x0e]),
    (AUTHORITY_KEY_ID, "2.5.29.35", &[0x55, 0x1d, 0x23]),
    ("nameConstraints", "2.5.29.30", &[0x55, 0x1d, 0x1e]),
    ("certificatePolicies", "2.5.29.32", &[0x55, 0x1d, 0x20]),
    ("cRLDistributionPoints", "2.5.29.31", &[0x55, 0x1d, 0x1f]),
    ("issuerAltName", "2.5.29.18", &[0x55, 0x1d, 0x12]),
    ("policyConstraints", "2.5.29.36", &[0x55, 0x1d, 0x24]),
];

/// Names of key usages as settings spell them, in the order of their bits.
const USAGES: [&str; 9] = [
    "Digital Signature",
    "Non Repudiation",
    "Key Encipherment",
    "Data Encipherment",
    "Key Agreement",
    "Certificate Sign",
    "CRL Sign",
    "Encipher Only",
    "Decipher Only",
];
/// What X.509 calls `Non Repudiation` by now, and Magnum's settings with it.
const NEW_NAME: &str = "Content Commitment";
/// The two bits that make a key an authority's.
const SIGNING_BITS: u16 = 1 << 5 | 1 << 6;

/// An authority that signs.
pub(crate) struct Issuer<'a> {
    /// Its certificate, in PEM.
    pub(crate) certificate: &'a str,
    /// Its key.
    pub(crate) key: &'a KeyPair,
}

/// Signs a request. The answer is PEM without a newline at the end.
pub(crate) fn sign(pem: &str, issuer: &Issuer<'_>, rules: &SigningRules, now: Timestamp) -> Result<String, Error> {
    let bad = || Error::BadCsr(python_bytes(pem));
    let (_, block) = parse_x509_pem(pem.trim().as_bytes()).map_err(|_| bad())?;
    if !matches!(block.label.as_str(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") {
        return Err(bad());
    }
    let (rest, request) = X509CertificationRequest::from_der(&block.contents).map_err(|_| bad())?;
    if !rest.is_empty() || request.verify_signature().is_err() {
        return Err(bad());
    }
    let asked = requested_extensions(&request).ok_or_else(bad)?;
    let mut extensions = Vec::new();
    for extension in &asked {
        extensions.extend(allowed(extension, rules)?);
    }
    let key = &request.certification_request_info.subject_pki;
    extensions.push(subject_key_id(&key.subject_public_key.data));
    let tbs = to_be_signed(&request, issuer, extensions, rules, now)?;
    // A subject that is no DER takes what stands behind it along: nobody could read the certificate.
    let subject = request.certification_request_info.subject.as_raw();
    if !TbsCertificate::from_der(&tbs).is_ok_and(|(rest, read)| rest.is_empty() && read.subject.as_raw() == subject) {
        return Err(bad());
    }
    let signed = signature_over(&tbs, issuer.key)?;
    Ok(to_pem(&signed))
}

/// All extensions that the request asks for; `None` when one is asked for twice or can't be read.
fn requested_extensions<'a>(request: &'a X509CertificationRequest<'a>) -> Option<Vec<&'a X509Extension<'a>>> {
    let mut all: Vec<&X509Extension<'_>> = Vec::new();
    for attribute in request.certification_request_info.iter_attributes() {
        match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(asked) => all.extend(&asked.extensions),
            ParsedCriAttribute::ChallengePassword(_) | ParsedCriAttribute::UnsupportedAttribute => {}
        }
    }
    let readable = |e: &&X509Extension<'_>| !matches!(e.parsed_extension(), ParsedExtension::ParseError { .. });
    let twice = all.iter().enumerate().any(|(n, one)| all.iter().skip(n + 1).any(|other| one.oid == other.oid));
    (!twice && all.iter().all(readable)).then_some(all)
}

/// The extension as it goes into the certificate; `None` when it is left out.
///
/// Magnum: `magnum/common/x509/validator.py`: what is not allowed is dropped, unless the client insists on it.
fn allowed(extension: &X509Extension<'_>, rules: &SigningRules) -> Result<Option<Vec<u8>>, Error> {
    let dotted = extension.oid.to_id_string();
    let name = EXTENSIONS.iter().find(|(_, oid, _)| *oid == dotted).map_or(dotted.as_str(), |(name, ..)| name);
    let refused = || Error::bad_request(format!("Extension '{name}' not allowed"));
    if !rules.extensions.iter().any(|allowed| allowed == name) {
        return if extension.critical { Err(refused()) } else { Ok(None) };
    }
    let written = |content: &[u8]| written(extension.oid.as_bytes(), extension.critical, content);
    match extension.parsed_extension() {
        // Those that are added at the end are the true ones.
        ParsedExtension::SubjectKeyIdentifier(_) | ParsedExtension::AuthorityKeyIdentifier(_) => Ok(None),
        ParsedExtension::KeyUsage(usage) => {
            let kept = usage.flags & rules.usage_bits();
            if kept != usage.flags && extension.critical {
                return Err(refused());
            }
            Ok((kept != 0).then(|| written(&usage_bits(kept))))
        }
        // Written anew: beside "no authority" the client's own bytes may hold a path length, or a default that DER leaves out.
        ParsedExtension::BasicConstraints(limits) if !(limits.ca && rules.allow_ca) => {
            if limits.ca && extension.critical {
                return Err(refused());
            }
            Ok(Some(written(&der::node(SEQUENCE, &[]))))
        }
        // Bytes behind the value would be signed unread.
        _ if !der::is_one_value(extension.value) => Err(Error::bad_request(format!("Extension '{name}' is malformed"))),
        _ => Ok(Some(written(extension.value))),
    }
}

impl SigningRules {
    /// Bits of the usages that a certificate may have.
    fn usage_bits(&self) -> u16 {
        let is = |allowed: &str, name: &str| allowed == name || (allowed == NEW_NAME && name == "Non Repudiation");
        let named = |(_, name): &(usize, &&str)| self.key_usages.iter().any(|allowed| is(allowed, name));
        let bits = USAGES.iter().enumerate().filter(named).fold(0, |bits, (place, _)| bits | 1 << place);
        if self.allow_ca { bits } else { bits & !SIGNING_BITS }
    }
}

/// A named bit list: the first usage is the highest bit, no zeros at the end.
fn usage_bits(flags: u16) -> Vec<u8> {
    let bits = flags.reverse_bits();
    let unused = (bits.trailing_zeros() % 8) as u8;
    let bytes = bits.to_be_bytes();
    let used = if bytes[1] == 0 { &bytes[..1] } else { &bytes[..] };
    der::node(BIT_STRING, &[&[unused], used])
}

fn subject_key_id(public_key: &[u8]) -> Vec<u8> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, public_key);
    written(oid_of(SUBJECT_KEY_ID), false, &der::node(OCTET_STRING, &[digest.as_ref()]))
}

/// Which key of the issuer's signed. Magnum leaves it out; strict clients, Python 3.13 among them, want it.
fn authority_key_id(authority: &X509Certificate<'_>) -> Option<Vec<u8>> {
    let id = authority.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
        _ => None,
    })?;
    Some(written(oid_of(AUTHORITY_KEY_ID), false, &der::node(SEQUENCE, &[&der::node(0x80, &[id])])))
}

fn oid_of(name: &str) -> &'static [u8] {
    EXTENSIONS.iter().find(|(known, ..)| *known == name).map_or(&[], |(.., oid)| oid)
}

fn written(oid: &[u8], critical: bool, content: &[u8]) -> Vec<u8> {
    let oid = der::node(OBJECT_IDENTIFIER, &[oid]);
    let critical = if critical { der::node(BOOLEAN, &[&[0xff]]) } else { Vec::new() };
    der::node(SEQUENCE, &[&oid, &critical, &der::node(OCTET_STRING, &[content])])
}

fn to_be_signed(
    request: &X509CertificationRequest<'_>,
    issuer: &Issuer<'_>,
    mut extensions: Vec<Vec<u8>>,
    rules: &SigningRules,
    now: Timestamp,
) -> Result<Vec<u8>, Error> {
    let broken = |why: &str| Error::internal("read the certificate authority", why);
    let (_, block) = parse_x509_pem(issuer.certificate.as_bytes()).map_err(|_| broken("it is no PEM"))?;
    let authority = block.parse_x509().map_err(|_| broken("it is no certificate"))?;
    let info = &request.certification_request_info;
    extensions.extend(authority_key_id(&authority));

    let version = der::node(0xa0, &[&der::unsigned(&[2])]);
    let serial = der::unsigned(Uuid::new_v4().as_bytes());
    let from = der::time(now - ONE_DAY);
    let until = der::time(now + Duration::from_secs(rules.validity_days * 86_400));
    let validity = der::node(SEQUENCE, &[&from, &until]);
    let extensions = der::node(0xa3, &[&der::node(SEQUENCE, &[&extensions.concat()])]);
    let parts = [
        version.as_slice(),
        &serial,
        algorithm(issuer.key)?,
        authority.subject().as_raw(),
        &validity,
        info.subject.as_raw(),
        info.subject_pki.raw,
        &extensions,
    ];
    Ok(der::node(SEQUENCE, &parts))
}

fn signature_over(tbs: &[u8], key: &KeyPair) -> Result<Vec<u8>, Error> {
    let signature = key.sign(tbs).map_err(|e| Error::internal("sign a certificate", e))?;
    Ok(der::node(SEQUENCE, &[tbs, algorithm(key)?, &der::bit_string(&signature)]))
}

/// The algorithm identifier of the key's signatures, in DER.
pub(super) fn algorithm(key: &KeyPair) -> Result<&'static [u8], Error> {
    const RSA_SHA256: &[u8] = &[0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0];
    const P256_SHA256: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    const P384_SHA384: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    let known = [
        (&PKCS_RSA_SHA256, RSA_SHA256),
        (&PKCS_ECDSA_P256_SHA256, P256_SHA256),
        (&PKCS_ECDSA_P384_SHA384, P384_SHA384),
    ];
    let found = known.iter().find(|(algorithm, _)| *algorithm == key.algorithm());
    found
        .map(|(_, der)| *der)
        .ok_or_else(|| Error::internal("sign a certificate", "the authority's key is of an unknown kind"))
}

fn to_pem(certificate: &[u8]) -> String {
    use base64::Engine as _;

    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----", lines.join("\n"))
}

/// The request as Magnum's message shows it, a Python `bytes`, cut where it gets long.
fn python_bytes(text: &str) -> String {
    let mut shown = String::from("b'");
    for byte in text.bytes().take(200) {
        match byte {
            b'\n' => shown.push_str("\\n"),
            b'\r' => shown.push_str("\\r"),
            b'\t' => shown.push_str("\\t"),
            b'\'' | b'\\' => shown.extend(['\\', char::from(byte)]),
            0x20..=0x7e => shown.push(char::from(byte)),
            _ => shown.push_str(&format!("\\x{byte:02x}")),
        }
    }
    shown.push_str(if text.len() > 200 { "…'" } else { "'" });
    shown
}
