//! What is told of a cluster's operation: a CADF event, as Magnum words it. No I/O; ids and the time come as arguments.

use jeroboam_model::{Caller, Cluster, ClusterWithGroups, HealthStatus, NodeGroup, Stage, Status, Timestamp, Verb};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use uuid::Uuid;

const EVENT: &str = "http://schemas.dmtf.org/cloud/audit/1.0/event";
const CLUSTER: &str = "service/magnum/cluster";
const USER: &str = "service/security/account/user";

/// What is done to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is made.
    Create,
    /// It is resized, upgraded or changed otherwise.
    Update,
    /// It is taken away.
    Delete,
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// How far it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It begins.
    Pending,
    /// It is done.
    Success,
    /// It is refused or did not work.
    Failure,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    /// `INFO`, or `ERROR` for a failure.
    pub(crate) const fn priority(self) -> &'static str {
        match self {
            Self::Failure => "ERROR",
            Self::Pending | Self::Success => "INFO",
        }
    }
}

/// What a status that an operation ends with is told as; `None`: nothing ends with it.
///
/// Magnum: service/periodic.py `status_to_event`; for statuses that it does not list it would fall over.
#[must_use]
pub fn ending(status: Status) -> Option<(Action, Outcome)> {
    let outcome = match status.stage() {
        Stage::InProgress => return None,
        Stage::Complete => Outcome::Success,
        Stage::Failed => Outcome::Failure,
    };
    let action = match status.verb() {
        Verb::Create => Action::Create,
        Verb::Delete => Action::Delete,
        _ => Action::Update,
    };
    Some((action, outcome))
}

/// Something that happens to a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    /// What.
    pub action: Action,
    /// How far it got.
    pub outcome: Outcome,
    /// The cluster as it is told.
    pub cluster: &'a ClusterWithGroups,
    /// Who wanted it; `None`: it came about by itself.
    pub caller: Option<&'a Caller>,
}

/// A message, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    /// `magnum.cluster.create`.
    pub(crate) event_type: String,
    /// `INFO` or `ERROR`.
    pub(crate) priority: &'static str,
    /// Everything but the envelope.
    pub(crate) body: Value,
}

impl Message {
    /// For the log: without what is said to consumers of the bus alone. Magnum: oslo_messaging/notify/_impl_log.py.
    pub(crate) fn logged(&self) -> String {
        let Value::Object(body) = &self.body else { return self.body.to_string() };
        let public: Map<String, Value> = body
            .iter()
            .filter(|(name, _)| !name.starts_with('_'))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Value::Object(public).to_string()
    }
}

/// Words a notice. `fresh` gives a new id each time.
pub(crate) fn message(
    notice: &Notice<'_>,
    publisher: &str,
    now: Timestamp,
    mut fresh: impl FnMut() -> Uuid,
) -> Message {
    let event_type = format!("magnum.cluster.{}", notice.action.as_str());
    let priority = notice.outcome.priority();
    let mut body = context(notice.caller);
    body.extend([
        ("message_id".to_owned(), json!(fresh())),
        ("publisher_id".to_owned(), json!(publisher)),
        ("event_type".to_owned(), json!(event_type)),
        ("priority".to_owned(), json!(priority)),
        ("timestamp".to_owned(), json!(formatted(now, "%Y-%m-%d %H:%M:%S.%6f"))),
        ("payload".to_owned(), event(notice, now, &mut fresh)),
        ("_unique_id".to_owned(), json!(fresh().simple().to_string())),
    ]);
    Message { event_type, priority, body: Value::Object(body) }
}

/// oslo.messaging's envelope of its second format.
pub(crate) fn enveloped(body: &Value) -> Value {
    json!({"oslo.version": "2.0", "oslo.message": body.to_string()})
}

fn event(notice: &Notice<'_>, now: Timestamp, fresh: &mut impl FnMut() -> Uuid) -> Value {
    let mut initiator = json!({"id": fresh(), "typeURI": USER});
    if let Some(caller) = notice.caller {
        initiator["user_id"] = json!(caller.user.as_str());
        if let Some(project) = &caller.project {
            initiator["project_id"] = json!(project.as_str());
        }
        if let Some(domain) = &caller.domain {
            initiator["domain_id"] = json!(domain);
        }
    }
    let cluster = &notice.cluster.cluster;
    let mut target = json!({
        "id": cluster.id, "typeURI": CLUSTER,
        "attachments": [{"typeURI": CLUSTER, "name": "cluster_data", "content": content(notice.cluster)}],
    });
    if let Some(name) = &cluster.name {
        target["name"] = json!(name);
    }
    json!({
        "typeURI": EVENT, "eventType": "activity", "id": fresh(), "action": notice.action.as_str(),
        "outcome": notice.outcome.as_str(), "eventTime": formatted(now, "%Y-%m-%dT%H:%M:%S.%6f+0000"),
        "observer": {"id": fresh(), "typeURI": CLUSTER}, "initiator": initiator, "target": target,
    })
}

fn content(view: &ClusterWithGroups) -> Value {
    let cluster: &Cluster = &view.cluster;
    let time = |time: Timestamp| formatted(time, "%Y-%m-%dT%H:%M:%S.%6f");
    let addresses = |wanted: fn(&NodeGroup) -> bool| -> Vec<&String> {
        view.groups.iter().filter(|group| wanted(group)).flat_map(|group| &group.node_addresses).collect()
    };
    let labels: Map<String, Value> =
        cluster.labels.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    json!({
        "status": cluster.status.as_str(),
        "status_reason": cluster.status_reason,
        "project_id": cluster.project.as_str(),
        "created_at": time(cluster.created_at),
        "updated_at": cluster.updated_at.map(time),
        "cluster_template_id": cluster.template,
        "keypair": cluster.keypair,
        // Magnum: conductor/utils.py, with the colon.
        "docker_volume_size:": cluster.docker_volume_size,
        "labels": labels,
        "master_flavor_id": cluster.master_flavor_id,
        "flavor_id": cluster.flavor_id,
        "stack_id": cluster.stack_id,
        "health_status": cluster.health_status.map(HealthStatus::as_str),
        "create_timeout": cluster.create_timeout,
        "api_address": cluster.api_address,
        "discovery_url": cluster.discovery_url,
        "node_addresses": addresses(|group| !group.is_control_plane()),
        "master_addresses": addresses(NodeGroup::is_control_plane),
        "node_count": view.worker_count(),
        "master_count": view.control_plane_count(),
    })
}

/// The request's context, as oslo.context tells it when what is secret is left out. Consumers build their own from it.
fn context(caller: Option<&Caller>) -> Map<String, Value> {
    let text = |get: fn(&Caller) -> Option<String>| caller.and_then(get);
    let user = text(|caller| Some(caller.user.to_string()));
    let project = text(|caller| caller.project.as_ref().map(ToString::to_string));
    let user_domain = text(|caller| caller.user_domain.clone());
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let identity = format!("{} {} - {} -", dash(&user), dash(&project), dash(&user_domain));
    let fields = json!({
        "user": user, "user_id": user, "user_name": text(|caller| Some(caller.user_name.clone())),
        "user_domain": user_domain, "user_domain_id": user_domain, "user_domain_name": null,
        "project": project, "project_id": project, "project_name": text(|caller| caller.project_name.clone()),
        "project_domain": null, "domain": null, "system_scope": text(|caller| caller.system_scope.clone()),
        "user_identity": identity,
        "roles": caller.map(|caller| caller.roles.clone()).unwrap_or_default(),
        "is_admin": caller.is_none_or(|caller| caller.is_admin),
        "is_admin_project": true, "read_only": false, "show_deleted": false, "all_tenants": false,
        "request_id": text(|caller| Some(caller.request_id.clone())),
        "global_request_id": null, "resource_uuid": null,
        "auth_token": null, "auth_token_info": null, "auth_url": null,
    });
    let Value::Object(fields) = fields else { return Map::new() };
    fields.into_iter().map(|(name, value)| (format!("_context_{name}"), value)).collect()
}

fn formatted(time: Timestamp, format: &str) -> String {
    time.to_zoned(TimeZone::UTC).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_of_an_operation_is_told_as_what_it_was() {
        use Action::{Create, Delete, Update};
        use Outcome::{Failure, Success};
        for (status, wanted) in [
            (Status::CREATE_IN_PROGRESS, None),
            (Status::UPDATE_IN_PROGRESS, None),
            (Status::DELETE_IN_PROGRESS, None),
            (Status::CREATE_COMPLETE, Some((Create, Success))),
            (Status::CREATE_FAILED, Some((Create, Failure))),
            (Status::UPDATE_COMPLETE, Some((Update, Success))),
            (Status::UPDATE_FAILED, Some((Update, Failure))),
            (Status::DELETE_COMPLETE, Some((Delete, Success))),
            (Status::DELETE_FAILED, Some((Delete, Failure))),
        ] {
            assert_eq!(ending(status), wanted, "{status}");
        }
        // Heat's own are told as updates.
        for text in ["ROLLBACK_COMPLETE", "RESUME_COMPLETE", "CHECK_COMPLETE"] {
            let status: Status = text.parse().expect("a status");
            assert_eq!(ending(status), Some((Update, Success)), "{text}");
        }
        assert_eq!((Failure.priority(), Success.priority(), Outcome::Pending.priority()), ("ERROR", "INFO", "INFO"));
    }

    #[test]
    fn times_are_written_as_python_writes_them() {
        let time: Timestamp = "2026-11-21T00:04:41Z".parse().expect("a time");
        for (format, wanted) in [
            ("%Y-%m-%dT%H:%M:%S.%6f", "2026-11-21T00:04:41.000000"),
            ("%Y-%m-%d %H:%M:%S.%6f", "2026-11-21 00:04:41.000000"),
        ] {
            assert_eq!(formatted(time, format), wanted);
        }
    }

    #[test]
    fn an_envelope_holds_its_message_as_text() {
        let body = json!({"event_type": "magnum.cluster.create"});
        let envelope = enveloped(&body);
        assert_eq!(envelope["oslo.version"], "2.0");
        assert_eq!(envelope["oslo.message"], json!(body.to_string()));
    }

    #[test]
    fn the_log_shows_nothing_of_the_context() {
        let body = json!({"_context_user_id": "u", "_unique_id": "1", "event_type": "e"});
        let message = Message { event_type: "e".to_owned(), priority: "INFO", body };
        assert_eq!(message.logged(), "{\"event_type\":\"e\"}");
    }
}
