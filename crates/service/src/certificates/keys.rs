//! Private keys: made with RSA, kept as PKCS#8 under a random passphrase as Magnum keeps them.

use pkcs8::pkcs5::pbes2;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

/// What OpenSSL derives a key with when it writes PKCS#8.
const ITERATIONS: u32 = 2048;

/// A key could not be made, sealed or opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("make or read a key")]
    Key(#[from] rcgen::Error),
    #[error("read or write PKCS#8")]
    Pkcs8(#[from] pkcs8::Error),
    #[error("read or write PEM")]
    Pem(#[from] pkcs8::der::Error),
    #[error("encrypt a private key")]
    Cipher(#[from] pkcs8::pkcs5::Error),
    #[error("the machine gave no random bytes")]
    Random,
}

/// A private key as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct SealedKey {
    pub(crate) pem: SecretString,
    pub(crate) passphrase: SecretString,
}

/// Makes an RSA key with a whole number of the three sizes that are safe today.
pub(crate) fn generate(bits: u32) -> Result<KeyPair, KeyError> {
    let size = match bits {
        0..=2048 => RsaKeySize::_2048,
        2049..=3072 => RsaKeySize::_3072,
        _ => RsaKeySize::_4096,
    };
    Ok(KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size)?)
}

/// Encrypts a key under a new passphrase.
pub(crate) fn seal(key: &KeyPair) -> Result<SealedKey, KeyError> {
    let passphrase = Uuid::new_v4().simple().to_string();
    let (mut salt, mut iv) = ([0_u8; 16], [0_u8; 16]);
    for bytes in [&mut salt, &mut iv] {
        aws_lc_rs::rand::fill(bytes).map_err(|_| KeyError::Random)?;
    }
    let how = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, iv)?;
    let plain = PrivateKeyInfoRef::try_from(key.serialized_der())?;
    let document = plain.encrypt_with_params(how, &passphrase)?;
    let pem = document.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF)?;
    Ok(SealedKey { pem: pem.trim().to_owned().into(), passphrase: passphrase.into() })
}

/// Reads a key as Magnum or we stored it. Old rows may hold plain keys.
pub(crate) fn open(pem: &SecretString, passphrase: &SecretString) -> Result<KeyPair, KeyError> {
    let (label, document) = SecretDocument::from_pem(pem.expose_secret().trim())?;
    if label != "ENCRYPTED PRIVATE KEY" {
        return Ok(KeyPair::from_pem(pem.expose_secret())?);
    }
    let sealed = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())?;
    let plain = sealed.decrypt(passphrase.expose_secret())?;
    Ok(KeyPair::try_from(plain.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_is_read_back_with_its_own_passphrase_alone() {
        let key = generate(2048).expect("key");
        let sealed = seal(&key).expect("sealed");
        assert!(sealed.pem.expose_secret().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        let opened = open(&sealed.pem, &sealed.passphrase).expect("opened");
        assert_eq!(opened.serialized_der(), key.serialized_der());
        assert!(open(&sealed.pem, &"something else".to_owned().into()).is_err());
    }

    #[test]
    fn a_key_that_openssl_encrypted_is_read() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("key.pem");
        let made = std::process::Command::new("openssl")
            .args([
                "genpkey",
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:2048",
                "-aes256",
                "-pass",
                "pass:s3cret",
            ])
            .arg("-out")
            .arg(&path)
            .output()
            .expect("openssl runs");
        assert!(made.status.success(), "{made:?}");
        let pem = std::fs::read_to_string(path).expect("key file");
        assert!(open(&pem.into(), &"s3cret".to_owned().into()).is_ok());
    }
}
