//! Nova's key pairs: a user's own, under `user/name`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{KeyPair, PublicKeyData};
use serde_json::{Value, json};

use super::Cloud;
use super::access::{Access, header};
use super::answer::{Answer, member, nothing, ok};
use super::documents::shown;
use super::refusal::Who;

const WHO: Who = Who::Compute;

/// From this microversion on key pairs have a type, and their creation answers 201.
const TYPED: u32 = 2;

/// From this microversion on Nova makes no keys, it only keeps those it is given, and names may have `@` and dots.
const KEEPS_ONLY: u32 = 92;

pub(super) async fn list(State(cloud): State<Cloud>, access: Access, headers: HeaderMap) -> Answer {
    let (found, _) = cloud.state().list_prefix("keypair", &format!("{}/", access.user));
    let minor = microversion(&headers);
    let found: Vec<Value> = found.iter().map(|(_, keypair)| json!({"keypair": brief(keypair, minor)})).collect();
    ok(json!({"keypairs": found}))
}

pub(super) async fn show(State(cloud): State<Cloud>, access: Access, Path(name): Path<String>) -> Answer {
    let found = cloud.state().get("keypair", &format!("{}/{name}", access.user));
    let found = found.ok_or_else(|| WHO.refuse(404, format!("Keypair {name} not found for user {}", access.user)))?;
    ok(json!({"keypair": shown(&found)}))
}

pub(super) async fn create(State(cloud): State<Cloud>, access: Access, headers: HeaderMap, body: Bytes) -> Answer {
    let wish = member(WHO, &body, "keypair")?;
    let minor = microversion(&headers);
    let name = wish["name"].as_str().ok_or_else(|| WHO.bad("'name' is a required property"))?;
    if !is_name(name, minor) {
        return Err(WHO.bad("Invalid input for field/attribute name."));
    }
    let (public, private) = match wish["public_key"].as_str() {
        Some(key) => (key.to_owned(), None),
        None if minor < KEEPS_ONLY => {
            let (public, private) = generate().ok_or_else(|| WHO.refuse(500, "No key could be made"))?;
            (public, Some(private))
        }
        None => return Err(WHO.bad("'public_key' is a required property")),
    };
    let document =
        cloud.keypair_document(&access.user, name, &public).ok_or_else(|| WHO.bad("Keypair data is invalid"))?;
    let id = format!("{}/{name}", access.user);
    let taken = cloud.state().write(|writer| {
        let taken = writer.get("keypair", &id).is_some();
        if !taken {
            writer.put("keypair", &id, document.clone());
        }
        taken
    });
    if taken {
        return Err(WHO.conflict(format!("Key pair '{name}' already exists.")));
    }
    let mut answer = brief(&document, minor);
    answer["user_id"] = json!(access.user);
    if let Some(private) = private {
        answer["private_key"] = json!(private);
    }
    let status = if minor < TYPED { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(json!({"keypair": answer}))).into_response())
}

pub(super) async fn remove(State(cloud): State<Cloud>, access: Access, Path(name): Path<String>) -> Answer {
    let gone = cloud.state().remove("keypair", &format!("{}/{name}", access.user));
    gone.map_or_else(|| Err(WHO.not_found("Keypair", &name)), |_| nothing())
}

/// The minor part of the microversion that a request asks for; 1 without one.
fn microversion(headers: &HeaderMap) -> u32 {
    let named = header(headers, "openstack-api-version").and_then(|text| text.strip_prefix("compute "));
    let asked = named.or_else(|| header(headers, "x-openstack-nova-api-version")).unwrap_or("2.1");
    if asked == "latest" {
        u32::MAX
    } else {
        asked.strip_prefix("2.").and_then(|minor| minor.parse().ok()).unwrap_or(1)
    }
}

/// Nova: api/validation/parameter_types.py, `keypair_name_special_chars`.
fn is_name(name: &str, minor: u32) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_- ".contains(c) || (minor >= KEEPS_ONLY && "@.".contains(c));
    (1..=255).contains(&name.len()) && name.trim() == name && name.chars().all(fits)
}

/// What a key pair shows but where it is looked at alone.
fn brief(keypair: &Value, minor: u32) -> Value {
    let mut view =
        json!({"name": keypair["name"], "public_key": keypair["public_key"], "fingerprint": keypair["fingerprint"]});
    if minor >= TYPED {
        view["type"] = keypair["type"].clone();
    }
    view
}

/// A new key: its public half as OpenSSH writes it, its private half in PEM.
fn generate() -> Option<(String, String)> {
    const KIND: &str = "ecdsa-sha2-nistp256";
    let key = KeyPair::generate().ok()?;
    let mut blob = Vec::new();
    for part in [KIND.as_bytes(), b"nistp256", key.der_bytes()] {
        blob.extend(u32::try_from(part.len()).ok()?.to_be_bytes());
        blob.extend(part);
    }
    Some((format!("{KIND} {} Generated-by-Nova", BASE64_STANDARD.encode(blob)), key.serialize_pem()))
}

impl Cloud {
    /// A key pair as Nova keeps it; `None`: that is no public key.
    pub(super) fn keypair_document(&self, user: &str, name: &str, public_key: &str) -> Option<Value> {
        let mut words = public_key.split_whitespace();
        let (kind, data) = (words.next()?, words.next()?);
        let bytes = BASE64_STANDARD.decode(data).ok()?;
        // The data begins with the length of the kind and the kind itself.
        bytes.get(4..)?.strip_prefix(kind.as_bytes()).filter(|rest| !rest.is_empty())?;
        let number = bytes.iter().fold(0, |hash, byte| crate::random::mix_number(hash, u64::from(*byte)));
        let pairs = crate::random::uuid(number).into_bytes().map(|byte| format!("{byte:02x}"));
        Some(json!({
            "id": name, "name": name, "user_id": user, "type": "ssh", "public_key": public_key, "fingerprint": pairs.join(":"),
            "created_at": self.stamp(), "deleted": false, "deleted_at": null, "updated_at": null,
        }))
    }
}
