//! The garbage collector and the namespace controller: what nobody owns any more goes, and with a namespace all in it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::context::Context;
use crate::kube::Kind;
use crate::kube::object::{finalizers, is_deleting, list, name, remove_finalizer, text, uid};
use crate::kube::space::{FOREGROUND, Propagation};
use crate::state::Document;

/// Looks at one namespace; the key is its name.
pub(super) fn run(context: &mut Context<'_, '_>) {
    let namespace = context.name.clone();
    let space = context.space();
    let now = context.now;
    let mut all: Vec<(Kind, Document)> = Vec::new();
    for kind in space.kinds().all().filter(|kind| kind.namespaced) {
        let found = context.writer.list_prefix(&space.collection(kind), &format!("{namespace}/"));
        all.extend(found.into_iter().map(|(_, object)| (*kind, object)));
    }
    // Owners without a namespace may own what is in one.
    let wide: Vec<Document> = space
        .kinds()
        .all()
        .filter(|kind| !kind.namespaced)
        .flat_map(|kind| context.writer.list_prefix(&space.collection(kind), ""))
        .map(|(_, object)| object)
        .collect();
    let alive: BTreeSet<&str> = all.iter().map(|(_, object)| object).chain(&wide).map(|object| uid(object)).collect();
    let of_namespace = context.kind("Namespace");
    let leaving = space.get(context.writer, &of_namespace, "", &namespace).is_some_and(|found| is_deleting(&found));

    // Owners that want to see their dependents go first, and all that are somebody's owner.
    let patient: BTreeSet<&str> = all
        .iter()
        .filter(|(_, object)| is_deleting(object) && finalizers(object).contains(&FOREGROUND))
        .map(|(_, object)| uid(object))
        .collect();
    let owners_of = |object: &Value| -> Vec<String> {
        let references = list(object, &["metadata", "ownerReferences"]).iter();
        references.map(|owner| text(owner, &["uid"]).to_owned()).collect()
    };
    let mut needed: BTreeSet<String> = BTreeSet::new();
    if !patient.is_empty() {
        needed.extend(all.iter().flat_map(|(_, object)| owners_of(object)));
    }
    for (kind, object) in &all {
        let owners = owners_of(object);
        let abandoned = !owners.is_empty() && owners.iter().all(|owner| !alive.contains(owner.as_str()));
        let goes_first = owners.iter().any(|owner| patient.contains(owner.as_str()));
        if (abandoned || goes_first || leaving) && !is_deleting(object) {
            let key = (namespace.as_str(), name(object));
            let _ = space.delete(context.writer, kind, key, Propagation::Background, now);
        }
        if patient.contains(uid(object)) && !needed.contains(uid(object)) {
            let mut freed = Value::clone(object);
            remove_finalizer(&mut freed, FOREGROUND);
            space.replace(context.writer, kind, object, freed);
        }
    }
    if leaving && all.is_empty() {
        context.writer.remove(&space.collection(&of_namespace), &namespace);
    }
}
