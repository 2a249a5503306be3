//! Which upstreams there are, and what they are called here.

use std::path::PathBuf;
use std::time::Duration;

use jeroboam_oci::RepositoryName;

use crate::client::{ClientError, RemoteSettings};

/// How long what one registry says is believed, and how much is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamLimits {
    /// How long an answer about a tag is believed, and that it has a blob.
    pub check: Duration,
    /// How long it is believed that it does not have something.
    pub absent: Duration,
    /// How long a client waits until it says where a tag points that is here, or gives a list anew, and until there is room for one more blob.
    pub patience: Duration,
    /// Blobs that are fetched from it at once.
    pub fetches: usize,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        let (check, absent, patience) = (Duration::from_secs(60), Duration::from_secs(10), Duration::from_secs(5));
        Self { check, absent, patience, fetches: 32 }
    }
}

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
    /// How much is asked of it.
    pub limits: UpstreamLimits,
}

/// How other registries are cached.
#[derive(Clone, Debug)]
pub struct MirrorSettings {
    /// Which.
    pub upstreams: Vec<UpstreamSettings>,
    /// Where blobs are while they are fetched.
    pub spool: PathBuf,
}

impl MirrorSettings {
    /// What cannot be meant: what is fetched from one registry would lie among what is fetched from another one, or was pushed.
    pub(super) fn check(&self) -> Result<(), ClientError> {
        for (n, one) in self.upstreams.iter().enumerate() {
            if let (None, Some(host)) = (&one.prefix, &one.host) {
                let why = format!("a cache of {host} needs a name below which its repositories are found here");
                return Err(ClientError::Settings(why));
            }
            for other in &self.upstreams[n + 1..] {
                if let (Some(one), Some(other)) = (&one.prefix, &other.prefix)
                    && overlap(one.as_str(), other.as_str())
                {
                    let why = format!("two caches of other registries are found below one name, {one} and {other}");
                    return Err(ClientError::Settings(why));
                }
            }
        }
        Ok(())
    }
}

/// Whether one name is the other one, or below it.
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl UpstreamSettings {
    pub(super) fn is_host(&self, host: &str) -> bool {
        self.host.as_deref() == Some(host)
    }

    /// The name that a repository has there; none where it is no cache of this one.
    pub(super) fn below(&self, here: &RepositoryName) -> Option<RepositoryName> {
        match &self.prefix {
            None => Some(here.clone()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_overlap_part_by_part() {
        for (one, other, do_they) in [
            ("hub", "hub", true),
            ("hub", "hub/quay", true),
            ("hub/quay", "hub", true),
            ("hub", "hubs", false),
            ("hub/a", "hub/b", false),
        ] {
            assert_eq!(overlap(one, other), do_they, "{one} {other}");
        }
    }
}
