//! Which upstreams there are, and what they are called here.

use std::path::PathBuf;
use std::time::Duration;

use jeroboam_oci::RepositoryName;

use crate::client::RemoteSettings;

/// One registry that is cached.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// Below which name it is found here; everything, where there is none.
    pub prefix: Option<RepositoryName>,
    /// As which host container runtimes ask for it.
    pub host: Option<String>,
    /// Where it is.
    pub remote: RemoteSettings,
    /// For how long is kept what nobody asks for; for ever, where it is nothing.
    pub lifetime: Option<Duration>,
    /// Whether those may read it who are nobody here.
    pub anonymous: bool,
}

/// How other registries are cached.
#[derive(Clone, Debug)]
pub struct MirrorSettings {
    /// Which.
    pub upstreams: Vec<UpstreamSettings>,
    /// How long an answer about a tag is believed.
    pub check: Duration,
    /// How long it is believed that an upstream does not have something.
    pub absent: Duration,
    /// Where blobs are while they are fetched.
    pub spool: PathBuf,
    /// Blobs that are fetched at once.
    pub fetches: usize,
}

impl MirrorSettings {
    /// The usual settings.
    #[must_use]
    pub fn new(spool: PathBuf, upstreams: Vec<UpstreamSettings>) -> Self {
        Self { upstreams, check: Duration::from_secs(60), absent: Duration::from_secs(10), spool, fetches: 32 }
    }
}

impl UpstreamSettings {
    pub(super) fn is_host(&self, host: &str) -> bool {
        self.host.as_deref() == Some(host)
    }

    /// The name that a repository has there; none where it is no cache of this one.
    pub(super) fn below(&self, here: &RepositoryName) -> Option<RepositoryName> {
        match &self.prefix {
            None if self.host.is_none() => Some(here.clone()),
            // It is only had by its host.
            None => None,
            Some(prefix) => here.as_str().strip_prefix(prefix.as_str())?.strip_prefix('/')?.parse().ok(),
        }
    }

    /// The name that a repository of theirs has here; none where that would be too long.
    pub(super) fn name_here(&self, there: &RepositoryName) -> Option<RepositoryName> {
        match &self.prefix {
            None => Some(there.clone()),
            Some(prefix) => format!("{prefix}/{there}").parse().ok(),
        }
    }
}
