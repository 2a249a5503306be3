//! What can go wrong on the way to OpenStack, and the few kinds that callers tell apart.
//!
//! No error holds a secret, a whole body or an address with a query.

use crate::ServiceType;

/// A call to OpenStack that did not give what was wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Looked for and not there.
    #[error("{service} has no {what} {name}")]
    NotFound {
        /// Who was asked.
        service: ServiceType,
        /// What was looked for: `flavor`, `image`.
        what: &'static str,
        /// How it was named.
        name: String,
    },
    /// A name that several things bear.
    #[error("{service} has more than one {what} called {name}")]
    Ambiguous {
        /// Who was asked.
        service: ServiceType,
        /// What was looked for.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The service refused, in its own words.
    #[error("{service} answered {status} to {method} {path}{}", said(.message.as_deref()))]
    Refused {
        /// Who was asked.
        service: ServiceType,
        /// The method.
        method: http::Method,
        /// The path without its query.
        path: String,
        /// The HTTP status.
        status: u16,
        /// The first line of the reason, cut short.
        message: Option<String>,
    },
    /// The service is overloaded or has a problem of its own, and still had after the last try.
    #[error("{service} answered {status} to {method} {path}, also when asked again")]
    Busy {
        /// Who was asked.
        service: ServiceType,
        /// The method.
        method: http::Method,
        /// The path without its query.
        path: String,
        /// The HTTP status.
        status: u16,
        /// When it wants to be asked again.
        retry_after: Option<std::time::Duration>,
    },
    /// The trust that we act by is gone: removed, expired, or its trustor has lost a role or the account.
    #[error("trust {trust} is no longer there{}", said(.message.as_deref()))]
    Trust {
        /// Its id.
        trust: String,
        /// What Keystone said.
        message: Option<String>,
    },
    /// Keystone does not accept our own credentials.
    #[error("identity refused the credentials{}", said(.message.as_deref()))]
    Login {
        /// What Keystone said.
        message: Option<String>,
    },
    /// No connection, or it broke.
    #[error("{service} can not be reached")]
    Unreachable {
        /// Who was asked.
        service: ServiceType,
        /// What the connection said.
        #[source]
        source: reqwest::Error,
    },
    /// No answer in time.
    #[error("{service} did not answer in time")]
    Timeout {
        /// Who was asked.
        service: ServiceType,
    },
    /// It has not answered of late, and is not asked for a moment.
    #[error("{service} has not answered of late, and is left alone for a moment")]
    Resting {
        /// Who is not asked.
        service: ServiceType,
        /// When it is asked again.
        rest: std::time::Duration,
    },
    /// An answer that is not what the API promises.
    #[error("{service} gave an answer that can not be read: {reason}")]
    Unreadable {
        /// Who was asked.
        service: ServiceType,
        /// What is wrong with it, without its content.
        reason: String,
    },
    /// The catalogue does not list the service.
    #[error("the catalogue has no {interface} endpoint of {service}{}", region.as_deref().map(|r| format!(" in region {r}")).unwrap_or_default())]
    NoEndpoint {
        /// Who was wanted.
        service: ServiceType,
        /// `public`, `internal`, `admin`.
        interface: crate::Interface,
        /// The region, where one is set.
        region: Option<String>,
    },
    /// The settings can not work.
    #[error("{0}")]
    Settings(String),
}

/// What an error means to the caller of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// It is not there.
    NotFound,
    /// It is there and not for us.
    Forbidden,
    /// The token or the credentials are not accepted.
    Unauthorized,
    /// A name that several things bear.
    Ambiguous,
    /// It exists already or is in use.
    Conflict,
    /// The service is away or overloaded: worth another try later.
    Unavailable,
    /// The service did not answer in time: worth another try later.
    Timeout,
    /// Anything else: the request or the answer is wrong.
    Bad,
}

impl Error {
    /// What the error means.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotFound { .. } => Kind::NotFound,
            Self::Ambiguous { .. } => Kind::Ambiguous,
            Self::Login { .. } => Kind::Unauthorized,
            // Nothing that we could do anew lets us in again.
            Self::Trust { .. } => Kind::Forbidden,
            Self::Busy { .. } => Kind::Unavailable,
            Self::Unreachable { .. } | Self::Resting { .. } => Kind::Unavailable,
            Self::Timeout { .. } => Kind::Timeout,
            Self::Refused { status, .. } => kind_of_status(*status),
            Self::Unreadable { .. } | Self::NoEndpoint { .. } | Self::Settings(_) => Kind::Bad,
        }
    }

    /// Who was asked, where somebody was.
    #[must_use]
    pub fn service(&self) -> Option<ServiceType> {
        match self {
            Self::NotFound { service, .. }
            | Self::Ambiguous { service, .. }
            | Self::Refused { service, .. }
            | Self::Busy { service, .. }
            | Self::Unreachable { service, .. }
            | Self::Resting { service, .. }
            | Self::Timeout { service }
            | Self::Unreadable { service, .. }
            | Self::NoEndpoint { service, .. } => Some(*service),
            Self::Login { .. } | Self::Trust { .. } => Some(ServiceType::Identity),
            Self::Settings(_) => None,
        }
    }

    /// Whether the same call may work in a moment.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self.kind(), Kind::Unavailable | Kind::Timeout)
    }

    /// The status that the service answered with, where it did and that was the trouble.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } | Self::Busy { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// When the service wants to be asked again, where it said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            Self::Resting { rest, .. } => Some(*rest),
            _ => None,
        }
    }

    pub(crate) fn unreadable(service: ServiceType, reason: impl std::fmt::Display) -> Self {
        Self::Unreadable { service, reason: reason.to_string() }
    }

    pub(crate) fn not_found(service: ServiceType, what: &'static str, name: &str) -> Self {
        Self::NotFound { service, what, name: name.to_owned() }
    }
}

fn said(message: Option<&str>) -> String {
    message.map(|text| format!(": {text}")).unwrap_or_default()
}

const fn kind_of_status(status: u16) -> Kind {
    match status {
        401 => Kind::Unauthorized,
        403 => Kind::Forbidden,
        404 | 410 => Kind::NotFound,
        409 => Kind::Conflict,
        429 | 500 | 502..=504 => Kind::Unavailable,
        _ => Kind::Bad,
    }
}

/// Longest reason that is taken over from an answer.
const MESSAGE_MAX: usize = 300;

/// Finds the sentence in an error body: every service wraps it differently.
pub(crate) fn message_in(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = sentence(&value, 0)?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(MESSAGE_MAX).collect())
}

/// Nova, Cinder and Keystone: `{"<fault>": {"message"}}`; Octavia: `faultstring`; Barbican: `description`; a Magnum: `detail`.
fn sentence(value: &serde_json::Value, depth: u8) -> Option<String> {
    let object = value.as_object()?;
    for name in ["message", "faultstring", "description", "detail", "title"] {
        if let Some(text) = object.get(name).and_then(serde_json::Value::as_str) {
            return Some(text.to_owned());
        }
    }
    let inner = (depth < 2).then(|| {
        object.values().find_map(|value| match value {
            serde_json::Value::Array(items) => items.first().and_then(|item| sentence(item, depth + 1)),
            other => sentence(other, depth + 1),
        })
    });
    inner.flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_in_the_wrapping_of_every_service() {
        for (body, wanted) in [
            (
                r#"{"itemNotFound": {"message": "Flavor x could not be found.", "code": 404}}"#,
                "Flavor x could not be found.",
            ),
            (r#"{"NeutronError": {"type": "X", "message": "No more IPs\nTraceback", "detail": ""}}"#, "No more IPs"),
            (
                r#"{"error": {"code": 401, "message": "The request you have made requires authentication.", "title": "U"}}"#,
                "The request you have made requires authentication.",
            ),
            (
                r#"{"faultcode": "Client", "faultstring": "Load Balancer is immutable", "debuginfo": null}"#,
                "Load Balancer is immutable",
            ),
            (
                r#"{"errors": [{"status": 404, "title": "Not Found", "detail": "Cluster x could not be found."}]}"#,
                "Cluster x could not be found.",
            ),
        ] {
            assert_eq!(message_in(body.as_bytes()).as_deref(), Some(wanted), "{body}");
        }
        for body in ["", "<html>", "[]", r#"{"a": {"b": {"c": {"message": "too deep"}}}}"#, r#"{"message": 4}"#] {
            assert_eq!(message_in(body.as_bytes()), None, "{body}");
        }
        let long = format!(r#"{{"message": "{}"}}"#, "x".repeat(5000));
        assert_eq!(message_in(long.as_bytes()).map(|text| text.len()), Some(MESSAGE_MAX));
    }
}
