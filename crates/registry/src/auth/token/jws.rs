//! Signatures of tokens (JSON Web Signature, compact form). The algorithm is that of the key and of the configuration, never what a token says alone.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, UnparsedPublicKey,
    VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::BadToken;

/// Longest token that is looked at.
const LONGEST: usize = 32 << 10;

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    EdDSA,
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
}

const NAMES: &[(&str, Algorithm)] = &[
    ("EdDSA", Algorithm::EdDSA),
    ("HS256", Algorithm::HS256),
    ("HS384", Algorithm::HS384),
    ("HS512", Algorithm::HS512),
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("ES512", Algorithm::ES512),
];

impl Algorithm {
    pub(super) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
    }

    /// Those that are believed when nobody says otherwise: with keys of which the public half is enough.
    pub(super) fn usual() -> Vec<Self> {
        let secret = [Self::HS256, Self::HS384, Self::HS512];
        NAMES.iter().map(|(_, algorithm)| *algorithm).filter(|algorithm| !secret.contains(algorithm)).collect()
    }
}

/// A key that signatures are compared with.
#[derive(Clone)]
pub(super) enum Key {
    Ed25519(Vec<u8>),
    /// Modulus and exponent.
    Rsa(Vec<u8>, Vec<u8>),
    /// A point, uncompressed.
    P256(Vec<u8>),
    P384(Vec<u8>),
    P521(Vec<u8>),
    Secret(Vec<u8>),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ed25519(_) => "Ed25519",
            Self::Rsa(..) => "Rsa",
            Self::P256(_) => "P256",
            Self::P384(_) => "P384",
            Self::P521(_) => "P521",
            Self::Secret(_) => "Secret",
        })
    }
}

impl Key {
    fn verify(&self, algorithm: Algorithm, message: &[u8], signed: &[u8]) -> Result<(), BadToken> {
        let public = |with: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(with, key).verify(message, signed).map_err(|_| BadToken::Signature)
        };
        match (self, algorithm) {
            (Self::Ed25519(key), Algorithm::EdDSA) => public(&ED25519, key),
            (Self::P256(key), Algorithm::ES256) => public(&ECDSA_P256_SHA256_FIXED, key),
            (Self::P384(key), Algorithm::ES384) => public(&ECDSA_P384_SHA384_FIXED, key),
            (Self::P521(key), Algorithm::ES512) => public(&ECDSA_P521_SHA512_FIXED, key),
            (Self::Secret(key), _) => {
                let with = match algorithm {
                    Algorithm::HS256 => hmac::HMAC_SHA256,
                    Algorithm::HS384 => hmac::HMAC_SHA384,
                    Algorithm::HS512 => hmac::HMAC_SHA512,
                    _ => return Err(BadToken::Algorithm),
                };
                hmac::verify(&hmac::Key::new(with, key), message, signed).map_err(|_| BadToken::Signature)
            }
            (Self::Rsa(n, e), _) => {
                let key = signature::RsaPublicKeyComponents { n, e };
                key.verify(rsa(algorithm)?, message, signed).map_err(|_| BadToken::Signature)
            }
            _ => Err(BadToken::Algorithm),
        }
    }
}

fn rsa(algorithm: Algorithm) -> Result<&'static signature::RsaParameters, BadToken> {
    Ok(match algorithm {
        Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return Err(BadToken::Algorithm),
    })
}

/// What a token says of its signature.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    alg: String,
    #[serde(default)]
    pub(super) kid: Option<String>,
    /// Certificates, in base64 of DER, the signer's first.
    #[serde(default)]
    pub(super) x5c: Vec<String>,
    #[serde(default)]
    pub(super) jwk: Option<Value>,
    /// What a reader has to understand; we understand none of it.
    #[serde(default)]
    crit: Option<Value>,
}

/// A token whose signature has not been looked at.
pub(super) struct Unverified<'a> {
    pub(super) header: Header,
    pub(super) algorithm: Algorithm,
    message: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, BadToken> {
        if token.len() > LONGEST {
            return Err(BadToken::Form);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(BadToken::Form)?;
        let (header, payload) = message.split_once('.').ok_or(BadToken::Form)?;
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| BadToken::Form)?;
        if header.crit.is_some() {
            return Err(BadToken::Form);
        }
        let algorithm = Algorithm::named(&header.alg).ok_or(BadToken::Algorithm)?;
        Ok(Self { algorithm, message, payload, signature: decode(signature)?, header })
    }

    /// What it says, if this key signed it.
    pub(super) fn verify(&self, key: &Key, believed: &[Algorithm]) -> Result<Vec<u8>, BadToken> {
        if !believed.contains(&self.algorithm) {
            return Err(BadToken::Algorithm);
        }
        key.verify(self.algorithm, self.message.as_bytes(), &self.signature)?;
        decode(self.payload)
    }
}

pub(super) fn decode(text: &str) -> Result<Vec<u8>, BadToken> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| BadToken::Form)
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    fn token(header: &str, payload: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let message = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
        let signed = encode(&sign(message.as_bytes()));
        format!("{message}.{signed}")
    }

    #[test]
    fn a_signature_holds_with_its_key_and_its_algorithm_alone() {
        let pair = Ed25519KeyPair::generate().expect("a key");
        let key = Key::Ed25519(pair.public_key().as_ref().to_vec());
        let usual = Algorithm::usual();
        let good = token(r#"{"alg":"EdDSA"}"#, "{}", |message| pair.sign(message).as_ref().to_vec());
        assert_eq!(Unverified::parse(&good).expect("a token").verify(&key, &usual), Ok(b"{}".to_vec()));
        assert_eq!(
            Unverified::parse(&good).expect("a token").verify(&key, &[Algorithm::RS256]),
            Err(BadToken::Algorithm)
        );
        let other = Ed25519KeyPair::generate().expect("a key");
        let other = Key::Ed25519(other.public_key().as_ref().to_vec());
        assert_eq!(Unverified::parse(&good).expect("a token").verify(&other, &usual), Err(BadToken::Signature));
        let (start, _) = good.rsplit_once('.').expect("parts");
        let unsigned = format!("{start}.");
        assert_eq!(Unverified::parse(&unsigned).expect("a token").verify(&key, &usual), Err(BadToken::Signature));
    }

    #[test]
    fn a_public_key_is_no_secret() {
        let pair = Ed25519KeyPair::generate().expect("a key");
        let public = pair.public_key().as_ref().to_vec();
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &public);
        let forged = token(r#"{"alg":"HS256"}"#, "{}", |message| hmac::sign(&secret, message).as_ref().to_vec());
        let parsed = Unverified::parse(&forged).expect("a token");
        let all: Vec<Algorithm> = NAMES.iter().map(|(_, algorithm)| *algorithm).collect();
        assert_eq!(parsed.verify(&Key::Ed25519(public.clone()), &all), Err(BadToken::Algorithm));
        assert_eq!(parsed.verify(&Key::Secret(public), &Algorithm::usual()), Err(BadToken::Algorithm));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let none = token(r#"{"alg":"none"}"#, "{}", |_| Vec::new());
        let crit = token(r#"{"alg":"EdDSA","crit":["b64"]}"#, "{}", |_| Vec::new());
        for (text, why) in [
            ("", BadToken::Form),
            ("a.b", BadToken::Form),
            ("a.b.c", BadToken::Form),
            ("?.?.?", BadToken::Form),
            (none.as_str(), BadToken::Algorithm),
            (crit.as_str(), BadToken::Form),
        ] {
            assert_eq!(Unverified::parse(text).map(drop), Err(why), "{text}");
        }
        assert_eq!(Unverified::parse(&"a".repeat(LONGEST + 1)).map(drop), Err(BadToken::Form));
    }
}
