//! What can go wrong with the management cluster, and what a caller does about it.

use std::time::Duration;

use kube::core::Status;

/// A call to the management cluster that failed. No variant carries the objects that were sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagementError {
    /// The kubeconfig cannot be used.
    #[error("use the kubeconfig of the management cluster")]
    Config {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It did not answer, or not sensibly, or does not want to just now.
    #[error("{what}: the management cluster is unavailable")]
    Unavailable {
        /// What was tried.
        what: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// It took too long.
    #[error("{what}: no answer from the management cluster within {} s", .after.as_secs())]
    TimedOut {
        /// What was tried.
        what: String,
        /// How long was waited.
        after: Duration,
    },
    /// Somebody else was faster, or something is still on its way out: do it again.
    #[error("{what}: {message}")]
    Conflict {
        /// What was tried.
        what: String,
        /// The API server's words.
        message: String,
    },
    /// The namespace is on its way out: it takes nothing new, and can be made again once it is gone.
    #[error("{what}: the namespace is being deleted")]
    Terminating {
        /// What was tried.
        what: String,
    },
    /// The API server or one of its webhooks says no.
    #[error("{what}: {message}")]
    Refused {
        /// What was tried.
        what: String,
        /// HTTP status.
        code: u16,
        /// The API server's words; they are for people.
        message: String,
    },
    /// There is no such object, or no such kind.
    #[error("{what}: not found")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// Cluster API is not installed, or in none of the versions that we know.
    #[error("the management cluster serves no version of {group} that is known")]
    NotServed {
        /// The API group.
        group: String,
    },
}

/// What a caller does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Wait and try again.
    Unavailable,
    /// Try again now.
    Conflict,
    /// Tell the tenant: trying again changes nothing.
    Refused,
    /// It is not there.
    NotFound,
    /// Tell the operator.
    Config,
}

impl ManagementError {
    /// What a caller does about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Config { .. } => ErrorKind::Config,
            Self::Unavailable { .. } | Self::TimedOut { .. } | Self::NotServed { .. } => ErrorKind::Unavailable,
            Self::Conflict { .. } | Self::Terminating { .. } => ErrorKind::Conflict,
            Self::Refused { .. } => ErrorKind::Refused,
            Self::NotFound { .. } => ErrorKind::NotFound,
        }
    }

    /// The API server's own number and words, where it answered something.
    #[must_use]
    pub fn answer(&self) -> Option<(u16, &str)> {
        match self {
            Self::Unavailable { source, .. } => match &**source {
                kube::Error::Api(status) if !status.message.is_empty() => Some((status.code, &status.message)),
                _ => None,
            },
            Self::Refused { code, message, .. } => Some((*code, message)),
            _ => None,
        }
    }

    /// Names a failed call by what was tried.
    pub(crate) fn of(what: String, source: kube::Error) -> Self {
        let kube::Error::Api(status) = &source else {
            return Self::Unavailable { what, source: Box::new(source) };
        };
        let message = status.message.clone();
        match status.code {
            403 | 404 if is_terminating(status) => Self::Terminating { what },
            404 => Self::NotFound { what },
            409 | 410 => Self::Conflict { what, message },
            // A webhook that says no with a number of its own choice.
            500.. if message.contains(" denied the request") => Self::Refused { what, code: status.code, message },
            401 | 408 | 429 | 500.. => Self::Unavailable { what, source: Box::new(source) },
            code => Self::Refused { what, code, message },
        }
    }
}

/// A namespace on its way out takes nothing new; it can be made again once it is gone.
fn is_terminating(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
        || status.message.contains("because it is being terminated")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_a_kind() {
        let kind = |code: u16, message: &str| {
            let status = Status { code, message: message.into(), ..Status::default() };
            ManagementError::of("apply".into(), kube::Error::Api(Box::new(status))).kind()
        };
        for (code, message, expected) in [
            (404, "", ErrorKind::NotFound),
            (409, "", ErrorKind::Conflict),
            (410, "", ErrorKind::Conflict),
            (422, "replicas must be odd", ErrorKind::Refused),
            (400, "", ErrorKind::Refused),
            (403, "may not", ErrorKind::Refused),
            (403, "namespace x because it is being terminated", ErrorKind::Conflict),
            (401, "", ErrorKind::Unavailable),
            (429, "", ErrorKind::Unavailable),
            (503, "", ErrorKind::Unavailable),
            (500, "Internal error occurred: failed calling webhook \"w\": timeout", ErrorKind::Unavailable),
            (500, "admission webhook \"w\" denied the request: no", ErrorKind::Refused),
        ] {
            assert_eq!(kind(code, message), expected, "{code} {message}");
        }
    }
}
