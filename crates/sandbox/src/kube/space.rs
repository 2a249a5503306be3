//! The objects of one cluster in the shared state, with the rules every write obeys: identity, versions, generations,
//! finalizers, namespaces. It knows kinds but not what their fields mean.

use std::sync::Arc;

use base64::Engine;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::apply::seconds;
use super::object::{
    add_finalizer, fields, finalizers, generation, is_deleting, list, name, namespace, resource_version, set, text,
    uid, unset,
};
use super::{ApiError, Kind, Kinds};
use crate::random;
use crate::state::{Document, State, Writer};

/// What happens to the dependents of something deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// They go afterwards.
    #[default]
    Background,
    /// They go first.
    Foreground,
    /// They stay and forget their owner.
    Orphan,
}

/// The finalizer that keeps an object until its dependents are gone.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";

/// Where the objects of one cluster are.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    prefix: Arc<str>,
    kinds: Kinds,
    seed: u64,
}

// === impl Space ===

impl Space {
    /// The management cluster.
    pub(crate) fn management(kinds: Kinds, seed: u64) -> Self {
        Self { prefix: "k8s/".into(), kinds, seed }
    }

    /// The workload cluster of a Cluster object.
    pub(crate) fn workload(cluster: &str, seed: u64) -> Self {
        Self { prefix: format!("workload/{cluster}/").into(), kinds: Kinds::workload(), seed }
    }

    pub(crate) const fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// The beginning of the names of all its collections.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The seed of this cluster's chance.
    pub(crate) fn chance(&self) -> u64 {
        random::mix(self.seed, &[&self.prefix])
    }

    /// The collection of a kind.
    pub(crate) fn collection(&self, kind: &Kind) -> String {
        format!("{}{}", self.prefix, kind.collection())
    }

    /// The kind kept in a collection of the state, if it is one of this cluster.
    pub(crate) fn kind_of(&self, collection: &str) -> Option<&Kind> {
        self.kinds.by_collection(collection.strip_prefix(&*self.prefix)?)
    }

    /// The object of that name.
    pub(crate) fn get(&self, writer: &Writer<'_>, kind: &Kind, namespace: &str, name: &str) -> Option<Document> {
        writer.get(&self.collection(kind), &id(kind, namespace, name))
    }

    /// The object of that name, read outside of any step.
    pub(crate) fn read(&self, state: &State, kind: &Kind, namespace: &str, name: &str) -> Option<Document> {
        state.get(&self.collection(kind), &id(kind, namespace, name))
    }

    /// The refusal for an object that is not there.
    pub(crate) fn missing(kind: &Kind, name: &str) -> ApiError {
        ApiError::not_found(kind.plural, kind.group, name)
    }

    /// Makes an object; returns it as stored.
    pub(crate) fn create(
        &self,
        writer: &mut Writer<'_>,
        kind: &Kind,
        mut object: Value,
        now: Timestamp,
    ) -> Result<Value, ApiError> {
        let chance = random::mix_number(self.chance(), writer.next_revision());
        if name(&object).is_empty() {
            let generated = text(&object, &["metadata", "generateName"]);
            if generated.is_empty() {
                let causes =
                    [("metadata.name".to_owned(), "Required value: name or generateName is required".to_owned())];
                return Err(ApiError::invalid(kind.kind, kind.group, "", &causes));
            }
            let generated = format!("{generated}{}", random::suffix(chance, 5));
            set(&mut object, &["metadata", "name"], generated);
        }
        valid_name(kind, &object)?;
        let id = id(kind, namespace(&object), name(&object));
        if kind.namespaced {
            self.namespace_takes(writer, kind, namespace(&object), name(&object))?;
        } else {
            unset(&mut object, &["metadata", "namespace"]);
        }
        if writer.get(&self.collection(kind), &id).is_some() {
            return Err(ApiError::already_exists(kind.plural, kind.group, name(&object)));
        }
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
            unset(&mut object, &["metadata", field]);
        }
        set(&mut object, &["metadata", "uid"], random::uuid(chance).to_string());
        set(&mut object, &["metadata", "creationTimestamp"], seconds(now));
        if kind.generation {
            set(&mut object, &["metadata", "generation"], 1);
        } else {
            unset(&mut object, &["metadata", "generation"]);
        }
        normalize(kind, &mut object);
        Ok(self.store(writer, kind, &id, object))
    }

    /// Puts a changed object in the place of `old`; returns it as stored. Taking the last finalizer from something that
    /// is being deleted removes it, and a change of nothing is no write.
    pub(crate) fn replace(&self, writer: &mut Writer<'_>, kind: &Kind, old: &Value, mut new: Value) -> Value {
        for field in
            ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"]
        {
            match &old["metadata"][field] {
                Value::Null => unset(&mut new, &["metadata", field]),
                value => set(&mut new, &["metadata", field], value.clone()),
            }
        }
        set(&mut new, &["metadata", "resourceVersion"], old["metadata"]["resourceVersion"].clone());
        set(&mut new, &["apiVersion"], old["apiVersion"].clone());
        set(&mut new, &["kind"], old["kind"].clone());
        normalize(kind, &mut new);
        if kind.generation {
            let next = generation(old) + i64::from(intent(old) != intent(&new));
            set(&mut new, &["metadata", "generation"], next);
        } else {
            unset(&mut new, &["metadata", "generation"]);
        }
        let id = id(kind, namespace(old), name(old));
        if is_deleting(old) && finalizers(&new).is_empty() && kind.kind != "Namespace" {
            writer.remove(&self.collection(kind), &id);
            return new;
        }
        if without_times(old) == without_times(&new) {
            return old.clone();
        }
        self.store(writer, kind, &id, new)
    }

    /// Changes the object of that name in place, as a controller does; nothing happens when there is none.
    pub(crate) fn change(
        &self,
        writer: &mut Writer<'_>,
        kind: &Kind,
        (namespace, name): (&str, &str),
        change: impl FnOnce(&mut Value),
    ) {
        if let Some(old) = self.get(writer, kind, namespace, name) {
            let mut new = Value::clone(&old);
            change(&mut new);
            self.replace(writer, kind, &old, new);
        }
    }

    /// Deletes an object, or marks it so when finalizers hold it; returns it as it was or is.
    pub(crate) fn delete(
        &self,
        writer: &mut Writer<'_>,
        kind: &Kind,
        (namespace, name): (&str, &str),
        propagation: Propagation,
        now: Timestamp,
    ) -> Result<Value, ApiError> {
        let id = id(kind, namespace, name);
        let old = writer.get(&self.collection(kind), &id).ok_or_else(|| Self::missing(kind, name))?;
        let mut marked = Value::clone(&old);
        match propagation {
            Propagation::Background => {}
            Propagation::Foreground => add_finalizer(&mut marked, FOREGROUND),
            Propagation::Orphan => self.orphan(writer, &old),
        }
        let is_namespace = kind.kind == "Namespace";
        if finalizers(&marked).is_empty() && !is_namespace {
            writer.remove(&self.collection(kind), &id);
            return Ok(marked);
        }
        if is_deleting(&old) {
            return Ok(marked);
        }
        set(&mut marked, &["metadata", "deletionTimestamp"], seconds(now));
        set(&mut marked, &["metadata", "deletionGracePeriodSeconds"], 0);
        if kind.generation {
            set(&mut marked, &["metadata", "generation"], generation(&old) + 1);
        }
        if is_namespace {
            set(&mut marked, &["status", "phase"], "Terminating");
        }
        Ok(self.store(writer, kind, &id, marked))
    }

    fn orphan(&self, writer: &mut Writer<'_>, owner: &Value) {
        for (kind, dependent) in self.dependents(writer, owner) {
            let mut freed = Value::clone(&dependent);
            if let Value::Array(references) = &mut freed["metadata"]["ownerReferences"] {
                references.retain(|reference| reference["uid"] != owner["metadata"]["uid"]);
            }
            self.replace(writer, &kind, &dependent, freed);
        }
    }

    /// Everything in the owner's namespace that names it as an owner.
    pub(crate) fn dependents(&self, writer: &Writer<'_>, owner: &Value) -> Vec<(Kind, Document)> {
        let prefix = if namespace(owner).is_empty() { String::new() } else { format!("{}/", namespace(owner)) };
        let mut found = Vec::new();
        for kind in self.kinds.all() {
            for (_, object) in writer.list_prefix(&self.collection(kind), &prefix) {
                let references = list(&object, &["metadata", "ownerReferences"]);
                if references.iter().any(|reference| reference["uid"] == uid(owner)) {
                    found.push((*kind, object));
                }
            }
        }
        found
    }

    fn store(&self, writer: &mut Writer<'_>, kind: &Kind, id: &str, mut object: Value) -> Value {
        set(&mut object, &["metadata", "resourceVersion"], writer.next_revision().to_string());
        writer.put(&self.collection(kind), id, object.clone());
        object
    }

    fn namespace_takes(&self, writer: &Writer<'_>, kind: &Kind, namespace: &str, name: &str) -> Result<(), ApiError> {
        let Some(found) = writer.get(&format!("{}namespaces", self.prefix), namespace) else {
            return Err(ApiError::not_found("namespaces", "", namespace));
        };
        if is_deleting(&found) {
            let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
            return Err(ApiError::forbidden(&kind.collection(), name, &why));
        }
        Ok(())
    }
}

/// The id of an object in its collection.
pub(crate) fn id(kind: &Kind, namespace: &str, name: &str) -> String {
    if kind.namespaced { format!("{namespace}/{name}") } else { name.to_owned() }
}

/// The revision an object is of.
pub(crate) fn version_of(object: &Value) -> u64 {
    resource_version(object).parse().unwrap_or(0)
}

/// What somebody wants of an object: all but what it is called and how it is.
fn intent(object: &Value) -> Vec<(&String, &Value)> {
    object.as_object().map_or_else(Vec::new, |map| {
        map.iter()
            .filter(|(field, value)| !matches!(field.as_str(), "metadata" | "status") && !value.is_null())
            .collect()
    })
}

fn without_times(object: &Value) -> Value {
    let mut bare = object.clone();
    if let Some(Value::Array(entries)) = bare.get_mut("metadata").and_then(|meta| meta.get_mut("managedFields")) {
        for entry in entries {
            fields(entry).remove("time");
        }
    }
    bare
}

fn valid_name(kind: &Kind, object: &Value) -> Result<(), ApiError> {
    let name = name(object);
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let rbac = kind.group == "rbac.authorization.k8s.io" && !name.contains('/');
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let limit = if kind.kind == "Namespace" { 63 } else { 253 };
    let valid =
        name.len() <= limit && name.chars().all(allowed) && ends(name.chars().next()) && ends(name.chars().last());
    if rbac || valid {
        return Ok(());
    }
    let why = format!(
        "Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
    );
    Err(ApiError::invalid(kind.kind, kind.group, name, &[("metadata.name".to_owned(), why)]))
}

fn normalize(kind: &Kind, object: &mut Value) {
    match kind.kind {
        "Secret" => {
            if let Some(Value::Object(plain)) = fields(object).remove("stringData") {
                for (key, value) in plain {
                    let encoded = base64::engine::general_purpose::STANDARD.encode(value.as_str().unwrap_or_default());
                    set(object, &["data", &key], encoded);
                }
            }
            fields(object).entry("type").or_insert_with(|| json!("Opaque"));
        }
        "Namespace" => {
            let name = name(object).to_owned();
            set(object, &["metadata", "labels", "kubernetes.io/metadata.name"], name);
            if list(object, &["spec", "finalizers"]).is_empty() {
                set(object, &["spec", "finalizers"], json!(["kubernetes"]));
            }
            if text(object, &["status", "phase"]).is_empty() {
                set(object, &["status", "phase"], "Active");
            }
        }
        _ => {}
    }
}
