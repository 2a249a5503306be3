//! Addresses that are good for a while and for everybody: a hash over what may be asked, with a key that the store knows.

use aws_lc_rs::hmac;
use http::{Method, StatusCode};
use jeroboam_model::Timestamp;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::{ObjectStore, SERVICE};
use crate::Error;
use crate::transport::broken;

/// The hash of an address's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TempUrlDigest {
    /// SHA-1, the only one of older stores; here it is a keyed hash, which its weakness does not touch.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// How addresses are signed.
#[derive(Clone, Debug)]
pub struct TempUrl {
    /// A key of the container.
    pub key: SecretString,
    /// The hash.
    pub digest: TempUrlDigest,
    /// What comes before the account in the signed path is left out: a Ceph gateway is often told of itself without its prefix.
    pub bare_path: bool,
}

impl TempUrl {
    fn signature(&self, method: &Method, expires: i64, path: &str) -> String {
        let algorithm = match self.digest {
            TempUrlDigest::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            TempUrlDigest::Sha256 => hmac::HMAC_SHA256,
        };
        let key = hmac::Key::new(algorithm, self.key.expose_secret().as_bytes());
        let tag = hmac::sign(&key, format!("{method}\n{expires}\n{path}").as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The address of an object below the store's, good for reading until `expires`.
    #[must_use]
    pub fn sign(&self, mut address: Url, path: &str, expires: Timestamp) -> Url {
        let path = match path.find("/v1/") {
            Some(at) if self.bare_path => &path[at..],
            _ => path,
        };
        let expires = expires.as_second();
        let signature = self.signature(&Method::GET, expires, path);
        address.set_query(Some(&format!("temp_url_sig={signature}&temp_url_expires={expires}")));
        address
    }
}

impl ObjectStore {
    /// An address from which anybody can read an object until `expires`, by the store's clock.
    pub async fn temp_url(&self, how: &TempUrl, object: &str, expires: Timestamp) -> Result<String, Error> {
        let entry = self.shared.access.enter(&self.shared.clock).await?;
        let base = entry.url.path().trim_end_matches('/').to_owned();
        let path = format!("{base}/{}/{object}", self.container());
        Ok(how.sign(self.address(&entry.url, Some(object))?, &path, expires).into())
    }

    /// Whether the store takes addresses that are signed like this: asked for an object that is not there, it says so to those whom it lets in.
    pub async fn temp_url_works(&self, how: &TempUrl, missing: &str, expires: Timestamp) -> Result<bool, Error> {
        let url: Url = self
            .temp_url(how, missing, expires)
            .await?
            .parse()
            .map_err(|_| Error::Settings("the store's address makes no signed address".to_owned()))?;
        let client = self.client(&url).await?;
        let request = client.get(url).timeout(self.limits().answer);
        let answer = request.send().await.map_err(|error| broken(SERVICE, error))?;
        Ok(answer.status() == StatusCode::NOT_FOUND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_signed_as_swift_checks_it() {
        // Computed with `printf 'GET\n1323479485\n/v1/AUTH_account/container/object' | openssl dgst -sha1 -hmac mykey` and -sha256.
        let expires = Timestamp::from_second(1_323_479_485).unwrap();
        let path = "/v1/AUTH_account/container/object";
        for (digest, wanted) in [(TempUrlDigest::Sha1, SHA1), (TempUrlDigest::Sha256, SHA256)] {
            let how = TempUrl { key: "mykey".into(), digest, bare_path: true };
            let address: Url = format!("http://swift{path}").parse().unwrap();
            let wanted = format!("http://swift{path}?temp_url_sig={wanted}&temp_url_expires=1323479485");
            for signed in [path.to_owned(), format!("/swift{path}")] {
                assert_eq!(how.sign(address.clone(), &signed, expires).as_str(), wanted);
            }
        }
    }

    const SHA1: &str = "d9fc2067e52b06598421664cf6610bfc8fc431f6";
    const SHA256: &str = "05cb4ea08a08f2fdaef35d0f344975370077835c23bdc9342099ecbf03bc0378";
}
