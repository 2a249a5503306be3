//! Kubernetes releases and the one rule about moving between them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::excerpt;

/// A Kubernetes release such as `v1.33.4`, as found in the `kube_tag` label or the image's `kube_version`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KubeRelease {
    major: u16,
    minor: u16,
    patch: u16,
}

/// A text that names no release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a Kubernetes version, expected something like v1.33.4")]
pub struct BadRelease(pub String);

/// Why a cluster may not go from one release to another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeRefused {
    /// Kubernetes cannot be taken back.
    #[error("Kubernetes can not go back from {from} to {to}")]
    Downgrade {
        /// What runs.
        from: KubeRelease,
        /// What was asked for.
        to: KubeRelease,
    },
    /// Every minor version has to be passed through.
    #[error("Kubernetes can not skip minor versions: {from} to {to}, upgrade to v{}.{} first", from.major, from.minor.saturating_add(1))]
    Skips {
        /// What runs.
        from: KubeRelease,
        /// What was asked for.
        to: KubeRelease,
    },
}

impl KubeRelease {
    /// Kubernetes lets us skip no minor version on the way up, and never go down.
    pub fn may_upgrade_to(&self, next: &Self) -> Result<(), UpgradeRefused> {
        let (from, to) = (self.clone(), next.clone());
        if next < self {
            return Err(UpgradeRefused::Downgrade { from, to });
        }
        if next.major != self.major || next.minor > self.minor.saturating_add(1) {
            return Err(UpgradeRefused::Skips { from, to });
        }
        Ok(())
    }

    /// Major and minor, as add-ons and support windows are keyed.
    #[must_use]
    pub const fn minor(&self) -> (u16, u16) {
        (self.major, self.minor)
    }
}

impl FromStr for KubeRelease {
    type Err = BadRelease;

    fn from_str(text: &str) -> Result<Self, BadRelease> {
        let bad = || BadRelease(excerpt(text));
        let plain = text.trim().strip_prefix('v').unwrap_or(text.trim());
        let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        let mut parts = plain.split('.').map(|part| number(part).ok_or_else(bad));
        let mut next = || parts.next().unwrap_or_else(|| Err(bad()));
        let release = Self { major: next()?, minor: next()?, patch: next()? };
        if parts.next().is_some() { Err(bad()) } else { Ok(release) }
    }
}

impl fmt::Display for KubeRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl TryFrom<String> for KubeRelease {
    type Error = BadRelease;

    fn try_from(text: String) -> Result<Self, BadRelease> {
        text.parse()
    }
}

impl From<KubeRelease> for String {
    fn from(release: KubeRelease) -> Self {
        release.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upgrades_pass_through_every_minor_and_never_go_back() {
        let check = |from: &str, to: &str| {
            let (from, to): (KubeRelease, KubeRelease) = (from.parse().expect("valid"), to.parse().expect("valid"));
            from.may_upgrade_to(&to).map_err(|e| e.to_string())
        };
        assert_eq!(check("v1.33.4", "v1.33.4"), Ok(()));
        assert_eq!(check("v1.33.4", "1.34.0"), Ok(()));
        assert_eq!(
            check("v1.33.4", "v1.35.0"),
            Err("Kubernetes can not skip minor versions: v1.33.4 to v1.35.0, upgrade to v1.34 first".into())
        );
        assert!(check("v1.65535.0", "v2.0.0").is_err());
        assert_eq!(check("v1.33.4", "v1.33.3"), Err("Kubernetes can not go back from v1.33.4 to v1.33.3".into()));
    }

    #[test]
    fn anything_but_three_numbers_is_no_release() {
        for text in ["", "v1", "v1.33", "1.33.x", "v1.33.4.5", "v1.+33.4", "latest"] {
            assert_eq!(text.parse::<KubeRelease>(), Err(BadRelease(text.into())));
        }
    }
}
