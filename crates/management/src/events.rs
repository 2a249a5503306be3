//! What controllers complain of in Events: for some objects the only place that says why they get no further.

use jeroboam_capi::ClusterKey;
use jeroboam_model::Timestamp;
use kube::api::{ApiResource, GroupVersionKind, ListParams};
use serde_json::Value;

use crate::{Management, ManagementError};

/// More complaints about one object than this are not read.
const MOST: u32 = 200;
/// How Kubernetes begins the message of an event that stands for several.
const COMBINED: &str = "(combined from similar events): ";

impl Management {
    /// The newest warning about an object in a cluster's namespace, in one line, if it is not older than `since`. One call,
    /// bounded; meant for objects that hold an operation up, never for settled ones.
    pub async fn warning(
        &self,
        key: &ClusterKey,
        kind: &str,
        name: &str,
        since: Timestamp,
    ) -> Result<Option<String>, ManagementError> {
        let events = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Event"));
        let fields = format!("type=Warning,involvedObject.kind={kind},involvedObject.name={name}");
        let params = ListParams::default().fields(&fields).limit(MOST);
        let call = async { self.api(&events, Some(&key.namespace)).list(&params).await };
        let found = self.call(format!("list events of {kind} {name}"), call).await?;
        let values: Vec<_> = found.items.into_iter().filter_map(|event| serde_json::to_value(event).ok()).collect();
        Ok(newest(&values, since))
    }
}

/// The latest of some events, as `reason: message`.
fn newest(events: &[Value], since: Timestamp) -> Option<String> {
    // Times have whole seconds: what happened in the second that it began in counts.
    let since = since - std::time::Duration::from_secs(1);
    let timed = events.iter().filter_map(|event| Some((last_seen(event)?, event)));
    let (_, event) = timed.filter(|(at, _)| *at >= since).max_by_key(|(at, _)| *at)?;
    let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
    let message = text("message");
    let words: Vec<_> = message.strip_prefix(COMBINED).unwrap_or(message).split_whitespace().collect();
    match (text("reason"), words.join(" ")) {
        ("", message) if message.is_empty() => None,
        ("", message) => Some(message),
        (reason, message) if message.is_empty() => Some(reason.to_owned()),
        (reason, message) => Some(format!("{reason}: {message}")),
    }
}

/// When something was last said: in a series, by the old recorder, by the new one.
fn last_seen(event: &Value) -> Option<Timestamp> {
    let at = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).and_then(|text| text.parse().ok());
    let all = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
    all.into_iter().find_map(at)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_warning_counts_whichever_recorder_wrote_it_and_older_ones_are_history() {
        let old = json!({"reason": "Failedcreaterouter", "message": "a", "lastTimestamp": "2026-11-21T12:00:00Z"});
        let new = json!({
            "reason": "Failedcreatesecuritygrouprule",
            "message": "(combined from similar events): Quota exceeded\n  for resources",
            "lastTimestamp": null, "eventTime": "2026-11-21T12:00:30.123456Z",
        });
        let series = json!({"message": "again", "eventTime": "2026-11-21T11:00:00Z",
            "series": {"lastObservedTime": "2026-11-21T12:01:00Z"}});
        let at = |text: &str| text.parse().expect("a time");
        let early = at("2026-11-21T11:59:00Z");
        let said = Some("Failedcreatesecuritygrouprule: Quota exceeded for resources".to_owned());
        assert_eq!(newest(&[new.clone(), old.clone()], early), said);
        assert_eq!(newest(&[old.clone(), new, series], early).as_deref(), Some("again"));
        assert_eq!(newest(&[old], at("2026-11-21T12:00:10Z")), None);
        assert_eq!(newest(&[json!({"message": "never"})], early), None);
    }
}
