//! What each verb does to the objects of a cluster. All of a request's reads and writes are one step of the state.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::apply::{Manager, apply, seconds, track};
use super::object::{name, namespace, resource_version, set, unset};
use super::space::Propagation;
use super::target::{Part, Query, Target};
use super::{ApiError, Space, admission, convert, patch};
use crate::state::{State, Writer};

/// How a PATCH is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchKind {
    Merge,
    Strategic,
    Json,
    Apply,
}

/// One write request.
pub(crate) struct Change<'a> {
    pub(crate) space: &'a Space,
    pub(crate) target: &'a Target,
    pub(crate) query: &'a Query,
    /// Who writes, by default: the first word of the user agent.
    pub(crate) agent: &'a str,
    pub(crate) now: Timestamp,
    /// Whether Cluster API's webhooks look at it.
    pub(crate) webhooks: bool,
}

/// What a write came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) object: Value,
    pub(crate) created: bool,
    pub(crate) warnings: Vec<String>,
}

// === impl Change ===

impl Change<'_> {
    /// Runs a step; a dry run is undone.
    fn step<R>(&self, state: &State, step: impl FnOnce(&mut Writer<'_>) -> Result<R, ApiError>) -> Result<R, ApiError> {
        if self.query.dry_run { state.rehearse(step) } else { state.write(step) }
    }

    fn manager(&self) -> Manager {
        let subresource = match self.target.part {
            Part::Status => "status",
            Part::Scale => "scale",
            Part::Whole | Part::Token => "",
        };
        Manager {
            name: self.query.field_manager.clone().unwrap_or_else(|| self.agent.to_owned()),
            subresource: subresource.to_owned(),
            api_version: self.target.api_version(),
        }
    }

    fn served(&self, object: &Value) -> Value {
        convert::to_served(&self.target.kind, &self.target.version, object)
    }

    fn check_identity(&self, body: &mut Value, wanted_name: Option<&str>) -> Result<(), ApiError> {
        let kind = &self.target.kind;
        if !body.is_object() {
            return Err(ApiError::bad_request("the body is not an object"));
        }
        for (field, expected) in [("kind", kind.kind.to_owned()), ("apiVersion", self.target.api_version())] {
            match body[field].as_str() {
                None | Some("") => body[field] = json!(expected),
                Some(given) if given == expected => {}
                Some(given) => {
                    let message = format!("{field} in the body is {given:?}, the path says {expected:?}");
                    return Err(ApiError::bad_request(message));
                }
            }
        }
        if !body["metadata"].is_object() {
            body["metadata"] = json!({});
        }
        if kind.namespaced {
            if namespace(body).is_empty() {
                set(body, &["metadata", "namespace"], self.target.namespace.clone());
            } else if namespace(body) != self.target.namespace {
                let message = "the namespace of the provided object does not match the namespace sent on the request";
                return Err(ApiError::bad_request(message));
            }
        }
        if let Some(wanted) = wanted_name {
            if name(body).is_empty() {
                set(body, &["metadata", "name"], wanted);
            } else if name(body) != wanted {
                let message =
                    format!("the name of the object ({}) does not match the name on the URL ({wanted})", name(body));
                return Err(ApiError::bad_request(message));
            }
        }
        Ok(())
    }

    /// POST
    pub(crate) fn create(&self, state: &State, mut body: Value) -> Result<Outcome, ApiError> {
        self.check_identity(&mut body, None)?;
        unset(&mut body, &["metadata", "managedFields"]);
        if !resource_version(&body).is_empty() {
            return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
        }
        let kind = &self.target.kind;
        if kind.status && kind.custom {
            unset(&mut body, &["status"]);
        }
        track(None, &mut body, &self.manager(), self.now);
        let stored = convert::to_stored(kind, &self.target.version, &body);
        self.step(state, |writer| self.insert(writer, stored))
    }

    fn insert(&self, writer: &mut Writer<'_>, mut stored: Value) -> Result<Outcome, ApiError> {
        let mut warnings = Vec::new();
        if self.webhooks {
            warnings = admission::admit(self.space, writer, &self.target.kind, None, &mut stored)?;
        }
        let object = self.space.create(writer, &self.target.kind, stored, self.now)?;
        Ok(Outcome { object: self.served(&object), created: true, warnings })
    }

    /// PUT
    pub(crate) fn update(&self, state: &State, mut body: Value) -> Result<Outcome, ApiError> {
        let wanted = self.target.name.as_deref().unwrap_or_default();
        if self.target.part == Part::Scale {
            let replicas = body["spec"]["replicas"].clone();
            return self.modify(state, |live| {
                set(live, &["spec", "replicas"], replicas);
                Ok(())
            });
        }
        self.check_identity(&mut body, Some(wanted))?;
        self.modify(state, |live| {
            let managed = live["metadata"]["managedFields"].clone();
            *live = body;
            set(live, &["metadata", "managedFields"], managed);
            Ok(())
        })
    }

    /// PATCH other than apply
    pub(crate) fn patch(&self, state: &State, how: PatchKind, body: &Value) -> Result<Outcome, ApiError> {
        self.modify(state, |live| match how {
            PatchKind::Json => patch::json(live, body),
            PatchKind::Strategic => {
                patch::strategic(live, body);
                Ok(())
            }
            PatchKind::Merge | PatchKind::Apply => {
                patch::merge(live, body);
                Ok(())
            }
        })
    }

    /// PATCH that is server-side apply
    pub(crate) fn apply(&self, state: &State, mut body: Value) -> Result<Outcome, ApiError> {
        let wanted = self.target.name.clone().unwrap_or_default();
        if self.query.field_manager.is_none() {
            let why = "Required value: is required for apply patch".to_owned();
            return Err(ApiError::invalid("PatchOptions", "meta.k8s.io", "", &[("fieldManager".to_owned(), why)]));
        }
        self.check_identity(&mut body, Some(&wanted))?;
        if body["metadata"]["managedFields"].as_array().is_some_and(|all| !all.is_empty()) {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        let kind = &self.target.kind;
        let wrong_part = if self.target.part == Part::Status { "spec" } else { "status" };
        if kind.status && kind.custom {
            unset(&mut body, &[wrong_part]);
        }
        // Kept as `data`, which is what the owner of a plain text owns from then on.
        plain_to_data(kind.kind, &mut body);
        let manager = self.manager();
        self.step(state, |writer| {
            let Some(old) = self.space.get(writer, kind, &self.target.namespace, &wanted) else {
                if self.target.part != Part::Whole {
                    return Err(Space::missing(kind, &wanted));
                }
                let fresh = apply(None, &body, &manager, self.query.force, self.now)?;
                return self.insert(writer, convert::to_stored(kind, &self.target.version, &fresh));
            };
            expect_version(&old, resource_version(&body), self.target)?;
            let live = self.served(&old);
            let merged = apply(Some(&live), &body, &manager, self.query.force, self.now)?;
            self.put(writer, &old, &merged)
        })
    }

    fn modify(
        &self,
        state: &State,
        change: impl FnOnce(&mut Value) -> Result<(), ApiError>,
    ) -> Result<Outcome, ApiError> {
        let wanted = self.target.name.clone().unwrap_or_default();
        let kind = &self.target.kind;
        self.step(state, |writer| {
            let old = self
                .space
                .get(writer, kind, &self.target.namespace, &wanted)
                .ok_or_else(|| Space::missing(kind, &wanted))?;
            let live = self.served(&old);
            let mut changed = live.clone();
            change(&mut changed)?;
            expect_version(&old, resource_version(&changed), self.target)?;
            if name(&changed) != wanted {
                return Err(ApiError::bad_request("the name of an object cannot be changed"));
            }
            plain_to_data(kind.kind, &mut changed);
            set(&mut changed, &["metadata", "managedFields"], live["metadata"]["managedFields"].clone());
            let separate = kind.status && kind.custom || self.target.part == Part::Status;
            if separate {
                keep_other_part(self.target.part, &live, &mut changed);
            }
            track(Some(&live), &mut changed, &self.manager(), self.now);
            self.put(writer, &old, &changed)
        })
    }

    fn put(&self, writer: &mut Writer<'_>, old: &Value, changed: &Value) -> Result<Outcome, ApiError> {
        let kind = &self.target.kind;
        let mut stored = convert::to_stored(kind, &self.target.version, changed);
        if convert::is_old(kind, &self.target.version) && !old["status"].is_null() {
            stored["status"] = old["status"].clone();
        }
        let mut warnings = Vec::new();
        if self.webhooks && self.target.part != Part::Status {
            warnings = admission::admit(self.space, writer, kind, Some(old), &mut stored)?;
        }
        let object = self.space.replace(writer, kind, old, stored);
        Ok(Outcome { object: self.served(&object), created: false, warnings })
    }

    /// DELETE of one object
    pub(crate) fn delete(&self, state: &State, options: &Value) -> Result<Value, ApiError> {
        let wanted = self.target.name.clone().unwrap_or_default();
        let kind = &self.target.kind;
        self.step(state, |writer| {
            let old = self
                .space
                .get(writer, kind, &self.target.namespace, &wanted)
                .ok_or_else(|| Space::missing(kind, &wanted))?;
            for field in ["uid", "resourceVersion"] {
                let expected = &options["preconditions"][field];
                if expected.is_string() && *expected != old["metadata"][field] {
                    let why = format!("the {field} in the precondition ({expected}) does not match");
                    return Err(ApiError::conflict(kind.plural, kind.group, &wanted, &why));
                }
            }
            if self.webhooks {
                admission::admit_delete(self.space, writer, kind, &old)?;
            }
            let key = (self.target.namespace.as_str(), wanted.as_str());
            let object = self.space.delete(writer, kind, key, self.propagation(options)?, self.now)?;
            let gone = self.space.get(writer, kind, &self.target.namespace, &wanted).is_none();
            if !gone {
                return Ok(self.served(&object));
            }
            let details =
                json!({"name": wanted, "group": kind.group, "kind": kind.plural, "uid": object["metadata"]["uid"]});
            Ok(json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}))
        })
    }

    /// DELETE of everything the selectors choose
    pub(crate) fn delete_collection(&self, state: &State, options: &Value) -> Result<Value, ApiError> {
        let kind = &self.target.kind;
        self.step(state, |writer| {
            let mut items = Vec::new();
            for (_, object) in writer.list_prefix(&self.space.collection(kind), &self.target.prefix()) {
                if self.query.selector.matches(&object) {
                    let key = (namespace(&object), name(&object));
                    let deleted = self.space.delete(writer, kind, key, self.propagation(options)?, self.now)?;
                    items.push(self.served(&deleted));
                }
            }
            Ok(list_of(self.target, &items, state_revision(writer), None))
        })
    }

    fn propagation(&self, options: &Value) -> Result<Propagation, ApiError> {
        match options["propagationPolicy"].as_str().or(self.query.propagation.as_deref()) {
            None | Some("Background") => Ok(Propagation::Background),
            Some("Foreground") => Ok(Propagation::Foreground),
            Some("Orphan") => Ok(Propagation::Orphan),
            Some(other) => Err(ApiError::bad_request(format!("unknown propagationPolicy {other:?}"))),
        }
    }
}

/// GET of one object
pub(crate) fn get(space: &Space, state: &State, target: &Target) -> Result<Value, ApiError> {
    let wanted = target.name.as_deref().unwrap_or_default();
    let object = space
        .read(state, &target.kind, &target.namespace, wanted)
        .ok_or_else(|| Space::missing(&target.kind, wanted))?;
    let served = convert::to_served(&target.kind, &target.version, &object);
    Ok(if target.part == Part::Scale { scale(&served) } else { served })
}

/// `/scale` of an object.
pub(crate) fn scale(object: &Value) -> Value {
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": name(object), "namespace": namespace(object), "uid": object["metadata"]["uid"],
            "resourceVersion": object["metadata"]["resourceVersion"],
            "creationTimestamp": object["metadata"]["creationTimestamp"],
        },
        "spec": {"replicas": object["spec"]["replicas"]},
        "status": {"replicas": object["status"]["replicas"].as_i64().unwrap_or(0)},
    })
}

/// What a list came to.
pub(crate) struct Page {
    pub(crate) items: Vec<Value>,
    pub(crate) revision: u64,
    /// Where the next page starts, and how many items it and those behind it have.
    pub(crate) next: Option<(String, usize)>,
}

/// GET of many
pub(crate) fn list(space: &Space, state: &State, target: &Target, query: &Query) -> Result<Page, ApiError> {
    let (all, revision) = state.list_prefix(&space.collection(&target.kind), &target.prefix());
    let (after, revision) = match &query.after {
        None => (None, revision),
        Some(token) => {
            let (at, last) = token.split_once(':').ok_or_else(|| ApiError::bad_request("continue key is not valid"))?;
            let at: u64 = at.parse().map_err(|_| ApiError::bad_request("continue key is not valid"))?;
            (Some(last.to_owned()), at)
        }
    };
    let wanted = query.target_name_matches(target);
    let mut found = all
        .into_iter()
        .filter(|(id, object)| {
            after.as_deref().is_none_or(|after| &**id > after) && wanted(object) && query.selector.matches(object)
        })
        .peekable();
    let limit = query.limit.unwrap_or(usize::MAX);
    let mut items = Vec::new();
    let mut last = String::new();
    while items.len() < limit {
        let Some((id, object)) = found.next() else { break };
        last = id.to_string();
        items.push(convert::to_served(&target.kind, &target.version, &object));
    }
    let remaining = found.count();
    let next = (remaining > 0).then(|| (format!("{revision}:{last}"), remaining));
    Ok(Page { items, revision, next })
}

impl Query {
    /// A watch of one object may name it in the path.
    pub(crate) fn target_name_matches<'a>(&self, target: &'a Target) -> impl Fn(&Value) -> bool + use<'a> {
        let wanted = target.name.as_deref();
        move |object| wanted.is_none_or(|wanted| name(object) == wanted)
    }
}

/// A `List` of items.
pub(crate) fn list_of(target: &Target, items: &[Value], revision: u64, next: Option<(String, usize)>) -> Value {
    json!({
        "kind": format!("{}List", target.kind.kind), "apiVersion": target.api_version(),
        "metadata": list_metadata(revision, next), "items": items,
    })
}

/// The metadata of a list.
pub(crate) fn list_metadata(revision: u64, next: Option<(String, usize)>) -> Value {
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if let Some((token, remaining)) = next {
        metadata["continue"] = json!(token);
        metadata["remainingItemCount"] = json!(remaining);
    }
    metadata
}

/// A token for a service account, remembered so that it is known when it comes back.
pub(crate) fn service_account_token(
    space: &Space,
    state: &State,
    target: &Target,
    now: Timestamp,
) -> Result<Value, ApiError> {
    let account = get(space, state, &Target { part: Part::Whole, ..target.clone() })?;
    let user = format!("system:serviceaccount:{}:{}", target.namespace, name(&account));
    let token = state.write(|writer| {
        let token = crate::random::uuid(crate::random::mix_number(space.chance(), writer.next_revision())).to_string();
        writer.put(&format!("{}tokens", space.prefix()), &token, json!({"user": user}));
        token
    });
    let expires = now.checked_add(jiff::SignedDuration::from_hours(1)).unwrap_or(now);
    Ok(json!({
        "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name(&account), "namespace": target.namespace},
        "spec": {"expirationSeconds": 3600, "audiences": []},
        "status": {"token": token, "expirationTimestamp": seconds(expires)},
    }))
}

fn state_revision(writer: &Writer<'_>) -> u64 {
    writer.next_revision() - 1
}

fn expect_version(old: &Value, given: &str, target: &Target) -> Result<(), ApiError> {
    if given.is_empty() || given == resource_version(old) {
        return Ok(());
    }
    let why = "the object has been modified; please apply your changes to the latest version and try again";
    Err(ApiError::conflict(target.kind.plural, target.kind.group, name(old), why))
}

fn keep_other_part(part: Part, live: &Value, changed: &mut Value) {
    if part == Part::Status {
        let status = changed["status"].clone();
        let version = changed["metadata"]["resourceVersion"].clone();
        *changed = live.clone();
        set(changed, &["metadata", "resourceVersion"], version);
        if status.is_null() {
            unset(changed, &["status"]);
        } else {
            changed["status"] = status;
        }
    } else if live["status"].is_null() {
        unset(changed, &["status"]);
    } else {
        changed["status"] = live["status"].clone();
    }
}

fn plain_to_data(kind: &str, body: &mut Value) {
    use base64::Engine;
    if kind != "Secret" {
        return;
    }
    if let Some(Value::Object(plain)) = super::object::fields(body).remove("stringData") {
        for (key, value) in plain {
            let encoded = base64::engine::general_purpose::STANDARD.encode(value.as_str().unwrap_or_default());
            set(body, &["data", &key], encoded);
        }
    }
}
