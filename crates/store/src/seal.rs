//! Secrets at rest: AES-256-GCM under one key, bound to the row that they belong to.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use crate::StoreError;

/// What stands before a sealed text and says how it was sealed.
const FORM: &str = "v1:";

/// Seals and opens.
pub(crate) struct Sealer(RandomizedNonceKey);

impl Sealer {
    /// A sealer with a key of 32 bytes in base64.
    pub(crate) fn new(key: &SecretString) -> Result<Self, StoreError> {
        const BAD: StoreError = StoreError::Sealed("the key that seals secrets is not 32 bytes in base64");
        let bytes = STANDARD.decode(key.expose_secret().trim()).map_err(|_| BAD)?;
        RandomizedNonceKey::new(&AES_256_GCM, &bytes).map(Self).map_err(|_| BAD)
    }

    /// Seals a text for the row that `place` names; it opens nowhere else.
    pub(crate) fn seal(&self, place: &str, text: &SecretString) -> Result<String, StoreError> {
        let mut bytes = text.expose_secret().as_bytes().to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(place.as_bytes()), &mut bytes)
            .map_err(|_| StoreError::Sealed("a secret cannot be sealed"))?;
        let mut all = nonce.as_ref().to_vec();
        all.append(&mut bytes);
        Ok(format!("{FORM}{}", STANDARD.encode(all)))
    }

    /// Opens what was sealed for `place`.
    pub(crate) fn open(&self, place: &str, sealed: &str) -> Result<SecretString, StoreError> {
        const BAD: StoreError =
            StoreError::Sealed("a stored secret does not open with the configured key: it was sealed with another one");
        let encoded = sealed.strip_prefix(FORM).ok_or(BAD)?;
        let mut bytes = STANDARD.decode(encoded).map_err(|_| BAD)?;
        if bytes.len() < NONCE_LEN {
            return Err(BAD);
        }
        let mut sealed = bytes.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| BAD)?;
        let opened = self.0.open_in_place(nonce, Aad::from(place.as_bytes()), &mut sealed).map_err(|_| BAD)?;
        std::str::from_utf8(opened).map(SecretString::from).map_err(|_| BAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(&STANDARD.encode([byte; 32]).into()).expect("a good key")
    }

    #[test]
    fn a_secret_opens_only_with_its_key_and_in_its_place() {
        let sealed = sealer(1).seal("a/cloud", &"s3cret".into()).expect("sealed");
        assert!(!sealed.contains("s3cret"));
        assert_eq!(sealer(1).open("a/cloud", &sealed).expect("opened").expose_secret(), "s3cret");
        assert!(sealer(2).open("a/cloud", &sealed).is_err(), "another key");
        assert!(sealer(1).open("b/cloud", &sealed).is_err(), "another place");
        assert!(sealer(1).open("a/cloud", &sealed[..20]).is_err(), "a part of it");
        assert!(sealer(1).open("a/cloud", "").is_err(), "nothing");
        assert_ne!(sealed, sealer(1).seal("a/cloud", &"s3cret".into()).expect("sealed"), "never twice the same");
    }

    #[test]
    fn a_bad_key_is_refused() {
        for key in ["", "short", "AAAA"] {
            assert!(Sealer::new(&key.into()).is_err(), "{key}");
        }
    }
}
