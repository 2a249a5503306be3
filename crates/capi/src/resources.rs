//! Objects for the management cluster in the order in which they are applied.
//!
//! The stage is part of the type: only prepared objects can be applied, and only what came back from the API server
//! counts as applied.

use std::fmt;
use std::marker::PhantomData;

use serde_json::Value;

/// Stage: made by us, not sent yet.
#[derive(Clone, Copy, Debug)]
pub enum Prepared {}

/// Stage: as the API server answered.
#[derive(Clone, Copy, Debug)]
pub enum Applied {}

/// One Kubernetes object as JSON. Its debug form shows what it is and never what is in it, as that may be a secret.
#[derive(Clone, PartialEq)]
pub struct Object(Value);

impl Object {
    /// Takes any JSON for an object.
    #[must_use]
    pub const fn new(value: Value) -> Self {
        Self(value)
    }

    /// The whole of it.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.0
    }

    /// The whole of it, by value.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.0
    }

    /// `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    /// The group, empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version().rsplit_once('/').map_or("", |(group, _)| group)
    }

    /// The version within the group.
    #[must_use]
    pub fn version(&self) -> &str {
        self.api_version().rsplit_once('/').map_or_else(|| self.api_version(), |(_, version)| version)
    }

    /// `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// `metadata.namespace`, `None` for kinds without one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.0.pointer("/metadata/namespace").and_then(Value::as_str)
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// `metadata.generation`, once the API server set it.
    #[must_use]
    pub fn generation(&self) -> Option<i64> {
        self.0.pointer("/metadata/generation").and_then(Value::as_i64)
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace() {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind(), self.name()),
            None => write!(f, "{} {}", self.kind(), self.name()),
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Objects in the order in which they are applied.
pub struct Resources<Stage> {
    objects: Vec<Object>,
    stage: PhantomData<Stage>,
}

impl<Stage> Resources<Stage> {
    /// The objects in order.
    pub fn iter(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The first object of a kind.
    #[must_use]
    pub fn of_kind(&self, kind: &str) -> Option<&Object> {
        self.objects.iter().find(|object| object.kind() == kind)
    }

    /// The objects, by value.
    #[must_use]
    pub fn into_objects(self) -> Vec<Object> {
        self.objects
    }
}

impl Resources<Prepared> {
    /// Objects that are to be applied in this order.
    #[must_use]
    pub const fn prepared(objects: Vec<Object>) -> Self {
        Self { objects, stage: PhantomData }
    }

    /// These and then those.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        self.objects.extend(later.objects);
        self
    }
}

impl Resources<Applied> {
    /// What the API server made of prepared objects. For whoever applies them.
    #[must_use]
    pub const fn applied(objects: Vec<Object>) -> Self {
        Self { objects, stage: PhantomData }
    }

    /// Generation of the Cluster object after it was applied: what the observed one has to have caught up with.
    #[must_use]
    pub fn cluster_generation(&self) -> Option<i64> {
        self.of_kind("Cluster").and_then(Object::generation)
    }
}

impl<Stage> Clone for Resources<Stage> {
    fn clone(&self) -> Self {
        Self { objects: self.objects.clone(), stage: PhantomData }
    }
}

impl<Stage> fmt::Debug for Resources<Stage> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.objects).finish()
    }
}
