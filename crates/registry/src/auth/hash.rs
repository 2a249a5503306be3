//! Hashes of passwords: bcrypt and Argon2id, which are slow on purpose, so only a few are computed at a time.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use secrecy::{ExposeSecret, SecretString};

/// Costs beyond these would let a line of the file stop the registry.
const HIGHEST_BCRYPT_COST: u32 = 16;
const MOST_ARGON2_MEMORY_KIB: u32 = 256 << 10;
const MOST_ARGON2_PASSES: u32 = 16;

/// The cost of new hashes, and of the one that is computed for a name that nobody has.
pub(super) const USUAL_COST: u32 = 10;

/// A hash that can be compared with a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Bcrypt(String),
    Argon2(String),
}

impl Hash {
    /// Reads a hash; otherwise what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if ["$2a$", "$2b$", "$2y$", "$2x$"].iter().any(|prefix| text.starts_with(prefix)) {
            let cost = text.get(4..6).and_then(|cost| cost.parse::<u32>().ok()).ok_or("it is cut short")?;
            return if text.len() != 60 {
                Err("it is cut short")
            } else if cost > HIGHEST_BCRYPT_COST {
                Err("its cost is higher than 16")
            } else {
                Ok(Self::Bcrypt(text.to_owned()))
            };
        }
        if text.starts_with("$argon2id$") {
            let hash = PasswordHash::new(text).map_err(|_| "it is no hash of Argon2")?;
            let params = argon2::Params::try_from(&hash).map_err(|_| "it is no hash of Argon2")?;
            if hash.hash.is_none() || hash.salt.is_none() {
                return Err("it is cut short");
            }
            let fine = params.m_cost() <= MOST_ARGON2_MEMORY_KIB && params.t_cost() <= MOST_ARGON2_PASSES;
            return if fine { Ok(Self::Argon2(text.to_owned())) } else { Err("its cost is too high") };
        }
        Err("it is neither bcrypt nor Argon2id")
    }

    /// Whether it is this password's. Slow.
    pub(super) fn matches(&self, password: &SecretString) -> bool {
        let password = password.expose_secret();
        match self {
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Argon2(hash) => {
                let hash = PasswordHash::new(hash);
                hash.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
            }
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Bcrypt(hash) | Self::Argon2(hash) => hash,
        }
    }
}

/// How a new password is hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// As distribution reads it.
    #[default]
    Bcrypt,
    /// Argon2id: harder to guess for machines, and read by us alone.
    Argon2id,
}

/// Nobody can have this password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// bcrypt takes no more.
    #[error("the password is longer than 72 bytes, which bcrypt does not look at")]
    TooLong,
    /// bcrypt ends there.
    #[error("the password has a zero byte")]
    Zero,
    /// The hash could not be made.
    #[error("the password could not be hashed")]
    Failed,
}

/// The hash of a new password.
pub fn hash_password(password: &SecretString, method: Method, cost: Option<u32>) -> Result<String, BadPassword> {
    let password = password.expose_secret();
    match method {
        Method::Bcrypt if password.len() > 72 => Err(BadPassword::TooLong),
        Method::Bcrypt if password.contains('\0') => Err(BadPassword::Zero),
        Method::Bcrypt => {
            let cost = cost.unwrap_or(USUAL_COST).clamp(4, HIGHEST_BCRYPT_COST);
            let parts = bcrypt::hash_with_result(password, cost).map_err(|_| BadPassword::Failed)?;
            // Apache's htpasswd writes this version, and all that read the file know it.
            Ok(parts.format_for_version(bcrypt::Version::TwoY))
        }
        Method::Argon2id => {
            let salt = super::keyed::random_bytes::<16>();
            let hash: Result<PasswordHash, _> = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).map_err(|_| BadPassword::Failed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_compared_with_passwords() {
        let (right, wrong): (SecretString, SecretString) = ("pass".into(), "Pass".into());
        for method in [Method::Bcrypt, Method::Argon2id] {
            let text = hash_password(&right, method, Some(4)).expect("a hash");
            let hash = Hash::parse(&text).expect("a hash");
            assert!(hash.matches(&right) && !hash.matches(&wrong), "{text}");
        }
        // Written by libxcrypt.
        let other = Hash::parse("$2y$05$abcdefghijklmnopqrstuuZFBUbfXoM8LFiPx8LYlO/sXZB/Cwk3K").expect("a hash");
        assert!(other.matches(&right) && !other.matches(&wrong));
    }

    #[test]
    fn what_is_no_hash_or_a_dangerous_one_is_refused() {
        for (text, why) in [
            ("plain", "it is neither bcrypt nor Argon2id"),
            ("$apr1$abc$def", "it is neither bcrypt nor Argon2id"),
            ("{SHA}abc", "it is neither bcrypt nor Argon2id"),
            ("$2y$05$short", "it is cut short"),
            ("$2y$31$abcdefghijklmnopqrstuuZFBUbfXoM8LFiPx8LYlO/sXZB/Cwk3K", "its cost is higher than 16"),
            ("$argon2id$v=19$m=99999999,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG", "its cost is too high"),
            ("$argon2id$nonsense", "it is no hash of Argon2"),
            ("$argon2id$v=19$m=4096,t=3,p=1$c29tZXNhbHQ", "it is cut short"),
        ] {
            assert_eq!(Hash::parse(text).map(drop), Err(why), "{text}");
        }
        assert_eq!(hash_password(&"x".repeat(73).into(), Method::Bcrypt, None), Err(BadPassword::TooLong));
    }
}
