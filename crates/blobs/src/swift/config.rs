//! What a Swift is told before it begins.

use std::time::Duration;

use jeroboam_openstack::object_store::{LegacyAccess, StoreLimits};
use jeroboam_openstack::{SessionConfig, TransportConfig};
use secrecy::SecretString;

/// How we get in.
#[derive(Clone, Debug)]
pub enum SwiftAccess {
    /// By Keystone: password, application credential, trust or token.
    Keystone(Box<SessionConfig>),
    /// By Swift's own accounts, or by Keystone's second version.
    Legacy(LegacyAccess),
}

/// How large objects are held together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LargeObject {
    /// Static where nobody but us writes and the store shows what is in them, otherwise dynamic.
    #[default]
    Auto,
    /// Dynamic: a prefix of names. What distribution's driver writes, and removes with all its segments.
    Dynamic,
    /// Static: a list of segments, each of which the store looks at.
    Static,
}

/// How long segments are: they grow, so that a thousand of them are enough for 200 GB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSizes {
    /// Of the first ones.
    pub first: u64,
    /// So many of each length; the second is four times the first, the third, for all that follow, sixteen times.
    pub each: u64,
}

impl Default for SegmentSizes {
    fn default() -> Self {
        Self { first: 16 << 20, each: 64 }
    }
}

impl SegmentSizes {
    /// The length of the segment before which there are so many.
    #[must_use]
    pub fn of(&self, before: u64) -> u64 {
        match before / self.each.max(1) {
            0 => self.first,
            1 => self.first * 4,
            _ => self.first * 16,
        }
    }
}

/// Addresses from which clients read by themselves.
#[derive(Clone, Debug, Default)]
pub struct TempUrlConfig {
    /// Whether there are any.
    pub enabled: bool,
    /// A key that somebody else looks after; without it the container's own key is used, and made where there is none.
    pub key: Option<SecretString>,
    /// The container's key is replaced when it is so old. Only where nobody else signs with it: distribution reads it once.
    pub rotate_after: Option<Duration>,
}

/// What a Swift is told before it begins.
#[derive(Clone, Debug)]
pub struct SwiftConfig {
    /// How we get in.
    pub access: SwiftAccess,
    /// How connections are made.
    pub transport: TransportConfig,
    /// The container.
    pub container: String,
    /// What all names begin with; distribution's `prefix`.
    pub prefix: String,
    /// Whether a container that is not there is made.
    pub create_container: bool,
    /// How large objects are held together.
    pub large_object: LargeObject,
    /// Whether nobody but us writes here, nor will again.
    pub exclusive: bool,
    /// Addresses from which clients read by themselves.
    pub temp_url: TempUrlConfig,
    /// How long segments are.
    pub segments: SegmentSizes,
    /// How long the end of an upload waits until a listing shows all of its segments; distribution waits as long.
    pub patience: Duration,
    /// Longest plain object, where the store does not say that it takes less.
    pub max_plain: u64,
    /// How long something may take.
    pub limits: StoreLimits,
}

/// A Ceph gateway's limit of a plain object; Swift's is two bytes more.
const MAX_PLAIN: u64 = 5_368_709_120;

impl SwiftConfig {
    /// The settings that most have.
    #[must_use]
    pub fn new(access: SwiftAccess, container: impl Into<String>) -> Self {
        let transport = match &access {
            SwiftAccess::Keystone(session) => session.transport.clone(),
            SwiftAccess::Legacy(_) => TransportConfig::default(),
        };
        Self {
            access,
            transport,
            container: container.into(),
            prefix: String::new(),
            create_container: true,
            large_object: LargeObject::Auto,
            exclusive: false,
            temp_url: TempUrlConfig::default(),
            segments: SegmentSizes::default(),
            patience: Duration::from_secs(15),
            max_plain: MAX_PLAIN,
            limits: StoreLimits::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_segments_are_enough_for_large_images() {
        let sizes = SegmentSizes::default();
        let sum: u64 = (0..1000).map(|before| sizes.of(before)).sum();
        assert_eq!((sizes.of(0), sizes.of(63), sizes.of(64), sizes.of(128)), (16 << 20, 16 << 20, 64 << 20, 256 << 20));
        assert!(sum > 200_000_000_000, "{sum}");
    }
}
