//! Notifications: what happened in the registry, in the words of distribution, for whoever wants to be told.

use serde::{Deserialize, Serialize};

use crate::manifest::Descriptor;
use crate::{Digest, RepositoryName, Tag};

/// `Content-Type` of what is sent.
pub const MEDIA_TYPE: &str = "application/vnd.docker.distribution.events.v1+json";

/// What is sent: some events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// In the order in which they happened.
    pub events: Vec<Event>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unlike that of any other.
    pub id: String,
    /// When, as RFC 3339.
    pub timestamp: String,
    /// What.
    pub action: EventAction,
    /// To what.
    pub target: Target,
    /// Because of which request.
    pub request: Request,
    /// By whom.
    pub actor: EventActor,
    /// Where.
    pub source: Source,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventAction {
    /// Somebody read it.
    Pull,
    /// Somebody wrote it.
    Push,
    /// A blob of another repository was made one of this.
    Mount,
    /// Somebody removed it.
    Delete,
}

impl EventAction {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Mount => "mount",
            Self::Delete => "delete",
        }
    }
}

/// What something happened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its type; empty of a blob whose type nobody knows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// So many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its digest; none where only a tag was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// So many bytes, under the name that older receivers read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// The repository.
    pub repository: RepositoryName,
    /// From which repository it was mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_repository: Option<RepositoryName>,
    /// Where it can be had.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// The tag, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// What a manifest names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Descriptor>,
}

impl Target {
    /// Something of a repository, of which nothing else is known yet.
    #[must_use]
    pub fn of(repository: RepositoryName) -> Self {
        Self {
            media_type: String::new(),
            size: None,
            digest: None,
            length: None,
            repository,
            from_repository: None,
            url: String::new(),
            tag: None,
            references: Vec::new(),
        }
    }

    /// With type, digest and size.
    #[must_use]
    pub fn with(mut self, media_type: &str, digest: Digest, size: u64) -> Self {
        media_type.clone_into(&mut self.media_type);
        (self.digest, self.size, self.length) = (Some(digest), Some(size), Some(size));
        self
    }
}

/// The request because of which something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its name in the log.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Where the client is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub addr: String,
    /// What the client called the registry.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// `GET`, `PUT`, …
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub useragent: String,
}

/// Who did it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventActor {
    /// The name; none of somebody anonymous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Which process of the registry tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Host and port.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub addr: String,
    /// A name that changes when the process does.
    #[serde(default, rename = "instanceID", skip_serializing_if = "String::is_empty")]
    pub instance_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_in_the_words_of_distribution() {
        let digest = Digest::sha256(b"{}");
        let repository: RepositoryName = "team/app".parse().expect("a name");
        let event = Event {
            id: "asdf-asdf-asdf-asdf-0".to_owned(),
            timestamp: "2026-11-22T00:00:00Z".to_owned(),
            action: EventAction::Push,
            target: Target {
                url: format!("https://registry/v2/team/app/manifests/{digest}"),
                tag: Some("latest".parse().expect("a tag")),
                references: vec![Descriptor::new("a/b", digest.clone(), 2)],
                ..Target::of(repository).with("application/vnd.oci.image.manifest.v1+json", digest.clone(), 708)
            },
            request: Request { id: "r".to_owned(), method: "PUT".to_owned(), ..Request::default() },
            actor: EventActor { name: Some("somebody".to_owned()) },
            source: Source { addr: "registry:5000".to_owned(), instance_id: "i".to_owned() },
        };
        let envelope = Envelope { events: vec![event] };
        let expected = serde_json::json!({"events": [{
            "id": "asdf-asdf-asdf-asdf-0",
            "timestamp": "2026-11-22T00:00:00Z",
            "action": "push",
            "target": {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "size": 708,
                "digest": digest,
                "length": 708,
                "repository": "team/app",
                "url": format!("https://registry/v2/team/app/manifests/{digest}"),
                "tag": "latest",
                "references": [{"mediaType": "a/b", "digest": digest, "size": 2}],
            },
            "request": {"id": "r", "method": "PUT"},
            "actor": {"name": "somebody"},
            "source": {"addr": "registry:5000", "instanceID": "i"},
        }]});
        let json = serde_json::to_value(&envelope).expect("JSON");
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Envelope>(json).expect("an envelope"), envelope);
        for action in [EventAction::Pull, EventAction::Push, EventAction::Mount, EventAction::Delete] {
            assert_eq!(serde_json::to_value(action).expect("JSON"), action.name());
        }
    }
}
