//! Private keys as Magnum keeps them: PKCS#8 under a passphrase of their own. Read is all that its library reads.

use pkcs8::pkcs5::pbes2;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::legacy;

/// What OpenSSL derives a key with when it writes PKCS#8.
const ITERATIONS: u32 = 2048;

/// A key could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadKey {
    /// The inner form is wrong.
    #[error("read or write PKCS#8")]
    Pkcs8(#[from] pkcs8::Error),
    /// The outer form is wrong.
    #[error("read or write PEM")]
    Pem(#[from] pkcs8::der::Error),
    /// Another passphrase, or a cipher that is not known.
    #[error("encrypt or decrypt a private key")]
    Cipher(#[from] pkcs8::pkcs5::Error),
    /// The headers of an old form.
    #[error("read a key of OpenSSL's traditional form: {0}")]
    Traditional(&'static str),
    /// No random bytes.
    #[error("the machine gave no random bytes")]
    Random,
}

/// A private key as it is stored.
#[derive(Clone, Debug)]
pub struct SealedKey {
    /// PEM of the encrypted PKCS#8.
    pub pem: SecretString,
    /// What opens it.
    pub passphrase: SecretString,
}

/// Encrypts a key, given as the DER of its PKCS#8, under a new passphrase.
pub fn seal_key(der: &[u8]) -> Result<SealedKey, BadKey> {
    let passphrase = Uuid::new_v4().simple().to_string();
    let (mut salt, mut iv) = ([0_u8; 16], [0_u8; 16]);
    for bytes in [&mut salt, &mut iv] {
        aws_lc_rs::rand::fill(bytes).map_err(|_| BadKey::Random)?;
    }
    let how = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, iv)?;
    let document = PrivateKeyInfoRef::try_from(der)?.encrypt_with_params(how, &passphrase)?;
    let pem = document.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF)?;
    Ok(SealedKey { pem: pem.trim().to_owned().into(), passphrase: passphrase.into() })
}

/// Opens a key. What comes back is PEM without a passphrase, with a line break at its end.
pub fn open_key(pem: &SecretString, passphrase: &SecretString) -> Result<SecretString, BadKey> {
    let text = pem.expose_secret().trim();
    if text.contains("\nProc-Type:") {
        return legacy::open(text, passphrase);
    }
    let (label, document) = SecretDocument::from_pem(text)?;
    // Old rows may hold keys that never were encrypted.
    if label != "ENCRYPTED PRIVATE KEY" {
        return Ok(format!("{text}\n").into());
    }
    let sealed = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())?;
    let open = sealed.decrypt(passphrase.expose_secret())?;
    Ok(open.to_pem("PRIVATE KEY", LineEnding::LF)?.as_str().to_owned().into())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn openssl(args: &[&str]) -> SecretString {
        let output = Command::new("openssl").args(args).output().expect("openssl runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("PEM").into()
    }

    fn modulus(key: &SecretString) -> SecretString {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("key.pem");
        std::fs::write(&path, key.expose_secret()).expect("write");
        openssl(&["rsa", "-noout", "-modulus", "-passin", "pass:s3cret", "-in", path.to_str().expect("path")])
    }

    #[test]
    fn every_form_that_magnums_library_reads_is_read() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("key.pem");
        let plain = openssl(&["genrsa", "2048"]);
        std::fs::write(&path, plain.expose_secret()).expect("write");
        let path = path.to_str().expect("path");
        let pkcs8 = ["pkcs8", "-topk8", "-passout", "pass:s3cret", "-in", path];
        let traditional = ["rsa", "-traditional", "-passout", "pass:s3cret", "-in", path];
        let forms: Vec<Vec<&str>> = vec![
            [&pkcs8[..], &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256"]].concat(),
            // Before OpenSSL 1.1.
            [&pkcs8[..], &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1"]].concat(),
            [&pkcs8[..], &["-v2", "aes-128-cbc"]].concat(),
            [&pkcs8[..], &["-v2", "des3", "-v2prf", "hmacWithSHA1"]].concat(),
            vec!["pkcs8", "-topk8", "-nocrypt", "-in", path],
            vec!["rsa", "-traditional", "-in", path],
            [&traditional[..], &["-aes256"]].concat(),
            [&traditional[..], &["-aes128"]].concat(),
        ];
        let wanted = modulus(&plain);
        for form in &forms {
            let sealed = openssl(form);
            let opened = open_key(&sealed, &"s3cret".into()).unwrap_or_else(|error| panic!("{form:?}: {error}"));
            assert!(!opened.expose_secret().contains("ENCRYPTED"), "{form:?}");
            assert_eq!(modulus(&opened).expose_secret(), wanted.expose_secret(), "{form:?}");
            if sealed.expose_secret().contains("ENCRYPTED") {
                assert!(open_key(&sealed, &"another".into()).is_err(), "{form:?}");
            }
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "no key at all",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n-----END RSA PRIVATE KEY-----",
        ] {
            assert!(open_key(&text.into(), &"s3cret".into()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_sealed_here_opens_with_its_own_passphrase_alone() {
        let plain = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
        let (_, document) = SecretDocument::from_pem(plain.expose_secret()).expect("PEM");
        let sealed = seal_key(document.as_bytes()).expect("sealed");
        assert!(sealed.pem.expose_secret().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        let opened = open_key(&sealed.pem, &sealed.passphrase).expect("opened");
        assert_eq!(opened.expose_secret().trim(), plain.expose_secret().trim());
        assert!(open_key(&sealed.pem, &"another".into()).is_err());
    }
}
