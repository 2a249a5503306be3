//! Documents: which of them a query means, who may see them, how they are shown.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::Value;

use super::Cloud;
use super::access::Access;
use super::refusal::{Refusal, Who};
use crate::state::Document;

/// The query of a request, in order, repeated names included.
#[derive(Clone, Debug, Default)]
pub(super) struct Filters(Vec<(String, String)>);

/// What says how to list and not what.
const NOT_FILTERS: [&str; 16] = [
    "limit",
    "marker",
    "sort",
    "sort_key",
    "sort_dir",
    "fields",
    "page_reverse",
    "all_tenants",
    "is_public",
    "detail",
    "minDisk",
    "minRam",
    "deleted",
    "with_count",
    "include_names",
    "cascade",
];

impl<S: Send + Sync> FromRequestParts<S> for Filters {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let (who, _) = Who::of_path(parts.uri.path());
        let query = axum::extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|_| who.bad("The query cannot be read"))
    }
}

impl Filters {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| matches!(value.to_lowercase().as_str(), "1" | "true" | "yes" | ""))
    }

    /// Keystone takes a name without a value, and any value but 0 and false.
    pub(super) fn is_true_if_given(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !matches!(value.to_lowercase().as_str(), "0" | "false"))
    }

    /// Without some names, which the caller looks at itself.
    pub(super) fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|(key, _)| !names.contains(&key.as_str()));
        self
    }

    /// Whether a document is meant: each name has one of its values.
    pub(super) fn match_document(&self, document: &Value) -> bool {
        let names = self.0.iter().map(|(name, _)| name.as_str()).filter(|name| !NOT_FILTERS.contains(name));
        names.into_iter().all(|name| {
            let mut wanted = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
            wanted.any(|value| has(document, name, value))
        })
    }

    /// The part of a list that is asked for, and the marker of the next.
    pub(super) fn page(&self, documents: Vec<Value>) -> (Vec<Value>, Option<String>) {
        let id = |document: &Value| document["id"].as_str().or_else(|| document["name"].as_str()).map(str::to_owned);
        let after = self
            .get("marker")
            .and_then(|marker| documents.iter().position(|document| id(document).as_deref() == Some(marker)));
        let limit = self.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
        let start = after.map_or(0, |at| at + 1);
        let more = documents.len() - start > limit;
        let page: Vec<Value> = documents.into_iter().skip(start).take(limit).collect();
        let next = page.last().filter(|_| more && limit > 0).and_then(id);
        (page, next)
    }

    /// The query for the page after `marker`.
    pub(super) fn after(&self, marker: &str) -> String {
        let kept =
            self.0.iter().filter(|(name, _)| name != "marker").map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs = kept.chain([("marker", marker)]).map(|(name, value)| format!("{}={}", escape(name), escape(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Compares as text; booleans in any case. What a document lacks is false or empty.
fn has(document: &Value, name: &str, wanted: &str) -> bool {
    match document.get(name) {
        Some(Value::String(text)) => text == wanted,
        Some(Value::Bool(truth)) => wanted.eq_ignore_ascii_case(if *truth { "true" } else { "false" }),
        Some(Value::Number(number)) => number.to_string() == wanted,
        Some(Value::Array(items)) => wanted.split(',').all(|word| items.iter().any(|item| item == word)),
        Some(Value::Object(_)) => false,
        None | Some(Value::Null) => wanted.is_empty() || wanted.eq_ignore_ascii_case("false"),
    }
}

/// The project that a document belongs to.
pub(super) fn owner(document: &Value) -> Option<&str> {
    ["project_id", "tenant_id", "owner"].iter().find_map(|name| document.get(*name).and_then(Value::as_str))
}

/// A document as it is shown.
pub(super) fn shown(document: &Value) -> Value {
    match document {
        Value::Object(map) => {
            let pairs = map.iter().filter(|(name, _)| !name.starts_with('_'));
            Value::Object(pairs.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        other => other.clone(),
    }
}

impl Access {
    /// Whether the caller may see a document.
    pub(super) fn sees(&self, document: &Value) -> bool {
        let open = ["shared", "router:external"].iter().any(|name| document[*name] == true)
            || matches!(document["visibility"].as_str(), Some("public" | "community"));
        self.admin || open || self.owns(document)
    }

    /// Whether a document is the caller's project's, or nobody's.
    pub(super) fn owns(&self, document: &Value) -> bool {
        owner(document).is_none_or(|owner| self.project.as_deref() == Some(owner))
    }
}

impl Cloud {
    /// The documents of a collection that a caller sees and a query means.
    pub(super) fn select(&self, access: &Access, collection: &str, filters: &Filters) -> Vec<Value> {
        let all = self.state().list(collection).into_iter().map(|(_, document)| document);
        let meant = all.filter(|document| access.sees(document) && filters.match_document(document));
        meant.map(|document| shown(&document)).collect()
    }

    /// The documents of the caller's own project, or of all if an administrator says so.
    pub(super) fn select_own(&self, access: &Access, collection: &str, filters: &Filters) -> Vec<Value> {
        let everywhere = access.admin && filters.is_true("all_tenants");
        let all = self.select(access, collection, filters);
        all.into_iter().filter(|document| everywhere || access.owns(document)).collect()
    }

    /// One document that the caller sees.
    pub(super) fn find(
        &self,
        access: &Access,
        who: Who,
        collection: &str,
        what: &str,
        id: &str,
    ) -> Result<Document, Refusal> {
        let found = self.state().get(collection, id).filter(|document| access.sees(document));
        found.ok_or_else(|| who.not_found(what, id))
    }
}

/// A new id with dashes.
pub(super) fn dashed_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A new id as Keystone writes it.
pub(super) fn plain_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
