//! Faults one can ask for: rules kept in the state, matched in order, counted, and decided by the seed alone.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::random;
use crate::state::{State, Writer};

/// The collection of the rules.
pub(crate) const COLLECTION: &str = "fault";

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// The Kubernetes API answers with this status instead of doing what was asked.
    Api {
        /// The HTTP status, such as 429 or 503.
        status: u16,
        /// The `Retry-After`, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_seconds: Option<u64>,
    },
    /// The Kubernetes API does what was asked and the answer is lost: the connection ends.
    LostAnswer,
    /// The Kubernetes API answers late.
    Slow {
        /// How late.
        milliseconds: u64,
    },
    /// A watch ends at once, as when an API server restarts.
    WatchClosed,
    /// A watch says that its resource version is too old.
    WatchGone,
    /// Events of a watch come late, so that caches are stale.
    WatchStale {
        /// How late.
        milliseconds: u64,
    },
    /// A machine's server runs but its node never joins.
    NeverStarts,
    /// A machine's server goes to ERROR.
    ServerError {
        /// The message of the server's fault.
        message: String,
    },
    /// The cloud refuses a machine's server: quota.
    QuotaExceeded,
    /// The load balancer of a cluster goes to ERROR.
    LoadBalancerError,
    /// An OpenStack service answers with this status instead of doing what was asked.
    Cloud {
        /// The service type, such as `compute`; empty means any.
        #[serde(default)]
        service: String,
        /// The HTTP status.
        status: u16,
        /// The `Retry-After`, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_seconds: Option<u64>,
    },
    /// An OpenStack service does what was asked, late.
    CloudSlow {
        /// The service type; empty means any.
        #[serde(default)]
        service: String,
        /// How late.
        milliseconds: u64,
    },
    /// An OpenStack service does what was asked, and the connection breaks in the middle of its answer.
    CloudCut {
        /// The service type; empty means any.
        #[serde(default)]
        service: String,
    },
}

/// When something goes wrong. Empty texts match anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultRule {
    /// What goes wrong.
    #[serde(flatten)]
    pub fault: Fault,
    /// Verb of the request (`get`, `list`, `watch`, `create`, `update`, `patch`, `delete`), or the HTTP method for a cloud service.
    #[serde(default)]
    pub verb: String,
    /// Resource in the plural (`clusters`), or the beginning of the path for a cloud service.
    #[serde(default)]
    pub resource: String,
    /// What the name of the object, machine or cluster begins with.
    #[serde(default)]
    pub name: String,
    /// How likely it is each time, from 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// How many matches pass unharmed first.
    #[serde(default)]
    pub skip: u64,
    /// How often it happens at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

const fn always() -> f64 {
    1.0
}

// === impl FaultRule ===

impl FaultRule {
    /// A rule that always holds.
    #[must_use]
    pub const fn always(fault: Fault) -> Self {
        Self {
            fault,
            verb: String::new(),
            resource: String::new(),
            name: String::new(),
            probability: 1.0,
            skip: 0,
            times: None,
        }
    }

    /// The rule for objects, machines or clusters whose name begins so.
    #[must_use]
    pub fn named(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.name);
        self
    }

    /// The rule for this many times.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }
}

/// What is about to be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occasion<'a> {
    pub(crate) verb: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) name: &'a str,
}

/// The rules in force.
#[derive(Clone, Debug)]
pub struct Faults {
    state: State,
    seed: u64,
}

// === impl Faults ===

impl Faults {
    /// The rules kept in a state.
    #[must_use]
    pub const fn new(state: State, seed: u64) -> Self {
        Self { state, seed }
    }

    /// Adds a rule; returns its id.
    pub fn add(&self, rule: &FaultRule) -> String {
        self.state.write(|writer| {
            let id = format!("{:010}", writer.next_revision());
            let document = json!({"id": id, "rule": rule, "seen": 0, "hits": 0});
            writer.put(COLLECTION, &id, document);
            id
        })
    }

    /// Takes a rule away; false when there was none.
    #[must_use]
    pub fn remove(&self, id: &str) -> bool {
        self.state.remove(COLLECTION, id).is_some()
    }

    /// Takes all rules away.
    pub fn clear(&self) {
        self.state.write(|writer| {
            for (id, _) in writer.list_prefix(COLLECTION, "") {
                writer.remove(COLLECTION, &id);
            }
        });
    }

    /// The rules with their ids and how often they were seen and hit.
    #[must_use]
    pub fn list(&self) -> Vec<Value> {
        self.state.list(COLLECTION).into_iter().map(|(_, document)| Value::clone(&document)).collect()
    }

    /// The first fault that an OpenStack service must show for this request, counted as having happened.
    #[must_use]
    pub fn cloud(&self, service: &str, method: &str, path: &str) -> Option<Fault> {
        let occasion = Occasion { verb: method, resource: path, name: "" };
        self.strike(occasion, |fault| match fault {
            Fault::Cloud { service: wanted, .. }
            | Fault::CloudSlow { service: wanted, .. }
            | Fault::CloudCut { service: wanted } => wanted.is_empty() || wanted == service,
            _ => false,
        })
    }

    /// The first fault of the wanted sort for this occasion, counted as having happened.
    pub(crate) fn strike(&self, occasion: Occasion<'_>, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        if self.state.count(COLLECTION) == 0 {
            return None;
        }
        self.state.write(|writer| strike(writer, self.seed, occasion, wanted))
    }
}

/// As [`Faults::strike`], within a step.
pub(crate) fn strike(
    writer: &mut Writer<'_>,
    seed: u64,
    occasion: Occasion<'_>,
    wanted: impl Fn(&Fault) -> bool,
) -> Option<Fault> {
    for (id, document) in writer.list_prefix(COLLECTION, "") {
        let Ok(rule) = serde_json::from_value::<FaultRule>(document["rule"].clone()) else { continue };
        if !wanted(&rule.fault) || !rule.matches(occasion) {
            continue;
        }
        let seen = document["seen"].as_u64().unwrap_or(0);
        let hits = document["hits"].as_u64().unwrap_or(0);
        let chance = random::fraction(random::mix_number(random::mix(seed, &["fault", &id]), seen));
        let hit = seen >= rule.skip && rule.times.is_none_or(|times| hits < times) && chance < rule.probability;
        let mut counted = Value::clone(&document);
        counted["seen"] = json!(seen + 1);
        counted["hits"] = json!(hits + u64::from(hit));
        writer.put(COLLECTION, &id, counted);
        if hit {
            return Some(rule.fault);
        }
    }
    None
}

impl FaultRule {
    fn matches(&self, occasion: Occasion<'_>) -> bool {
        (self.verb.is_empty() || self.verb.eq_ignore_ascii_case(occasion.verb))
            && (self.resource.is_empty() || occasion.resource.starts_with(&self.resource))
            && occasion.name.starts_with(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Occasion<'static> = Occasion { verb: "get", resource: "clusters", name: "a-b" };

    #[test]
    fn a_rule_reads_as_flat_json_and_counts() {
        let state = State::in_memory();
        let faults = Faults::new(state, 7);
        let rule: FaultRule =
            serde_json::from_value(json!({"fault": "api", "status": 503, "name": "a", "times": 2, "skip": 1})).unwrap();
        faults.add(&rule);
        let hits: Vec<bool> = (0..5).map(|_| faults.strike(HERE, |_| true).is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(faults.strike(Occasion { name: "b", ..HERE }, |_| true).is_none());
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed() {
        let draw = |seed: u64| -> Vec<bool> {
            let faults = Faults::new(State::in_memory(), seed);
            faults.add(&FaultRule { probability: 0.5, ..FaultRule::always(Fault::WatchClosed) });
            (0..64).map(|_| faults.strike(HERE, |_| true).is_some()).collect()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let count = draw(1).iter().filter(|hit| **hit).count();
        assert!((16..48).contains(&count), "{count} of 64");
    }
}
