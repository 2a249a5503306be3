//! Signed tokens: what they say, who may have signed them, and our own.

mod builtin;
mod claims;
mod external;
mod jws;
mod keys;
mod make;
mod refresh;

pub(super) use builtin::Builtin;
pub use builtin::KeyError;
pub(super) use claims::Claims;
pub(super) use external::External;
pub use external::ExternalError;
pub use make::{MakeError, make_token, new_key};
pub use refresh::RefreshError;
pub(super) use refresh::RefreshTokens;

/// A token cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadToken {
    /// It is no signed token of the kind that we read.
    #[error("it is no token")]
    Form,
    /// The algorithm of its signature is not believed.
    #[error("its signature is of an algorithm that is not believed")]
    Algorithm,
    /// Nobody whom we believe has its key.
    #[error("nobody who is believed has its key")]
    Key,
    /// Somebody changed it, or signed it with another key.
    #[error("its signature does not hold")]
    Signature,
    /// Somebody else made it.
    #[error("it is of another issuer")]
    Issuer,
    /// It is for another registry.
    #[error("it is for another service")]
    Audience,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    Early,
}
