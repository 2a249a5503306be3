//! The `OpenStack-API-Version` header: what a caller asks for, what is answered.

use std::fmt;
use std::str::FromStr;

/// Names under which the service is known in the header.
const SERVICES: [&str; 3] = ["container-infra", "container-infrastructure", "container-infrastructure-management"];

/// The name that answers carry.
pub const SERVICE: &str = "container-infrastructure-management";

/// An API version such as 1.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Microversion {
    /// Always 1 so far.
    pub major: u16,
    /// What grows.
    pub minor: u16,
}

impl Microversion {
    /// The oldest, and the one of callers that name none.
    pub const MIN: Self = Self::new(1, 1);
    /// The newest that Magnum 23 has.
    pub const MAX: Self = Self::new(1, 14);

    /// A version by its numbers.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Whether this is version 1.`minor` or newer.
    #[must_use]
    pub fn at_least(self, minor: u16) -> bool {
        self >= Self::new(1, minor)
    }
}

impl fmt::Display for Microversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Microversion {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten().ok_or(BadVersion::Malformed)
        };
        let (major, minor) = text.split_once('.').ok_or(BadVersion::Malformed)?;
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

/// A header that cannot be answered; both kinds are a 406.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadVersion {
    /// It is not `<service> <version>`; the answer names no versions.
    #[error("the requested version is malformed")]
    Malformed,
    /// It is a version that is not offered; the answer echoes it.
    #[error("version {0} is not supported")]
    Unsupported(Microversion),
}

/// The versions on offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// The oldest.
    pub min: Microversion,
    /// The newest.
    pub max: Microversion,
}

impl Default for VersionRange {
    fn default() -> Self {
        Self { min: Microversion::MIN, max: Microversion::MAX }
    }
}

impl VersionRange {
    /// The version to speak, given what the header says. Magnum: `magnum/api/controllers/versions.py`.
    pub fn negotiate(&self, header: Option<&str>) -> Result<Microversion, BadVersion> {
        let Some(header) = header else { return Ok(self.min) };
        // A list names one version for each of several services; ours is the one that counts.
        let ours = header.split(',').map(str::trim).find(|item| {
            let service = item.split_whitespace().next();
            header.contains(',') && service.is_some_and(|service| SERVICES.contains(&service))
        });
        let item = ours.unwrap_or(header);
        let mut words = item.split_whitespace();
        let (Some(service), Some(version), None) = (words.next(), words.next(), words.next()) else {
            return Err(BadVersion::Malformed);
        };
        // Magnum: the service's name is not looked at before `latest`.
        if version == "latest" {
            return Ok(self.max);
        }
        if !SERVICES.contains(&service) {
            return Err(BadVersion::Malformed);
        }
        let version: Microversion = version.parse()?;
        if version < self.min || version > self.max { Err(BadVersion::Unsupported(version)) } else { Ok(version) }
    }

    /// The headers of an answer that was made in `version`, success or not.
    #[must_use]
    pub fn headers(&self, version: Microversion) -> [(&'static str, String); 4] {
        [
            ("openstack-api-minimum-version", format!("{SERVICE} {}", self.min)),
            ("openstack-api-maximum-version", format!("{SERVICE} {}", self.max)),
            ("openstack-api-version", format!("{SERVICE} {version}")),
            ("vary", "OpenStack-API-Version".to_owned()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_answered_as_magnum_answers_it() {
        let v = |minor| Ok(Microversion::new(1, minor));
        let unsupported = |major, minor| Err(BadVersion::Unsupported(Microversion::new(major, minor)));
        let malformed = Err(BadVersion::Malformed);
        for (header, answer) in [
            (None, v(1)),
            (Some("container-infra 1.9"), v(9)),
            (Some("container-infrastructure 1.9"), v(9)),
            (Some("container-infrastructure-management 1.14"), v(14)),
            (Some("container-infra latest"), v(14)),
            (Some("anything latest"), v(14)),
            (Some("latest"), malformed),
            (Some("1.9"), malformed),
            (Some("foo 1.9"), malformed),
            (Some("container-infra abc"), malformed),
            (Some("container-infra 1"), malformed),
            (Some("container-infra 1.+9"), malformed),
            (Some("container-infra 1.99999999999999"), malformed),
            (Some(""), malformed),
            (Some("container-infra 1.99"), unsupported(1, 99)),
            (Some("container-infra 2.0"), unsupported(2, 0)),
            (Some("container-infra 1.0"), unsupported(1, 0)),
            (Some("compute 2.1, container-infra 1.9"), v(9)),
            (Some("compute 2.1,volume 3.0"), malformed),
        ] {
            assert_eq!(VersionRange::default().negotiate(header), answer, "{header:?}");
        }
    }

    #[test]
    fn a_lower_maximum_is_what_latest_means() {
        let range = VersionRange { max: Microversion::new(1, 10), ..VersionRange::default() };
        assert_eq!(range.negotiate(Some("container-infra latest")), Ok(Microversion::new(1, 10)));
        let refused = Err(BadVersion::Unsupported(Microversion::new(1, 11)));
        assert_eq!(range.negotiate(Some("container-infra 1.11")), refused);
    }

    #[test]
    fn answers_name_the_range_and_the_version() {
        let headers = VersionRange::default().headers(Microversion::new(1, 9));
        let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            headers,
            [
                "openstack-api-minimum-version: container-infrastructure-management 1.1",
                "openstack-api-maximum-version: container-infrastructure-management 1.14",
                "openstack-api-version: container-infrastructure-management 1.9",
                "vary: OpenStack-API-Version",
            ]
        );
    }
}
