//! Typed identifiers. A cluster's id never goes where a template's is wanted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that should be an id and is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a uuid but received {0}")]
pub struct BadId(pub String);

/// Parses what Magnum takes for a uuid: 32 hex digits in any case, dashes, braces, `urn:` and `uuid:` ignored.
///
/// Magnum: oslo.utils `uuidutils.is_uuid_like`.
fn parse_like_oslo(text: &str) -> Option<Uuid> {
    // As every row holds it, without a detour.
    if let (36 | 32, Ok(uuid)) = (text.len(), Uuid::try_parse(text)) {
        return Some(uuid);
    }
    let digits: String =
        text.replace("urn:", "").replace("uuid:", "").trim_matches(['{', '}']).replace('-', "").to_lowercase();
    let whole = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    whole.then(|| Uuid::try_parse(&digits).ok()).flatten()
}

/// Whether Magnum would look this text up as a uuid and not as a name.
#[must_use]
pub fn looks_like_uuid(text: &str) -> bool {
    parse_like_oslo(text).is_some()
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new random id.
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// The id as a uuid.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                parse_like_oslo(text).map(Self).ok_or_else(|| BadId(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id as Keystone wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

uuid_id! {
    /// A cluster.
    ClusterId
}
uuid_id! {
    /// A node group.
    NodeGroupId
}
uuid_id! {
    /// A cluster template.
    TemplateId
}
uuid_id! {
    /// A stored certificate with its private key.
    KeyPairId
}
text_id! {
    /// A Keystone project: free text, usually 32 hex digits.
    ProjectId
}
text_id! {
    /// A Keystone user: free text, usually 32 or 64 hex digits.
    UserId
}
text_id! {
    /// A stored certificate as Magnum's `*_cert_ref` columns name it: a uuid, or the address of a container of Barbican's.
    CertificateRef
}

impl CertificateRef {
    /// The id, where this is one: a row of our database or a file.
    #[must_use]
    pub fn key_pair(&self) -> Option<KeyPairId> {
        looks_like_uuid(&self.0).then(|| self.0.parse().ok()).flatten()
    }

    /// The id of the container, where this is an address.
    #[must_use]
    pub fn container(&self) -> Option<&str> {
        // Magnum: common/cert_manager/barbican_cert_manager.py takes the last part and its own endpoint.
        let (_, id) = self.0.trim_end_matches('/').rsplit_once('/')?;
        (!id.is_empty()).then_some(id)
    }
}

impl From<KeyPairId> for CertificateRef {
    fn from(id: KeyPairId) -> Self {
        Self(id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_a_row_or_a_container() {
        let id = "cad92b66-3023-426e-9584-e73170a1c965";
        for (text, row, container) in [
            (id, true, None),
            ("http://keys:9311/v1/containers/cad92b66-3023-426e-9584-e73170a1c965", false, Some(id)),
            ("https://cloud/key-manager/v1/containers/abc/", false, Some("abc")),
            ("nonsense", false, None),
            ("http://", false, None),
        ] {
            let reference = CertificateRef::from(text);
            assert_eq!((reference.key_pair().is_some(), reference.container()), (row, container), "{text}");
        }
    }

    #[test]
    fn a_uuid_is_read_as_oslo_reads_it() {
        let plain = "cad92b66-3023-426e-9584-e73170a1c965";
        for text in [
            plain,
            "CAD92B663023426E9584E73170A1C965",
            "urn:uuid:cad92b66-3023-426e-9584-e73170a1c965",
            "{cad92b66-3023-426e-9584-e73170a1c965}",
        ] {
            assert_eq!(text.parse::<ClusterId>().map(|id| id.to_string()), Ok(plain.to_owned()), "{text}");
        }
        for text in ["", "ui", "cad92b66-3023-426e-9584-e73170a1c96", "zad92b66-3023-426e-9584-e73170a1c965"] {
            assert!(!looks_like_uuid(text), "{text}");
        }
    }
}
