//! Private keys: made with RSA, kept as Magnum keeps them.

use jeroboam_certificates::{BadKey, SealedKey, open_key, seal_key};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use secrecy::{ExposeSecret, SecretString};

/// A key could not be made, sealed or opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("make or read a key")]
    Key(#[from] rcgen::Error),
    #[error("seal or open a key")]
    Sealed(#[from] BadKey),
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
    Ok(seal_key(key.serialized_der())?)
}

/// Reads a key as Magnum or we stored it.
pub(crate) fn open(pem: &SecretString, passphrase: &SecretString) -> Result<KeyPair, KeyError> {
    Ok(KeyPair::from_pem(open_key(pem, passphrase)?.expose_secret())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_is_read_back_with_its_own_passphrase_alone() {
        let key = generate(2048).expect("key");
        let sealed = seal(&key).expect("sealed");
        let opened = open(&sealed.pem, &sealed.passphrase).expect("opened");
        assert_eq!(opened.serialized_der(), key.serialized_der());
        assert!(open(&sealed.pem, &"something else".to_owned().into()).is_err());
    }

    #[test]
    fn a_key_of_the_traditional_form_signs() {
        let made = std::process::Command::new("openssl").args(["genrsa", "-traditional", "2048"]).output();
        let pem = String::from_utf8(made.expect("openssl runs").stdout).expect("PEM");
        assert!(pem.starts_with("-----BEGIN RSA PRIVATE KEY-----"), "{pem}");
        assert!(open(&pem.into(), &SecretString::default()).is_ok());
    }
}
