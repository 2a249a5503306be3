//! Keys that are believed: those of certificates, and those of a key set; each is found by the names that token servers give it.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::jws::{Key, decode, encode};

/// Keys by name.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    by_name: HashMap<String, Key>,
    /// Certificates in DER, which other certificates may be signed by.
    authorities: Vec<Vec<u8>>,
}

impl KeySet {
    /// Reads certificates in PEM.
    pub(super) fn of_certificates(text: &str) -> Result<Self, String> {
        let mut set = Self::default();
        for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
            let der = certificate.map_err(|error| format!("it is no PEM: {error}"))?;
            let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| "it has something that is no certificate")?;
            let info = parsed.public_key();
            let Some(key) = key_of(&parsed) else {
                return Err("it has a key of a kind that signs no tokens".to_owned());
            };
            // docker/libtrust, and with it distribution 2, names keys in a way of its own.
            set.by_name.insert(libtrust_name(info.raw), key.clone());
            if let Some(name) = thumbprint(&key) {
                set.by_name.insert(name, key);
            }
            set.authorities.push(der.to_vec());
        }
        if set.authorities.is_empty() { Err("it has no certificate".to_owned()) } else { Ok(set) }
    }

    /// Reads a JSON Web Key Set.
    pub(super) fn of_set(text: &str) -> Result<Self, String> {
        let document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let keys = document["keys"].as_array().ok_or("it has no keys")?;
        let mut set = Self::default();
        for one in keys {
            let Some(key) = key_of_jwk(one) else { continue };
            if let Some(name) = thumbprint(&key) {
                set.by_name.insert(name, key.clone());
            }
            if let Some(name) = one["kid"].as_str() {
                set.by_name.insert(name.to_owned(), key);
            }
        }
        if set.by_name.is_empty() { Err("it has no key of a kind that signs tokens".to_owned()) } else { Ok(set) }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Key> {
        self.by_name.get(name)
    }

    /// The only key there is.
    pub(super) fn only(&self) -> Option<&Key> {
        let mut keys = self.by_name.iter().filter_map(|(name, key)| {
            // Each is there under two names; its own is one of them.
            (thumbprint(key).is_none_or(|own| own == *name)).then_some(key)
        });
        keys.next().filter(|_| keys.next().is_none())
    }

    /// The key of a chain of certificates, if one of ours signed it; `now` is in seconds.
    pub(super) fn of_chain(&self, chain: &[String], now: i64) -> Option<Key> {
        // Nobody signs tokens with a chain that is longer.
        let chain: Vec<Vec<u8>> = chain.iter().take(8).map(|text| STANDARD.decode(text).ok()).collect::<Option<_>>()?;
        let signer = chain.first()?;
        let mut at = signer;
        for step in 0..=chain.len() {
            let (_, certificate) = X509Certificate::from_der(at).ok()?;
            let time = x509_parser::time::ASN1Time::from_timestamp(now).ok()?;
            if !certificate.validity().is_valid_at(time) {
                return None;
            }
            let signed_by = |other: &[u8]| {
                X509Certificate::from_der(other)
                    .is_ok_and(|(_, other)| certificate.issuer() == other.subject() && signed(&certificate, &other))
            };
            if self.authorities.contains(at) || self.authorities.iter().any(|authority| signed_by(authority)) {
                let (_, signer) = X509Certificate::from_der(signer).ok()?;
                return key_of(&signer);
            }
            let next = chain.get(step + 1)?;
            let may_sign = X509Certificate::from_der(next).is_ok_and(|(_, next)| next.is_ca());
            if !may_sign || !signed_by(next) {
                return None;
            }
            at = next;
        }
        None
    }
}

/// Whether one certificate is signed by the key of another.
fn signed(certificate: &X509Certificate<'_>, by: &X509Certificate<'_>) -> bool {
    use aws_lc_rs::signature as algorithms;
    let with: &'static dyn algorithms::VerificationAlgorithm =
        match certificate.signature_algorithm.algorithm.to_id_string().as_str() {
            "1.2.840.113549.1.1.11" => &algorithms::RSA_PKCS1_2048_8192_SHA256,
            "1.2.840.113549.1.1.12" => &algorithms::RSA_PKCS1_2048_8192_SHA384,
            "1.2.840.113549.1.1.13" => &algorithms::RSA_PKCS1_2048_8192_SHA512,
            "1.2.840.10045.4.3.2" => &algorithms::ECDSA_P256_SHA256_ASN1,
            "1.2.840.10045.4.3.3" => &algorithms::ECDSA_P384_SHA384_ASN1,
            "1.3.101.112" => &algorithms::ED25519,
            _ => return false,
        };
    let key = &by.public_key().subject_public_key.data;
    let message = certificate.tbs_certificate.as_ref();
    algorithms::UnparsedPublicKey::new(with, key.as_ref()).verify(message, &certificate.signature_value.data).is_ok()
}

fn key_of(certificate: &X509Certificate<'_>) -> Option<Key> {
    let info = certificate.public_key();
    let data = info.subject_public_key.data.to_vec();
    match info.parsed().ok()? {
        PublicKey::RSA(key) => Some(Key::Rsa(unsigned(key.modulus), unsigned(key.exponent))),
        PublicKey::EC(point) => match point.key_size() {
            256 => Some(Key::P256(data)),
            384 => Some(Key::P384(data)),
            521 | 528 => Some(Key::P521(data)),
            _ => None,
        },
        _ if info.algorithm.algorithm.to_id_string() == "1.3.101.112" => Some(Key::Ed25519(data)),
        _ => None,
    }
}

/// Numbers of DER may begin with a zero that only says that they are not negative.
fn unsigned(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// The key of a JSON Web Key.
pub(super) fn key_of_jwk(key: &Value) -> Option<Key> {
    let part = |name: &str| decode(key[name].as_str()?).ok();
    // A key for encryption signs nothing.
    if key["use"].as_str().is_some_and(|used| used != "sig") {
        return None;
    }
    match (key["kty"].as_str()?, key["crv"].as_str()) {
        ("OKP", Some("Ed25519")) => Some(Key::Ed25519(part("x")?)),
        ("RSA", _) => Some(Key::Rsa(unsigned(&part("n")?), unsigned(&part("e")?))),
        ("EC", Some(curve)) => {
            let (x, y) = (part("x")?, part("y")?);
            let length = match curve {
                "P-256" => 32,
                "P-384" => 48,
                "P-521" => 66,
                _ => return None,
            };
            if x.len() != length || y.len() != length {
                return None;
            }
            let point = [&[4], x.as_slice(), y.as_slice()].concat();
            Some(match length {
                32 => Key::P256(point),
                48 => Key::P384(point),
                _ => Key::P521(point),
            })
        }
        ("oct", _) => Some(Key::Secret(part("k")?)),
        _ => None,
    }
}

/// The name of a key that its own bytes give it, RFC 7638.
pub(super) fn thumbprint(key: &Key) -> Option<String> {
    let curve = |name: &str, point: &[u8]| {
        let (x, y) = point.get(1..)?.split_at_checked(point.len() / 2)?;
        Some(json!({"crv": name, "kty": "EC", "x": encode(x), "y": encode(y)}))
    };
    // Members in the order of their names, without spaces: as serde_json writes its maps.
    let document = match key {
        Key::Ed25519(x) => json!({"crv": "Ed25519", "kty": "OKP", "x": encode(x)}),
        Key::Rsa(n, e) => json!({"e": encode(e), "kty": "RSA", "n": encode(n)}),
        Key::P256(point) => curve("P-256", point)?,
        Key::P384(point) => curve("P-384", point)?,
        Key::P521(point) => curve("P-521", point)?,
        Key::Secret(_) => return None,
    };
    Some(encode(digest(&SHA256, document.to_string().as_bytes()).as_ref()))
}

/// docker/libtrust: the first 240 bits of the SHA-256 of the public key in base 32, in groups of four.
fn libtrust_name(info: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let sum = digest(&SHA256, info);
    let mut text = String::new();
    for (at, five) in sum.as_ref()[..30].chunks(5).enumerate() {
        let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        for letter in 0..8 {
            if letter % 4 == 0 && !(at == 0 && letter == 0) {
                text.push(':');
            }
            let index = usize::try_from(bits >> (35 - letter * 5) & 31).unwrap_or_default();
            text.push(char::from(LETTERS[index]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_that_of_the_standard() {
        // The key and the thumbprint of RFC 7638, section 3.1, and of RFC 8037, appendix A.3.
        let rsa = json!({"kty": "RSA", "e": "AQAB", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"});
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        for (key, name) in
            [(rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"), (ed, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")]
        {
            let set = KeySet::of_set(&json!({"keys": [key]}).to_string()).expect("keys");
            assert!(set.get(name).is_some() && set.only().is_some());
        }
    }

    #[test]
    fn libtrust_names_are_groups_of_four() {
        let name = libtrust_name(b"any key");
        assert_eq!(name.len(), 48 + 11);
        assert!(name.split(':').all(|group| group.len() == 4));
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        for text in ["", "{}", r#"{"keys": []}"#, r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}"#]
        {
            assert!(KeySet::of_set(text).is_err(), "{text}");
        }
        for text in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(KeySet::of_certificates(text).is_err(), "{text}");
        }
        let encryption = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA", "use": "enc"}]}"#;
        assert!(KeySet::of_set(encryption).is_err());
    }
}
