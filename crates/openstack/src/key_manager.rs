//! Barbican, as little as keeping texts and certificates in it needs.
//!
//! Everything is named by the address that Barbican gave, or by the id at its end.

use http::{HeaderValue, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Answer, Error, ServiceType, Session};

const SERVICE: ServiceType = ServiceType::KeyManager;

/// Calls to Barbican; made by [`Session::key_manager`].
#[derive(Clone, Copy, Debug)]
pub struct KeyManager<'a>(&'a Session);

/// A container: names and what they refer to.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Container {
    /// `certificate`, `rsa` or `generic`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Its parts.
    #[serde(default)]
    pub secret_refs: Vec<SecretRef>,
}

/// One part of a container.
#[derive(Clone, Debug, Deserialize)]
pub struct SecretRef {
    /// What it is to the container.
    #[serde(default)]
    pub name: String,
    /// The address of the secret.
    pub secret_ref: String,
}

#[derive(Deserialize)]
struct Stored {
    secret_ref: String,
}

#[derive(Deserialize)]
struct Made {
    container_ref: String,
}

impl Session {
    /// Calls to Barbican.
    #[must_use]
    pub const fn key_manager(&self) -> KeyManager<'_> {
        KeyManager(self)
    }
}

impl KeyManager<'_> {
    /// Keeps a text; gives its address.
    pub async fn store(&self, name: &str, payload: &SecretString) -> Result<String, Error> {
        let body = json!({
            "name": name, "payload": payload.expose_secret(), "payload_content_type": "text/plain",
            "secret_type": "opaque",
        });
        let stored: Stored = self.0.request(SERVICE, Method::POST, &["secrets"]).json(body).send().await?.json()?;
        Ok(stored.secret_ref)
    }

    /// A text that was kept. What was kept as bytes is read, too, where they are text.
    pub async fn payload(&self, secret: &str) -> Result<SecretString, Error> {
        let mut answer = self.payload_as(secret, HeaderValue::from_static("text/plain")).await?;
        if answer.status == StatusCode::NOT_ACCEPTABLE {
            answer = self.payload_as(secret, HeaderValue::from_static("application/octet-stream")).await?;
        }
        if !answer.status.is_success() {
            return Err(answer.refusal(Method::GET, format!("/secrets/{}/payload", last_part(secret))));
        }
        let text = String::from_utf8(answer.body).map_err(|_| Error::unreadable(SERVICE, "the secret is not text"))?;
        Ok(text.into())
    }

    async fn payload_as(&self, secret: &str, accept: HeaderValue) -> Result<Answer, Error> {
        let request = self.0.get(SERVICE, &["secrets", last_part(secret), "payload"]);
        request.sensitive_header(http::header::ACCEPT, accept).send_any_status().await
    }

    /// Forgets a text; `false`: it was gone already.
    pub async fn delete(&self, secret: &str) -> Result<bool, Error> {
        self.0.request(SERVICE, Method::DELETE, &["secrets", last_part(secret)]).gone().await
    }

    /// Makes a container of the type `certificate` from names and addresses of secrets; gives its address.
    pub async fn create_certificate_container(&self, name: &str, parts: &[(&str, String)]) -> Result<String, Error> {
        let parts: Vec<Value> =
            parts.iter().map(|(name, secret)| json!({"name": name, "secret_ref": secret})).collect();
        let body = json!({"name": name, "type": "certificate", "secret_refs": parts});
        let made: Made = self.0.request(SERVICE, Method::POST, &["containers"]).json(body).send().await?.json()?;
        Ok(made.container_ref)
    }

    /// A container.
    pub async fn container(&self, container: &str) -> Result<Container, Error> {
        self.0.get(SERVICE, &["containers", last_part(container)]).send().await?.json()
    }

    /// Forgets a container, and leaves what it refers to; `false`: it was gone already.
    pub async fn delete_container(&self, container: &str) -> Result<bool, Error> {
        self.0.request(SERVICE, Method::DELETE, &["containers", last_part(container)]).gone().await
    }
}

/// The id at the end of an address; its host may be one that only Barbican itself knows.
fn last_part(reference: &str) -> &str {
    reference.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}
