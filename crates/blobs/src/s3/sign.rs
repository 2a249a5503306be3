//! Signatures of requests, version 4 as Amazon describes it: in a header, or in an address that anybody may use for a while.
//!
//! No I/O and no clock: the same request at the same moment has the same signature.

use std::fmt::Write;
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use jeroboam_model::Timestamp;
use secrecy::{ExposeSecret, SecretString};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is signed instead of a body that TLS protects.
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Who signs.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) access: String,
    pub(super) secret: SecretString,
    /// Of keys that are good for a while only.
    pub(super) token: Option<SecretString>,
}

/// What is signed.
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a str,
    /// Host and port as in the `Host` header.
    pub(super) host: &'a str,
    /// Encoded, as it is sent.
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, String)],
    /// Further headers, with lower-case names.
    pub(super) headers: &'a [(&'static str, String)],
    /// The SHA-256 of the body in hexadecimal, or [`UNSIGNED`].
    pub(super) payload: &'a str,
}

/// When and where a signature is good.
pub(super) struct Scope<'a> {
    pub(super) now: Timestamp,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl Scope<'_> {
    fn moment(&self) -> String {
        self.now.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.now.strftime("%Y%m%d"), self.region, self.service)
    }

    fn signature(&self, keys: &Keys, canonical: &str) -> String {
        let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        let text = format!("{ALGORITHM}\n{}\n{}\n{hashed}", self.moment(), self.text());
        let day = self.now.strftime("%Y%m%d").to_string();
        let mut key = mac(format!("AWS4{}", keys.secret.expose_secret()).as_bytes(), &day);
        for part in [self.region, self.service, "aws4_request"] {
            key = mac(key.as_ref(), part);
        }
        hex(mac(key.as_ref(), &text).as_ref())
    }
}

/// The headers to send with a request besides its own.
pub(super) fn headers(request: &Unsigned<'_>, scope: &Scope<'_>, keys: &Keys) -> Vec<(&'static str, String)> {
    let mut added = vec![("x-amz-content-sha256", request.payload.to_owned()), ("x-amz-date", scope.moment())];
    added.extend(keys.token.as_ref().map(|token| ("x-amz-security-token", token.expose_secret().to_owned())));
    let mut signed = vec![("host", request.host)];
    signed.extend(request.headers.iter().chain(&added).map(|(name, value)| (*name, value.trim())));
    signed.sort_unstable();
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let canonical = canonical(request, &query_string(request.query), &signed, &names);
    let signature = scope.signature(keys, &canonical);
    let credential = format!("{}/{}", keys.access, scope.text());
    let value = format!("{ALGORITHM} Credential={credential},SignedHeaders={names},Signature={signature}");
    added.push(("authorization", value));
    added
}

/// The query of an address that is good for `lifetime`.
pub(super) fn query(request: &Unsigned<'_>, scope: &Scope<'_>, keys: &Keys, lifetime: Duration) -> String {
    let mut query = request.query.to_vec();
    query.push(("X-Amz-Algorithm", ALGORITHM.to_owned()));
    query.push(("X-Amz-Credential", format!("{}/{}", keys.access, scope.text())));
    query.push(("X-Amz-Date", scope.moment()));
    query.push(("X-Amz-Expires", lifetime.as_secs().to_string()));
    query.extend(keys.token.as_ref().map(|token| ("X-Amz-Security-Token", token.expose_secret().to_owned())));
    query.push(("X-Amz-SignedHeaders", "host".to_owned()));
    let unsigned = query_string(&query);
    let canonical = canonical(request, &unsigned, &[("host", request.host)], "host");
    format!("{unsigned}&X-Amz-Signature={}", scope.signature(keys, &canonical))
}

fn canonical(request: &Unsigned<'_>, query: &str, headers: &[(&str, &str)], names: &str) -> String {
    let mut text = format!("{}\n{}\n{query}\n", request.method, request.path);
    for (name, value) in headers {
        text.extend([name, ":", value, "\n"]);
    }
    text.extend(["\n", names, "\n", request.payload]);
    text
}

/// A query in the one order and encoding that is signed, which is also sent.
pub(super) fn query_string(query: &[(&str, String)]) -> String {
    let mut pairs: Vec<_> = query.iter().map(|(name, value)| (encode(name, false), encode(value, false))).collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Percent-encodes all but the unreserved characters.
pub(super) fn encode(text: &str, keep_slashes: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || (keep_slashes && byte == b'/') {
            encoded.push(byte.into());
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes everything");
        }
    }
    encoded
}

/// The SHA-256 of a body in hexadecimal.
pub(super) fn hash(blocks: &[impl AsRef<[u8]>]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    blocks.iter().for_each(|block| context.update(block.as_ref()));
    hex(context.finish().as_ref())
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys {
            access: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: SecretString::from("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            token: None,
        }
    }

    fn scope() -> Scope<'static> {
        let now = "2013-05-24T00:00:00Z".parse().expect("a moment");
        Scope { now, region: "us-east-1", service: "s3" }
    }

    fn signature(request: &Unsigned<'_>) -> String {
        let headers = headers(request, &scope(), &keys());
        let (_, value) = headers.last().expect("a signature");
        value.rsplit('=').next().expect("a value").to_owned()
    }

    /// The examples of Amazon's description of the signature.
    #[test]
    fn signatures_are_those_of_the_description() {
        let empty = hash(&[b""]);
        let host = "examplebucket.s3.amazonaws.com";
        let range = [("range", "bytes=0-9".to_owned())];
        let get = Unsigned { method: "GET", host, path: "/test.txt", query: &[], headers: &range, payload: &empty };
        assert_eq!(signature(&get), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");

        let payload = hash(&[b"Welcome to ".as_slice(), b"Amazon S3."]);
        let more = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT".to_owned()),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY".to_owned()),
        ];
        let path = encode("/test$file.text", true);
        let put = Unsigned { method: "PUT", host, path: &path, query: &[], headers: &more, payload: &payload };
        assert_eq!(signature(&put), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");

        let query = [("max-keys", "2".to_owned()), ("prefix", "J".to_owned())];
        let list = Unsigned { method: "GET", host, path: "/", query: &query, headers: &[], payload: &empty };
        assert_eq!(signature(&list), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    }

    #[test]
    fn an_address_is_signed_as_described() {
        let host = "examplebucket.s3.amazonaws.com";
        let get = Unsigned { method: "GET", host, path: "/test.txt", query: &[], headers: &[], payload: UNSIGNED };
        let query = query(&get, &scope(), &keys(), Duration::from_secs(86400));
        let expected = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(query.ends_with(&format!("&X-Amz-Signature={expected}")), "{query}");
        assert!(query.contains("X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"));
    }

    #[test]
    fn a_token_is_signed_too() {
        let keys = Keys { token: Some(SecretString::from("temporary")), ..keys() };
        let empty = hash(&[b""]);
        let get = Unsigned { method: "GET", host: "h", path: "/", query: &[], headers: &[], payload: &empty };
        let headers = headers(&get, &scope(), &keys);
        assert!(headers.contains(&("x-amz-security-token", "temporary".to_owned())));
        let (_, value) = headers.last().expect("a signature");
        assert!(value.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"), "{value}");
    }
}
