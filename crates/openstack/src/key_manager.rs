//! Barbican, as little as keeping a text in it needs.

use http::{HeaderValue, Method};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::{Error, ServiceType, Session};

const SERVICE: ServiceType = ServiceType::KeyManager;

/// Calls to Barbican; made by [`Session::key_manager`].
#[derive(Clone, Copy, Debug)]
pub struct KeyManager<'a>(&'a Session);

#[derive(Deserialize)]
struct Stored {
    secret_ref: String,
}

impl Session {
    /// Calls to Barbican.
    #[must_use]
    pub const fn key_manager(&self) -> KeyManager<'_> {
        KeyManager(self)
    }
}

impl KeyManager<'_> {
    /// Keeps a text; gives its id.
    pub async fn store(&self, name: &str, payload: &SecretString) -> Result<String, Error> {
        let body = json!({
            "name": name, "payload": payload.expose_secret(), "payload_content_type": "text/plain",
            "secret_type": "opaque",
        });
        let stored: Stored = self.0.request(SERVICE, Method::POST, &["secrets"]).json(body).send().await?.json()?;
        let id = stored.secret_ref.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        Ok(id.to_owned())
    }

    /// A text that was kept.
    pub async fn payload(&self, id: &str) -> Result<SecretString, Error> {
        let request = self.0.get(SERVICE, &["secrets", id, "payload"]);
        let accept = HeaderValue::from_static("text/plain");
        let answer = request.sensitive_header(http::header::ACCEPT, accept).send().await?;
        let text = String::from_utf8(answer.body).map_err(|_| Error::unreadable(SERVICE, "the secret is not text"))?;
        Ok(text.into())
    }

    /// Forgets a text; `false`: it was gone already.
    pub async fn delete(&self, id: &str) -> Result<bool, Error> {
        self.0.request(SERVICE, Method::DELETE, &["secrets", id]).gone().await
    }
}
