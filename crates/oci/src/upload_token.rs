//! What distribution knows of an upload, signed, in the address that it gives to the client.
//!
//! While both serve one store behind one address, a client may bring us an address that distribution gave it. The secret is then the same `http.secret`. Such a
//! token is a hint: the truth about an upload is in the store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Longest token that is looked at.
const LONGEST: usize = 4096;

/// What a token says. distribution: `blobUploadState`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadToken {
    /// The repository.
    #[serde(rename = "Name")]
    pub name: String,
    /// The upload.
    #[serde(rename = "UUID")]
    pub id: String,
    /// So many bytes had come.
    #[serde(rename = "Offset")]
    pub offset: u64,
    /// When it began, as RFC 3339 with fractions of a second.
    #[serde(rename = "StartedAt")]
    pub started: String,
}

/// Something is no token, or nobody with our secret signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state of the upload is not signed with our secret")]
pub struct BadToken;

impl UploadToken {
    /// The token as it stands in an address, behind `_state=`.
    #[must_use]
    pub fn sign(&self, secret: &[u8]) -> String {
        let json = serde_json::to_vec(self).expect("texts and numbers can be written as JSON");
        let mut signed = mac(secret, &json).finalize().into_bytes().to_vec();
        signed.extend(json);
        URL_SAFE.encode(signed)
    }

    /// Reads a token. It takes as long whichever byte of a signature is wrong.
    pub fn read(text: &str, secret: &[u8]) -> Result<Self, BadToken> {
        if text.len() > LONGEST {
            return Err(BadToken);
        }
        let bytes = URL_SAFE.decode(text).map_err(|_| BadToken)?;
        let (signature, json) = bytes.split_at_checked(32).ok_or(BadToken)?;
        mac(secret, json).verify_slice(signature).map_err(|_| BadToken)?;
        serde_json::from_slice(json).map_err(|_| BadToken)
    }
}

fn mac(secret: &[u8], json: &[u8]) -> Hmac<Sha256> {
    let mac = Hmac::new_from_slice(secret).expect("a key of this function may have any length");
    mac.chain_update(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Go's `crypto/hmac`, `encoding/json` and `encoding/base64` of the state below and the secret `asecret`.
    const OF_GO: &str = "78tWhZ_iVUAqL23ykJ_1jED52k1I4UntItHTLj2qu557Ik5hbWUiOiJ0ZWFtL2FwcCIsIlVVSUQiOiIwMTk3YTFiMi0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDAiLCJPZmZzZXQiOjEwMjQsIlN0YXJ0ZWRBdCI6IjIwMjYtMTEtMjFUMDA6Mjc6MzIuMTIzNDU2Nzg5WiJ9";

    #[test]
    fn tokens_are_those_of_distribution() {
        let token = UploadToken {
            name: "team/app".to_owned(),
            id: "0197a1b2-0000-4000-8000-000000000000".to_owned(),
            offset: 1024,
            started: "2026-11-21T00:27:32.123456789Z".to_owned(),
        };
        assert_eq!(token.sign(b"asecret"), OF_GO);
        assert_eq!(UploadToken::read(OF_GO, b"asecret"), Ok(token));
    }

    #[test]
    fn what_nobody_signed_is_refused() {
        let changed = OF_GO.replacen("78t", "88t", 1);
        let unsigned = URL_SAFE.encode(b"{}");
        for text in ["", "x", "====", &changed, &unsigned, &OF_GO[1..], &"A".repeat(8192)] {
            assert_eq!(UploadToken::read(text, b"asecret"), Err(BadToken), "{text}");
        }
        assert_eq!(UploadToken::read(OF_GO, b"another"), Err(BadToken));
        let no_state = mac(b"asecret", b"[]").finalize().into_bytes();
        let text = URL_SAFE.encode([&no_state[..], b"[]"].concat());
        assert_eq!(UploadToken::read(&text, b"asecret"), Err(BadToken));
    }
}
