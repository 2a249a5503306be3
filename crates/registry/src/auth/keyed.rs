//! Sums of secrets: to remember that something was right without remembering it.

use aws_lc_rs::digest;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

/// A sum. Nobody who reads it learns what it was made of.
pub(super) type Sum = [u8; 32];

/// A key that this process made up and nobody else knows.
pub(super) struct Keyed(hmac::Key);

impl Keyed {
    pub(super) fn random() -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &random_bytes::<32>()))
    }

    /// The sum of some texts and a secret. Lengths count, so that no two lists have the same.
    pub(super) fn sum(&self, texts: &[&str], secret: &SecretString) -> Sum {
        let mut context = hmac::Context::with_key(&self.0);
        for text in texts.iter().copied().chain([secret.expose_secret()]) {
            context.update(&text.len().to_be_bytes());
            context.update(text.as_bytes());
        }
        let mut sum = Sum::default();
        sum.copy_from_slice(context.sign().as_ref());
        sum
    }
}

/// Bytes that nobody can guess.
pub(super) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The generator is seeded by the kernel; there is nothing to fall back on that would be any good.
    SystemRandom::new().fill(&mut bytes).expect("the operating system's generator does not fail");
    bytes
}

/// A text that nobody can guess.
pub(super) fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<32>())
}

/// A sum that another process has, too.
pub(super) fn fingerprint(texts: &[&str]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for text in texts {
        context.update(&text.len().to_be_bytes());
        context.update(text.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(context.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_tell_apart_what_differs() {
        let keyed = Keyed::random();
        let sum = |texts: &[&str], secret: &str| keyed.sum(texts, &secret.into());
        assert_eq!(sum(&["a"], "b"), sum(&["a"], "b"));
        assert_ne!(sum(&["a"], "b"), sum(&["ab"], ""));
        assert_ne!(sum(&["a"], "b"), sum(&["b"], "a"));
        assert_ne!(sum(&["a"], "b"), Keyed::random().sum(&["a"], &"b".into()));
        assert_ne!(fingerprint(&["a", "b"]), fingerprint(&["ab"]));
        assert_ne!(random_text(), random_text());
    }
}
